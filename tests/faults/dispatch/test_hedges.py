"""A second call beside a slow first one: the quicker answers, the other is let go and is nobody's failure."""

from __future__ import annotations

import pytest

from tests.faults.dispatch.conftest import SPARE_PRICE, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.three_wires import COMPLETION, PROMPT, TEXT

__all__: list[str] = []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_slow_first_call_is_overtaken(stage: Stage, dialect: str, stream: bool) -> None:
    """Long before its deadline; on record as abandoned."""
    feature = stage.feature("hedged", dialect).plays(faults.silence)
    got = feature.ask(dialect, stream=stream)
    assert (got.status, got.text, got.complete) == (200, TEXT, True)
    assert got.headers["x-headgate-model"] == feature.spare
    assert stage.provider.gone[feature.first].wait(10), "the slow one is still waited for"
    record, (slow, quick) = stage.record(got)
    assert (slow["kind"], slow["outcome"], slow["error_class"]) == ("", "abandoned", "")
    assert (quick["kind"], quick["outcome"]) == ("hedge", "ok")
    assert quick["cost_nanos"] == (PROMPT + COMPLETION) * SPARE_PRICE
    assert record["outcome"] == "ok" and record["cost_nanos"] == quick["cost_nanos"] + slow["cost_nanos"]


def test_both_failing_is_failing(stage: Stage) -> None:
    """The hedge's refusal is told, with both attempts on record."""
    feature = stage.feature("hedged", "chat").plays(faults.refusing("failed"), faults.refusing("invalid"))
    got = feature.ask("chat", stream=True)
    assert got.status == 400
    assert [one["outcome"] for one in stage.record(got)[1]] == ["failed", "refused"]
