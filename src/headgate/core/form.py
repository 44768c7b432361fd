"""In which form the path of a request runs."""

from __future__ import annotations

from headgate.core import ids

__all__ = ["is_compiled"]


def is_compiled() -> bool:
    """As machine code, as in a compiled wheel? False: as plain Python. Both do the same, at another speed."""
    return not ids.__file__.endswith(".py")
