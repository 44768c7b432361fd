"""An embedder without a model: texts that share words are near each other. For tests; needs numpy."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headgate.providers.embedding.port import EmbedderBusy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WordEmbedder"]


class WordEmbedder:
    """Each word is a direction drawn from its letters, a text the mean of its words', brought to length one."""

    fingerprint = "words-1"

    def __init__(self, dimensions: int = 32) -> None:
        self.dimensions = dimensions
        self.asked: list[str] = []
        """Every text so far."""
        self.busy = False
        """While True, it refuses as a full one does."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Fulfils `Embedder`."""
        if self.busy:
            raise EmbedderBusy("busy, because the test says so")
        await asyncio.sleep(0)
        self.asked += texts
        return np.array([self._vector(text) for text in texts], np.float32).reshape(-1, self.dimensions)

    def _vector(self, text: str) -> NDArray[np.float64]:
        total = np.full(self.dimensions, 1e-6)
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
            total += np.random.default_rng(seed).normal(size=self.dimensions)
        unit: NDArray[np.float64] = total / np.linalg.norm(total)
        return unit
