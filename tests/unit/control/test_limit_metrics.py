"""What limits refuse, and who waits for them, is in the metrics by the limit's name."""

from __future__ import annotations

import msgspec

from headgate.admission.limits.rules import plan_of
from headgate.admission.limits.settings import LimitSettings
from headgate.admission.limits.stage import Limit
from headgate.control.limit_metrics import watch_limits
from headgate.core.section import decode_value
from headgate.stores.backends.memory.meters import MemoryMeters
from headgate.telemetry.metrics import Metrics

__all__: list[str] = []


def test_refusals_are_told_by_limit_from_zero_on() -> None:
    """A limit of the configuration has a series before it refuses anything; one that is gone keeps what it had."""
    limits = msgspec.convert([{"name": "few", "requests": 1}], list[LimitSettings], dec_hook=decode_value)
    stage, metrics = Limit(MemoryMeters(), plan_of(limits, {}), lambda _: ("", "")), Metrics()
    watch_limits(metrics, stage, lambda: 7)
    assert b'headgate_limit_refused_total{limit="few"} 0' in metrics.text()
    stage.refused["few"] += 2
    stage.refused["of before"] += 1
    stage.line.waiting, stage.line.let_in, stage.line.in_vain = 3, 4, 5
    text = metrics.text()
    for line in (
        b'headgate_limit_refused_total{limit="few"} 2',
        b'headgate_limit_refused_total{limit="of before"} 1',
        b"headgate_limit_waiting 3",
        b'headgate_limit_waited_total{outcome="passed"} 4',
        b'headgate_limit_waited_total{outcome="in_vain"} 5',
        b"headgate_limit_without_redis_total 7",
    ):
        assert line in text
