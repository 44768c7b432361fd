"""Where the embedder's file is, and what to do when it is not there. Needs no package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["BUILD_COMMAND", "INSTALL_COMMAND", "embedder_file"]

BUILD_COMMAND = "python -m headgate.providers.embedding.build"
"""Makes the file; also shown by `make`, for which scripts/build_embedder.py calls the same code."""
INSTALL_COMMAND = "pip install 'headgate[embed]'"
_NAME = "minilm-l6-v2-int8-1.onnx"
"""The last number is the layout's: a file of another layout is another file."""


def embedder_file(environ: Mapping[str, str]) -> Path:
    """`HEADGATE_EMBEDDER` if set, else a file in the user's cache folder."""
    named = environ.get("HEADGATE_EMBEDDER")
    if named:
        return Path(named).expanduser()
    cache = environ.get("XDG_CACHE_HOME")
    folder = Path(cache) if cache else Path.home() / ".cache"
    return folder / "headgate" / _NAME
