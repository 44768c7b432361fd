"""Limits as callers meet them: the vendors' SDKs, many callers at once, streams, hang-ups, and three gateways on one Redis."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from tests.support.aio import aio, aio_within
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.redis_server import redis_server
from tests.support.sdks import Speaker, speakers

__all__: list[str] = []

CONFIG = """
[server]
drain_time = "200ms"

[providers.sim]
kind = "simulated"
speed = 0
models.steady = { like = "sim-small", error_rate = 0 }

[providers.slow]
kind = "simulated"
models.steady = { like = "sim-small", error_rate = 0, first_token = { median = "50ms", p95 = "50ms" }, \
tokens_per_second = 25, answer_tokens = 400 }
models.brief = { like = "sim-small", error_rate = 0, first_token = { median = "50ms", p95 = "50ms" }, \
tokens_per_second = 2000, answer_tokens = 40 }

[features.patient]
route = "slow/brief"
queue = { wait = "20s", most = 5 }

[features.long]
route = "slow/steady"
queue = { wait = "20s", most = 5 }

[[limits]]
name = "few"
of = "user"
requests = 2
per = "1h"
only = { tags = { test = "few" } }

[[limits]]
name = "ten"
of = "tag:run"
requests = 10
per = "1d"
only = { tags = { test = "ten" } }

[[limits]]
name = "quick"
of = "user"
requests = 2
per = "2s"
only = { tags = { test = "quick" } }

[[limits]]
name = "words"
of = "user"
tokens = 4000
per = "1d"
only = { tags = { test = "words" } }

[[limits]]
name = "slots"
of = "user"
concurrency = 2
only = { tags = { test = "slots" } }

[[limits]]
name = "one-at-a-time"
each = false
concurrency = 1
only = { feature = ["patient"] }

[[limits]]
name = "one-long"
each = false
concurrency = 1
only = { feature = ["long"] }
"""
HELLO = [{"role": "user", "content": "How high is the water?"}]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("limited"), CONFIG) as gateway:
        yield gateway
        assert "Traceback" not in gateway.log, gateway.log


@pytest.fixture(scope="module")
def _both(limited: RunningGateway) -> Iterator[dict[str, Speaker]]:
    with speakers(limited) as both:
        yield both


@pytest.fixture(params=["sync", "async"])
def speaker(request: pytest.FixtureRequest, _both: dict[str, Speaker]) -> Speaker:
    return _both[request.param]


def marked(test: str, user: str = "ada", **more: str) -> dict[str, str]:
    tags = ",".join(f"{name}={value}" for name, value in {"test": test, **more}.items())
    return {"x-headgate-user": user, "x-headgate-tags": tags}


@contextlib.asynccontextmanager
async def client(gateway: RunningGateway):
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as made:
        yield made


def chat(model: str = "sim/steady", **more: object) -> dict[str, object]:
    return {"model": model, "messages": HELLO, **more}


def test_the_sdks_see_a_rate_limit_and_when_to_come_back(limited: RunningGateway, speaker: Speaker) -> None:
    """RateLimitError in both vendors' words, with the limit's name, the figures and `retry-after`."""
    user = f"sdk-{speaker.kind}"
    open_ai = speaker.openai.with_options(max_retries=0)
    claude = speaker.anthropic.with_options(max_retries=0)
    headers = marked("few", user)
    raw = speaker.get(open_ai.chat.completions.with_raw_response.create(**chat(), extra_headers=headers))
    assert raw.headers["x-ratelimit-limit-requests"] == "2"
    assert raw.headers["x-ratelimit-remaining-requests"] == "1"
    assert raw.headers["x-ratelimit-reset-requests"] == "30m0s"
    assert raw.headers["x-headgate-limit"] == "few"
    speaker.get(claude.messages.create(**chat(), max_tokens=50, extra_headers=headers))
    with pytest.raises(openai.RateLimitError) as refused_stream:
        speaker.get(open_ai.chat.completions.create(**chat(stream=True), extra_headers=headers))
    with pytest.raises(openai.RateLimitError) as refused:
        speaker.get(open_ai.chat.completions.create(**chat(), extra_headers=headers))
    for each in (refused_stream.value, refused.value):
        assert each.code == "limit_reached"
        assert "limit `few` is reached: 2 requests an hour for each user" in each.message
    with pytest.raises(anthropic.RateLimitError) as said:
        speaker.get(claude.messages.create(**chat(), max_tokens=50, extra_headers=headers))
    body = said.value.body
    assert isinstance(body, dict)
    assert body["error"]["type"] == "rate_limit_error"
    for error in (refused.value, said.value):
        answer = error.response.headers
        assert 1700 < int(answer["retry-after"]) <= 1800
        assert answer["x-should-retry"] == "true"
        assert answer["x-headgate-limit"] == "few"
        assert answer["x-ratelimit-remaining-requests"] == "0"
    speaker.get(open_ai.chat.completions.create(**chat(), extra_headers=marked("few", f"{user} 2")))


def test_an_sdk_left_to_itself_waits_and_comes_through(limited: RunningGateway, speaker: Speaker) -> None:
    """It reads `retry-after` and tries again: the application sees an answer."""
    headers = marked("quick", f"quick-{speaker.kind}")
    began = time.monotonic()
    for _ in range(4):
        answer = speaker.get(speaker.openai.chat.completions.create(**chat(), extra_headers=headers))
        assert answer.choices[0].message.content
    assert time.monotonic() - began > 1.5


@aio
async def drive(gateway: RunningGateway, run: str, *, stream: bool) -> list[int]:
    async with client(gateway) as http:
        headers = marked("ten", run=run)
        replies = await asyncio.gather(
            *(http.post("/v1/chat/completions", json=chat(stream=stream), headers=headers) for _ in range(40))
        )
        return [reply.status_code for reply in replies]


@pytest.mark.parametrize("stream", [False, True])
def test_of_many_callers_at_once_exactly_as_many_pass_as_may(limited: RunningGateway, stream: bool) -> None:
    """Forty at once, ten a day."""
    statuses = drive(limited, f"run {stream}", stream=stream)
    assert sorted(statuses) == [200] * 10 + [429] * 30


@aio
async def test_tokens_are_counted_as_they_were_used(limited: RunningGateway) -> None:
    """What the answer did not need is there again for the next request, also after a stream."""
    async with client(limited) as http:
        left = 4000
        for number, stream in enumerate((False, True, False)):
            headers = marked("words", "counting")
            body = chat(
                max_tokens=1500, stream=stream, stream_options={"include_usage": True} if stream else None
            )
            reply = await http.post("/v1/chat/completions", json=body, headers=headers)
            assert reply.status_code == 200, reply.text
            said = int(reply.headers["x-ratelimit-remaining-tokens"])
            assert left - 1500 - 200 < said <= left - 1500 + 1, (
                "set aside: what the answer may have, and the prompt"
            )
            if stream:
                found = [
                    line
                    for line in reply.text.splitlines()
                    if line.startswith("data") and '"usage":{' in line
                ]
                used = int(found[-1].split('"total_tokens":')[1].split(",")[0].split("}")[0])
            else:
                used = reply.json()["usage"]["total_tokens"]
            left -= used
            assert left > 1700, number
        refused = await http.post(
            "/v1/chat/completions", json=chat(max_tokens=4000), headers=marked("words", "counting")
        )
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "too_large_for_limit"
        assert refused.headers["x-should-retry"] == "false"


@aio
async def test_a_stream_holds_its_place_to_the_last_byte_and_a_hang_up_gives_it_back(
    limited: RunningGateway,
) -> None:
    """Two streams are under way, a third is refused; one caller leaves, and there is room."""
    async with client(limited) as http, contextlib.AsyncExitStack() as stack:
        headers = marked("slots", "streaming")
        body = chat("slow/steady", stream=True)

        async def begun() -> contextlib.AsyncExitStack:
            one = contextlib.AsyncExitStack()
            reply = await one.enter_async_context(
                http.stream("POST", "/v1/chat/completions", json=body, headers=headers)
            )
            assert reply.status_code == 200
            await anext(reply.aiter_bytes())
            return one

        streams = [await begun() for _ in range(2)]
        for one in streams[1:]:
            stack.push_async_callback(one.aclose)
        refused = await http.post("/v1/chat/completions", json=body, headers=headers)
        assert refused.status_code == 429
        assert "2 requests at the same time for each user" in refused.json()["error"]["message"]
        await streams[0].aclose()
        due = time.monotonic() + 10
        while True:
            reply = await http.post("/v1/chat/completions", json=chat(), headers=headers)
            if reply.status_code == 200:
                break
            assert time.monotonic() < due, "the one that left still holds its place"
            await asyncio.sleep(0.05)


@aio
async def test_a_feature_with_a_queue_answers_all_one_after_the_other(limited: RunningGateway) -> None:
    """Six at once where one may be under way: five wait, and their replies say how long; the seventh is refused."""
    async with client(limited) as http:

        async def one() -> httpx.Response:
            return await http.post("/v1/chat/completions", json=chat("patient", max_tokens=400))

        replies = await asyncio.gather(*(one() for _ in range(7)))
        assert sorted(reply.status_code for reply in replies) == [200] * 6 + [429]
        waited = [
            float(reply.headers.get("x-headgate-queue-ms", 0))
            for reply in replies
            if reply.status_code == 200
        ]
        assert len([each for each in waited if each > 20]) == 5
        (refused,) = [reply for reply in replies if reply.status_code == 429]
        assert "5 requests of `patient` wait already" in refused.json()["error"]["message"]


@aio
async def test_who_hangs_up_in_the_queue_makes_room_in_it(limited: RunningGateway) -> None:
    """Nobody waits for an answer that nobody reads."""
    async with client(limited) as http:
        body = chat("long")
        waiting = {asyncio.ensure_future(http.post("/v1/chat/completions", json=body)) for _ in range(7)}
        (refused,), leaving = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result().status_code == 429, "the queue is full"
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        # Each of the six would have taken sixteen seconds.
        async with asyncio.timeout(10):
            status = 0
            while status != 200:
                body = chat("long", stream=True)
                async with http.stream("POST", "/v1/chat/completions", json=body) as reply:
                    status = reply.status_code


@aio
async def test_limits_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    """Without a restart; what was used stays used."""
    plain = '[providers.sim]\nkind = "simulated"\nspeed = 0\nmodels.steady = { like = "sim-small", error_rate = 0 }\n'
    limit = '[[limits]]\nname = "new"\nrequests = 1\nper = "1d"\n'
    with running_gateway(tmp_path, plain) as gateway:
        async with client(gateway) as http:

            async def until(*, limited: bool) -> None:
                while True:
                    reply = await http.post("/v1/chat/completions", json=chat())
                    assert ("x-headgate-limit" in reply.headers) or reply.status_code == 200
                    if (reply.status_code == 429) is limited:
                        return
                    await asyncio.sleep(0.05)

            assert "x-headgate-limit" not in (await http.post("/v1/chat/completions", json=chat())).headers
            for text, limited in ((plain + limit, True), (plain, False), (plain + limit, True)):
                (tmp_path / "headgate.toml").write_text(text)
                await until(limited=limited)


SHARED = """
[server]
redis = "{redis}"
nodes = 3

[providers.sim]
kind = "simulated"
speed = 0
models.steady = {{ like = "sim-small", error_rate = 0 }}

[[limits]]
name = "together"
each = false
requests = 100
per = "1s"
burst = 0.5
"""
SECONDS = 3.0


@pytest.mark.needs("redis")
@aio_within(90)
async def test_three_gateways_hold_one_limit(tmp_path: Path) -> None:
    """A hundred a second for all together, whoever is asked: within one per cent over the time; and when Redis dies, each
    lets a third pass."""
    async with redis_server() as redis:
        with contextlib.ExitStack() as stack:
            gateways = []
            for number in range(3):
                folder = tmp_path / str(number)
                folder.mkdir()
                gateways.append(stack.enter_context(running_gateway(folder, SHARED.format(redis=redis.url))))
            await load(gateways, 0.1)  # connections are made, and what a first request loads is loaded
            await asyncio.sleep(0.5)
            passed, seconds, limited = await load(gateways, SECONDS)
            allowed = 50 + 100 * seconds
            print(f"{passed} passed in {seconds:.2f} s, {limited} refused; {allowed:.1f} may pass")
            assert passed <= allowed * 1.01 + 1
            # On a busy machine all callers may stand still for longer than it takes to fill up.
            assert passed >= allowed * 0.6, "and nobody is refused without need"
            redis.freeze()
            passed, _, _ = await load(gateways, 0.5)
            assert passed >= 3, "a Redis that hangs holds nobody up"
            redis.thaw()
            await redis.kill()
            await asyncio.sleep(0.2)
            passed, seconds, limited = await load(gateways, 1.0)
            allowed = 50 + 100 * seconds
            print(f"without Redis {passed} passed in {seconds:.2f} s; {allowed:.1f} may pass")
            assert 0.4 * allowed <= passed <= allowed * 1.05 + 3
            assert all("its share" in gateway.log for gateway in gateways)


async def load(gateways: list[RunningGateway], seconds: float) -> tuple[int, float, int]:
    """(passed, seconds from the first to the last that passed, refused): more is asked than may pass, evenly."""
    statuses: list[int] = []
    moments: list[float] = []

    async def caller(http: httpx.AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            asked = time.monotonic()
            reply = await http.post("/v1/chat/completions", json=chat("sim/steady", max_tokens=5))
            statuses.append(reply.status_code)
            if reply.status_code == 200:
                moments.extend((asked, time.monotonic()))
            await asyncio.sleep(0.01)

    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client(gateway)) for gateway in gateways]
        until = time.monotonic() + seconds
        await asyncio.gather(*(caller(each, until) for each in clients for _ in range(3)))
    assert set(statuses) <= {200, 429}
    return statuses.count(200), max(moments) - min(moments), statuses.count(429)
