"""A limit on the answer that a stage puts in is part of the request, however that is read."""

from __future__ import annotations

import json

import pytest

from headgate.core.ids import IdSource
from headgate.core.messages import ChatRequest
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings
from headgate.dispatch.shadow import copy_of
from headgate.dispatch.stage import Dispatch
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.testing.clock import FakeClock
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.small_gateway import answer, endpoint

__all__: list[str] = []

BODY = b'{"model":"small","messages":[{"role":"user","content":"hello"}],"own":1}'
CLAUDE = Script(
    [
        (
            b'{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],'
            b'"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}'
        )
    ],
    headers=[(b"content-type", b"application/json")],
)


def asked(body: bytes = BODY) -> Exchange:
    exchange = Exchange(id=1, dialect=OpenAIChat(), body=body, headers=[], received_at=0.0, started_ns=0)
    exchange.peek = exchange.dialect.peek(body)
    return exchange


def most(exchange: Exchange) -> int | None:
    request = exchange.request
    assert isinstance(request, ChatRequest)
    return request.max_tokens


@pytest.mark.parametrize("read_before", [False, True])
def test_it_is_no_edit_and_everybody_sees_it(read_before: bool) -> None:
    """The caller's bytes still say all the rest."""
    exchange = asked()
    if read_before:
        assert most(exchange) is None
    exchange.limit_answer(7)
    assert (most(exchange), exchange.peek.max_tokens, exchange.edited, exchange.body) == (7, 7, False, BODY)


def test_a_shadow_copy_has_it_too() -> None:
    """It asks for the same."""
    exchange = asked()
    exchange.limit_answer(7)
    copy = copy_of(exchange, "other", 2, FakeClock())
    assert (copy.answer_limit, most(copy)) == (7, 7)


@aio
@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        (BODY, "openai", json.loads(BODY) | {"model": "llama"}),
        (BODY.replace(b'"own":1', b'"max_tokens":null'), "openai", None),
        (BODY, "anthropic", None),
    ],
)
async def test_it_reaches_the_provider(body: bytes, kind: str, sent: dict[str, object] | None) -> None:
    """In the caller's own bytes where that is certain to count, else the request is written anew; to any vendor."""
    upstream = ScriptedUpstream([answer() if kind == "openai" else CLAUDE])
    exchange = asked(body)
    exchange.limit_answer(7)
    exchange.candidates = [endpoint(upstream, kind=kind)]

    async def proceed(_: Exchange) -> Reply:
        raise AssertionError("dispatch is the last stage")

    manner = Manner(retry=RetrySettings(attempts=1))
    await Dispatch(ids=IdSource(), manner=lambda _: manner)(exchange, proceed)
    (request,) = upstream.requests
    found = json.loads(request.body)
    assert [found[name] for name in ("max_tokens", "max_completion_tokens") if found.get(name)] == [7]
    if sent is not None:
        assert {name: value for name, value in found.items() if not name.startswith("max_")} == sent
