"""What a provider says about how much more it takes is believed: in a good answer, and in a refusal with a date."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.faults.dispatch.conftest import Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.misbehaving import Play, Turn
from tests.support.three_wires import TEXT

__all__: list[str] = []

MODES = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answering_with_the_last_request(turn: Turn) -> list[bytes]:
    """The header lines of an answer after which nothing is left for half a minute, as its vendor writes them."""
    if turn.wire.name == "messages":
        full = datetime.now(UTC) + timedelta(seconds=30)
        return [
            b"anthropic-ratelimit-requests-limit: 1",
            b"anthropic-ratelimit-requests-remaining: 0",
            b"anthropic-ratelimit-requests-reset: " + full.strftime("%Y-%m-%dT%H:%M:%SZ").encode(),
        ]
    return [
        b"x-ratelimit-limit-requests: 1",
        b"x-ratelimit-remaining-requests: 0",
        b"x-ratelimit-reset-requests: 30s",
    ]


async def last_one(turn: Turn) -> None:
    await turn.answer(TEXT, *answering_with_the_last_request(turn))


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_whoever_says_that_nothing_is_left_is_not_asked(stage: Stage, dialect: str, stream: bool) -> None:
    """The answer is good; the next request goes to the spare at once, and never meets the 429 that was due."""
    feature = stage.feature("calm", dialect).plays(last_one)
    got = feature.ask(dialect, stream=stream)
    assert (got.text, got.complete, got.headers["x-headgate-model"]) == (TEXT, True, feature.first)
    got = feature.ask(dialect, stream=stream)
    assert (got.text, got.complete, got.headers["x-headgate-model"]) == (TEXT, True, feature.spare)
    assert (got.headers["x-headgate-attempts"], feature.asked()) == ("1", (1, 1))


def limited_until(seconds: float, *, own_date: bool, skew: float = 0.0) -> Play:
    """A 429 with `retry-after` as an HTTP date. own_date: with a `date` header, of a clock that is wrong by `skew`."""

    async def play(turn: Turn) -> None:
        now = datetime.now(UTC) + timedelta(seconds=skew)
        until = format_datetime(now + timedelta(seconds=seconds), usegmt=True).encode()
        lines = [b"retry-after: " + until]
        if own_date:
            lines.append(b"date: " + format_datetime(now, usegmt=True).encode())
        await turn.refuse("rate limit", *lines)

    return play


@pytest.mark.parametrize(
    ("own_date", "skew"),
    [(True, 0.0), (True, -86_400.0), (False, 0.0)],
    ids=["date", "wrong clock", "no date"],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_date_beyond_patience_is_told_in_seconds(
    stage: Stage, dialect: str, own_date: bool, skew: float
) -> None:
    """Counted from the provider's own clock where it says what that is, else from ours; nobody is asked until then."""
    feature = stage.feature("lone", dialect).plays(limited_until(30, own_date=own_date, skew=skew))
    got = feature.ask(dialect, stream=False)
    assert got.status == 429 and 27 <= int(got.headers["retry-after"]) <= 30
    assert feature.ask(dialect, stream=True).status == 429
    assert feature.asked()[0] == 1, "the provider was asked although it had said not to"


@MODES
def test_a_date_within_patience_is_waited_for(stage: Stage, stream: bool) -> None:
    """The same endpoint answers, no earlier than it said."""
    feature = stage.feature("lone", "chat").plays(faults.failing(limited_until(2, own_date=True), 1))
    began = time.monotonic()
    got = feature.ask("chat", stream=stream)
    assert (got.text, got.complete, feature.asked()[0]) == (TEXT, True, 2)
    assert time.monotonic() - began >= 1.9
    first, second = stage.record(got)[1]
    assert second["started_us"] - first["ended_us"] >= 1_900_000
