"""Every metric and label there is: what documents and tests are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ALERTS",
    "ALERTS_DROPPED",
    "ALERT_DELIVERIES",
    "ATTEMPTS",
    "BUDGET_DOWNGRADED",
    "BUDGET_LIMIT",
    "BUDGET_REFUSED",
    "BUDGET_SETTLED",
    "BUDGET_SPENT",
    "BUDGET_USED",
    "BUDGET_WAITING",
    "DEGRADED",
    "ENDPOINT_OPEN",
    "HEDGES",
    "IN_FLIGHT",
    "JOURNAL_BYTES",
    "LIMIT_REFUSED",
    "LIMIT_WAITED",
    "LIMIT_WAITING",
    "LIMIT_WITHOUT_REDIS",
    "METRICS",
    "OTHER",
    "OTLP_POSTS",
    "OTLP_SPANS",
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

LIMIT_REFUSED = Metric(
    "headgate_limit_refused_total", "counter", ("limit",), "Requests that a limit refused."
)
LIMIT_WAITING = Metric(
    "headgate_limit_waiting", "gauge", (), "Requests that wait at this moment for room in a limit."
)
LIMIT_WAITED = Metric(
    "headgate_limit_waited_total",
    "counter",
    ("outcome",),
    "Requests that have waited for room in a limit, by whether there was some in time.",
)
LIMIT_WITHOUT_REDIS = Metric(
    "headgate_limit_without_redis_total",
    "counter",
    (),
    "Requests whose limits were decided without Redis: by this gateway's share, or refused.",
)
BUDGET_SPENT = Metric(
    "headgate_budget_spent_usd",
    "gauge",
    ("budget",),
    "US dollars spent of all sums of a budget whose period is not over, as far as this gateway has heard.",
)
BUDGET_LIMIT = Metric(
    "headgate_budget_limit_usd", "gauge", ("budget",), "US dollars that one sum of a budget holds."
)
BUDGET_USED = Metric(
    "headgate_budget_used",
    "gauge",
    ("budget",),
    "The part that is spent of the fullest sum of a budget, as far as this gateway has heard.",
)
BUDGET_SETTLED = Metric(
    "headgate_budget_settled_usd_total",
    "counter",
    ("budget",),
    "US dollars that calls of this gateway have cost a budget.",
)
BUDGET_REFUSED = Metric(
    "headgate_budget_refused_total", "counter", ("budget",), "Calls that a budget did not pay for."
)
BUDGET_DOWNGRADED = Metric(
    "headgate_budget_downgraded_total",
    "counter",
    ("budget",),
    "Requests that went to a budget's cheaper model, because enough of it was spent.",
)
BUDGET_WAITING = Metric(
    "headgate_budget_waiting",
    "gauge",
    (),
    "Calls that wait at this moment for money that is set aside for others.",
)
BUDGET_WITHOUT_REDIS = Metric(
    "headgate_budget_without_redis_total",
    "counter",
    (),
    "Calls whose budgets were decided without Redis: paid from this gateway's share, or refused.",
)
BUDGET_UNTOLD = Metric(
    "headgate_budget_untold", "gauge", (), "Costs of calls that wait until Redis can be told of them."
)
BUDGET_UNTOLD_DROPPED = Metric(
    "headgate_budget_untold_dropped_total",
    "counter",
    (),
    "Costs of calls that Redis was never told of, because too many waited; the ledger has them.",
)

ALERTS = Metric(
    "headgate_alerts_total", "counter", (), "Alerts that this gateway was the first of all to tell."
)
ALERTS_DROPPED = Metric(
    "headgate_alerts_dropped_total",
    "counter",
    (),
    "Alerts that are lost, because too many waited for the database.",
)
ALERT_DELIVERIES = Metric(
    "headgate_alert_deliveries_total",
    "counter",
    ("outcome",),
    "Tries of this gateway to tell a receiver of an alert, by what came of them.",
)
OTLP_SPANS = Metric(
    "headgate_otlp_spans_total",
    "counter",
    ("outcome",),
    "Spans for the OTLP collector, by what became of them.",
)
OTLP_POSTS = Metric(
    "headgate_otlp_posts_total",
    "counter",
    ("signal", "outcome"),
    "Batches for the OTLP collector, by what became of them.",
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
    LIMIT_REFUSED,
    LIMIT_WAITING,
    LIMIT_WAITED,
    LIMIT_WITHOUT_REDIS,
    BUDGET_SPENT,
    BUDGET_LIMIT,
    BUDGET_USED,
    BUDGET_SETTLED,
    BUDGET_REFUSED,
    BUDGET_DOWNGRADED,
    BUDGET_WAITING,
    BUDGET_WITHOUT_REDIS,
    BUDGET_UNTOLD,
    BUDGET_UNTOLD_DROPPED,
    ALERTS,
    ALERTS_DROPPED,
    ALERT_DELIVERIES,
    OTLP_SPANS,
    OTLP_POSTS,
)
"""In the order in which they are shown."""
