"""Counters are exact, bounded, and readable by those who did not write them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from headgate.telemetry.metrics import MOST_UNKNOWN, Metrics
from headgate.telemetry.names import ENDPOINT_OPEN, IN_FLIGHT, METRICS

__all__: list[str] = []


def read(metrics: Metrics) -> dict[str, dict[tuple[Any, ...], float]]:
    """Name -> values of the labels -> number, as Prometheus' own parser understands the text."""
    found: dict[str, dict[tuple[Any, ...], float]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            values = tuple(sample.labels.values())
            assert values not in series, "a series stands twice"
            series[values] = sample.value
    return found


def test_what_is_counted_is_what_is_read() -> None:
    """Per combination of labels; kinds and words are those of the table of names."""
    metrics = Metrics()
    for _ in range(3):
        metrics.requests.add(("chat", "ok"))
    metrics.requests.add(("chat", "failed"))
    metrics.attempts.add(("a", "m", "first", "ok"))
    metrics.read(IN_FLIGHT, lambda: [((), 7)])
    metrics.read(ENDPOINT_OPEN, lambda: [(("a/m",), 1), (("b/m",), 0)])
    found = read(metrics)
    assert found["headgate_requests_total"] == {("chat", "ok"): 3, ("chat", "failed"): 1}
    assert found["headgate_attempts_total"] == {("a", "m", "first", "ok"): 1}
    assert found["headgate_in_flight"] == {(): 7}
    assert found["headgate_endpoint_open"] == {("a/m",): 1, ("b/m",): 0}
    families = {each.name: each for each in text_string_to_metric_families(metrics.text().decode())}
    for metric in METRICS:
        family = families.get(metric.name.removesuffix("_total"))
        if family is not None:
            assert (family.type, family.documentation) == (metric.kind, metric.help)


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029\r\x0b\x0c\x1c\x1d\x1e")
    )
)
def test_no_name_breaks_the_format(name: str) -> None:
    """Names come from callers; quotes, backslashes and line breaks are written so that they are read again."""
    metrics = Metrics()
    metrics.requests.add((name, "ok"))
    assert read(metrics)["headgate_requests_total"] == {(name, "ok"): 1}


def test_halves_of_characters_do_not_break_it_either() -> None:
    """What JSON allows, UTF-8 does not."""
    metrics = Metrics()
    metrics.requests.add(("\ud800", "ok"))
    assert read(metrics)["headgate_requests_total"] == {("?", "ok"): 1}


def test_callers_cannot_fill_the_memory_and_hide_what_is_configured() -> None:
    """Beyond the bound what they name is counted as `other`; every count is still there."""
    metrics = Metrics()
    for number in range(1000):
        metrics.requests.add((f"made up {number}", "ok"))
    metrics.know(["chat"], ["m"], {})
    metrics.requests.add(("chat", "failed"))
    series = read(metrics)["headgate_requests_total"]
    assert series["chat", "failed"] == 1 and series["chat", "ok"] == 0
    assert series["other", "ok"] == 1000 - MOST_UNKNOWN
    assert len(series) == MOST_UNKNOWN + 3 and sum(series.values()) == 1001


def test_the_first_event_is_seen_as_a_rise() -> None:
    """What the configuration makes possible stands at 0 before it happens, and what was counted is kept."""
    metrics = Metrics()
    metrics.know(["chat"], [], {"chat": ["say"]})
    assert read(metrics)["headgate_degraded_total"] == {("chat", "say"): 0}
    metrics.degraded.add(("chat", "say"))
    metrics.know(["chat"], [], {"chat": ["say", "stale"]})
    assert read(metrics)["headgate_degraded_total"] == {("chat", "say"): 1, ("chat", "stale"): 0}
