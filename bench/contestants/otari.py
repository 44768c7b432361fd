"""otari: its package index entry holds the client alone, so it is listed with the reason why it does not run.

Once a release brings a server command, `bench/setup.py` notes it as installed and `launch` has to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch
from bench.installation import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from bench.upstream import Upstream

__all__ = ["Otari"]

_PLACE = Installation("otari")


class Otari(Contestant):
    """The peer nearest to Headgate in language and shape."""

    name = "otari"
    title = "otari"
    does = "-"

    def version(self) -> str:
        return _PLACE.versions()["otari"]

    def missing(self) -> str | None:
        return _PLACE.missing() or "installed, but this harness does not know yet how to configure it"

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        raise NotImplementedError
