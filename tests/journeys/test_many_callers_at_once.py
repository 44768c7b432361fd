"""Many callers at once, each in its own dialect and to its own provider: everybody gets their own answer."""

from __future__ import annotations

import asyncio
import re

import anthropic
import openai

from tests.support.aio import aio_within
from tests.support.gateway import RunningGateway
from tests.support.recording_upstream import Answered, Received, RecordingUpstream
from tests.support.vendors import VENDORS, Said, Vendor

__all__: list[str] = []

CALLERS = 240
BY_NAME = {vendor.provider: vendor for vendor in VENDORS}


def echo(received: Received) -> Answered:
    """Answers with the marker of the question, as the vendor that the question names."""
    marker = re.search(rb"(\w+)-marker-\d+", received.body)
    assert marker
    return BY_NAME[marker[1].decode()].says(Said(f"It was {marker[0].decode()}, wasn't it?"))(received)


async def answered(
    number: int, vendor: Vendor, open_ai: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic
) -> str:
    """What the SDK says to this caller; its number decides which SDK and whether it streams."""
    marker = f"{vendor.provider}-marker-{number}"
    way = number // len(VENDORS) % 4
    if way == 0:
        whole = await open_ai.chat.completions.create(
            model=vendor.name, messages=[{"role": "user", "content": marker}]
        )
        return whole.choices[0].message.content or ""
    if way == 1:
        chunks = await open_ai.chat.completions.create(
            model=vendor.name, messages=[{"role": "user", "content": marker}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    if way == 2:
        response = await open_ai.responses.create(model=vendor.name, input=marker)
        return response.output_text
    async with claude.messages.stream(
        model=vendor.name, max_tokens=99, messages=[{"role": "user", "content": marker}]
    ) as stream:
        return await stream.get_final_text()


@aio_within(60)
async def drive(gateway: RunningGateway) -> list[str]:
    async with (
        openai.AsyncOpenAI(api_key=gateway.key, base_url=f"{gateway.url}/v1", max_retries=0) as open_ai,
        anthropic.AsyncAnthropic(api_key=gateway.key, base_url=gateway.url, max_retries=0) as claude,
    ):
        vendors = [VENDORS[number % len(VENDORS)] for number in range(CALLERS)]
        return await asyncio.gather(
            *(answered(number, vendor, open_ai, claude) for number, vendor in enumerate(vendors))
        )


def test_everybody_gets_their_own_answer(gateway: RunningGateway, upstream: RecordingUpstream) -> None:
    """Over six providers, four ways to ask, and connections that are shared and reused on both sides."""
    upstream.answer = echo
    expected = [
        f"It was {VENDORS[number % len(VENDORS)].provider}-marker-{number}, wasn't it?"
        for number in range(CALLERS)
    ]
    assert drive(gateway) == expected
    assert len(upstream.take()) == CALLERS
