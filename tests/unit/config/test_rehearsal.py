"""What answers without a file and without a key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.config.discovery import rehearsal
from headgate.core.errors import GatewayError
from headgate.core.messages import Answer
from headgate.providers.simulated.settings import ProfileSettings, SimulatedSettings
from tests.support.aio import aio
from tests.support.simulated import Rehearsal

PROMPTS = ("Hello!", "Hello", "My order has not arrived.", "What is 17 * 23?", "Where is my parcel?")
"""The first things the documentation tells people to ask."""


def model_of(feature: str) -> str:
    settings = rehearsal()
    route = settings.features[feature].route
    assert isinstance(route, str)
    return settings.models[route].endpoints[0].model


def simulated() -> SimulatedSettings:
    found: Any = rehearsal().providers["sim"]
    assert isinstance(found, SimulatedSettings)
    return found


async def ask(settings: SimulatedSettings, model: str, prompt: str, *, stream: bool = False) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream}
    answer = await Rehearsal(settings).ask("openai.chat", body)
    assert isinstance(answer, Answer)
    return answer.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt", PROMPTS)
@aio
async def test_the_first_answer_is_a_good_one(prompt: str, stream: bool) -> None:
    """Whoever follows the tutorial reads a sensible answer, not a rehearsed failure."""
    model = model_of("support-chat")
    perfect = SimulatedSettings(models={model: ProfileSettings(error_rate=0, quality=1)})
    assert await ask(simulated(), model, prompt, stream=stream) == await ask(perfect, model, prompt)


@aio
async def test_a_retry_can_succeed() -> None:
    """The same request, sent again, meets other luck, as with a real provider."""
    flaky = Rehearsal(simulated())
    body = {"model": model_of("rehearse-failure"), "messages": [{"role": "user", "content": json.dumps(1)}]}
    ends = set()
    for _ in range(20):
        try:
            await flaky.ask("openai.chat", body)
            ends.add("answered")
        except GatewayError:
            ends.add("failed")
    assert ends == {"answered", "failed"}
