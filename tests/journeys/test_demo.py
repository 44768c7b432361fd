"""`headgate demo` as people start it: what is planted is found, nothing else cries, and the past that is made up is a past."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from headgate.cli.demo_past import COMMAND, Order
from headgate.cli.demo_plants import PLANTS
from headgate.cli.demo_settings import demonstration
from tests.support.demonstration import Demo, demo, until
from tests.support.gateway import KEY

__all__: list[str] = []

PLANTED = 6.0
"""Seconds of traffic before something is planted."""
WITHIN = 120.0
"""Seconds of traffic in which its alert has to come."""
RULES = {plant.rule for plant in PLANTS.values()}


def seen(one: Demo, rule: str) -> None:
    """The rule's alert comes, stands on the first page, and no other of these rules cries with it."""
    told = until(lambda: one.found(rule), WITHIN, one.said)
    assert "support-chat" in told["text"]
    until(lambda: rule in one.get("/").decode(), 10, one.said)
    others = {each["facts"].get("rule") for each in one.alerts()} & RULES
    assert others == {rule}, f"{rule}: {others}"


@pytest.mark.timeout(300)
def test_what_is_planted_is_found_and_nothing_else(tmp_path: Path) -> None:
    """A worse prompt, a slower model, a dearer route: each is told by its rule within two minutes of traffic and stands on the
    Overview; where nothing is planted none of these rules says a word in the same time. All at once: it takes a minute."""
    with ExitStack() as running:
        usual = ("--seconds", str(WITHIN), "--history", "0")
        planted = {
            name: running.enter_context(
                demo(tmp_path / name, *usual, "--plant", name, "--plant-after", f"{PLANTED:g}s")
            )
            for name in PLANTS
        }
        calm = running.enter_context(demo(tmp_path / "calm", *usual))
        for name, one in planted.items():
            seen(one, PLANTS[name].rule)
        false = [each["text"] for each in calm.alerts() if each["facts"].get("rule") in RULES]
        assert false == []
        assert calm.process.poll() is None, calm.said.read_text()


def test_the_past_is_made_by_real_requests_at_other_times(tmp_path: Path) -> None:
    """Days go by in seconds: requests, rollups, conversations, judgements and money stand at the times they are said to have been."""
    database, until_ns = tmp_path / "headgate.db", time.time_ns()
    config = tmp_path / "headgate.toml"
    config.write_text(demonstration("127.0.0.1:1", f"sqlite:///{database}"))
    order = {"configuration": str(config), "key": KEY, "seconds": 86_400.0 / 2, "until_ns": until_ns}
    done = subprocess.run(
        COMMAND, input=json.dumps(order).encode() + b"\n", capture_output=True, timeout=100, check=True
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert set(last["keys"]) == {"first", "shop", "office"} and last["done"] == last["of"] > 100
    with sqlite3.connect(database) as connection:

        def rows(question: str) -> list[Any]:
            return connection.execute(question).fetchall()

        ((count, first, latest),) = rows(
            "SELECT count(*), min(started_ns), max(started_ns) FROM request WHERE purpose = ''"
        )
        assert count == last["done"]
        assert until_ns - 0.5 * 86_400e9 <= first < latest <= until_ns
        assert len(rows("SELECT DISTINCT started_ns / 3600000000000 FROM request")) >= 11
        # Nobody sat those hours out, and yet answers took as long as answers take.
        ((median,),) = rows(
            "SELECT total_us FROM request WHERE feature = 'support-chat' AND outcome = 'ok' ORDER BY total_us "
            "LIMIT 1 OFFSET (SELECT count(*) / 2 FROM request WHERE feature = 'support-chat' AND outcome = 'ok')"
        )
        assert 500_000 < median < 10_000_000
        prompts = Counter(
            dict(rows("SELECT prompt, count(*) FROM score WHERE name = 'thumbs' GROUP BY prompt"))
        )
        assert set(prompts) == {"greeting@6", "greeting@7"} and prompts.total() > 30
        assert rows("SELECT count(*) FROM score WHERE NOT joined") == [(0,)]
        ((rolled,),) = rows("SELECT sum(requests) FROM rollup WHERE seconds = 3600 AND purpose = ''")
        assert rolled == count
        assert rows("SELECT max(requests) > 1 FROM session") == [(1,)]
        # What everybody asks is asked of a model now and then.
        cached = dict(rows("SELECT cache, count(*) FROM request WHERE feature = 'questions' GROUP BY cache"))
        assert cached["exact"] + cached.get("joined", 0) > cached["miss"] > 0
        assert rows("SELECT sum(cached) FROM rollup WHERE seconds = 86400") > [(20,)]
        ((spent,),) = rows("SELECT sum(cost_nanos) FROM request")
        assert spent > 0


def test_the_past_is_short_where_nobody_asks_for_it(tmp_path: Path) -> None:
    """A demonstration of a second makes up no days, and one that is asked to has them before it says that it listens."""
    with demo(tmp_path / "short", "--seconds", "1") as short:
        until(lambda: b"Ctrl-C" in short.said.read_bytes(), 60, short.said)
        text = short.said.read_text()
        assert "history" not in text.replace("headgate.toml", "")
        assert re.search(r"http://127\.0\.0\.1:\d+/traces ", text) and "/alerts " in text
    with demo(tmp_path / "long", "--seconds", "1", "--history", "3h") as long:
        assert "are history" in long.said.read_text()
        items = json.loads(long.get("/api/requests?limit=500"))["items"]
        assert len(items) > 40


def test_an_order_says_what_it_means() -> None:
    """The parent and the process that makes the past agree on names."""
    assert set(Order.__struct_fields__) == {"configuration", "key", "seconds", "until_ns"}
