"""Three gateways behind a real nginx with deploy/nginx.conf, replaced one after another by a newer Headgate, under load.

The newer one is this one with a migration more, so that old and new run side by side on the newer tables.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

import headgate
from headgate.core.ids import parse_request_id
from headgate.stores.revisions import known_versions
from tests.support.gateway import KEY, RunningGateway, running_gateway
from tests.support.ports import free_port
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.raw_client import until

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[server]
database = "${HEADGATE_TEST_URL}"
notice_time = "1s"
shutdown_time = "20s"

[providers.sim]
kind = "simulated"
vary = true
models.quick = { error_rate = 0, first_token = { median = "5ms", p95 = "10ms" }, tokens_per_second = 5000 }
models.talks = { error_rate = 0, first_token = { median = "0.2s", p95 = "0.2s" }, tokens_per_second = 60, answer_tokens = 60 }
models.long = { error_rate = 0, first_token = { median = "0.2s", p95 = "0.2s" }, tokens_per_second = 20, answer_tokens = 90 }

[models.quick]
endpoints = [{ provider = "sim", model = "quick" }]
[models.talks]
endpoints = [{ provider = "sim", model = "talks" }]
[models.long]
endpoints = [{ provider = "sim", model = "long" }]
"""
MIGRATION = '''"""What a later Headgate adds."""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("request", sa.Column("later", sa.Text, nullable=False, server_default=""))
'''


def asked(
    connection: http.client.HTTPConnection, model: str, *, stream: bool, begun: threading.Event | None = None
) -> str:
    """The id of a request that was answered whole. Raises AssertionError and what the connection raises."""
    said = {"role": "user", "content": f"Is the weir open? {time.monotonic_ns()}"}
    body = json.dumps({"model": model, "stream": stream, "messages": [said]})
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    reply = connection.getresponse()
    if begun is not None:
        begun.set()
    data = reply.read()
    assert reply.status == 200, (reply.status, data[:300])
    complete = b"data: [DONE]" in data[-400:] if stream else json.loads(data)["choices"]
    assert complete, data[-300:]
    return str(reply.headers["x-request-id"])


class Load:
    """Callers that ask one thing after another and try nothing twice. Half of them connect anew each time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.answered: list[str] = []
        self.failed: list[str] = []
        kinds = [("quick", False)] * 4 + [("quick", True)] * 2 + [("talks", True)] * 8
        self._threads = [
            threading.Thread(target=self._ask_on, args=(*kind, number % 2 == 0))
            for number, kind in enumerate(kinds)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def goes_on(self) -> bool:
        """Are a hundred more answered soon?"""
        enough = len(self.answered) + 100
        return bool(until(lambda: len(self.answered) > enough, seconds=30))

    def _ask_on(self, model: str, stream: bool, anew: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._over.wait(0.01):
            try:
                self.answered.append(asked(connection, model, stream=stream))
            except (OSError, http.client.HTTPException, AssertionError) as wrong:
                self.failed.append(f"{model} {'stream' if stream else 'whole'}: {wrong!r}")
                connection.close()
            if anew:
                connection.close()
        connection.close()


@contextlib.contextmanager
def nginx(folder: Path, gateways: list[int]) -> Iterator[int]:
    """The file that is deployed, with addresses of this machine for those of the containers."""
    port = free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"^\s*resolver .*;\n", "", text, flags=re.MULTILINE)
    (how,) = {found[2] for found in re.finditer(r"server (gateway-\d):8080 resolve( .*);\n", text)}
    servers = "".join(f"server 127.0.0.1:{each}{how};\n" for each in gateways)
    text = re.sub(r"(?:\s*server gateway-\d:8080 .*;\n)+", lambda _: "\n" + servers, text)
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi"))
    paths += f"uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;"
    # Started by root its worker would be `nobody`, who may not read the folders of tests.
    head = f"{'user root; ' if os.geteuid() == 0 else ''}daemon off; pid {folder}/pid;\n"
    (folder / "nginx.conf").write_text(head + text.replace("http {", f"http {{ {paths}", 1))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
    with (folder / "said.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert until(lambda: ready(port) == 200), (folder / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ready(port: int, query: str = "") -> int:
    """What /readyz says; 0: nobody is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz{query}", timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def newer(folder: Path) -> Path:
    """A Headgate with a migration more, to be found before this one."""
    package = folder / "newer" / "headgate"
    shutil.copytree(Path(headgate.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    later = package / "stores" / "migrations" / "versions" / "9999_later.py"
    later.write_text(MIGRATION.format(before=known_versions()[-1]))
    return package.parent


class Stream(threading.Thread):
    """A long stream, straight to one gateway."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._begun = threading.Event()
        self.ended = ""
        """The id of its request, or what went wrong."""
        self.start()
        assert self._begun.wait(20)

    def run(self) -> None:
        try:
            self.ended = asked(self._connection, "long", stream=True, begun=self._begun)
        except (OSError, http.client.HTTPException, AssertionError) as wrong:
            self.ended = repr(wrong)
        finally:
            self._connection.close()


def leave(node: RunningGateway) -> str:
    """Tell it to stop and watch how: it says so while it serves, closes its port, and waits for its streams.

    Returns the id of one that it was in the middle of."""
    port = int(node.url.rpartition(":")[2])
    stream = Stream(port)
    assert ready(port) == ready(port, "?exclude=database") == 200
    node.process.send_signal(signal.SIGTERM)
    assert until(lambda: ready(port) == 503)
    assert ready(port, "?exclude=database") == 503
    assert ready(port, "?exclude=nothing") == 503
    assert until(lambda: ready(port) == 0)
    assert node.process.poll() is None, "it did not wait for its stream"
    stream.join(30)
    assert stream.ended.startswith("req_"), stream.ended
    assert node.process.wait(30) == 0
    assert list((node.directory / "headgate-data" / "journal").iterdir()) == []
    return stream.ended


@pytest.mark.needs("postgres", "nginx")
@pytest.mark.timeout(300)
def test_a_rolling_update_fails_no_request(tmp_path: Path) -> None:
    """Every request is answered, streams end whole, each is on record once, and old nodes run on the newer tables."""
    ports = [free_port() for _ in range(3)]
    (tmp_path / "nginx").mkdir()
    with postgres_server() as postgres, contextlib.ExitStack() as stack:
        url = postgres.new_database()

        def start(number: int, path: str = "") -> RunningGateway:
            folder = tmp_path / f"node-{number}"
            folder.mkdir(exist_ok=True)
            environment = {"HEADGATE_TEST_URL": url} | ({"PYTHONPATH": path} if path else {})
            node = running_gateway(folder, CONFIG, environment=environment, port=ports[number])
            return stack.enter_context(node)

        nodes = [start(number) for number in range(3)]
        port = stack.enter_context(nginx(tmp_path / "nginx", ports))
        path = str(newer(tmp_path))
        answered = []
        with Load(port) as load:
            assert load.goes_on(), load.failed
            for number, node in enumerate(nodes):
                answered.append(leave(node))
                # The others go on, also on tables that are newer than they.
                nodes[number] = start(number, path)
                assert version(postgres, url) == "9999"
                assert load.goes_on(), load.failed
        assert load.failed == []
        answered += load.answered
        for node in nodes:
            node.process.send_signal(signal.SIGINT)
            assert node.process.wait(30) == 0
            assert "Traceback" not in node.log
        kept = [int(row["id"]) for row in postgres.run(url, "SELECT id FROM request WHERE outcome = 'ok'")]
        assert sorted(kept) == sorted(map(parse_request_id, answered))
        with pytest.raises(AssertionError, match="start the newer Headgate that wrote it"):
            start(0)


def version(postgres: PostgresServer, url: str) -> str:
    """Of the tables."""
    return str(postgres.run(url, "SELECT version_num FROM alembic_version")[0]["version_num"])
