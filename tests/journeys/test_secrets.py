"""Keys of providers in a started gateway: each goes to its own host, whatever happens, and a changed one counts at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from headgate.stores.sealing import new_master_key
from tests.support.asking import Got, ask
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.recording_upstream import Answered, Received, RecordingUpstream, recording_upstream

__all__: list[str] = []

ANSWER = (
    b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"High."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)
REFUSED = b'{"error":{"message":"no","type":"server_error"}}'


def well(received: Received) -> Answered:
    return Answered(ANSWER)


def failing(received: Received) -> Answered:
    return Answered(REFUSED, 500)


def headgate(folder: Path, *arguments: str, environment: Mapping[str, str], said: str = "") -> str:
    """What a command prints on both outputs; it works beside a running gateway."""
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        cwd=folder,
        env=os.environ | dict(environment) | {"NO_COLOR": "1"},
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def place(upstream: RecordingUpstream) -> str:
    return upstream.url.removeprefix("http://")


def heard(upstream: RecordingUpstream) -> str:
    """Everything it was ever sent."""
    return "\n".join(
        f"{each.target} {each.headers} {each.body.decode(errors='replace')}" for each in upstream.received
    )


def bearer(got: RecordingUpstream) -> str:
    return str(got.received[-1].header("authorization"))


def asked(
    gateway: RunningGateway, model: str = "small", dialect: str = "chat", *, stream: bool = False
) -> Got:
    return ask(gateway, dialect, model, stream=stream)


def test_a_secret_given_while_gateways_run_counts_on_all_of_them(tmp_path: Path) -> None:
    """Two nodes on one database; a new value, and none any more. A request never fails in between."""
    environment = {"HEADGATE_SECRET_KEY": new_master_key()}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with recording_upstream() as upstream:
        upstream.answer = well
        config = (
            f'[server]\ndatabase = "sqlite:///{tmp_path}/shared.db"\n'
            f'[providers.house]\nkind = "openai"\nbase_url = "{upstream.url}/v1"\napi_key = "secret:house"\n'
            '[models.small]\nendpoints = [{ provider = "house", model = "m" }]\n'
        )
        (tmp_path / "headgate.toml").write_text(config)
        give = ("secrets", "set", "house", "--host", place(upstream))
        headgate(tmp_path, *give, environment=environment, said="sk-first-value\n")
        with (
            running_gateway(tmp_path / "one", config, environment=environment) as one,
            running_gateway(tmp_path / "two", config, environment=environment) as two,
        ):
            for gateway in (one, two):
                assert asked(gateway).status == 200
                assert bearer(upstream) == "Bearer sk-first-value"
            told = headgate(tmp_path, *give, environment=environment, said="sk-second-value\n")
            assert "used by house" in told
            for gateway in (one, two):

                def the_new_one_is_sent(gateway: RunningGateway = gateway) -> bool:
                    assert asked(gateway).status == 200
                    return bearer(upstream) == "Bearer sk-second-value"

                assert until(the_new_one_is_sent, seconds=10), gateway.log
            headgate(tmp_path, "secrets", "remove", "house", "--force", environment=environment)
            for gateway in (one, two):

                def nobody_is_called(gateway: RunningGateway = gateway) -> bool:
                    return asked(gateway).status == 502

                assert until(nobody_is_called, seconds=10), gateway.log
                assert asked(gateway).error == "provider_auth_failed"
            calls = len(upstream.received)
            assert asked(one).status == 502 and len(upstream.received) == calls
            headgate(tmp_path, *give, environment=environment, said="sk-third-value\n")
            assert until(lambda: asked(one).status == 200, seconds=10), one.log
            assert bearer(upstream) == "Bearer sk-third-value"
            assert "Traceback" not in one.log + two.log, one.log + two.log


def test_a_changed_address_does_not_take_a_stored_key_along(tmp_path: Path) -> None:
    """The reload is refused, what ran goes on, and the other host is never asked; a start with it is refused too."""
    environment = {"HEADGATE_SECRET_KEY": new_master_key()}
    with recording_upstream() as mine, recording_upstream() as evil:
        mine.answer = evil.answer = well
        config = (
            f'[providers.house]\nkind = "openai"\nbase_url = "{mine.url}/v1"\napi_key = "secret:house"\n'
            '[models.small]\nendpoints = [{ provider = "house", model = "m" }]\n'
        )
        (tmp_path / "headgate.toml").write_text(config)
        headgate(
            tmp_path,
            *("secrets", "set", "house", "--host", place(mine)),
            environment=environment,
            said="sk-value",
        )
        with running_gateway(tmp_path, config, environment=environment) as gateway:
            assert asked(gateway).status == 200
            other = tmp_path / "new"
            other.write_text(config.replace(mine.url, evil.url))
            other.replace(tmp_path / "headgate.toml")
            assert until(lambda: "the one before stays" in gateway.log, seconds=10), gateway.log
            assert f"may be sent to {place(mine)} alone" in gateway.log
            assert asked(gateway).status == 200
        with (
            pytest.raises(AssertionError, match=f"ended with 2:[^@]*may be sent to {place(mine)} alone"),
            running_gateway(tmp_path, config.replace(mine.url, evil.url), environment=environment),
        ):
            pass
        assert evil.received == [] and "sk-value" not in gateway.log


def test_a_refused_start_makes_no_first_key(tmp_path: Path) -> None:
    """It is shown once, by the first start that works, and not lost in one that does not."""
    config = (
        '[providers.house]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "secret:house"\n'
    )
    (tmp_path / "headgate.toml").write_text(config)
    environment = {"HEADGATE_SECRET_KEY": new_master_key()}
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "serve", "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "there is no secret `house`" in done.stderr
    assert "Traceback" not in done.stderr
    assert "no keys" in headgate(tmp_path, "keys", "list", environment=environment)


def test_a_key_in_a_file_is_read_again_when_the_file_changes(tmp_path: Path) -> None:
    """As secrets mounted into containers do."""
    key = tmp_path / "key.txt"
    key.write_text("sk-first-value\n")
    with recording_upstream() as upstream:
        upstream.answer = well
        config = (
            f'[providers.house]\nkind = "openai"\nbase_url = "{upstream.url}/v1"\napi_key = "file:{key}"\n'
            '[models.small]\nendpoints = [{ provider = "house", model = "m" }]\n'
        )
        with running_gateway(tmp_path, config) as gateway:
            assert asked(gateway).status == 200 and bearer(upstream) == "Bearer sk-first-value"
            other = tmp_path / "new"
            other.write_text("sk-second-value\n")
            other.replace(key)

            def the_new_one_is_sent() -> bool:
                return asked(gateway).status == 200 and bearer(upstream) == "Bearer sk-second-value"

            assert until(the_new_one_is_sent, seconds=10), gateway.log


CROSSING = """
[defaults]
retry = {{ attempts = 3, base = "1ms" }}
[health]
failures = 1000000
least_calls = 1000000
probe = false
eject = false

[providers.a]
kind = "openai"
base_url = "{a}/v1"
api_key = "secret:a"
api_keys = ["file:{folder}/a.txt"]
[providers.b]
kind = "anthropic"
base_url = "{b}"
api_key = "${{B_API_KEY}}"
[providers.c]
kind = "gemini"
base_url = "{c}/v1beta"
api_key = "secret:c"
headers = {{ x-gate = "sk-c-header" }}
[callbacks.faq]
url = "{d}/faq"
token = "file:{folder}/d.txt"

[models.main]
endpoints = [{{ provider = "a", model = "m" }}]
[models.copy]
endpoints = [{{ provider = "c", model = "m" }}]
[models.both]
strategy = "weighted"
endpoints = [{{ provider = "a", model = "m" }}, {{ provider = "b", model = "m" }}]

[features.chat]
route = "main"
fallback = ["b/m"]
hedge = {{ after = "5ms" }}
shadow = {{ model = "copy", share = 1.0 }}
degrade = ["http:faq"]
resume = true
[features.spread]
route = "both"
fallback = ["copy"]
"""
OWN = {
    "a": ("sk-a-stored", "sk-a-file"),
    "b": ("sk-b-environment",),
    "c": ("sk-c-stored", "sk-c-header"),
    "d": ("sk-d-file",),
}


def test_no_provider_is_ever_sent_the_key_of_another(tmp_path: Path) -> None:
    """Over failover, retries, hedges, pools of keys, copies, callbacks, probes, streams that break off, and redirects from one
    provider to the next: each server gets the credentials that were registered for it, and nobody else's."""
    environment = {"HEADGATE_SECRET_KEY": new_master_key(), "B_API_KEY": OWN["b"][0]}
    (tmp_path / "a.txt").write_text("sk-a-file\n")
    (tmp_path / "d.txt").write_text("sk-d-file\n")
    with (
        recording_upstream() as a,
        recording_upstream() as b,
        recording_upstream() as c,
        recording_upstream() as d,
    ):
        servers = {"a": a, "b": b, "c": c, "d": d}
        d.answer = lambda _: Answered(b'{"text":"Ask again tomorrow."}')
        b.answer = c.answer = failing
        config = CROSSING.format(folder=tmp_path, **{name: each.url for name, each in servers.items()})
        (tmp_path / "headgate.toml").write_text(config)
        for name, value, server in (("a", "sk-a-stored", a), ("c", "sk-c-stored", c)):
            give = ("secrets", "set", name, "--host", place(server))
            headgate(tmp_path, *give, environment=environment, said=value)

        def redirecting(received: Received) -> Answered:
            number = len(a.received)
            status = (302, 307, 308, 301, 303)[number % 5]
            to = (b, c, d)[number % 3].url
            return Answered(
                b"", status, [("location", f"{to}{received.target}"), ("content-type", "text/plain")]
            )

        def breaking_off(received: Received) -> Answered:
            if b'"stream":true' not in received.body.replace(b" ", b""):
                return Answered(ANSWER)
            piece = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
            return Answered([piece], 200, [("content-type", "text/event-stream"), ("content-length", "9999")])

        with running_gateway(tmp_path, config, environment=environment) as gateway:
            for answer in (redirecting, failing, well, breaking_off, lambda _: Answered(REFUSED, 401)):
                a.answer = answer
                for dialect in ("chat", "messages", "responses"):
                    for stream in (False, True):
                        for feature in ("chat", "spread"):
                            asked(gateway, feature, dialect, stream=stream)
            headgate_probe(tmp_path, environment)
            assert gateway.stop() == 0
            assert "Traceback" not in gateway.log, gateway.log
        for name, server in servers.items():
            said = heard(server)
            for value in OWN[name]:
                assert value in said, f"{name} was never sent its own key {value}"
            for other in OWN.keys() - {name}:
                for value in OWN[other]:
                    assert value not in said, f"{name} was sent the key of {other}"
            assert environment["HEADGATE_SECRET_KEY"] not in said


def headgate_probe(folder: Path, environment: Mapping[str, str]) -> None:
    """`check --try`, whatever comes of it: these servers answer no probes."""
    subprocess.run(
        [sys.executable, "-m", "headgate", "check", "--try"],
        cwd=folder,
        env=os.environ | dict(environment),
        capture_output=True,
        timeout=60,
    )
