"""What goes wrong after the caller has seen content ends in an explicit error: never in silence, never as if all were well."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai
import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS, events_of

__all__: list[str] = []

CASES = {
    "cut": (faults.cut, "upstream_cut"),
    "closed early": (faults.closed_early, "upstream_cut"),
    "no terminator": (faults.no_terminator, "upstream_cut"),
    "stall": (faults.stall, "between_timeout"),
    "malformed": (faults.malformed, "upstream_malformed"),
    "broken chunk": (faults.broken_chunk, "upstream_malformed"),
    "error in the middle": (faults.error_in_the_middle, "provider_failed"),
}
FALSE_ENDS = (
    b"data:[DONE]",
    b'"type":"message_stop"',
    b'"type":"response.completed"',
    b'"finish_reason":"stop"',
    b'"stop_reason":"end_turn"',
    b'"status":"completed"',
)
CROSSED = {"chat": "messages", "messages": "chat", "responses": "chat"}
"""Dialect -> wire of a provider that has to be translated for it."""


def begun(stage: Stage, fault: str, wire: str) -> Feature:
    manner = "quick" if fault == "stall" else "calm"
    return stage.feature(manner, wire).plays(CASES[fault][0])


@pytest.mark.parametrize("crossed", [False, True], ids=["same wire", "translated"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", CASES)
def test_a_stream_that_breaks_after_content_ends_in_an_error(
    stage: Stage, fault: str, dialect: str, crossed: bool
) -> None:
    """The words that came, then the error in the caller's dialect; no other model is asked, no end is made up."""
    code = CASES[fault][1]
    feature = begun(stage, fault, CROSSED[dialect] if crossed else dialect)
    got = feature.ask(dialect, stream=True)
    assert (got.status, got.text, got.complete, got.cut) == (200, "one ", False, False)
    assert not [mark for mark in FALSE_ENDS if mark in got.body.replace(b" ", b"")], got.body
    assert got.error, events_of(got.body)[-1]
    if dialect != "responses":  # there the code is one of a closed list; the words tell
        assert got.error == code
    assert feature.asked() == (1, 0)
    record, attempts = stage.record(got)
    assert [(one["kind"], one["outcome"], one["error_class"]) for one in attempts] == [("", "failed", code)]
    assert (record["outcome"], record["error_class"], record["status"]) == ("failed", code, 200)
    assert record["cost_label"] == "estimated" and record["cost_nanos"] > 0
    assert got.headers["x-headgate-attempts"] == "1" and "x-headgate-fallback" not in got.headers


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["cut", "stall", "error in the middle"])
def test_the_vendors_own_sdk_raises(stage: Stage, fault: str, dialect: str) -> None:
    """Nobody who uses one can take the half answer for a whole one."""
    feature = begun(stage, fault, dialect)
    url, key = feature.stage.gateway.url, feature.stage.gateway.key

    def seen() -> None:
        stage.provider.saw(feature.first)

    async def by_openai() -> Any:
        async with openai.AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
            if dialect == "chat":
                chat: Any = await client.chat.completions.create(
                    model=feature.name, messages=[{"role": "user", "content": "?"}], stream=True
                )
                async for _ in chat:
                    seen()
            else:
                last: Any = None
                events: Any = await client.responses.create(model=feature.name, input="?", stream=True)
                async for last in events:
                    if last.type == "response.output_text.delta":
                        seen()
                assert last.type == "response.failed" and last.response.status == "failed"
                raise openai.APIError("failed", request=None, body=None)  # type: ignore[arg-type]

    async def by_anthropic() -> Any:
        async with anthropic.AsyncAnthropic(api_key=key, base_url=url, max_retries=0) as client:
            question: Any = [{"role": "user", "content": "?"}]
            async with client.messages.stream(model=feature.name, max_tokens=50, messages=question) as events:
                async for _ in events.text_stream:
                    seen()
                await events.get_final_message()

    with pytest.raises((openai.APIError, anthropic.APIStatusError)):
        asyncio.run(asyncio.wait_for(by_anthropic() if dialect == "messages" else by_openai(), 20))
