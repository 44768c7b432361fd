"""Headgate: the gate between applications and language models."""

from pathlib import Path

__all__ = ["__version__", "is_compiled"]

__version__ = "0.1.0"


def is_compiled() -> bool:
    """Is the path of a request machine code, as in a compiled wheel? False: plain Python. Both do the same, at another speed."""
    # Looked for and not imported: who asks may have a clock to set first.
    return any(Path(__file__).parent.glob("journey.*.so"))
