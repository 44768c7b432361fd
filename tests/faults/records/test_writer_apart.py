"""The record writer in a process of its own: whatever dies, everything is stored once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import openai

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.house]
kind = "simulated"
speed = 0

[models.small]
endpoints = [{ provider = "house", model = "m" }]
price = { input = 1, output = 1 }

[[budgets]]
name = "day"
usd = 100
per = "day"
each = false
"""


def writers(gateway: RunningGateway) -> list[int]:
    """The processes that the gateway has started."""
    found = subprocess.run(
        ["pgrep", "-P", str(gateway.process.pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def until(what: Callable[[], object], *, within: float = 20.0) -> None:
    due = time.monotonic() + within
    while not what():
        assert time.monotonic() < due, "it did not come about"
        time.sleep(0.05)


def asks(gateway: RunningGateway, number: int) -> int:
    """Ask so often; the sum of what the answers cost, in nano-dollars."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    cost = 0
    for each in range(number):
        answer = client.chat.completions.with_raw_response.create(
            model="small", messages=[{"role": "user", "content": f"How high is the water, {each}?"}]
        )
        whole, _, fraction = answer.headers["x-headgate-cost-usd"].partition(".")
        cost += int(whole) * 10**9 + int(fraction)
    client.close()
    return cost


def rows(path: Path, question: str) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def stored(gateway: RunningGateway) -> int:
    return rows(gateway.database, "SELECT count(*) FROM request")[0][0]


def test_a_killed_writer_is_started_again_and_nothing_counts_twice(tmp_path: Path) -> None:
    """The gateway goes on answering meanwhile, and the money of its calls is counted once."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        (writer,) = writers(gateway)
        cost = asks(gateway, 5)
        until(lambda: stored(gateway) == 5)
        os.kill(writer, signal.SIGKILL)
        cost += asks(gateway, 5)
        until(lambda: stored(gateway) == 10)
        assert writers(gateway) != [writer]
        assert gateway.stop() == 0
        assert "it is started again" in gateway.log
    assert rows(gateway.database, "SELECT nanos FROM budget_use") == [(cost,)]
    assert list(tmp_path.glob("headgate.journal/*")) == []


def test_a_writer_ends_by_itself_when_its_gateway_is_killed(tmp_path: Path) -> None:
    """It is nobody's orphan; and the next start stores what was left."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        (writer,) = writers(gateway)
        cost = asks(gateway, 5)
        gateway.kill()
        until(lambda: not Path(f"/proc/{writer}").exists())
    with running_gateway(tmp_path, CONFIG) as again:
        until(lambda: stored(again) == 5)
    assert rows(again.database, "SELECT nanos FROM budget_use") == [(cost,)]
    assert list(tmp_path.glob("headgate.journal/*")) == []


def test_signals_for_all_processes_do_not_end_the_writer_before_the_gateway(tmp_path: Path) -> None:
    """A service manager tells every process to stop; what is recorded until the end is stored."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        (writer,) = writers(gateway)
        asks(gateway, 3)
        for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(writer, told)
        asks(gateway, 3)
        assert gateway.stop() == 0
        assert "ended by itself" not in gateway.log
        assert stored(gateway) == 6
    assert list(tmp_path.glob("headgate.journal/*")) == []


def test_a_thread_does_the_same_where_memory_is_short(tmp_path: Path) -> None:
    """`records.writer = "thread"` starts no process."""
    with running_gateway(tmp_path, '[records]\nwriter = "thread"\n' + CONFIG) as gateway:
        assert writers(gateway) == []
        asks(gateway, 3)
        assert gateway.stop() == 0
        assert stored(gateway) == 3
