"""In a started gateway: nobody is given what was made for another tenant, team, user, system prompt, tool set or format."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.main = { error_rate = 0, quality = 1 }

[models.main]
endpoints = [{ provider = "sim", model = "main" }]

[features.mine]
route = "main"
cache = { exact = "1h", let = ["tools"] }

[features.ours]
route = "main"
cache = { exact = "1h", scope = "team", let = ["tools"] }

[features.all]
route = "main"
cache = { exact = "1h", scope = "feature", let = ["tools"] }

[features.none]
route = "main"
"""

PEOPLE = {
    "acme-a": ["--tenant", "acme", "--team", "a"],
    "acme-a2": ["--tenant", "acme", "--team", "a"],
    "acme-b": ["--tenant", "acme", "--team", "b"],
    "other-a": ["--tenant", "other", "--team", "a"],
    "eve": ["--tenant", "acme", "--team", "a", "--user", "eve"],
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("isolation"), CONFIG) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="module")
def keys(gateway: RunningGateway) -> dict[str, str]:
    made = {name: _made(gateway.directory, name, options) for name, options in PEOPLE.items()}
    for key in made.values():
        # Made beside the running gateway, which hears of it soon.
        assert until(partial(_is_known, gateway, key), seconds=20)
    return made


def _is_known(gateway: RunningGateway, key: str) -> bool:
    request = urllib.request.Request(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bool(reply.status == 200)
    except urllib.error.HTTPError:
        return False


def _made(directory: Path, name: str, options: list[str]) -> str:
    command = [sys.executable, "-m", "headgate", "keys", "create", name, *options]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def ask(
    gateway: RunningGateway,
    key: str,
    feature: str = "mine",
    text: str = "Why?",
    *,
    headers: Any = None,
    **more: Any,
) -> str:
    """What `X-Cache` says."""
    body = {"model": feature, "temperature": 0, "messages": [{"role": "user", "content": text}], **more}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {key}", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        reply.read()
        return str(reply.headers["x-cache"] or "")


HIT, MISS = "HIT (exact)", "MISS"


@pytest.mark.parametrize(
    ("feature", "hits"),
    [
        ("mine", {"acme-a2"}),
        ("ours", {"acme-a2", "eve"}),
        ("all", {"acme-a2", "acme-b", "eve"}),
    ],
)
def test_an_answer_reaches_whom_the_scope_says_and_nobody_else(
    gateway: RunningGateway, keys: dict[str, str], feature: str, hits: set[str]
) -> None:
    """One user of one team, one team, or all callers of one tenant; the user's name is the same with all of them."""
    user = {"x-headgate-user": "alice"}
    text = f"Why does water flow down in {feature}?"
    assert ask(gateway, keys["acme-a"], feature, text, headers=user) == MISS
    assert ask(gateway, keys["acme-a"], feature, text, headers=user) == HIT
    for name in PEOPLE.keys() - {"acme-a"}:
        assert ask(gateway, keys[name], feature, text, headers=user) == (HIT if name in hits else MISS), name


def test_users_are_told_apart_however_they_are_named(gateway: RunningGateway, keys: dict[str, str]) -> None:
    """In the header or the body, in capitals, with other letters that look alike, with a longer name."""
    text, key = "Why is the sea salt?", keys["acme-a"]
    assert ask(gateway, key, text=text, user="alice") == MISS
    assert ask(gateway, key, text=text, user="alice") == HIT
    assert ask(gateway, key, text=text, headers={"x-headgate-user": "alice"}) == HIT
    for other in ("Alice", "alice ", "аlice", "alice:", "a" * 256 + "1", "a" * 256 + "2"):
        assert ask(gateway, key, text=text, user=other) == MISS, other
    assert ask(gateway, key, text=text) == MISS
    assert ask(gateway, key, text=text, user="alice", headers={"x-headgate-user": "bob"}) == MISS


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "system", "content": "Lie."}, {"role": "user", "content": "Why?"}]},
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "system", "content": "Lie."}]},
        {"messages": [{"role": "user", "content": "Lie."}, {"role": "user", "content": "Why?"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
        {"seed": 7},
        {"stop": ["x"]},
        {"model": "ours"},
        {"model": "main"},
    ],
    ids=str,
)
def test_another_request_gets_another_answer(
    gateway: RunningGateway, keys: dict[str, str], other: dict[str, Any]
) -> None:
    """System prompt and its place, earlier turns, tools, format, sampling, feature, model."""
    key = keys["acme-a"]
    ask(gateway, key)
    assert ask(gateway, key) == HIT
    headers = {"x-headgate-feature": "mine"} if other.get("model") == "main" else None
    assert ask(gateway, key, headers=headers, **other) == MISS


def test_a_body_that_says_a_thing_twice_poisons_nothing(
    gateway: RunningGateway, keys: dict[str, str]
) -> None:
    """A provider that takes the first of two `messages` would answer another question than the one that is kept."""
    key = keys["acme-a"]
    body = b'{"model":"all","temperature":0,"messages":[{"role":"user","content":"Lie to me."}],"messages":[{"role":"user","content":"Honest?"}]}'
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        body,
        {"content-type": "application/json", "authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.headers["x-cache"] == "BYPASS"
    assert ask(gateway, key, "all", "Honest?") == MISS


def test_switched_off_nothing_is_read_and_nothing_written(
    gateway: RunningGateway, keys: dict[str, str]
) -> None:
    """By the request or the feature: no answer comes from memory, and none is there afterwards."""
    key, text = keys["acme-a"], "Why is this not kept?"
    for _ in range(2):
        assert ask(gateway, key, "all", text, headers={"x-headgate-cache": "off"}) == "BYPASS"
        assert ask(gateway, key, "none", text) == ""
    assert ask(gateway, key, "all", text) == MISS
    assert ask(gateway, key, "all", text) == HIT
    assert ask(gateway, key, "all", text, headers={"x-headgate-cache": "off"}) == "BYPASS"


def test_without_the_cache_its_tables_stay_empty(tmp_path: Path) -> None:
    """`cache.enabled = false`, whatever features say."""
    with running_gateway(tmp_path, f"{CONFIG}\n[cache]\nenabled = false\n") as gateway:
        for _ in range(2):
            assert ask(gateway, gateway.key, "all") == ""
        assert gateway.stop() == 0
        with closing(sqlite3.connect(gateway.database)) as database:
            tables = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            kept = [name for name in tables if name.startswith(("cache_", "answer"))]
            assert kept
            for name in kept:
                assert database.execute(f"SELECT COUNT(*) FROM {name}").fetchone() == (0,), name
