"""The record writer's process: small, for the gateway's memory is counted with its."""

from __future__ import annotations

import subprocess
import sys

__all__: list[str] = []

DEAR = ("asyncio", "genai_prices", "headgate.config", "headgate.edge", "sqlalchemy", "uvicorn")


def test_the_writers_process_imports_nothing_that_it_does_not_use() -> None:
    """Event loop, settings and price list: 30 MB, for as long as the gateway runs."""
    shown = "import headgate.cli.writing, headgate.stores.backends.sqlite.sink, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "headgate.records.writer" in loaded
    assert [name for name in DEAR if name in loaded] == []
