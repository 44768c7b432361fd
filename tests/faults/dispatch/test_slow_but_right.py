"""What is only odd or slow is an answer: nothing is tried twice, nothing is lost."""

from __future__ import annotations

import pytest

from tests.faults.dispatch.conftest import PRIMARY_PRICE, Stage
from tests.support import vendor_faults as faults
from tests.support.asking import DIALECTS
from tests.support.three_wires import COMPLETION, PROMPT, TEXT

__all__: list[str] = []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["one byte per segment", "slow drip", "stale pooled connections"])
def test_a_right_answer_is_passed_on(stage: Stage, fault: str, dialect: str, stream: bool) -> None:
    """However it arrives. A kept connection that the provider closes under the request costs the caller nothing."""
    plays = {
        "one byte per segment": faults.byte_by_byte,
        "slow drip": faults.slow_drip,
        "stale pooled connections": faults.stale,
    }
    feature = stage.feature("quick", dialect).plays(plays[fault])
    for _ in range(2 if fault == "stale pooled connections" else 1):
        got = feature.ask(dialect, stream=stream)
        assert (got.status, got.text, got.complete, got.usage) == (200, TEXT, True, (PROMPT, COMPLETION))
        assert got.headers["x-headgate-attempts"] == "1" and feature.asked()[1] == 0
        record, (attempt,) = stage.record(got)
        assert (record["outcome"], attempt["outcome"], attempt["error_class"]) == ("ok", "ok", "")
        assert record["cost_nanos"] == (PROMPT + COMPLETION) * PRIMARY_PRICE
    if fault == "stale pooled connections":
        assert any(turn.reused for turn in stage.provider.asked(feature.first)), "no kept connection was used"
