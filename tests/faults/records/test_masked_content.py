"""Contents that are switched off are in no table, log, export, journal or message: planted words are looked for everywhere.

The provider repeats prompts wherever a provider can: answers, errors, pages of a proxy, streams that break off.
What is looked through is proven to be looked through: of a feature whose contents are kept, the same words are found.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.aio import aio_within
from tests.support.alerted import web_server
from tests.support.echoing import CLOSED, OPEN, Echo, echoing_provider
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.otlp_receiver import otlp_receiver
from tests.support.planted import found_in
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import redis_server

__all__: list[str] = []

KINDS = ("echo", "tools", "refuse", "filter", "broken", "page", "shape", "garbage", "cut", "late", "slow")
GIVEN_AGAIN = (
    'cache = { exact = "1h", when = "always", scope = "feature", stale = "1h", '
    'let = ["tools", "personal", "names", "ids", "time", "dates", "prices"] }\n'
)
PRICE = "price = { input = 1, output = 1 }"
CONFIG = """
[log]
level = "debug"

[records]
content = {everywhere}

[providers.oai]
kind = "openai"
api_key = "k"
base_url = "{echo}/v1"

[providers.ant]
kind = "anthropic"
api_key = "k"
base_url = "{echo}"

[[budgets]]
name = "tiny"
per = "day"
usd = 0.000001
when_spent = "alert"

[[alerts]]
name = "ops"
url = "{alerts}"

[telemetry.otlp]
endpoint = "{collector}"
every = "200ms"
content = {everywhere}
users = true

[callbacks.spoken]
url = "{echo}/v1/callback"
"""


def config(echo: Echo, alerts: str, collector: str, *, by_feature: bool) -> str:
    """Every kind of answer has a feature of its own, with a shadow copy beside it; some have a ladder."""
    everywhere = "true" if by_feature else "false"
    said = [CONFIG.format(everywhere=everywhere, echo=echo.url, alerts=alerts, collector=collector)]
    for kind in KINDS:
        said.append(f'[models.{kind}]\nendpoints = [{{ provider = "oai", model = "{kind}", {PRICE} }}]')
    said.append(f'[models.claude]\nendpoints = [{{ provider = "ant", model = "echo", {PRICE} }}]')
    off = "content = false\n" if by_feature else ""
    patient = 'retry = { attempts = 2, base = "10ms" }\ntimeouts = { total = "2s" }\n'
    for kind in (*KINDS, "claude"):
        more = 'shadow = { model = "broken", share = 1.0 }\n' if kind in ("echo", "claude") else ""
        said.append(f'[features.closed-{kind}]\nroute = "{kind}"\n{off}{patient}{more}')
    said.extend(
        [
            f'[features.closed-falling]\nroute = "broken"\nfallback = ["page", "shape", "echo"]\n{off}{patient}',
            f'[features.closed-ladder]\nroute = "broken"\ndegrade = ["stale:1h", "http:spoken", "say:no"]\n{off}{patient}',
            f'[features.closed-resumed]\nroute = "cut"\nresume = true\nfallback = ["echo"]\n{off}{patient}',
            f'[features.closed-chaos]\nroute = "echo"\n{off}{patient}',
            f'[features.closed-given]\nroute = "echo"\n{off}{patient}{GIVEN_AGAIN}',
            f'[features.open]\nroute = "echo"\n{patient}{GIVEN_AGAIN}',
        ]
    )
    return "\n".join(said)


@contextlib.contextmanager
def half_read(gateway: RunningGateway, body: bytes) -> Iterator[None]:
    """Asked, and answered by a few words so far; in the end we hang up."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=20)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {gateway.key}"})
        with contextlib.closing(connection.getresponse()) as reply:
            assert reply.read(20)
            yield
    finally:
        connection.close()


def post(gateway: RunningGateway, path: str, body: bytes) -> int:
    """The status. What a prompt's variables were is content, too."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=20)
    headers = {
        "authorization": f"Bearer {gateway.key}",
        "content-type": "application/json",
        "x-headgate-variables": json.dumps({"name": CLOSED if b"closed-" in body else OPEN}),
    }
    try:
        connection.request("POST", path, body, headers)
        with contextlib.closing(connection.getresponse()) as reply:
            with contextlib.suppress(http.client.IncompleteRead):
                reply.read()
            return reply.status
    finally:
        connection.close()


def chat(model: str, word: str, **more: Any) -> bytes:
    """A conversation with the word in every place where words can be."""
    call = {
        "id": "c0",
        "type": "function",
        "function": {"name": "f", "arguments": json.dumps({"q": f"{word}-q"})},
    }
    return json.dumps(
        {
            "model": model,
            "messages": [
                {"role": "system", "content": f"{word}-system"},
                {"role": "user", "content": f"{word}-user"},
                {"role": "assistant", "content": f"{word}-assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c0", "content": f"{word}-result"},
                {"role": "user", "content": f"{word}-last"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "description": f"{word}-tool", "parameters": {}},
                }
            ],
            "max_tokens": 50,
            **more,
        }
    ).encode()


def ask_everything(gateway: RunningGateway) -> int:
    """Every dialect, whole and streamed, well and ill; how many requests that were."""
    paths = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
    asked = [
        (paths["chat"], chat(f"closed-{name}", CLOSED, stream=stream))
        for name in (*KINDS[:-1], "claude", "falling", "ladder", "resumed")
        for stream in (False, True)
    ]
    said = {"max_tokens": 50, "system": f"{CLOSED}-system", "messages": [{"role": "user", "content": CLOSED}]}
    for model in ("closed-claude", "closed-echo", "closed-broken"):
        asked += [
            (paths["messages"], json.dumps({"model": model, "stream": stream, **said}).encode())
            for stream in (False, True)
        ]
        asked += [
            (paths["responses"], json.dumps({"model": model, "stream": stream, "input": CLOSED}).encode())
            for stream in (False, True)
        ]
    asked += [
        (
            "/v1/embeddings",
            json.dumps({"model": f"closed-{model}", "input": [CLOSED, f"{CLOSED}-2"]}).encode(),
        )
        for model in ("echo", "broken")
    ]
    # What cannot be read, or is refused before anybody knows what it is.
    role = [{"role": f"{CLOSED}-role", "content": CLOSED}]
    asked += [
        (paths["chat"], b'{"model": "closed-echo", "messages": "%b' % CLOSED.encode()),
        (paths["chat"], json.dumps({"model": "closed-echo", "messages": role}).encode()),
        (paths["chat"], json.dumps({"model": "closed-echo", "messages": CLOSED}).encode()),
        (paths["chat"], json.dumps({"model": "closed-echo", CLOSED: 1, "temperature": CLOSED}).encode()),
        (
            paths["messages"],
            json.dumps({"model": "closed-claude", "messages": role, "max_tokens": 1}).encode(),
        ),
        (paths["responses"], json.dumps({"model": "closed-echo", "input": [{"type": CLOSED}]}).encode()),
    ]
    for path, body in asked:
        post(gateway, path, body)
    with half_read(gateway, chat("closed-slow", CLOSED, stream=True)):
        pass
    post(gateway, paths["chat"], chat("open", OPEN))
    for stream in (False, True, False):
        post(gateway, paths["chat"], chat("closed-given", CLOSED, stream=stream))
    return len(asked) + 5 + rehearse(gateway, paths["chat"])


def rehearse(gateway: RunningGateway, path: str) -> int:
    """Faults on command in the middle of answers: what is made of the halves. How many requests that were."""
    faults = ("cut:0", "malformed_frame:0", "missing_terminator", "error_in_stream:1")
    for fault in faults:
        order = {"endpoint": "oai/echo", "fault": fault, "feature": "closed-chaos", "duration": "1m"}
        told = told_by(gateway, "POST", "/api/rehearsals", json.dumps(order).encode())
        for stream in (False, True):
            post(gateway, path, chat("closed-chaos", CLOSED, stream=stream))
        told_by(gateway, "DELETE", f"/api/rehearsals/{told['id']}")
    return 2 * len(faults)


def told_by(gateway: RunningGateway, method: str, path: str, body: bytes | None = None) -> Any:
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    request = urllib.request.Request(gateway.url + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


def get(gateway: RunningGateway, path: str) -> bytes:
    headers = {"authorization": f"Bearer {gateway.key}"}
    with urllib.request.urlopen(
        urllib.request.Request(gateway.url + path, headers=headers), timeout=30
    ) as reply:
        return bytes(reply.read())


def shown(gateway: RunningGateway) -> dict[str, bytes]:
    """What is told to those who ask."""
    told = {path: get(gateway, path) for path in ("/metrics", "/", "/api/requests?limit=500")}
    for row in json.loads(told["/api/requests?limit=500"])["items"]:
        told[f"/api/requests/{row['id']}"] = get(gateway, f"/api/requests/{row['id']}")
    for words in (
        ("traces", "export", "--content", "--quiet"),
        ("tail", "--json", "--last", "1000", "--no-follow"),
    ):
        command = [sys.executable, "-m", "headgate", *words]
        environment = {**os.environ, **(gateway.environment or {})}
        done = subprocess.run(
            command, cwd=gateway.directory, env=environment, capture_output=True, timeout=60, check=True
        )
        told[" ".join(words)] = done.stdout + done.stderr
    return told


def given_again(gateway: RunningGateway) -> int:
    """Requests that were answered from memory."""
    return len(json.loads(get(gateway, "/api/requests?cached=true&limit=500"))["items"])


def say_more(gateway: RunningGateway, *, comments: bool) -> None:
    """Whoever looks says things too: judges an answer in words, asks for it again with other words.

    comments: are they content that is not kept? They follow `[records] content`, not a feature's own switch."""
    items = json.loads(get(gateway, "/api/requests?limit=500"))["items"]
    asked = next(item["id"] for item in items if item["feature"] == "closed-echo" and item["outcome"] == "ok")
    again = json.dumps({"system": f"{CLOSED}-other-system", "set": {"temperature": CLOSED}}).encode()
    assert post(gateway, f"/api/requests/{asked}/replay", again) >= 400, "there is nothing to send again"
    if comments:
        words = {"comment": f"{CLOSED}-comment", "correction": f"{CLOSED}-correction", "thumbs": "down"}
        assert post(gateway, "/api/feedback", json.dumps({"request": asked, **words}).encode()) < 300


@dataclass
class Engines:
    """Where an installation keeps things: a file, or servers."""

    directory: Path
    postgres: str = ""
    redis: str = ""

    @property
    def section(self) -> str:
        """`[server]` of its configuration."""
        if not self.postgres:
            return ""
        return '[server]\ndatabase = "${PLACE_URL}"\nredis = "${CACHE_URL}"\n'

    @property
    def environment(self) -> dict[str, str]:
        return {"PLACE_URL": self.postgres, "CACHE_URL": self.redis} if self.postgres else {}

    def found(self, word: str) -> set[str]:
        return found_in(self.directory, word, postgres=self.postgres, redis=self.redis)

    def stored(self, purpose: str) -> int:
        if self.postgres:
            return asyncio.run(self._stored_on_server(purpose))
        path = self.directory / "headgate.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            query = "SELECT count(*) FROM request WHERE purpose = ?"
            return int(database.execute(query, (purpose,)).fetchone()[0])

    async def _stored_on_server(self, purpose: str) -> int:
        connection = await asyncpg.connect(self.postgres)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM request WHERE purpose = $1", purpose))
        finally:
            await connection.close()


def wait(until: Any, what: str) -> None:
    due = time.monotonic() + 30
    while not until():
        assert time.monotonic() < due, what
        time.sleep(0.1)


def places_of(word: str, told: dict[str, bytes]) -> set[str]:
    return {place for place, said in told.items() if word.encode() in said}


def all_of(bodies: Iterable[bytes]) -> bytes:
    return b"\n".join(bodies)


@pytest.mark.parametrize("by_feature", [False, True], ids=["everywhere", "by feature"])
def test_contents_that_are_switched_off_are_nowhere(tmp_path: Path, by_feature: bool) -> None:
    """In no file while it runs, when it was killed in the middle, after the next start, and when it has stopped; and nobody
    is told."""
    look_everywhere(Engines(tmp_path), by_feature=by_feature)


@pytest.fixture
def database() -> Iterator[str]:
    with postgres_server() as server:
        yield server.new_database()


@pytest.mark.needs("postgres")
@pytest.mark.needs("redis")
def test_nor_are_they_on_any_server(tmp_path: Path, database: str) -> None:
    """PostgreSQL and Redis hold what the file holds otherwise."""

    @aio_within(110)
    async def run() -> None:
        async with redis_server() as redis:
            await asyncio.to_thread(look_everywhere, Engines(tmp_path, database, redis.url), by_feature=True)

    run()


def look_everywhere(at: Engines, *, by_feature: bool) -> None:
    """Ask, look; kill, look; start, look; stop, look."""
    tmp_path = at.directory
    with (
        echoing_provider() as echo,
        web_server() as web,
        otlp_receiver() as collector,
    ):
        text = at.section + config(echo, web.url, collector.url, by_feature=by_feature)
        with running_gateway(tmp_path, text, environment=at.environment) as gateway:
            gateway.environment = at.environment
            many = ask_everything(gateway)
            wait(lambda: at.stored("") >= many, f"{at.stored('')} of {many} are stored")
            wait(lambda: at.stored("shadow") >= 8, "no shadow copies")
            wait(lambda: len(web.posts) >= 1, "nobody was alerted")
            wait(lambda: len(collector.spans()) > 2 * many, "few spans")
            assert given_again(gateway) == 2, "the cache has answered"
            say_more(gateway, comments=not by_feature)
            told = shown(gateway)
            told["otlp"] = all_of(collector.raw)
            told["alerts"] = all_of(each.body for each in web.posts)
            assert places_of(CLOSED, told) == set()
            assert at.found(CLOSED) == set()
            with half_read(gateway, chat("closed-slow", CLOSED, stream=True)):
                gateway.kill()
            assert at.found(CLOSED) == set(), "after kill -9"
        with running_gateway(tmp_path, text, environment=at.environment) as gateway:
            gateway.environment = at.environment
            wait(lambda: at.stored("") > many, "what was cut off is settled")
            assert at.found(CLOSED) == set(), "after the next start"
            assert places_of(CLOSED, shown(gateway)) == set()
            assert gateway.stop() == 0
        assert at.found(CLOSED) == set(), "after it has stopped"
        assert CLOSED.encode() in all_of(echo.heard), "it was asked"
        assert CLOSED.encode() not in all_of(collector.raw)
        found = at.found(OPEN)
        if by_feature:
            assert "content_segment.data" in found, "the search finds what is kept"
            assert any(place.startswith("redis" if at.redis else "answer.") for place in found), found
            assert {"otlp", "traces export --content --quiet"} <= places_of(OPEN, told)
        else:
            assert found == set() == places_of(OPEN, told)
