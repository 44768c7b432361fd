"""Callbacks over HTTP: what they are told, what they may say, and that they cost no more than their time."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from headgate.core.errors import ConnectFailed, UpstreamMalformed
from headgate.core.section import Duration
from headgate.dispatch.ladder.answer import NoAnswer
from headgate.dispatch.ladder.callback import Callbacks, callback_of
from headgate.dispatch.ladder.settings import CallbackSettings
from headgate.providers.transport.client import Transport
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.ladders import asked, ladder, said

__all__: list[str] = []

DESK = CallbackSettings(url="https://help.example.com/answer?x=1", token="t0ken")


def replying(body: bytes, status: int = 200) -> ScriptedUpstream:
    return ScriptedUpstream([Script(pieces=[body] if body else [], status=status)])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"text": "By noon.", "more": [1]}', "By noon."),
        (b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "By noon."}}]}', "By noon."),
        (b'{"text": null}', None),
        (b'{"text": ""}', None),
        (b'{"choices": []}', None),
        (b'{"choices": [{"message": {"content": null}}]}', None),
        (b"", None),
        (b"<html>", None),
        (b'"By noon."', None),
        (b'{"text": 3}', None),
        (b"\xff\xfe", None),
    ],
)
@aio
async def test_a_callback_answers_with_text(body: bytes, text: str | None) -> None:
    """Its own shape, or that of an OpenAI chat server; anything else is no answer."""
    steps = ladder("http:desk", callbacks={"desk": DESK}, upstream=replying(body))
    assert await said(steps, asked()) == text


@pytest.mark.parametrize("status", [204, 301, 302, 400, 404, 500])
@aio
async def test_only_a_success_counts_and_no_redirect_is_followed(status: int) -> None:
    """Nothing is called that the operator did not write."""
    upstream = replying(b'{"text": "no"}' if status != 204 else b"", status)
    assert await said(ladder("http:desk", callbacks={"desk": DESK}, upstream=upstream), asked()) is None
    assert len(upstream.requests) == 1


@aio
async def test_a_callback_is_told_who_asks_for_what_and_why() -> None:
    """As JSON, with the token; the caller's key and headers do not travel along."""
    upstream = replying(b'{"text": "x"}')
    exchange = asked(
        "Where is it?",
        messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is it?"}],
        headers=[(b"authorization", b"Bearer hg_secret")],
    )
    exchange.user, exchange.session = "ada", "s1"
    await said(ladder("http:desk", callbacks={"desk": DESK}, upstream=upstream), exchange)
    (request,) = upstream.requests
    assert (request.method, request.url.host, request.url.target) == (
        "POST",
        "help.example.com",
        b"/answer?x=1",
    )
    assert (b"authorization", b"Bearer t0ken") in request.headers
    assert b"hg_secret" not in request.body
    assert json.loads(request.body) == {
        "feature": "support-chat",
        "user": "ada",
        "session": "s1",
        "text": "Where is it?",
        "system": [{"type": "text", "text": "Be kind."}],
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "Where is it?"}]}],
        "json": False,
        "error": {"code": "provider_overloaded", "message": "the provider says it is overloaded"},
    }


@aio
async def test_an_address_in_the_rung_itself_is_called_without_a_token() -> None:
    """The short form."""
    upstream = replying(b'{"text": "x"}')
    assert await said(ladder("http:http://127.0.0.1:9/a", upstream=upstream), asked()) == "x"
    assert dict(upstream.requests[0].headers).keys() == {b"content-type", b"accept"}


@pytest.mark.parametrize("fault", [ConnectFailed(detail="x"), UpstreamMalformed(detail="x")])
@aio
async def test_a_callback_that_fails_leaves_the_next_rung_its_turn(fault: Exception) -> None:
    """Whatever the fault of the connection."""
    upstream = ScriptedUpstream([Script(refuse=fault)])  # type: ignore[arg-type]
    steps = ladder("http:desk", "say:Later.", callbacks={"desk": DESK}, upstream=upstream)
    exchange = asked()
    assert await said(steps, exchange) == "Later."
    assert exchange.notes["degraded"].startswith("say, after provider_overloaded; before it http:desk: ")


@aio
async def test_a_dead_callback_costs_its_time_and_no_more() -> None:
    """A real server that takes the request and is silent; the connection is not kept."""
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        hung_up.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    desk = CallbackSettings(url=f"http://127.0.0.1:{port}/", timeout=Duration(0.2))
    transport = Transport(environ={})
    began = time.monotonic()
    steps = ladder("http:desk", "say:Later.", callbacks={"desk": desk}, upstream=transport)
    assert await said(steps, asked()) == "Later."
    # Far below the 2 s of a callback without a time of its own, far above what a busy machine needs.
    assert 0.19 <= time.monotonic() - began < 1.9
    await asyncio.wait_for(hung_up.wait(), 5)
    await transport.aclose()
    server.close()


@aio
async def test_callbacks_under_way_are_bounded() -> None:
    """A dead one must not collect the requests of a whole outage."""
    gate = asyncio.Event()
    upstream = ScriptedUpstream([Script(pieces=[gate, b'{"text": "x"}'])])
    callbacks = Callbacks(upstream, most_at_once=1)
    first = asyncio.create_task(callbacks.ask(callback_of(DESK), b"{}"))
    await asyncio.sleep(0)
    with pytest.raises(NoAnswer, match="under way"):
        await callbacks.ask(callback_of(DESK), b"{}")
    gate.set()
    assert await first == "x"
    assert await callbacks.ask(callback_of(DESK), b"{}") == "x"


@aio
async def test_a_caller_who_leaves_frees_the_place() -> None:
    """Cancelled while the callback works."""
    upstream = ScriptedUpstream([Script(pieces=[asyncio.Event()]), Script(pieces=[b'{"text": "x"}'])])
    callbacks = Callbacks(upstream, most_at_once=1)
    first = asyncio.create_task(callbacks.ask(callback_of(DESK), b"{}"))
    while not upstream.replies:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert upstream.replies[0].closed
    assert await callbacks.ask(callback_of(DESK), b"{}") == "x"


@pytest.mark.parametrize(
    ("hosted", "confined", "calls"), [(False, True, 0), (True, True, 1), (False, False, 1)]
)
@aio
async def test_a_request_that_rules_keep_to_certain_places_is_told_to_own_services_only(
    hosted: bool, confined: bool, calls: int
) -> None:
    """The whole conversation is posted; why it was not is on record."""
    upstream = replying(b'{"text": "By noon."}')
    desk = CallbackSettings(url="https://help.example.com/answer", self_hosted=hosted)
    exchange = asked()
    exchange.confined = confined
    text = await said(ladder("http:desk", callbacks={"desk": desk}, upstream=upstream), exchange)
    assert (text, len(upstream.requests)) == ("By noon." if calls else None, calls)
    if not calls:
        assert "rules keep this request from services" in exchange.notes["degraded"]


@aio
async def test_an_address_in_the_rung_itself_is_nobodys_own_machine() -> None:
    """Whose it is can only be said of a callback with a name."""
    upstream = replying(b'{"text": "By noon."}')
    exchange = asked()
    exchange.confined = True
    assert await said(ladder("http:https://help.example.com/x", upstream=upstream), exchange) is None
    assert not upstream.requests
