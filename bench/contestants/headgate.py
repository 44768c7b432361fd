"""Headgate with everything on: keys, features, routing, prices, spans and contents recorded."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch, Recorded
from bench.form import gateway_environment
from bench.shapes import LANES, UPSTREAM_MODEL

if TYPE_CHECKING:
    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["Headgate"]

_KEY = "hg-bench-0123456789abcdef0123456789abcdef"
_CATCH_UP_SECONDS = 60.0
_CACHE = 'cache = { exact = "1h", when = "always" }'
_REQUESTS_RECORDED = "SELECT count(*) FROM request"


class Headgate(Contestant):
    """This project."""

    name = "headgate"
    title = "Headgate"
    does = "checks the key, resolves the feature, routes, prices, records every span and content in SQLite"
    hit_header = ("x-cache", "HIT")

    def version(self) -> str:
        said = subprocess.run(
            [self._program(), "--version"],
            env=gateway_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return said.stdout.strip().removeprefix("headgate ") or "unknown"

    def missing(self) -> str | None:
        if not Path(self._program()).exists():
            return "the `headgate` command is not installed in this environment"
        said = subprocess.run([self._program(), "--help"], capture_output=True, text=True, check=False)
        if said.returncode:
            last = said.stderr.strip().splitlines() or ["no output"]
            return f"`headgate --help` ends with status {said.returncode}: {last[-1]}"
        return None

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        configuration = work / "headgate.toml"
        parts = [_server(port, work), *(_lane(lane, self.model(lane), upstream) for lane in LANES.values())]
        configuration.write_text("\n".join(parts))
        command = [self._program(), "serve", "--config", str(configuration), "--listen", f"127.0.0.1:{port}"]
        return Launch(command, gateway_environment(HEADGATE_BOOTSTRAP_KEY=_KEY), work)

    def headers(self, lane: Lane, upstream: Upstream) -> dict[str, str]:
        return {"authorization": f"Bearer {_KEY}"}

    def recorded(self, before: int, more: int, work: Path) -> Recorded:
        began = time.perf_counter()
        while True:
            rows = _count(work / "headgate.db")
            seconds = time.perf_counter() - began
            if rows >= before + more or seconds > _CATCH_UP_SECONDS:
                return Recorded(before, rows, seconds)
            time.sleep(0.2)

    def _program(self) -> str:
        beside = Path(sys.executable).with_name("headgate")
        return str(beside) if beside.exists() else shutil.which("headgate") or str(beside)


def _server(port: int, work: Path) -> str:
    return f'[server]\nlisten = "127.0.0.1:{port}"\ndatabase = "sqlite:///{work}/headgate.db"\n'


def _lane(lane: Lane, feature: str, upstream: Upstream) -> str:
    return f"""\
[providers.{lane.name}]
kind = "openai"
base_url = "{upstream.base_url(lane)}"
api_key = "unused"
self_hosted = true

[models.{lane.name}]
endpoints = [{{ provider = "{lane.name}", model = "{UPSTREAM_MODEL}" }}]
price = {{ input = 0.15, output = 0.60 }}

[features.{feature}]
route = "{lane.name}"
{_CACHE if lane.cached else ""}
"""


def _count(database: Path) -> int:
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute(_REQUESTS_RECORDED).fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the table is not there yet
