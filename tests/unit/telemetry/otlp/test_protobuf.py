"""What we write by hand is read by the protocol's own published classes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.trace.v1 import trace_pb2

from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.protobuf import (
    encode_metrics,
    encode_resource,
    encode_span,
    rejected,
    traces_of,
)
from headgate.telemetry.otlp.signals import Histogram, MetricPoints, Point, Span
from tests.support.otlp_receiver import attributes

__all__: list[str] = []

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(TEXT, max_size=3),
)


def decoded(span: Span) -> Any:
    """As the published class reads it."""
    return trace_pb2.Span.FromString(encode_span(span))


def span(**given: Any) -> Span:
    values: dict[str, Any] = {
        "trace_id": bytes(range(16)),
        "span_id": bytes(range(8)),
        "parent_id": b"",
        "name": "chat small",
        "kind": "server",
        "start_ns": 1_790_000_000_000_000_000,
        "end_ns": 1_790_000_000_250_000_000,
        "attributes": [],
    }
    return Span(**(values | given))


@given(st.dictionaries(TEXT, VALUES, max_size=40))
def test_attributes_of_every_kind_come_through(given_attributes):
    """Texts, numbers with their signs, truth values, lists; names of any length."""
    assert attributes(decoded(span(attributes=list(given_attributes.items()))).attributes) == given_attributes


def test_a_span_is_itself_again():
    """Each field has its number."""
    found = decoded(span(parent_id=b"parentid", kind="client", error="upstream_timeout"))
    assert (found.trace_id, found.span_id, found.parent_span_id) == (
        bytes(range(16)),
        bytes(range(8)),
        b"parentid",
    )
    assert (found.name, found.kind) == ("chat small", trace_pb2.Span.SPAN_KIND_CLIENT)
    assert found.end_time_unix_nano - found.start_time_unix_nano == 250_000_000
    assert (found.status.code, found.status.message) == (
        trace_pb2.Status.STATUS_CODE_ERROR,
        "upstream_timeout",
    )
    assert decoded(span()).status.code == trace_pb2.Status.STATUS_CODE_UNSET
    assert decoded(span(kind="internal")).kind == trace_pb2.Span.SPAN_KIND_INTERNAL


def test_half_a_character_does_not_spoil_a_span():
    """Models write them; protobuf has only whole ones."""
    assert attributes(decoded(span(attributes=[("a", "x\ud83d")])).attributes) == {"a": "x?"}


def test_a_batch_says_who_sends_it():
    """Resource, scope and version of the conventions stand around the spans."""
    body = traces_of(encode_resource([("service.name", "headgate")]), "9.9", [encode_span(span())] * 3)
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    assert attributes(resource.resource.attributes) == {"service.name": "headgate"}
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == ("headgate", "9.9", names.SCHEMA_URL)
    assert len(scope.spans) == 3


def metrics_of(*metrics: MetricPoints) -> list[Metric]:
    found = ExportMetricsServiceRequest.FromString(encode_metrics(b"", "1", metrics, 50))
    return list(found.resource_metrics[0].scope_metrics[0].metrics)


def test_counters_are_sums_that_only_grow():
    """Cumulative, from a moment that is told; whole numbers stay whole."""
    (found,) = metrics_of(
        MetricPoints("a", "", "Help.", "counter", 7, [Point([("x", "y")], 3), Point([], 2.5)])
    )
    assert found.sum.is_monotonic
    assert found.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    one, two = found.sum.data_points
    assert (one.start_time_unix_nano, one.time_unix_nano, one.as_int) == (7, 50, 3)
    assert attributes(one.attributes) == {"x": "y"}
    assert two.as_double == 2.5


def test_gauges_have_no_beginning_and_empty_metrics_are_left_out():
    """A metric without a series says nothing."""
    (found,) = metrics_of(
        MetricPoints("a", "By", "Help.", "gauge", 7, [Point([], -1)]),
        MetricPoints("b", "", "", "counter", 7),
        MetricPoints("c", "s", "", "histogram", 7, histogram=Histogram([1.0])),
    )
    (point,) = found.gauge.data_points
    assert (found.name, found.unit, point.as_int, point.start_time_unix_nano) == ("a", "By", -1, 0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_histograms_count_every_value_in_the_bucket_that_ends_at_or_above_it(values):
    """As the protocol has it: (previous bound, bound]."""
    histogram = Histogram(names.DURATION_BOUNDS)
    for value in values:
        histogram.add(value, (("a", 1),))
    (found,) = metrics_of(MetricPoints("h", "s", "", "histogram", 7, histogram=histogram))
    (point,) = found.histogram.data_points
    edges = [-1.0, *names.DURATION_BOUNDS, float("inf")]
    assert list(point.bucket_counts) == [
        sum(low < value <= high for value in values) for low, high in pairwise(edges)
    ]
    assert list(point.explicit_bounds) == list(names.DURATION_BOUNDS)
    assert (point.count, point.min, point.max) == (len(values), min(values), max(values))
    assert point.sum == pytest.approx(sum(values))


def test_a_histogram_keeps_to_its_bound():
    """Callers choose names of models: what is over is one series, and no value is lost."""
    histogram = Histogram([1.0], most=3)
    for number in range(10):
        histogram.add(number, (("model", f"m{number}"),))
    assert len(histogram.series) == 4
    assert sum(histogram.series[((names.OVERFLOW, True),)].counts) == 7


@given(st.integers(0, 2**63 - 1), TEXT)
def test_what_a_collector_did_not_take_is_read_from_its_answer(count, words):
    """Partial success is an answer of 200."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = count
    answer.partial_success.error_message = words
    assert rejected(answer.SerializeToString()) == (count, words)


@given(st.binary(max_size=60))
def test_any_other_answer_means_that_all_was_taken_or_is_read_for_what_it_can_be(answer):
    """Nothing a collector answers can end the export."""
    count, words = rejected(answer)
    assert count >= 0
    assert len(words) <= len(answer)


def test_an_empty_answer_is_a_full_success():
    """And so is JSON from a proxy."""
    assert rejected(b"") == rejected(b"{}") == rejected(b"\x0a\xff") == (0, "")
