"""Many callers of several users at once, some of whom leave, before a provider that fails and stalls as it likes: whatever comes,
everybody is answered or told why, nobody hears what is another user's, and nothing is left open."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from headgate.core.errors import ProviderFailed, UpstreamCut
from headgate.core.ids import parse_request_id
from headgate.providers.port import Timeouts, UpstreamReply, UpstreamRequest
from headgate.testing.asgi import Answered, Caller
from headgate.testing.scripted import Script, ScriptedReply, ScriptedUpstream
from tests.support.recalling import Remembering, body, remembering, settled
from tests.support.small_gateway import answer, stream

__all__: list[str] = []

PERSONAL = "ada@lake.org"


class Moody(ScriptedUpstream):
    """Answers, late or not; fails, breaks off, stops in the middle; half of what it says is personal."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__([])
        self.chance = chance
        self.waits: list[asyncio.Event] = []

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        self.requests.append(request)
        mood = self.chance.random()
        if mood < 0.12:
            raise ProviderFailed("no")
        reply = ScriptedReply(self._script(mood, streamed=b'"stream": true' in bytes(request.body)))
        self.replies.append(reply)
        return reply

    def _script(self, mood: float, *, streamed: bool) -> Script:
        text = PERSONAL if self.chance.random() < 0.5 else "all is fine"
        if not streamed or mood < 0.2:
            whole = answer(text)
            said = [ProviderFailed("late")] if mood < 0.2 else whole.pieces
            return Script(pieces=[self._wait(), *said], headers=whole.headers)
        pieces: list[Any] = [self._wait()]
        for letter in text:
            pieces.append(_chunk(letter))
            if self.chance.random() < 0.1:
                pieces.append(self._wait())
        if mood < 0.3:
            return stream(*pieces, UpstreamCut(detail="gone"))
        if mood < 0.35:
            return stream(*pieces)
        return stream(*pieces, _chunk("", end=True), b"data: [DONE]\n\n")

    def _wait(self) -> asyncio.Event:
        self.waits.append(asyncio.Event())
        return self.waits[-1]


def _chunk(text: str, *, end: bool = False) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop" if end else None}
    event = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "llama",
        "choices": [choice],
    }
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _said(answered: Answered) -> str:
    """Of an answer in OpenAI's chat dialect; what came of a stream that broke off."""
    if not answered.headers["content-type"].startswith("text/event-stream"):
        return str(json.loads(answered.body)["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in answered.body.split(b"\n") if line.startswith(b"data: {")]
    choices = [event["choices"][0] for event in events if event.get("choices")]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_nobody_hears_what_is_anothers_and_nothing_is_left(seed: int) -> None:
    """With each scope; and an answer with personal data is not kept either."""

    async def main() -> None:
        chance = random.Random(seed)
        upstream = Moody(chance)
        one = remembering(
            upstream=upstream,
            personal=lambda found: "an address of mail" if "@" in found.text else "",
            scope=chance.choice(["feature", "team", "user"]),
        )
        callers: list[tuple[asyncio.Task[Answered], bool]] = []
        for _ in range(chance.randint(2, 40)):
            leaves = chance.choice([None, None, None, 0, 1, 2])
            asked = Caller(one.gate).ask(
                "/v1/chat/completions",
                body(stream=chance.random() < 0.6),
                headers={"x-key": f"key_{chance.randint(0, 3)}"},
                hang_up_after=leaves,
            )
            callers.append((asyncio.create_task(asked), leaves is not None))
            for _ in range(chance.choice([0, 0, 3, 20])):
                await asyncio.sleep(0)
            if upstream.waits and chance.random() < 0.5:
                upstream.waits.pop(0).set()
        if chance.random() < 0.1:
            await one.recall.aclose()
        async with asyncio.timeout(20):
            while not all(task.done() for task, _ in callers):
                while upstream.waits:
                    upstream.waits.pop(chance.randrange(len(upstream.waits))).set()
                await asyncio.sleep(0.001)
        await settled()
        for task, left in callers:
            if not left:
                _check(one, task.result())
        # Who has left is drained for its usage, in the background.
        async with asyncio.timeout(20):
            while any(not (reply.closed or reply.read_to_end) for reply in upstream.replies):
                await asyncio.sleep(0.001)
        await settled()
        assert one.recall.under_way == one.recall.beside == 0
        assert not any(exchange._closers for exchange in one.seen)
        assert not any(exchange.attempts for exchange in one.seen if exchange.cache == "joined")

    asyncio.run(main())


def _check(one: Remembering, answered: Answered) -> None:
    how = answered.headers.get("x-cache", "")
    if answered.status != 200 or not how.startswith("HIT"):
        return
    by_id = {exchange.id: exchange for exchange in one.seen}
    mine = by_id[parse_request_id(answered.headers["x-request-id"])]
    origin = by_id[parse_request_id(answered.headers["x-headgate-cache-origin"])]
    text = _said(answered)
    assert origin.attempts and not mine.attempts and mine.origin_id == origin.id
    assert mine.caller is not None and origin.caller is not None
    if how == "HIT (exact)":
        assert text == "all is fine"
    elif mine.caller.key_id != origin.caller.key_id:
        assert text in ("all is fine", "")
