"""Histograms and sums are right to the last request, bounded, and readable by those who did not write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from headgate.telemetry.measures import MOST_SERIES, Measures
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import METRICS, MOST_UNKNOWN, OTHER, TOOK, Metric

__all__: list[str] = []


def shown(metrics: Metrics, metric: Metric) -> dict[tuple[str, ...], float]:
    """(what of the histogram, the labels' values) -> number, as Prometheus' own parser reads it."""
    for family in text_string_to_metric_families(metrics.text().decode()):
        if family.name == metric.name:
            assert family.type == "histogram"
            return {
                (sample.name.removeprefix(metric.name), *sample.labels.values()): sample.value
                for sample in family.samples
            }
    return {}


@given(st.lists(st.integers(0, 400_000_000), min_size=1, max_size=50))
def test_each_bucket_has_all_that_lies_below_it(durations: list[int]) -> None:
    """Its own end included; the last one, the count and the sum have everything."""
    metrics = Metrics()
    for each in durations:
        metrics.measures.measured(("chat", "small", "ok")).add(each, 0, 0, 0, 0, 0)
    found = shown(metrics, TOOK)
    for bound in TOOK.bounds:
        below = sum(1 for each in durations if each <= round(bound * 1e6))
        assert found["_bucket", "chat", "small", "ok", str(bound)] == below
    assert found["_bucket", "chat", "small", "ok", "+Inf"] == len(durations)
    assert found["_count", "chat", "small", "ok"] == len(durations)
    assert found["_sum", "chat", "small", "ok"] == sum(durations) / 1e6


def test_answers_and_failures_are_kept_apart() -> None:
    """And so are features and models; of what we cost ourselves, models are no matter."""
    metrics = Metrics()
    measures = metrics.measures
    for model, outcome, took in (("a", "ok", 1_000), ("b", "ok", 2_000), ("a", "failed", 9_000_000)):
        measures.measured(("chat", model, outcome)).add(took, 100, 0, 0, 0, 0)
    found = measures.distributions()
    assert {labels: sum(counts) for labels, counts, _ in found[TOOK.name]} == {
        ("chat", "a", "ok"): 1,
        ("chat", "b", "ok"): 1,
        ("chat", "a", "failed"): 1,
    }
    overhead = {labels: (sum(counts), total) for labels, counts, total in found["headgate_overhead_seconds"]}
    assert overhead == {("chat", "ok"): (2, 0.0002), ("chat", "failed"): (1, 0.0001)}
    assert not list(found["headgate_first_token_seconds"]), "nobody streamed"


def test_sums_of_money_lose_nothing() -> None:
    """Nano-dollars stay whole numbers, however many there were."""
    measures = Measures()
    spent = measures.spent_by(("chat", "small", "sim", "exact"))
    for _ in range(3):
        spent.nanos += 9_007_199_254_740_993  # no float has it
    assert spent.nanos == 27_021_597_764_222_979
    spent.input, spent.reasoning = 7, 2
    unpriced = measures.spent_by(("chat", "small", "sim", "unknown"))
    unpriced.calls, unpriced.input = 4, 1
    sums = measures.sums()
    assert sums["headgate_cost_usd_total"] == {("chat", "small", "sim", "exact"): 27_021_597.764222979}
    assert sums["headgate_unpriced_total"] == {("chat", "small"): 4}
    tokens = sums["headgate_tokens_total"]
    assert tokens["chat", "small", "input"] == 8 and tokens["chat", "small", "reasoning"] == 2


def test_callers_cannot_fill_the_memory() -> None:
    """Names beyond the bound are `other`, and so are combinations; nothing that was counted is missing."""
    measures = Measures()
    measures.features.know(["chat"])
    for number in range(1_000):
        measures.measured((f"made up {number}", "small", "ok")).add(1, 1, 1, 0, 0, 0)
        measures.add_error("chat", f"made up {number}", "timeout")
    measures.measured(("chat", "small", "ok")).add(1, 1, 1, 0, 0, 0)
    counted = {labels: sum(counts) for labels, counts, _ in measures.distributions()[TOOK.name]}
    assert counted["chat", "small", "ok"] == 1
    assert counted[OTHER, "small", "ok"] == 1_000 - MOST_UNKNOWN
    assert sum(counted.values()) == 1_001 and len(counted) == MOST_UNKNOWN + 2
    assert sum(measures.errors.values()) == 1_000 and len(measures.errors) == MOST_UNKNOWN
    for feature in range(100):
        for model in range(100):
            measures.measured((f"made up {feature}", f"model {model}", "ok")).add(1, 1, 1, 0, 0, 0)
    assert len(measures.requests) <= MOST_SERIES + 1
    assert sum(sum(one.took) for one in measures.requests.values()) == 11_001


def test_the_text_has_the_words_of_the_table() -> None:
    """Help and kind of the histograms too."""
    metrics = Metrics()
    metrics.measures.measured(('a\\b\n"c"', "m", "ok")).add(1, 1, 1, 0, 0, 0)
    families = {each.name: each for each in text_string_to_metric_families(metrics.text().decode())}
    (said,) = [each for each in METRICS if each is TOOK]
    assert families[TOOK.name].documentation == said.help
    assert families[TOOK.name].samples[0].labels["feature"] == 'a\\b\n"c"'
