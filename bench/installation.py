"""What `bench/setup.py` left behind for one peer: its versions, or the reason why it is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench.places import BUILD

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Installation"]


class Installation:
    """One peer's own environment under `.build/bench/NAME`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home: Path = BUILD / name

    @property
    def _versions_file(self) -> Path:
        return self.home / "installed.json"

    @property
    def _reason_file(self) -> Path:
        return self.home / "not-installed.txt"

    def succeeded(self, **versions: str) -> None:
        """Note that the peer is installed, with the versions of all that matters."""
        self._reason_file.unlink(missing_ok=True)
        self._versions_file.write_text(json.dumps(versions, indent=1) + "\n")

    def failed(self, reason: str) -> None:
        """Note why the peer is not installed."""
        self._versions_file.unlink(missing_ok=True)
        self._reason_file.write_text(reason.strip() + "\n")

    def versions(self) -> dict[str, str]:
        """Name and version of what was installed."""
        return dict(json.loads(self._versions_file.read_text()))

    def missing(self) -> str | None:
        """Why the peer cannot be started, or None if it can."""
        if self._versions_file.exists():
            return None
        if self._reason_file.exists():
            return self._reason_file.read_text().strip()
        return f"not installed: run `python bench/setup.py {self.name}`"
