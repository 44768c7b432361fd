"""A provider with several keys: one that is refused or at its limit costs nobody an answer, and is not asked first again."""

from __future__ import annotations

import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.misbehaving import Play, Turn
from tests.support.three_wires import TEXT

__all__: list[str] = []

KEYS = {"first-key": "key 1", "second-key": "key 2"}
"""Key -> how records call it: never by itself."""
SPENT: dict[str, tuple[Play, str]] = {
    "refused": (faults.refusing("key"), "provider_auth_failed"),
    "out of credit": (faults.refusing("quota"), "provider_quota_spent"),
    "at its limit": (faults.refusing("rate limit", b"retry-after: 30"), "provider_rate_limited"),
}


def one_key_only(play: Play) -> Play:
    """Whichever key comes first gets `play`, always; the other one is served well."""
    bad: list[str] = []

    async def playing(turn: Turn) -> None:
        if not bad:
            bad.append(turn.key)
        if turn.key == bad[0]:
            await play(turn)
        else:
            await turn.answer()

    return playing


def keys_asked(stage: Stage, feature: Feature) -> list[str]:
    return [turn.key for turn in stage.provider.asked(feature.first)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", SPENT)
def test_the_other_key_answers_and_goes_first_from_then_on(
    stage: Stage, fault: str, dialect: str, stream: bool
) -> None:
    """At the first request both keys are asked; of eight more none begins with the bad one, however the lot falls."""
    play, code = SPENT[fault]
    feature = stage.feature("keyed", dialect).plays(one_key_only(play))
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete) == (200, TEXT, True)
    assert got.headers["x-headgate-attempts"] == "2"
    bad, good = keys_asked(stage, feature)
    assert {bad, good} == set(KEYS)
    record, (failed, answered) = stage.record(got)
    assert (failed["credential"], failed["error_class"], failed["cost_nanos"]) == (KEYS[bad], code, 0)
    assert (answered["credential"], answered["kind"], answered["outcome"]) == (KEYS[good], "failover", "ok")
    assert (record["outcome"], record["cost_nanos"]) == ("ok", answered["cost_nanos"])
    for _ in range(8):
        assert feature.ask(dialect, stream=stream).headers["x-headgate-attempts"] == "1"
    assert keys_asked(stage, feature)[2:] == [good] * 8


@pytest.mark.parametrize("dialect", DIALECTS)
def test_when_every_key_is_refused_the_caller_learns_why(stage: Stage, dialect: str) -> None:
    """Each is asked once; the next request asks them again, because nobody else could say what is wrong."""
    feature = stage.feature("keyed", dialect).plays(faults.refusing("key"))
    for asked in (0, 2):
        got = feature.ask(dialect, stream=False)
        assert got.status == 502 and got.headers["x-should-retry"] == "false"
        assert sorted(keys_asked(stage, feature)[asked:]) == sorted(KEYS)
    record, attempts = stage.record(feature.ask(dialect, stream=False))
    assert (record["outcome"], record["error_class"]) == ("failed", "provider_auth_failed")
    assert sorted(one["credential"] for one in attempts) == sorted(KEYS.values())
