"""A gateway's requests are added up, what it saw of itself is kept, and a change of its configuration is marked."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.request
from pathlib import Path

from headgate.stores.backends import sqlite
from headgate.stores.rollups import Mark, Rolled, Scope
from tests.support.aio import aio
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """\
[providers.sim]
kind = "simulated"
speed = 0
{more}
[features.support-chat]
route = "sim/sim-small"
"""


def call(gateway: RunningGateway, *, stream: bool) -> None:
    said = {"role": "user", "content": "hello"}
    body = {"model": "support-chat", "messages": [said], "stream": stream, "user": "ann"}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.status == 200
        reply.read()


async def found(path: Path) -> tuple[list[Rolled], list[Mark], float]:
    """Rollups by feature and outcome, marks, and the highest number of requests in flight that was seen."""
    database = sqlite.Database(path)
    rollups = sqlite.SqliteRollups(database)
    now = int(time.time())
    try:
        rolled = await rollups.rolled(
            Scope(now - 3_600, now + 3_600), by=["feature", "model", "outcome"], sketches=["total_us"]
        )
        marks = await rollups.marks(0, 2**62)
        gauges = await rollups.gauges("in_flight", now - 3_600, now + 3_600)
        return list(rolled), list(marks), max((one.value for one in gauges), default=-1.0)
    finally:
        await database.close()


@aio
async def test_calls_are_added_up_and_a_new_configuration_is_marked(tmp_path: Path) -> None:
    """By the time the gateway has stopped everything is there, and the next one goes on from it."""
    for number, more in enumerate(("", "seed = 1"), 1):
        with running_gateway(tmp_path, CONFIG.format(more=more)) as gateway:
            call(gateway, stream=False)
            call(gateway, stream=True)
            assert gateway.stop() == 0
        rolled, marks, in_flight = await found(gateway.database)
        (one,) = rolled
        assert one.group == ("support-chat", "sim/sim-small", "ok")
        assert one.requests == one.attempts == one.sketches["total_us"].count == 2 * number
        assert one.output_tokens > 0
        assert [mark.kind for mark in marks] == ["config"] * (number - 1)
        assert in_flight >= 0
    with sqlite3.connect(tmp_path / "headgate.db") as connection:
        said = {row[0] for row in connection.execute("SELECT fingerprint FROM attempt")}
    assert said == {"fp_simulated"}
