"""Where the data are, and where what is made of them goes."""

from __future__ import annotations

import os
from pathlib import Path

from bench.places import ROOT

__all__ = ["CHECK", "WORDS", "folder"]

CHECK = ROOT / "src" / "headgate" / "cache" / "semantic" / "check"
WORDS = CHECK / "words"


def folder() -> Path:
    """`HEADGATE_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("HEADGATE_DATA") or ROOT.parent / "shared" / "data")
