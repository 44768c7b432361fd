"""Recall, in front of real routing and dispatch over scripted providers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from headgate.core.errors import ProviderFailed
from headgate.core.section import Duration
from headgate.stores.answers import CacheEntry, Selection
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.stores.errors import StoreUnavailable
from headgate.testing.asgi import Answered, Caller
from headgate.testing.scripted import Script
from tests.support.aio import aio
from tests.support.recalling import body, remembering, settled
from tests.support.small_gateway import answer, stream

__all__: list[str] = []

FAILS = Script(refuse=ProviderFailed("the provider failed"))
ANTHROPIC = json.dumps(
    {
        "model": "small",
        "temperature": 0,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}],
    }
).encode()


def chunk(text: str = "", *, end: bool = False) -> bytes:
    delta = {"content": text} if text else {}
    event = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "llama",
        "choices": [{"index": 0, "delta": delta, "finish_reason": "stop" if end else None}],
    }
    return b"data: " + json.dumps(event).encode() + b"\n\n"


END = [chunk(end=True), b"data: [DONE]\n\n"]


def said(answered: Answered) -> str:
    """The text of an answer in OpenAI's chat dialect, whole or streamed."""
    if not answered.headers["content-type"].startswith("text/event-stream"):
        return str(json.loads(answered.body)["choices"][0]["message"]["content"])
    events = [line[6:] for line in answered.body.split(b"\n") if line.startswith(b"data: {")]
    choices = [json.loads(event)["choices"] for event in events]
    return "".join(choice[0]["delta"].get("content") or "" for choice in choices if choice)


@aio
async def test_an_answer_is_given_again() -> None:
    """The same bytes to all who ask whole, a stream to who asks for one; the record knows whose answer it was."""
    one = remembering(answer("high water"))
    first = await one.ask()
    await settled()
    again, streamed = await one.ask(), await one.ask(body(stream=True))
    assert one.calls == 1
    assert said(first) == said(again) == said(streamed) == "high water"
    assert first.headers["x-cache"] == "MISS" and again.headers["x-cache"] == "HIT (exact)"
    assert streamed.headers["x-cache"] == "HIT (exact)" and streamed.body.endswith(b"data: [DONE]\n\n")
    assert json.loads(again.body)["id"] == "c1" and json.loads(again.body)["usage"]["total_tokens"] == 5
    made, given, _ = one.seen
    assert (made.cache, made.origin_id) == ("miss", 0)
    assert (given.cache, given.origin_id, given.avoided_nanos) == ("exact", made.id, 1_000)
    assert (given.feature, given.routed_model) == ("faq", "small") and not given.attempts


@aio
async def test_a_stream_is_kept_and_given_whole() -> None:
    """Folded once it has come to its own end."""
    one = remembering(stream(chunk("high "), chunk("water"), *END))
    assert said(await one.ask(body(stream=True))) == "high water"
    await settled()
    whole = await one.ask()
    assert said(whole) == "high water" and one.calls == 1


@aio
async def test_what_is_not_good_enough_is_not_kept() -> None:
    """Cut by a length, filtered, empty, calling a tool, refused, broken off, no JSON where JSON was asked for, failed."""

    def ended(reason: str, message: dict[str, Any]) -> Script:
        made = json.loads(answer().pieces[0])  # type: ignore[arg-type]
        made["choices"][0] |= {"finish_reason": reason, "message": {"role": "assistant", **message}}
        return Script(pieces=[json.dumps(made).encode()], headers=answer().headers)

    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    scripts = [
        ended("length", {"content": "cut"}),
        ended("content_filter", {"content": "bad"}),
        ended("stop", {"content": ""}),
        ended("tool_calls", {"content": None, "tool_calls": [call]}),
        ended("stop", {"content": None, "refusal": "I will not"}),
        FAILS,
    ]
    for script in scripts:
        one = remembering(script)
        for _ in range(2):
            await one.ask()
            await settled()
        assert one.calls == 2
    wants_json = body(response_format={"type": "json_object"})
    for text, calls in (("not json", 2), ('{"a": 1}', 1)):
        one = remembering(answer(text))
        for _ in range(2):
            await one.ask(wants_json)
            await settled()
        assert one.calls == calls
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    shaped = body(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    for text, calls in (('{"b": 1}', 2), ("[1]", 2), ('{"a": 1}', 1)):
        one = remembering(answer(text))
        for _ in range(2):
            await one.ask(shaped)
            await settled()
        assert one.calls == calls
    one = remembering(stream(chunk("half")))
    for _ in range(2):
        broken = await one.ask(body(stream=True))
        assert b"error" in broken.body
        await settled()
    assert one.calls == 2


@aio
async def test_personal_data_is_kept_for_named_users_only() -> None:
    """An answer that holds some is given to nobody else."""
    one = remembering(answer(), personal=lambda _: "an e-mail address")
    for _ in range(2):
        await one.ask()
        await settled()
    assert one.calls == 2
    own = remembering(answer(), personal=lambda _: "an e-mail address", scope="user")
    for _ in range(2):
        await own.ask(body(user="ada"))
        await settled()
    assert own.calls == 2  # `user` in a body is read by admission, which is not here
    assert own.seen[-1].cache == "miss"


@aio
async def test_the_caller_decides_what_is_read_and_kept() -> None:
    """no-cache reads nothing and keeps, no-store keeps nothing, off does neither, only-if-cached asks nobody."""
    one = remembering(answer())
    refused = await one.ask(headers={"cache-control": "only-if-cached"})
    assert refused.status == 504 and one.calls == 0
    off = await one.ask(headers={"x-headgate-cache": "off"})
    await settled()
    assert off.headers["x-cache"] == "BYPASS" and one.seen[-1].cache == "bypass"
    await one.ask(headers={"cache-control": "no-store"})
    await settled()
    assert (await one.store.sizes()).entries == 0 and one.calls == 2
    fresh = await one.ask(headers={"cache-control": "no-cache"})
    await settled()
    assert fresh.headers["x-cache"] == "REFRESH" and one.calls == 3
    assert (await one.store.sizes()).entries == 1
    kept = await one.ask(headers={"cache-control": "only-if-cached"})
    assert kept.status == 200 and one.calls == 3
    one.clock.advance(100)
    assert (await one.ask(headers={"cache-control": "max-age=50"})).headers["x-cache"] == "MISS"


@aio
async def test_a_request_with_a_reason_against_it_passes_and_says_why() -> None:
    """Nothing is read or kept for it."""
    one = remembering(answer())
    for _ in range(2):
        passed = await one.ask(body(temperature=0.7))
        assert passed.headers["x-cache"] == "BYPASS"
        await settled()
    assert one.calls == 2 and "temperature" in one.seen[0].notes["cache"]
    assert (await one.store.sizes()).entries == 0


@aio
async def test_an_old_answer_is_given_while_a_new_one_is_fetched() -> None:
    """Once for all who ask meanwhile, on record as a refresh that the asker's key pays; then the new one is given."""
    one = remembering(answer("old"), answer("new"), exact=Duration(60), stale=Duration(60))
    await one.ask()
    await settled()
    one.clock.advance(70)
    stale = [await one.ask() for _ in range(3)]
    assert {each.headers["x-cache"] for each in stale} == {"HIT (stale)"}
    assert {said(each) for each in stale} == {"old"} and stale[0].headers["age"] == "70"
    await settled()
    assert one.calls == 2
    copies = [each for each in one.seen if each.purpose]
    assert [(each.purpose, each.cache) for each in copies] == [("refresh", "refreshed")]
    assert copies[0].caller == one.seen[0].caller
    new = await one.ask()
    assert said(new) == "new" and new.headers["x-cache"] == "HIT (exact)"
    one.clock.advance(130)
    assert (await one.ask()).headers["x-cache"] == "MISS"


@aio
async def test_what_is_asked_for_often_is_renewed_ahead_of_time() -> None:
    """Nobody waits for it, and what is asked for once only is left to end."""
    one = remembering(answer("old"), answer("new"), exact=Duration(100), refresh=0.2)
    await one.ask()
    await settled()
    one.clock.advance(90)
    await one.ask()
    await settled()
    assert one.calls == 1
    assert said(await one.ask()) == "old"
    await settled()
    assert one.calls == 2 and said(await one.ask()) == "new"


@aio
async def test_when_no_model_answers_an_old_answer_does() -> None:
    """Marked as such; by the operator's time, or the caller's; a mistake of the caller's is told all the same."""
    one = remembering(answer("old"), FAILS, exact=Duration(60), if_error=Duration(600))
    await one.ask()
    await settled()
    one.clock.advance(100)
    given = await one.ask()
    assert (given.status, said(given)) == (200, "old") and one.calls == 2
    assert given.headers["x-cache"] == "HIT (stale)" and given.headers["x-headgate-degraded"] == "stale"
    assert (one.seen[-1].degraded, one.seen[-1].cache) == ("stale", "stale")
    one.clock.advance(1000)
    assert (await one.ask()).status == 502


@aio
async def test_identical_calls_under_way_are_made_once() -> None:
    """Five hundred streams, one call; each is told the whole of it, and that it was somebody else's."""
    on = asyncio.Event()
    one = remembering(stream(chunk("high "), on, chunk("water"), *END))
    asked = [asyncio.create_task(one.ask(body(stream=True))) for _ in range(500)]
    await settled()
    on.set()
    answers = await asyncio.gather(*asked)
    assert one.calls == 1
    assert {said(each) for each in answers} == {"high water"}
    assert [each.headers["x-headgate-cache"] for each in answers].count("joined") == 499
    leader = next(each for each in one.seen if each.cache == "miss")
    joined = [each for each in one.seen if each.cache == "joined"]
    assert {(each.origin_id, each.avoided_nanos, len(each.attempts)) for each in joined} == {
        (leader.id, 1_000, 0)
    }
    await settled()
    assert one.recall.under_way == one.recall.beside == 0


@aio
async def test_the_leader_hangs_up_and_the_others_hear_it_out() -> None:
    """One call all the same, and what it said is kept."""
    on = asyncio.Event()
    one = remembering(stream(chunk("high "), on, chunk("water"), *END))
    app = Caller(one.gate)
    leading = asyncio.create_task(app.ask("/v1/chat/completions", body(stream=True), hang_up_after=1))
    others = [asyncio.create_task(one.ask(body(stream=True))) for _ in range(3)]
    whole = asyncio.create_task(one.ask())
    await settled()
    on.set()
    heard = await asyncio.gather(*others, whole)
    await leading
    assert {said(each) for each in heard} == {"high water"} and one.calls == 1
    await settled()
    assert (await one.ask()).headers["x-cache"] == "HIT (exact)"


def mail_in(found: Any) -> str:
    return "an address of mail" if "@" in found.text else ""


@aio
async def test_another_user_hears_nothing_that_was_not_looked_through() -> None:
    """With a shared scope too: the same user hears the words as they come, others when all is there and nothing personal was found,
    streamed or whole. Where something was, each user has a call of their own from then on, and no answer of anybody else's."""
    on = asyncio.Event()
    one = remembering(stream(chunk("high "), on, chunk("water"), *END), personal=mail_in)
    leading = asyncio.create_task(one.ask(body(stream=True), headers={"x-key": "ada"}))
    await settled()
    own, streamed, whole = (
        asyncio.create_task(one.ask(body(stream=wanted), headers={"x-key": key}))
        for wanted, key in ((True, "ada"), (True, "eve"), (False, "bob"))
    )
    await settled()
    assert not streamed.done() and one.recall.beside == 3
    on.set()
    answers = await asyncio.gather(leading, own, streamed, whole)
    assert {said(each) for each in answers} == {"high water"} and one.calls == 1
    assert [each.headers["x-cache"] for each in answers] == ["MISS", *["HIT (joined)"] * 3]

    first, on = asyncio.Event(), asyncio.Event()
    two = remembering(
        stream(chunk("write to "), on, chunk("ada@lake.org"), *END),
        stream(chunk("nothing of ada's"), first, *END),
        personal=mail_in,
    )
    leading = asyncio.create_task(two.ask(body(stream=True), headers={"x-key": "ada"}))
    await settled()
    others = [
        asyncio.create_task(two.ask(body(stream=wanted), headers={"x-key": key}))
        for wanted, key in ((True, "eve"), (False, "eve"), (True, "eve"), (True, "bob"))
    ]
    await settled()
    on.set()
    await settled()
    assert two.calls == 3  # eve's, and bob's: neither waits for the other again
    first.set()
    assert said(await leading) == "write to ada@lake.org"
    assert {said(each) for each in await asyncio.gather(*others)} == {"nothing of ada's"}
    assert sorted(each.cache for each in two.seen) == ["joined", "joined", "miss", "miss", "miss"]
    await settled()
    assert two.recall.under_way == two.recall.beside == 0


@aio
async def test_nobody_waits_long_for_another_users_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while they make a call of their own; the waiting was part of the request's time."""
    monkeypatch.setattr("headgate.cache.calls.MOST_WAIT", 0.01)
    never = asyncio.Event()
    one = remembering(stream(chunk("slow"), never, *END), answer("own"))
    one.recall.ground = replace(one.recall.ground, total_of=lambda feature: {"faq": 100.0}[feature])
    leading = asyncio.create_task(one.ask(body(stream=True), headers={"x-key": "ada"}))
    await settled()
    before = monotonic()
    assert said(await one.ask(headers={"x-key": "eve"})) == "own"
    assert one.calls == 2 and before + 99 < one.seen[-1].deadline < monotonic() + 100
    assert said(await one.ask(headers={"x-key": "bob"})) == "own"
    never.set()
    assert said(await leading) == "slow"


@aio
async def test_an_old_answer_that_was_removed_meanwhile_is_not_given() -> None:
    """Between the look at it and the failure of the models there may be minutes."""
    on = asyncio.Event()
    failing = Script(pieces=[on, ProviderFailed("no")], headers=[(b"content-type", b"application/json")])
    one = remembering(answer("old"), failing, exact=Duration(60), if_error=Duration(600))
    await one.ask()
    await settled()
    one.clock.advance(100)
    asked = asyncio.create_task(one.ask())
    await settled()
    await one.store.remove(Selection())
    on.set()
    assert (await asked).status == 502


@aio
async def test_when_the_call_fails_one_of_those_who_waited_tries_next() -> None:
    """One at a time, and only so often: an outage is not met by a herd."""
    on = asyncio.Event()

    def fails_late() -> Script:
        return Script(pieces=[on, ProviderFailed("no")], headers=[(b"content-type", b"application/json")])

    one = remembering(fails_late(), answer("at last"))
    asked = [asyncio.create_task(one.ask()) for _ in range(20)]
    await settled()
    on.set()
    answers = await asyncio.gather(*asked)
    assert one.calls == 2
    assert sorted(each.status for each in answers) == [200] * 19 + [502]
    down = remembering(fails_late())
    answers = await asyncio.gather(*[down.ask() for _ in range(20)])
    assert {each.status for each in answers} == {502} and down.calls <= 3


@aio
async def test_a_feature_that_does_not_join_makes_every_call() -> None:
    """And so does who wants nothing kept."""
    one = remembering(answer(), join=False)
    await asyncio.gather(*[one.ask() for _ in range(3)])
    assert one.calls == 3
    two = remembering(answer())
    await asyncio.gather(*[two.ask(headers={"cache-control": "no-store"}) for _ in range(3)])
    assert two.calls == 3


class Lame(MemoryAnswers):
    """A store that has to be asked, and is slow, away, or broken."""

    def __init__(self, how: str) -> None:
        super().__init__(1_000_000)
        self.how, self.asked = how, 0

    def at_hand(self, key: bytes) -> CacheEntry | None:
        return None

    @property
    def knows_all(self) -> bool:
        return False

    def absent(self, key: bytes) -> bool:
        return False

    async def get(self, key: bytes) -> CacheEntry | None:
        self.asked += 1
        if self.how == "slow":
            await asyncio.sleep(10)
        if self.how == "gone":
            raise StoreUnavailable("it is away")
        raise ZeroDivisionError


@pytest.mark.parametrize("how", ["slow", "gone", "broken"])
def test_a_store_that_does_not_answer_is_passed_over(how: str) -> None:
    """Requests go on without it, and after a few it is not asked for a while; then one looks whether it is back."""

    async def main() -> None:
        store = Lame(how)
        one = remembering(answer(), store=store, slow=0.005)
        for _ in range(6):
            assert (await one.ask()).headers["x-cache"] == "MISS"
        assert store.asked == 3 and one.calls == 6
        one.clock.advance(1.5)
        for _ in range(3):
            await one.ask()
        assert store.asked == 4

    asyncio.run(main())


@aio
async def test_every_dialect_shares_an_entry() -> None:
    """What was asked for in one and is the same question in another is answered from it."""
    one = remembering(answer("high water"))
    await one.ask(body(max_tokens=100))
    await settled()
    given = await one.ask(ANTHROPIC, path="/v1/messages", headers={"anthropic-version": "2023-06-01"})
    assert given.status == 200
    if given.headers["x-cache"] == "HIT (exact)":
        assert json.loads(given.body)["content"][0]["text"] == "high water"


@aio
async def test_what_was_removed_is_not_given_from_what_was_written() -> None:
    """The bytes of hits are remembered, the entry decides."""
    one = remembering(answer("old"), answer("new"))
    await one.ask()
    await settled()
    await one.ask()
    await one.store.remove(Selection())
    assert said(await one.ask()) == "new"
    await settled()
    assert said(await one.ask()) == "new"
