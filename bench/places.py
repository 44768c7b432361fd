"""Where the harness keeps things: the project's root and its git-ignored `.build/bench`."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["BUILD", "PAGE", "ROOT", "clean_environment"]

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build" / "bench"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"


def clean_environment(**more: str) -> dict[str, str]:
    """The environment a measured server gets: no proxy settings, no provider keys, plus `more`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONUNBUFFERED": "1"} | more
