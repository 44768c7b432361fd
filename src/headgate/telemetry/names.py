"""Every metric and label there is: what documents and tests are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ATTEMPTS",
    "DEGRADED",
    "ENDPOINT_OPEN",
    "HEDGES",
    "IN_FLIGHT",
    "JOURNAL_BYTES",
    "METRICS",
    "OTHER",
    "RECORDS_DROPPED",
    "REQUESTS",
    "RESUMED",
    "SHADOWS",
    "SHADOWS_DROPPED",
    "Metric",
]

OTHER = "other"
"""Stands for the values of a label that have no series of their own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as Prometheus has it."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    help: str
    """In one sentence."""
    open: str = ""
    """The label whose values may come from callers; values beyond the bound are counted as `other`. "": there is none."""


REQUESTS = Metric(
    "headgate_requests_total",
    "counter",
    ("feature", "outcome"),
    "Requests of callers that have ended, by how they ended.",
    open="feature",
)
DEGRADED = Metric(
    "headgate_degraded_total",
    "counter",
    ("feature", "rung"),
    "Answers that a rung of a degrade ladder gave, because every model of the route had failed.",
    open="feature",
)
ATTEMPTS = Metric(
    "headgate_attempts_total",
    "counter",
    ("provider", "model", "kind", "outcome"),
    "Calls to providers that have ended, by why they were made and how they ended; those of shadow copies too.",
    open="model",
)
HEDGES = Metric(
    "headgate_hedges_total",
    "counter",
    ("feature",),
    "Second calls that were made because the first was slow.",
    open="feature",
)
RESUMED = Metric(
    "headgate_resumed_total",
    "counter",
    ("feature",),
    "Streams that broke off and went on.",
    open="feature",
)
SHADOWS = Metric("headgate_shadows_total", "counter", (), "Shadow copies that were sent.")
SHADOWS_DROPPED = Metric(
    "headgate_shadows_dropped_total",
    "counter",
    (),
    "Shadow copies that were left out, because too many were under way.",
)
RECORDS_DROPPED = Metric(
    "headgate_records_dropped_total",
    "counter",
    (),
    "Entries of the journal that could not be written and are lost; anything but 0 is an alarm.",
)
ENDPOINT_OPEN = Metric(
    "headgate_endpoint_open",
    "gauge",
    ("endpoint",),
    "1 while the breaker of an endpoint is open: it is left alone, or has yet to show that it answers again.",
)
IN_FLIGHT = Metric("headgate_in_flight", "gauge", (), "Requests that are being served at this moment.")
JOURNAL_BYTES = Metric(
    "headgate_journal_bytes",
    "gauge",
    (),
    "Bytes of the journal that are not in the database yet.",
)

METRICS = (
    REQUESTS,
    DEGRADED,
    ATTEMPTS,
    HEDGES,
    RESUMED,
    SHADOWS,
    SHADOWS_DROPPED,
    RECORDS_DROPPED,
    ENDPOINT_OPEN,
    IN_FLIGHT,
    JOURNAL_BYTES,
)
"""In the order in which they are shown."""
