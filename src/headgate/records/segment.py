"""The files of a journal, as who writes and who reads them must agree on."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["HEADER", "segment_path"]

HEADER = struct.Struct("<II")
"""Of an entry: its length and its CRC-32."""


def segment_path(directory: Path, name: str, number: int) -> Path:
    """Where the segment of this number lies."""
    return directory / f"{name}-{number:06d}.journal"
