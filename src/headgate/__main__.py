"""`python -m headgate` is the `headgate` command."""
from __future__ import annotations

from headgate.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
