"""In which order stages run, and who is only asked."""

from __future__ import annotations

from itertools import combinations

import pytest

from headgate.core.errors import InvalidRequest
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.journey import ORDER, journey
from tests.support.aio import aio

__all__: list[str] = []

SAID: list[str] = []


class Passing:
    """A stage that says when the request passes, and when the reply does."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        SAID.append(f"{self.name} down")
        reply = await proceed(exchange)
        SAID.append(f"{self.name} up")
        return reply


class Asked:
    """A check."""

    def __init__(self, name: str, refuse: bool = False) -> None:
        self.name = name
        self.refuse = refuse

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        raise AssertionError("a check is only asked")

    def check(self, exchange: Exchange, /) -> None:
        SAID.append(f"{self.name} asked")
        if self.refuse:
            raise InvalidRequest("refused")


async def answering(exchange: Exchange, proceed: Proceed, /) -> Reply:
    SAID.append("answered")
    return Reply(body=b"{}")


def exchange() -> Exchange:
    return Exchange(id=1, dialect=OpenAIChat(), body=b"", headers=[], received_at=0.0, started_ns=0)


@pytest.mark.parametrize("checks", [set(each) for size in range(5) for each in combinations(ORDER[:4], size)])
@aio
async def test_every_stage_has_its_place_and_checks_have_theirs(checks: set[str]) -> None:
    """Whichever of them are checks, also the first, and several in a row."""
    names = ORDER[:4]
    SAID.clear()
    run = journey(
        {name: Asked(name) if name in checks else Passing(name) for name in names} | {"dispatch": answering}
    )
    assert (await run(exchange())).body == b"{}"
    down = [f"{name} asked" if name in checks else f"{name} down" for name in names]
    up = [f"{name} up" for name in reversed(names) if name not in checks]
    assert [*down, "answered", *up] == SAID


@aio
async def test_what_a_check_refuses_goes_no_further() -> None:
    """And whoever is before it hears of it as of any other refusal."""
    SAID.clear()
    heard: list[str] = []

    async def recording(exchange: Exchange, proceed: Proceed, /) -> Reply:
        try:
            return await proceed(exchange)
        except InvalidRequest as error:
            heard.append(error.message)
            raise

    run = journey(
        {"record": recording, "identify": Asked("identify", refuse=True), "accept": Asked("accept")}
    )
    with pytest.raises(InvalidRequest, match="refused"):
        await run(exchange())
    assert SAID == ["identify asked"] and heard == ["refused"]


def test_a_stage_that_has_no_place_is_a_mistake() -> None:
    """It says which places there are."""
    with pytest.raises(ValueError, match="no place in the journey"):
        journey({"elsewhere": answering})
