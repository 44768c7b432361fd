"""Make the local embedder's file for tests and benchmarks, unless it is there. Same as the package's own command."""

from __future__ import annotations

import sys

from headgate.providers.embedding.build import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
