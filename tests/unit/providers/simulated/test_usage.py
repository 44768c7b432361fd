"""Tokens: counted alike in every wire, with the prompt cache of each vendor."""

from __future__ import annotations

import pytest

from headgate.core.messages import TokenCount
from headgate.core.usage import Usage
from headgate.providers.simulated.settings import SimulatedSettings
from tests.support.aio import aio
from tests.support.simulated import Rehearsal, chat, messages

__all__: list[str] = []

LONG = "The river rises in spring and falls in late summer. " * 100
MARKED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]


async def usages(rehearsal: Rehearsal, wire: str, *bodies: dict[str, object]) -> list[Usage]:
    found = []
    for body in bodies:
        answer = await rehearsal.answer(wire, body)
        assert answer.usage is not None
        found.append(answer.usage)
    return found


def with_system(question: str) -> dict[str, object]:
    body = chat(question)
    body["messages"].insert(0, {"role": "system", "content": LONG})
    return body


@aio
async def test_a_repeated_beginning_is_read_from_the_cache() -> None:
    """OpenAI caches by itself, in steps of 128 tokens; nothing is counted twice."""
    first, second = await usages(
        Rehearsal(), "openai.chat", with_system("One?"), with_system("Two and more?")
    )
    assert first.cache_read == 0
    assert second.cache_read >= 1024
    assert second.cache_read % 128 == 0
    assert second.prompt == second.input + second.cache_read
    assert 0 <= second.prompt - first.prompt < 10


@aio
async def test_a_marked_beginning_is_written_once_and_then_read() -> None:
    """Anthropic caches what is marked, and bills the writing."""
    first, second, plain = await usages(
        Rehearsal(),
        "anthropic.messages",
        messages("One?", system=MARKED),
        messages("Two?", system=MARKED),
        messages("Three?", system=LONG),
    )
    assert (first.cache_read, first.cache_write > 1024) == (0, True)
    assert (second.cache_read, second.cache_write) == (first.cache_write, 0)
    assert (plain.cache_read, plain.cache_write) == (0, 0)
    assert first.prompt == pytest.approx(plain.prompt, abs=2)


@aio
async def test_the_cache_forgets() -> None:
    """After five minutes without use; a short prompt is never kept; a model has its own."""
    rehearsal = Rehearsal()
    await rehearsal.answer("openai.chat", with_system("One?"))
    other, short = await usages(rehearsal, "openai.chat", with_system("One?") | {"model": "other"}, chat())
    assert (other.cache_read, short.cache_read) == (0, 0)
    rehearsal.time.seconds += 301
    (late,) = await usages(rehearsal, "openai.chat", with_system("One?"))
    assert late.cache_read == 0


@aio
async def test_the_cache_can_be_switched_off() -> None:
    """`cache_after = 0`."""
    rehearsal = Rehearsal(SimulatedSettings(speed=0, cache_after=0))
    body = with_system("One?") | {"model": "any"}
    assert [usage.cache_read for usage in await usages(rehearsal, "openai.chat", body, body)] == [0, 0]


@aio
async def test_a_count_is_what_the_answer_then_reports() -> None:
    """`count_tokens` and the usage of the same request agree."""
    rehearsal = Rehearsal()
    body = messages("How long is this?", system="Be brief.")
    (used,) = await usages(rehearsal, "anthropic.messages", body)
    del body["max_tokens"]
    count = await rehearsal.ask("anthropic.count_tokens", body, operation="count_tokens")
    assert count == TokenCount(input_tokens=used.prompt, exact=True)


@aio
async def test_a_stream_reports_usage_only_if_asked() -> None:
    """OpenAI's `stream_options`; then every other chunk says null."""
    silent = await (await Rehearsal().send("openai.chat", chat(stream=True))).read(1 << 20)
    asked = chat(stream=True, stream_options={"include_usage": True})
    told = await (await Rehearsal().send("openai.chat", asked)).read(1 << 20)
    assert b"usage" not in silent
    chunks = [line for line in told.split(b"\n\n") if line.startswith(b"data: {")]
    assert all(b'"usage":null' in chunk for chunk in chunks[:-1])
    assert b'"choices":[],"usage":{"prompt_tokens"' in chunks[-1]
