"""An endpoint that fails again and again is left alone at once, and comes back by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.misbehaving import well
from tests.support.raw_client import until
from tests.support.three_wires import TEXT

__all__: list[str] = []

FAILURES = 5
"""`health.failures`, as it is without being set."""


def served(feature: Feature, dialect: str, *, stream: bool = False) -> str:
    """Ask, and say which model answered; its answer must be whole."""
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete) == (200, TEXT, True), got.body
    return got.headers["x-headgate-model"]


def take_out(feature: Feature, dialect: str, *, stream: bool = False) -> None:
    """Let its first model fail as often as it takes."""
    before = feature.asked()[0]
    feature.plays(faults.refusing("failed"))
    assert [served(feature, dialect, stream=stream) for _ in range(FAILURES)] == [feature.spare] * FAILURES
    assert feature.asked()[0] == before + FAILURES


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_failures_in_a_row_take_an_endpoint_out_and_it_comes_back(
    stage: Stage, dialect: str, stream: bool
) -> None:
    """The next request does not touch it; when it is well again, requests find it again, and no request was lost."""
    feature = stage.feature("calm", dialect)
    take_out(feature, dialect, stream=stream)
    asked = feature.asked()[0]
    got = feature.ask(dialect, stream=stream)
    assert (got.text, got.complete, got.headers["x-headgate-model"]) == (TEXT, True, feature.spare)
    assert feature.asked()[0] == asked, "it was asked although it is out"
    assert [one["model"] for one in stage.record(got)[1]] == [feature.spare]
    feature.plays(well)
    assert until(lambda: served(feature, dialect, stream=stream) == feature.first, seconds=15)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_flapping_primary_never_reaches_the_caller(stage: Stage, dialect: str, stream: bool) -> None:
    """Down, up, down, up: every answer is whole."""
    feature = stage.feature("calm", dialect)
    for _ in range(2):
        take_out(feature, dialect, stream=stream)
        feature.plays(well)
        assert until(lambda: served(feature, dialect, stream=stream) == feature.first, seconds=15)
    assert served(feature, dialect, stream=stream) == feature.first


def test_a_storm_does_not_reach_the_one_who_is_down(stage: Stage) -> None:
    """Of 40 requests, eight at a time, all are answered; few of them cost the broken endpoint a call."""
    feature = stage.feature("calm", "chat").plays(faults.reset)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: served(feature, "chat", stream=number % 2 == 0), range(40)))
    assert set(answers) == {feature.spare}
    # Those under way when the fifth failed; and a trial call, if this took more than a second.
    assert feature.asked()[0] <= FAILURES + 8 + 3


def test_silence_takes_an_endpoint_out_too(stage: Stage) -> None:
    """So that not every caller has to wait for the deadline."""
    feature = stage.feature("quick", "chat").plays(faults.silence)
    with ThreadPoolExecutor(FAILURES) as callers:
        list(callers.map(lambda _: served(feature, "chat", stream=True), range(FAILURES)))
    asked = feature.asked()[0]
    assert served(feature, "chat", stream=True) == feature.spare
    assert feature.asked()[0] == asked


def test_the_callers_mistakes_take_nobody_out(stage: Stage) -> None:
    """A provider that refuses a wrong request is well."""
    feature = stage.feature("calm", "chat").plays(faults.refusing("invalid"))
    for _ in range(FAILURES + 2):
        assert feature.ask("chat", stream=False).status == 400
    assert feature.asked() == (FAILURES + 2, 0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_when_all_are_out_the_earliest_recovery_is_waited_for(stage: Stage, dialect: str) -> None:
    """Within the request's patience: there is nobody else to ask, and a second is better than an error."""
    feature = stage.feature("lone", dialect).plays(faults.refusing("overloaded"))
    while feature.asked()[0] < FAILURES:
        assert feature.ask(dialect, stream=False).status in (503, 529)
    feature.plays(well)
    assert served(feature, dialect) == feature.first
