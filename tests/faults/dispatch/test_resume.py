"""With `resume`, a stream that breaks off after content ends with the complete answer, and says how it came about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.dispatch.conftest import Feature, Stage
from tests.faults.dispatch.test_after_content import CASES
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS, Got
from tests.support.misbehaving import Play, Turn

__all__: list[str] = []

LONG = "one river rises in the hills, a second one in the marshes, and both of them reach the sea"
BROKEN_AT = 48


def breaking(fault: str) -> Play:
    """The fault, after the first half of a longer answer."""

    async def play(turn: Turn) -> None:
        turn.half = LONG[:BROKEN_AT]
        await CASES[fault][0](turn)

    return play


def beginning_of(turn: Turn) -> str:
    """The words of the assistant that the request ends with; "" if it does not."""
    asked: Any = turn.asked
    said: Any = (asked.get("messages") or asked.get("input"))[-1]
    if not isinstance(said, dict) or said.get("role") != "assistant":
        return ""
    content = said["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


async def goes_on(turn: Turn) -> None:
    """A model that continues what somebody else has begun."""
    await turn.answer(LONG[len(beginning_of(turn)) :])


async def refuses_prefill(turn: Turn) -> None:
    """A model that does not, and can be asked afresh."""
    if beginning_of(turn):
        await turn.refuse("no prefill")
    else:
        await turn.answer(LONG)


def feature_for(stage: Stage, fault: str, dialect: str) -> Feature:
    manner = "resuming-quick" if fault == "stall" else "resuming"
    return stage.feature(manner, dialect).plays(breaking(fault))


def comment(got: Got) -> dict[str, Any]:
    """What the last comment of the stream says."""
    lines = [line for line in got.body.split(b"\n") if line.startswith(b": headgate {")]
    found: dict[str, Any] = json.loads(lines[-1][len(b": headgate ") :]) if lines else {}
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", CASES)
def test_a_broken_stream_is_finished_elsewhere(stage: Stage, fault: str, dialect: str) -> None:
    """Every word once, a true end, marked in the stream and on record; both attempts are billed for what they did."""
    feature = feature_for(stage, fault, dialect).plays(spare=goes_on)
    got = feature.ask(dialect, stream=True)
    assert (got.status, got.text, got.complete, got.cut) == (200, LONG, True, False)
    assert got.error == ""
    assert "continuation" in comment(got)["resumed"]
    record, attempts = stage.record(got)
    assert [(one["kind"], one["outcome"]) for one in attempts] == [("", "failed"), ("resume", "ok")]
    assert attempts[0]["error_class"] == CASES[fault][1]
    assert record["outcome"] == "ok" and "resumed" in json.loads(record["notes"])
    assert record["cost_nanos"] == sum(one["cost_nanos"] for one in attempts)
    assert attempts[1]["cost_label"] == "exact" and all(one["cost_nanos"] > 0 for one in attempts)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_a_fallback_that_refuses_prefill_is_asked_afresh(stage: Stage, fault: str, dialect: str) -> None:
    """And only what the caller has not seen of its answer is sent."""
    feature = feature_for(stage, fault, dialect).plays(spare=refuses_prefill)
    got = feature.ask(dialect, stream=True)
    assert (got.status, got.text, got.complete) == (200, LONG, True)
    assert "restart" in comment(got)["resumed"]
    record, attempts = stage.record(got)
    refused = [one for one in attempts if one["error_class"] == "provider_rejected"]
    assert refused and all(one["cost_nanos"] == 0 for one in refused)
    assert record["outcome"] == "ok"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_fallback_that_refuses_prefill_does_not_mask_the_first_error(stage: Stage, dialect: str) -> None:
    """When nothing helps, the caller learns that the stream was cut, not that a prefill was refused."""
    feature = feature_for(stage, "cut", dialect).plays(spare=faults.refusing("no prefill"))
    broken, turns = breaking("cut"), stage.provider.asked

    async def once(turn: Turn) -> None:
        await (broken if turn.number == 0 else faults.refusing("no prefill"))(turn)

    feature.plays(once)
    got = feature.ask(dialect, stream=True)
    assert (got.status, got.text, got.complete, got.cut) == (200, LONG[:BROKEN_AT], False, False)
    assert got.error == "upstream_cut" or dialect == "responses"
    assert len(turns(feature.spare)) >= 1
    record, attempts = stage.record(got)
    assert (record["outcome"], record["error_class"]) == ("failed", "upstream_cut")
    assert sum(one["cost_nanos"] for one in attempts[1:]) == 0
    assert "not_resumed" in json.loads(record["notes"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_fails_before_content_still_fails_over(stage: Stage, dialect: str) -> None:
    """`resume` changes nothing about that."""
    feature = stage.feature("resuming", dialect).plays(faults.error_after_opening)
    got = feature.ask(dialect, stream=True)
    assert (got.text, got.complete, got.headers["x-headgate-model"]) == ("one two", True, feature.spare)
    assert [one["kind"] for one in stage.record(got)[1]] == ["", "failover"]
