"""Questions in other words in a gateway, read by the real embedder of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.config.loader import parse
from headgate.testing.asgi import Answered
from tests.support.aio import aio
from tests.support.replaying import Playing, config, playing

__all__: list[str] = []

FAQ = """
[features.faq]
route = "small"
cache = {{ exact = "1h", scope = "feature", {cache} }}

[cache]
embed = "{embed}"

[providers.vec]
kind = "simulated"
speed = 0
self_hosted = false
models.embed = {{ like = "sim-embed", error_rate = 0, price = {{ input = 100.0, output = 0.0 }} }}
"""
KEPT, REWORDED = "How do I reset my password?", "How can I reset my password?"


def more(cache: str, embed: str = "local") -> str:
    return FAQ.format(cache=cache, embed=embed)


@asynccontextmanager
async def faq(folder: Path, cache: str, embed: str = "local") -> AsyncIterator[Playing]:
    """A gateway whose embedder is there already."""
    async with playing(folder, more(cache, embed)) as site:
        await site.gateway.caching.similarity.opened()
        yield site


async def ask(site: Playing, text: str, *, system: str = "", **more: Any) -> tuple[Answered, int]:
    headers = {name: more.pop(name) for name in list(more) if name.startswith("x_")}
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": "faq", "temperature": 0, "messages": [*messages, {"role": "user", "content": text}]}
    answered = await site.ask(body | more, **headers)
    await asyncio.sleep(0)
    return answered


def text_of(answered: Answered) -> str:
    if answered.headers["content-type"].startswith("text/event-stream"):
        events = [json.loads(line[6:]) for line in answered.body.split(b"\n") if line.startswith(b"data: {")]
        return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    return str(json.loads(answered.body)["choices"][0]["message"]["content"])


@aio
async def test_a_question_in_other_words_gets_the_answer(tmp_path: Path) -> None:
    """Whole and streamed, and it says how sure it is, and whose answer it was; the record says the same."""
    async with faq(tmp_path, "semantic = 0.9, sample = 0") as site:
        first, origin = await ask(site, KEPT)
        assert first.headers["x-cache"] == "MISS"
        for stream in (False, True):
            again, number = await ask(site, REWORDED, stream=stream)
            assert again.headers["x-cache"] == "HIT (semantic)" and text_of(again) == text_of(first)
            assert again.headers["x-headgate-cache-origin"] == first.headers["x-request-id"]
            assert float(again.headers["x-headgate-cache-similarity"]) >= 0.9
            row = await site.row(number)
            assert (row.cache, row.origin_id, row.cost_nanos, row.attempts) == ("semantic", origin, 0, 0)


@aio
async def test_traps_and_strangers_are_asked_anew(tmp_path: Path) -> None:
    """Another number, a `not`, another name, another system prompt, and, in the scope of a user, another user."""
    async with faq(tmp_path, 'let = ["dates", "names", "ids", "prices"], semantic = 0.9') as site:
        for kept, trap in (
            ("How do I return an order within 14 days?", "How do I return an order within 30 days?"),
            ("Which plants can grow in the shade?", "Which plants can not grow in the shade?"),
            ("What is the capital of Austria?", "What is the capital of Australia?"),
        ):
            await ask(site, kept)
            assert (await ask(site, trap))[0].headers["x-cache"] == "MISS", trap
        await ask(site, KEPT, system="You are a plumber.")
        assert (await ask(site, REWORDED))[0].headers["x-cache"] == "MISS"
    users = tmp_path / "users"
    users.mkdir()
    async with playing(users, more("semantic = 0.9").replace('scope = "feature", ', "")) as site:
        await site.gateway.caching.similarity.opened()
        await ask(site, KEPT, x_headgate_user="ada")
        assert (await ask(site, REWORDED, x_headgate_user="bob"))[0].headers["x-cache"] == "MISS"
        assert (await ask(site, REWORDED, x_headgate_user="ada"))[0].headers["x-cache"] == "HIT (semantic)"


async def judged(site: Playing, count: int) -> list[Any]:
    while len(found := list(await site.gateway.caching.store.judged("faq", 0, 100))) < count:
        await asyncio.sleep(0.02)
    return found


@aio
async def test_shadow_mode_gives_nothing_and_learns(tmp_path: Path) -> None:
    """The question is answered by the model, and what would have been given is compared with that."""
    async with faq(tmp_path, "semantic = 0.9, shadow = true") as site:
        await ask(site, KEPT)
        answered, number = await ask(site, REWORDED)
        assert answered.headers["x-cache"] == "MISS"
        (one,) = await judged(site, 1)
        assert (one.source, one.request_id, one.question) == ("shadow", number, REWORDED)
        assert "shadow mode" in (await site.row(number)).notes


@aio
async def test_sampled_hits_are_asked_all_the_same(tmp_path: Path) -> None:
    """Given at once, asked in the background, recorded as such, and learned from."""
    async with faq(tmp_path, "semantic = 0.9, sample = 1.0") as site:
        await ask(site, KEPT)
        answered, number = await ask(site, REWORDED)
        assert answered.headers["x-cache"] == "HIT (semantic)"
        (one,) = await judged(site, 1)
        assert (one.source, one.request_id, one.weight) == ("sample", number, 1.0)
        while "sample" not in [row.purpose for row in await site.rows()]:
            await asyncio.sleep(0.02)


@aio
async def test_adaptive_begins_by_giving_nothing(tmp_path: Path) -> None:
    """A near miss teaches, and the report says how far it has come."""
    async with faq(tmp_path, 'semantic = "adaptive"') as site:
        await ask(site, KEPT)
        answered, number = await ask(site, REWORDED)
        assert answered.headers["x-cache"] == "MISS"
        (one,) = await judged(site, 1)
        assert (one.source, one.request_id) == ("near", number)
        assert "too little" in (await site.row(number)).notes
        status, told = await site.api("/api/cache/report")
        assert status == 200
        learned = next(each for each in told["features"] if each["feature"] == "faq")["learned"]
        assert learned["threshold"] is None and learned["judged"] in (0, 1) and learned["at_most"] > 0.9


@aio
async def test_a_model_of_the_configuration_makes_vectors(tmp_path: Path) -> None:
    """Each call is on record with a purpose of its own, and billed to the key whose question it reads."""
    async with faq(tmp_path, "semantic = 0.9", "vec/embed") as site:
        _, number = await ask(site, KEPT)
        while not (calls := [row for row in await site.rows() if row.purpose == "embed"]):
            await asyncio.sleep(0.02)
        asker = await site.row(number)
        assert calls[0].key_id == asker.key_id and calls[0].cost_nanos
        entry = site.gateway.caching.similarity.similar
        assert entry.embedder == "vec/embed"


@aio
async def test_without_an_embedder_equal_words_are_still_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line of the log says what is missing."""
    monkeypatch.setenv("HEADGATE_EMBEDDER", str(tmp_path / "none.onnx"))
    async with faq(tmp_path, "semantic = 0.9") as site:
        await ask(site, KEPT)
        assert (await ask(site, KEPT))[0].headers["x-cache"] == "HIT (exact)"
        assert (await ask(site, REWORDED))[0].headers["x-cache"] == "MISS"
    assert sum("in other words are not recognised" in each.message for each in caplog.records) == 1


@aio
async def test_it_is_turned_on_and_off_while_running(tmp_path: Path) -> None:
    """With the next configuration; what was kept meanwhile is found by its words alone."""
    plain = more('pace = "instant"')
    async with playing(tmp_path, plain) as site:
        caching = site.gateway.caching
        caching.use(parse(config(tmp_path, more("semantic = 0.9")), {}).settings)
        await caching.similarity.opened()
        await ask(site, KEPT)
        assert (await ask(site, REWORDED))[0].headers["x-cache"] == "HIT (semantic)"
        caching.use(parse(config(tmp_path, plain), {}).settings)
        assert caching.similarity.similar.vectors is None
        assert (await ask(site, REWORDED + " Please."))[0].headers["x-cache"] == "MISS"
