"""What the caller did wrong is told to the caller, once; only what another model may take is asked of another model."""

from __future__ import annotations

import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS, Got
from tests.support.misbehaving import Turn, framed
from tests.support.three_wires import TEXT

__all__: list[str] = []

MODES = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def refused(stage: Stage, feature: Feature, got: Got, code: str) -> None:
    """The first model's no is the answer, it cost nothing, and nobody else was asked."""
    assert got.status == 400 and not got.stream and got.error
    assert got.headers["x-should-retry"] == "false" and got.headers["x-headgate-attempts"] == "1"
    assert feature.asked() == (1, 0)
    record, attempts = stage.record(got)
    assert [(one["outcome"], one["error_class"], one["cost_nanos"]) for one in attempts] == [
        ("refused", code, 0)
    ]
    assert (record["outcome"], record["error_class"], record["cost_nanos"]) == ("refused", code, 0)


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("problem", "code"), [("invalid", "provider_rejected"), ("filter", "content_filter")]
)
def test_a_mistake_is_told_and_not_tried_elsewhere(
    stage: Stage, problem: str, code: str, dialect: str, stream: bool
) -> None:
    """A request that is invalid, or that the content filter refused; in the provider's own words where they fit."""
    feature = stage.feature("calm", dialect).plays(faults.refusing(problem))  # type: ignore[arg-type]
    got = feature.ask(dialect, stream=stream)
    refused(stage, feature, got, code)
    own = stage.provider.asked(feature.first)[0].wire.refusal(problem).body  # type: ignore[arg-type]
    assert got.body == own


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_content_filter_inside_the_stream_is_told_with_a_status(stage: Stage, dialect: str) -> None:
    """It came before any content, so the caller has not been told 200 yet."""

    async def filtered(turn: Turn) -> None:
        await turn.open()
        await turn.send(framed(turn.wire.error_event("filter")) + framed(b""))

    feature = stage.feature("calm", dialect).plays(filtered)
    got = feature.ask(dialect, stream=True)
    assert (got.status, feature.asked()) == (400, (1, 0))
    record, _ = stage.record(got)
    assert (record["outcome"], record["error_class"]) == ("refused", "content_filter")


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_content_filter_fails_over_where_the_operator_says_so(
    stage: Stage, dialect: str, stream: bool
) -> None:
    """`on_content_filter = "failover"`: another vendor's filter may see it otherwise."""
    feature = stage.feature("liberal", dialect).plays(faults.refusing("filter"))
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete) == (200, TEXT, True)
    assert feature.asked() == (1, 1)


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_too_long_for_one_model_goes_to_another_that_may_hold_more(
    stage: Stage, dialect: str, stream: bool
) -> None:
    """Nobody has said how much the fallback holds, so it is asked."""
    feature = stage.feature("calm", dialect).plays(faults.refusing("context"))
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete) == (200, TEXT, True)
    _, attempts = stage.record(got)
    assert [(one["kind"], one["error_class"], one["cost_nanos"]) for one in attempts[:1]] == [
        ("", "context_length_exceeded", 0)
    ]
    assert attempts[1]["kind"] == "failover"


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_too_long_is_not_sent_to_a_model_that_holds_less(
    stage: Stage, dialect: str, stream: bool
) -> None:
    """Both have said how much they hold."""
    feature = stage.feature("narrow", dialect).plays(faults.refusing("context"))
    refused(stage, feature, feature.ask(dialect, stream=stream), "context_length_exceeded")


@MODES
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_too_long_everywhere_is_told_as_too_long(stage: Stage, dialect: str, stream: bool) -> None:
    """Two refusals, no cost, one error that says what to do."""
    feature = stage.feature("calm", dialect)
    feature.plays(faults.refusing("context"), faults.refusing("context"))
    got = feature.ask(dialect, stream=stream)
    assert (got.status, feature.asked()) == (400, (1, 1))
    record, attempts = stage.record(got)
    assert (record["outcome"], record["error_class"]) == ("refused", "context_length_exceeded")
    assert [one["cost_nanos"] for one in attempts] == [0, 0] and record["cost_nanos"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_mistake_is_told_whatever_went_wrong_elsewhere(stage: Stage, dialect: str) -> None:
    """The prompt was too long; that the larger model is down does not make it shorter."""
    feature = stage.feature("same", dialect)
    feature.plays(faults.refusing("context"), faults.refusing("overloaded"))
    got = feature.ask(dialect, stream=False)
    assert got.status == 400
    assert stage.record(got)[0]["error_class"] == "context_length_exceeded"
