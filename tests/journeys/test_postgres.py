"""Started gateways on a real PostgreSQL: the same requests, keys, commands and rehearsals as on a file, on several nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.compose.gateway import Gateway
from headgate.config.loader import parse
from headgate.control.traces import Shown, show
from headgate.core.ids import parse_request_id
from headgate.stores.backends.postgres import Database, PostgresSpans
from tests.support.gateway import KEY, RunningGateway, running_gateway
from tests.support.postgres_server import PASSWORD, PostgresServer, postgres_server

__all__: list[str] = []

pytestmark = pytest.mark.needs("postgres")

CONFIG = """
[server]
database = "${HEADGATE_TEST_URL}"

[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0, quality = 1 }

[models.small]
endpoints = [{ provider = "sim", model = "steady" }]

[features.support-chat]
route = "small"
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@contextlib.contextmanager
def gateway_on(url: str, directory: Path) -> Iterator[RunningGateway]:
    directory.mkdir(exist_ok=True)
    with running_gateway(directory, CONFIG, environment={"HEADGATE_TEST_URL": url}) as gateway:
        yield gateway


def ask(gateway: RunningGateway, key: str = KEY, *, stream: bool = False) -> str:
    """The id of an answered request."""
    said = {"role": "user", "content": f"Is the weir open? {time.monotonic_ns()}"}
    body = {"model": "support-chat", "stream": stream, "messages": [said]}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        reply.read()
        return str(reply.headers["x-request-id"])


def status(gateway: RunningGateway, path: str = "/readyz") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{gateway.url}{path}", timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    due = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < due, what
        time.sleep(0.05)


def stored(url: str, request_ids: Sequence[str], within: float = 30) -> list[Shown]:
    """All that is kept about these, waiting until it is."""

    async def look() -> list[Shown]:
        database = Database(url)
        try:
            spans = PostgresSpans(database)
            found = []
            due = time.monotonic() + within
            for each in request_ids:
                while (one := await show(spans, parse_request_id(each))) is None:
                    assert time.monotonic() < due, f"{each} was not stored"
                    await asyncio.sleep(0.02)
                found.append(one)
            return found
        finally:
            await database.close()

    return asyncio.run(look())


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A command beside a gateway: in its folder, with its environment."""

    def run(gateway: RunningGateway, url: str, *arguments: str, code: int = 0) -> str:
        monkeypatch.chdir(gateway.directory)
        monkeypatch.setenv("HEADGATE_TEST_URL", url)
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == code, result.output
        return str(result.output if code else result.stdout)

    return run


def test_a_gateway_keeps_everything_in_postgresql(
    postgres: PostgresServer, tmp_path: Path, command: Callable[..., str]
) -> None:
    """Requests, prompts, streams, keys, tail, show, rehearsals; and its password is never shown."""
    url = postgres.new_database()
    with gateway_on(url, tmp_path) as gateway:
        ids = [ask(gateway), ask(gateway, stream=True)]
        for one in stored(url, ids):
            assert one.request.outcome == "ok" and one.request.status == 200
            assert one.prompt is not None and b"Is the weir open?" in one.prompt.data
            assert one.reply_text
            assert [attempt.provider for attempt in one.attempts] == ["sim"]
        tail = command(gateway, url, "tail", "--no-follow", "--json")
        assert [json.loads(line)["id"] for line in tail.splitlines()] == ids
        assert json.loads(command(gateway, url, "show", ids[0], "--json"))["attempts"]

        key = command(gateway, url, "keys", "create", "shop").strip().splitlines()[-1]
        until(lambda: refusal(gateway, key) == 0, "the new key was not known")
        command(gateway, url, "keys", "revoke", "shop")
        until(lambda: refusal(gateway, key) == 401, "the revoked key was not refused")

        command(gateway, url, "chaos", "start", "sim", "error:500", "--for", "30s")
        until(lambda: refusal(gateway, KEY) >= 500, "the rehearsal did not begin")
        command(gateway, url, "chaos", "stop", "--all")
        until(lambda: refusal(gateway, KEY) == 0, "the rehearsal did not end")

        told = command(gateway, url, "config", "show") + command(gateway, url, "check")
        told += command(gateway, url, "show", "req_0000000000000", code=1)
        assert not list(tmp_path.glob("*.db*"))
        assert gateway.stop() == 0
        for text in (told, gateway.log):
            assert PASSWORD not in text and "p%40ss" not in text
        assert "postgresql://tester@127.0.0.1" in gateway.log
        assert list((tmp_path / "headgate-data" / "journal").iterdir()) == []


def refusal(gateway: RunningGateway, key: str) -> int:
    """The status of a refusal, 0 for an answer."""
    try:
        ask(gateway, key)
    except urllib.error.HTTPError as refused:
        return refused.code
    return 0


def test_two_gateways_share_one_database(
    postgres: PostgresServer, tmp_path: Path, command: Callable[..., str]
) -> None:
    """They start at once on an empty database, know the same keys, and every request of both is followed once."""
    url = postgres.new_database()
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        starting = [gateway_on(url, tmp_path / name) for name in ("one", "two")]
        one, two = pool.map(stack.enter_context, starting)
        secret = command(one, url, "keys", "create", "shop").strip().splitlines()[-1]
        until(lambda: refusal(two, secret) == 0, "the other node does not know the key")
        ids = list(pool.map(lambda number: ask((one, two)[number % 2]), range(200)))
        assert len(stored(url, ids)) == 200
        followed = [
            json.loads(line)["id"]
            for line in command(one, url, "tail", "--last", "1000", "--no-follow", "--json").splitlines()
        ]
        assert len(followed) == len(set(followed)) and set(ids) <= set(followed)


def test_of_nodes_that_start_at_once_one_shows_the_first_key(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """Not one each, of which all but one would be worth nothing; and a key of the environment is known to all."""

    def start(key: str | None) -> list[str | None]:
        async def together() -> list[str | None]:
            nodes = [Gateway(configuration, bootstrap_key=key) for _ in range(4)]
            await asyncio.gather(*(node.start() for node in nodes))
            shown = [node.first_key for node in nodes]
            await asyncio.gather(*(node.stop() for node in nodes))
            return shown

        return asyncio.run(together())

    for key, many in ((None, 1), (KEY, 0)):
        server = f"\"{postgres.new_database()}\"\ndata = '{tmp_path}'"
        configuration = parse(CONFIG.replace('"${HEADGATE_TEST_URL}"', server), {})
        assert sum(one is not None for one in start(key)) == many
        assert start(None) == [None] * 4


def test_requests_go_on_while_postgresql_is_gone(postgres: PostgresServer, tmp_path: Path) -> None:
    """Known keys work, the journal takes the records, /readyz says what is wrong; when it is back all is stored."""
    url = postgres.new_database()
    with gateway_on(url, tmp_path) as gateway:
        before = ask(gateway)
        stored(url, [before])
        postgres.kill()
        during = [ask(gateway) for _ in range(20)]
        until(lambda: status(gateway)[0] == 503, "it says it is ready")
        assert "database" in status(gateway)[1] and PASSWORD not in status(gateway)[1]
        assert status(gateway, "/healthz")[0] == status(gateway, "/readyz?exclude=database")[0] == 200
        during.append(ask(gateway, stream=True))
        postgres.start()
        assert len(stored(url, [before, *during])) == 22
        until(lambda: status(gateway)[0] == 200, "it does not become ready")
        assert gateway.stop() == 0


def test_requests_go_on_while_postgresql_is_silent(postgres: PostgresServer, tmp_path: Path) -> None:
    """A server that accepts connections and says nothing is waited for by nobody on the way to an answer."""
    url = postgres.new_database()
    with gateway_on(url, tmp_path) as gateway:
        stored(url, [ask(gateway)])
        postgres.freeze()
        try:
            # Longer than the pause between two looks at the keys and between two batches, so both are stuck by then.
            due, during = time.monotonic() + 2.5, list[str]()
            while time.monotonic() < due:
                during.append(ask(gateway, stream=len(during) % 2 == 0))
        finally:
            postgres.thaw()
        assert len(stored(url, during)) == len(during) > 2
        assert gateway.stop() == 0


def test_a_killed_gateways_journal_is_stored_by_the_next(postgres: PostgresServer, tmp_path: Path) -> None:
    """Also if the database was gone when it died: the journal lies on the machine's own disk."""
    url = postgres.new_database()
    with gateway_on(url, tmp_path) as gateway:
        stored(url, [ask(gateway)])
        postgres.kill()
        waiting = [ask(gateway) for _ in range(10)]
        gateway.kill()
    postgres.start()
    with gateway_on(url, tmp_path):
        assert len(stored(url, waiting)) == 10
    assert list((tmp_path / "headgate-data" / "journal").iterdir()) == []


def test_without_its_database_a_gateway_does_not_start(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows no keys then. It says what is wrong, without the password."""
    (tmp_path / "headgate.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    closed = f"postgresql://tester:{'p%40ss%2Fword'}@127.0.0.1:9/headgate"
    for url, why in (
        (closed, "127.0.0.1:9/headgate"),
        (postgres.url("no_such_database"), "no_such_database"),
        (postgres.url("postgres", password="wrong"), "password authentication failed"),
    ):
        monkeypatch.setenv("HEADGATE_TEST_URL", url)
        result = CliRunner().invoke(main, ["keys", "list"])
        assert result.exit_code == 1
        assert why in result.output and "Traceback" not in result.output
        assert "p%40ss" not in result.output and PASSWORD not in result.output


def test_an_installation_is_moved_whole(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway goes on with the same keys, records and rehearsals; the file is left as it was."""
    url = postgres.new_database()
    on_file = CONFIG.replace("${HEADGATE_TEST_URL}", "sqlite:///headgate.db")
    with running_gateway(tmp_path, on_file) as gateway:
        ids, made = [ask(gateway, stream=number % 2 == 0) for number in range(6)], []
        refused = move(tmp_path, url, monkeypatch)
        assert refused[0] == 1 and "a gateway uses headgate.db" in refused[1]
        monkeypatch.chdir(tmp_path)
        for arguments in (
            ["keys", "create", "shop"],
            ["chaos", "start", "sim", "latency:0.01", "--for", "1h"],
        ):
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 0, done.output
            made += done.stdout.strip().splitlines()[-1:]
        assert gateway.stop() == 0
    code, said = move(tmp_path, url, monkeypatch)
    assert code == 0, said
    assert "p%40ss" not in said
    told = json.loads(move(tmp_path, postgres.new_database(), monkeypatch, "--json")[1])
    assert told["request"] == 6 and told["key"] == 2 and told["rehearsal"] == 1 and told["installation"] >= 1
    again = move(tmp_path, url, monkeypatch)
    assert again[0] == 1 and "is not empty" in again[1]
    with gateway_on(url, tmp_path) as gateway:
        more = [ask(gateway), ask(gateway, made[0])]
        for one in stored(url, [*ids, *more]):
            assert one.reply_text and one.prompt is not None
        assert CliRunner().invoke(main, ["chaos", "stop", "--all"]).exit_code == 0


def move(directory: Path, url: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[int, str]:
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HEADGATE_TEST_URL", url)
    result = CliRunner().invoke(main, ["move", "sqlite:///headgate.db", url, *more])
    return result.exit_code, result.output


def test_a_name_without_end_does_not_keep_others_records_out(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """No index takes it: one request with a long `user` in its body stopped the record writer for good."""
    url = postgres.new_database()
    with gateway_on(url, tmp_path) as gateway:
        noise = os.urandom(20_000).hex()
        found = []
        for model, more in (
            ("support-chat", {"user": noise}),
            ("support-chat", {"safety_identifier": noise}),
            (f"sim/{noise}", {"user": noise}),
            ("support-chat", {}),
        ):
            body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
            request = urllib.request.Request(
                f"{gateway.url}/v1/chat/completions",
                json.dumps(body).encode(),
                {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
            )
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as reply:
                found.append(str(reply.headers["x-request-id"]))
        assert len(found) == 3
        kept = stored(url, found)
        assert sorted(each.request.user for each in kept) == ["", noise[:256], noise[:256]]
