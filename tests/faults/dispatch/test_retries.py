"""What can heal is tried again where there is nobody else to ask; what was silent is not; patience has an end."""

from __future__ import annotations

import time

import pytest

from tests.faults.dispatch.conftest import PRIMARY_PRICE, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.misbehaving import Play
from tests.support.three_wires import COMPLETION, PROMPT, TEXT

__all__: list[str] = []

MODES = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
HEALING: dict[str, tuple[Play, str]] = {
    "500": (faults.refusing("failed"), "provider_failed"),
    "429": (faults.refusing("rate limit"), "provider_rate_limited"),
    "reset": (faults.reset_for_good, "upstream_reset"),
    "error after opening": (faults.error_after_opening, ""),
}


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", HEALING)
def test_a_single_fault_is_healed_by_asking_again(
    stage: Stage, fault: str, dialect: str, stream: bool
) -> None:
    """The same model answers the second time; the record says that it was a retry, the bill is for one answer."""
    play, code = HEALING[fault]
    feature = stage.feature("lone", dialect).plays(faults.failing(play, 1))
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete, got.usage) == (200, TEXT, True, (PROMPT, COMPLETION))
    assert got.headers["x-headgate-attempts"] == "2" and "x-headgate-fallback" not in got.headers
    record, (failed, answered) = stage.record(got)
    assert (failed["kind"], failed["outcome"], answered["kind"], answered["outcome"]) == (
        "",
        "failed",
        "retry",
        "ok",
    )
    assert failed["error_class"] == code or not code
    assert answered["cost_nanos"] == (PROMPT + COMPLETION) * PRIMARY_PRICE
    assert record["cost_nanos"] == answered["cost_nanos"] + failed["cost_nanos"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_endpoint_goes_first_where_the_feature_says_so(stage: Stage, dialect: str) -> None:
    """`retry.first = "same"`: the fallback is asked only when the retries are spent."""
    feature = stage.feature("same", dialect).plays(faults.failing(faults.refusing("failed"), 1))
    got = feature.ask(dialect, stream=True)
    assert (got.text, got.complete, feature.asked()) == (TEXT, True, (2, 0))
    feature = stage.feature("same", dialect).plays(faults.refusing("failed"))
    got = feature.ask(dialect, stream=True)
    assert (got.text, got.complete, feature.asked()) == (TEXT, True, (3, 1))
    assert [one["kind"] for one in stage.record(got)[1]] == ["", "retry", "retry", "failover"]


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_persistent_503_is_told_after_the_retries(stage: Stage, dialect: str, stream: bool) -> None:
    """With its own status, no cost, every attempt on record, and the word that SDKs shall not go on."""
    feature = stage.feature("lone", dialect).plays(faults.refusing("overloaded"))
    got = feature.ask(dialect, stream=stream)
    assert got.status == (529 if dialect == "messages" else 503)
    assert (got.headers["x-should-retry"], got.headers["x-headgate-attempts"]) == ("false", "3")
    record, attempts = stage.record(got)
    assert [(one["kind"], one["outcome"], one["cost_nanos"]) for one in attempts] == [
        ("", "failed", 0),
        ("retry", "failed", 0),
        ("retry", "failed", 0),
    ]
    assert (record["outcome"], record["error_class"]) == ("failed", "provider_overloaded")
    assert (record["cost_nanos"], record["input_tokens"], record["output_tokens"]) == (0, 0, 0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_when_all_fail_each_is_asked_as_often_as_allowed(stage: Stage, dialect: str) -> None:
    """Three calls each, and the last error is told."""
    feature = stage.feature("same", dialect)
    feature.plays(faults.refusing("failed"), faults.refusing("overloaded"))
    got = feature.ask(dialect, stream=True)
    assert got.status in (503, 529) and feature.asked() == (3, 3)
    record, attempts = stage.record(got)
    assert [one["kind"] for one in attempts] == ["", "retry", "retry", "failover", "retry", "retry"]
    assert (record["attempts"], record["cost_nanos"]) == (6, 0)


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "play", [faults.silence, faults.slow_first_token], ids=["silence", "slow first token"]
)
def test_who_was_silent_is_not_asked_again(stage: Stage, play: Play, dialect: str, stream: bool) -> None:
    """The caller waited once; a status says what for."""
    feature = stage.feature("lone-quick", dialect).plays(play)
    got = feature.ask(dialect, stream=stream)
    assert (got.status, feature.asked()[0]) == (504, 1)
    assert stage.record(got)[0]["outcome"] == "failed"


@pytest.mark.parametrize("header", [b"retry-after-ms: 300", b"retry-after: 0.3"], ids=["ms", "seconds"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_retry_after_is_waited_for(stage: Stage, header: bytes, dialect: str) -> None:
    """The second call leaves no earlier than the provider asked for."""
    feature = stage.feature("lone", dialect).plays(faults.failing(faults.refusing("rate limit", header), 1))
    got = feature.ask(dialect, stream=True)
    assert (got.text, got.complete) == (TEXT, True)
    first, second = stage.record(got)[1]
    assert second["started_us"] - first["ended_us"] >= 290_000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_retry_after_beyond_patience_is_told_at_once(stage: Stage, dialect: str) -> None:
    """Nobody is kept waiting for half a minute; the caller learns when to come back, and so does the next one."""
    feature = stage.feature("lone", dialect).plays(faults.refusing("rate limit", b"retry-after: 30"))
    began = time.monotonic()
    got = feature.ask(dialect, stream=False)
    assert (got.status, got.headers["retry-after"], feature.asked()[0]) == (429, "30", 1)
    again = feature.ask(dialect, stream=False)
    assert again.status == 429 and 0 < int(again.headers["retry-after"]) <= 30
    assert feature.asked()[0] == 1, "the provider was asked although it had said not to"
    assert time.monotonic() - began < 3
    record, attempts = stage.record(again)
    assert (record["outcome"], record["error_class"]) == ("failed", "provider_rate_limited")
    assert attempts == [] and not record["cost_nanos"]
