"""What the gateway asks of an embedder, and the two ways it says no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

__all__ = ["Embedder", "EmbedderBusy", "EmbedderMissing"]


class EmbedderMissing(RuntimeError):
    """The local embedder cannot be used here: no model file, a broken one, or the extra `[embed]` is not installed.

    Its message says what to run. It ends a start or a command, never a request."""


class EmbedderBusy(RuntimeError):
    """More texts wait for the local embedder than it may keep waiting; whoever asked goes on without a vector."""


class Embedder(Protocol):
    """Turns texts into vectors whose dot product tells how close their subjects are."""

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names the weights: vectors of different fingerprints are never compared."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, float32, of length one; the same text always gives the same row, whatever came with it.

        A text is read up to 256 tokens. Raises EmbedderBusy instead of making an endless queue."""
        ...
