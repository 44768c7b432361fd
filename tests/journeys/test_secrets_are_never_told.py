"""No secret stands in a log, a record, an answer, a metric, a page or in what a command prints, whatever goes wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from headgate.cli import main
from headgate.stores.sealing import new_master_key
from tests.support.asking import ask
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.recording_upstream import Answered, Received, RecordingUpstream, recording_upstream

__all__: list[str] = []

SECRETS = {
    "environment": "sk-environment-0123+45/6789==",
    "file": "sk-file-abcdefghijkl",
    "database": "sk-database-mnopqrstuvwx",
    "header": "gate-header-yz0123456789",
    "callback": "callback-token-0123456789",
    "address": "password-in-address",
    "broken": "gm-broken-first-line",
    "aws": "aws+secret/access+key0123",
    "session": "aws-session-token-0123456789",
}
CONFIG = """
[log]
level = "debug"
[defaults]
retry = {{ attempts = 1 }}
[health]
failures = 1000000
least_calls = 1000000
probe = false
eject = false

[providers.env]
kind = "openai"
base_url = "{url}/v1"
api_key = "${{HOUSE_API_KEY}}"
responses = true
[providers.file]
kind = "anthropic"
base_url = "{url}"
api_key = "file:{folder}/key.txt"
[providers.stored]
kind = "gemini"
base_url = "{url}/v1beta"
api_key = "secret:stored"
headers = {{ x-gate = "{header}" }}
[providers.tls]
kind = "openai"
base_url = "https://127.0.0.1:{port}/v1"
api_key = "file:{folder}/key.txt"
[providers.nobody]
kind = "openai"
base_url = "http://user:{address}@127.0.0.1:9/v1"
api_key = "secret:nobody"
[providers.broken]
kind = "gemini"
base_url = "{url}/v1beta"
api_key = "${{BROKEN_API_KEY}}"
[providers.aws]
kind = "bedrock"
region = "eu-central-1"
endpoint_url = "{url}"
access_key_id = "AKIATESTTESTTEST0000"
secret_access_key = "${{AWS_SECRET}}"
session_token = "${{AWS_SESSION}}"
[callbacks.faq]
url = "{url}/faq"
token = "${{FAQ_TOKEN}}"

[features.helped]
route = "env/m"
degrade = ["http:faq", "python:raising:answer"]
"""
ECHOING = ("env", "file", "stored", "aws")
BROKEN = ("tls", "nobody", "broken")


def echoes(received: Received) -> Iterator[Answered]:
    """Ways to repeat what one was sent."""
    sent = dict(received.headers)
    plain = "; ".join(f"{name}: {value}" for name, value in received.headers)
    key = sent.get("authorization") or sent.get("x-api-key") or sent.get("x-goog-api-key") or ""
    said = {
        "error": {
            "message": f"Incorrect API key provided: {key}. You sent {plain}",
            "type": "invalid_request_error",
        }
    }
    for status in (400, 401, 403, 404, 413, 429, 500, 503):
        yield Answered(json.dumps(said).encode(), status)
    yield Answered(json.dumps(said).replace("/", "\\/").replace("+", "\\u002b").encode(), 400)
    page = f"<html><body><h1>Bad gateway</h1><pre>{plain}</pre></body></html>".encode()
    yield Answered(page, 502, [("content-type", "text/html")])
    yield Answered(page, 200, [("content-type", "text/html")])
    yield Answered(json.dumps(said).encode())
    yield Answered(
        plain.encode(), 307, [("location", f"/elsewhere?{plain[:20]}"), ("content-type", "text/plain")]
    )
    error = f"event: error\ndata: {json.dumps({'type': 'error', **said})}\n\n".encode()
    yield Answered(error, 200, [("content-type", "text/event-stream")])
    began = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    late = f"data: {json.dumps(said)}\n\n".encode()
    yield Answered([began, late], 200, [("content-type", "text/event-stream")])


WAYS = 15
"""How many there are."""


def echo(upstream: RecordingUpstream, number: int) -> None:
    """Answer in this way from now on."""
    upstream.answer = lambda received: list(echoes(received))[number]


def headgate(environment: dict[str, str], *arguments: str, said: str = "") -> str:
    """All a command prints and raises; whether it worked is not the question."""
    done = CliRunner().invoke(main, arguments, input=said, env=environment)
    return f"$ headgate {' '.join(arguments)}\n{done.output}{done.exception!r}"


def page(gateway: RunningGateway, path: str) -> str:
    request = urllib.request.Request(
        f"{gateway.url}{path}", headers={"authorization": f"Bearer {gateway.key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return str(reply.headers) + reply.read().decode()
    except urllib.error.HTTPError as refused:
        return f"{refused.headers}{refused.read().decode()}"


def lying_in(folder: Path) -> bytes:
    """Database, its log and the journal, as they lie there."""
    files = [
        each for each in folder.rglob("*") if each.is_file() and "headgate." in str(each.relative_to(folder))
    ]
    return b"\n".join(each.read_bytes() for each in files if each.suffix != ".toml")


def contents_of(folder: Path) -> bytes:
    """What is compressed in the database."""
    with sqlite3.connect(folder / "headgate.db") as connection:
        rows = connection.execute("SELECT data FROM content_segment").fetchall()
    assert rows, "nothing was recorded"
    return b"\n".join(zstandard.ZstdDecompressor().decompress(data) for (data,) in rows)


def test_no_secret_is_told_to_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers repeat the keys they are sent in every way they find; TLS fails, nobody listens, a key cannot be sent, code of
    the operator's raises. Then everything that came out of Headgate is searched for each of them."""
    (tmp_path / "key.txt").write_text(SECRETS["file"] + "\n")
    (tmp_path / "raising.py").write_text("def answer(situation):\n    raise RuntimeError('on purpose')\n")
    environment = {
        "HEADGATE_SECRET_KEY": new_master_key(),
        "HOUSE_API_KEY": SECRETS["environment"],
        "BROKEN_API_KEY": SECRETS["broken"] + "\nsecond line",
        "FAQ_TOKEN": SECRETS["callback"],
        "AWS_SECRET": SECRETS["aws"],
        "AWS_SESSION": SECRETS["session"],
        "PYTHONPATH": os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))),
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[str] = []
    with recording_upstream() as upstream:
        port = upstream.url.rpartition(":")[2]
        config = CONFIG.format(folder=tmp_path, url=upstream.url, port=port, **SECRETS)
        (tmp_path / "headgate.toml").write_text(config)
        for name, host in (("stored", f"127.0.0.1:{port}"), ("nobody", "127.0.0.1:9")):
            arguments = ("secrets", "set", name, "--host", host, "--json")
            told.append(headgate(environment, *arguments, said=SECRETS["database"]))
        with running_gateway(tmp_path, config, environment=environment) as gateway:
            ids = []
            cases = [(f"{name}/m", number) for name in ECHOING for number in range(WAYS)]
            cases += [(f"{name}/m", 0) for name in BROKEN] + [("helped", 6)]
            for model, number in cases:
                echo(upstream, number)
                for dialect in ("chat", "messages", "responses"):
                    for stream in (False, True):
                        got = ask(gateway, dialect, model, stream=stream)
                        told.append(f"{got.headers}{got.body.decode(errors='replace')}")
                        ids.append(got.request_id)
            echo(upstream, 1)
            told += [
                page(gateway, path) for path in ("/metrics", "/", "/v1/models", "/readyz", "/v1/nothing")
            ]
            # A configuration that cannot be used, beside what runs.
            wrong = config.replace("http://user:", "http:// user:").replace(upstream.url, "http://[x")
            (tmp_path / "wrong.toml").write_text(wrong)
            told.append(headgate(environment, "check", "--config", "wrong.toml"))
            (tmp_path / "headgate.toml").write_text(wrong)
            told += [headgate(environment, "check"), headgate(environment, "serve")]
            (tmp_path / "headgate.toml").write_text(config)
            for command in (
                "check", "check --try", "check --try --json", "config show", "config show --json", "tail --last 500 --no-follow",
                "secrets list", "secrets list --json", "secrets rotate", "audit list", "audit list --json", "keys list",
                "route explain hello", "secrets set nobody --host 127.0.0.1:9 extra-argument",
            ):  # fmt: skip
                told.append(headgate(environment, *command.split()))
            told += [headgate(environment, "show", each, "--json") for each in ids[::41]]
            told += [headgate(environment, "show", each) for each in ids[7::53]]
            assert list((tmp_path / "headgate.journal").iterdir()), "there is no journal to look into"
            kept = lying_in(tmp_path)
            assert gateway.stop() == 0
    log = (tmp_path / "serve.log").read_text()
    # The things that were to go wrong did.
    assert "on purpose" in log and "Traceback" in log
    said = " ".join(f"{each.headers}" for each in upstream.received)
    for name in ("environment", "file", "database", "header", "callback", "session"):
        assert SECRETS[name] in said, (
            f"the upstream was never sent the secret of {name}, so it cannot have repeated it"
        )
    kept, printed = kept + lying_in(tmp_path) + contents_of(tmp_path), "\n".join(told)
    for shown in (
        "credential removed",
        "The configuration is sound",
        "FAILED",
        "shell's history",
        "secret.rotate",
    ):
        assert shown in printed
    for name, value in {**SECRETS, "master key": environment["HEADGATE_SECRET_KEY"]}.items():
        # Most of a key is as good as all of it: what is quoted may be cut off. And where it is quoted, it may be spelt otherwise.
        most = value[: len(value) - 4]
        for form in (most, most.replace("/", "\\/").replace("+", "\\u002b"), most.replace("/", "%2F")):
            assert form not in log, f"the log tells the secret of {name}: {around(log, form)}"
            assert form not in printed, f"Headgate tells the secret of {name}: {around(printed, form)}"
            assert form.encode() not in kept, f"the records hold the secret of {name}"


def around(text: str, value: str) -> str:
    place = text.index(value)
    return text[max(place - 700, 0) : place + 200]
