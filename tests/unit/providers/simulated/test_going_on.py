"""The simulated model goes on with an answer that the caller has begun."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import ProviderRejected
from headgate.providers.simulated.settings import CAPABILITIES, ProfileSettings, SimulatedSettings
from tests.support.aio import aio
from tests.support.simulated import Rehearsal, chat, messages, responses

__all__: list[str] = []

BODIES = {"openai.chat": chat, "openai.responses": responses, "anthropic.messages": messages}
each_wire = pytest.mark.parametrize("wire", BODIES)


def begun(wire: str, text: str, **more: Any) -> dict[str, Any]:
    """The usual question, and the beginning of its answer."""
    body = BODIES[wire](**more)
    if wire == "openai.responses":
        body["input"] = [{"role": "user", "content": body["input"]}, {"role": "assistant", "content": text}]
    else:
        body["messages"] = [*body["messages"], {"role": "assistant", "content": text}]
    return body


@each_wire
@aio
async def test_the_rest_of_an_answer_is_what_is_missing_of_it(wire: str) -> None:
    """Begun at any place, inside of words too, and whole or streamed."""
    rehearsal = Rehearsal()
    full = (await rehearsal.answer(wire, BODIES[wire]())).text
    for at in (1, 17, len(full) // 2, len(full) - 1):
        for stream in (False, True):
            rest = await rehearsal.answer(wire, begun(wire, full[:at], stream=stream))
            assert full[:at] + rest.text == full


@each_wire
@aio
async def test_another_beginning_is_gone_on_with_too(wire: str) -> None:
    """The answer is as long as it would have been, and ends as it would have."""
    rehearsal = Rehearsal()
    full = (await rehearsal.answer(wire, BODIES[wire]())).text
    rest = (await rehearsal.answer(wire, begun(wire, "Bread is flour, water, salt and time."))).text
    assert rest and full.endswith(rest) and len(rest) < len(full)


@aio
async def test_the_limit_counts_only_what_is_new() -> None:
    """As with every vendor."""
    rehearsal = Rehearsal()
    full = (await rehearsal.answer("openai.chat", chat())).text
    rest = await rehearsal.answer("openai.chat", begun("openai.chat", full[:100], max_tokens=3))
    assert rest.usage is not None and rest.usage.output == 3 and rest.choices[0].stop_reason == "max_tokens"


@each_wire
@aio
async def test_a_model_without_the_ability_refuses(wire: str) -> None:
    """With 400, as newer models do, which is no reason to ask it nothing at all."""
    able = [one for one in CAPABILITIES if one != "prefill"]
    settings = SimulatedSettings(speed=0, models={"steady": ProfileSettings(error_rate=0, capabilities=able)})
    error = await Rehearsal(settings).failure(wire, begun(wire, "Take flour"))
    assert isinstance(error, ProviderRejected) and "last message" in error.message + error.detail
    assert (await Rehearsal(settings).answer(wire, BODIES[wire]())).text
