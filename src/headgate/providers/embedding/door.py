"""Open the local embedder, or say what is missing. Importing this needs none of the extra `[embed]`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from headgate.providers.embedding.place import INSTALL_COMMAND
from headgate.providers.embedding.port import Embedder, EmbedderMissing

__all__ = ["open_embedder"]


def open_embedder(file: Path) -> Embedder:
    """The embedder in `file` (see `place.embedder_file`); takes about 0.2 s, most of it importing.

    Raises EmbedderMissing with the command that helps."""
    try:
        # By name: numpy and onnxruntime come with an extra, and only who uses them should wait for them.
        module = importlib.import_module("headgate.providers.embedding.local")
    except ModuleNotFoundError as fault:
        raise EmbedderMissing(f"the local embedder needs {fault.name}: {INSTALL_COMMAND}") from fault
    return cast("Embedder", module.LocalEmbedder(file))
