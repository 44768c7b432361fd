"""Every metric and label there is: what documents and tests are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ALERTS",
    "ALERTS_DROPPED",
    "ALERT_DELIVERIES",
    "ATTEMPTS",
    "ATTEMPT_ERRORS",
    "BUDGET_DOWNGRADED",
    "BUDGET_LIMIT",
    "BUDGET_REFUSED",
    "BUDGET_SETTLED",
    "BUDGET_SPENT",
    "BUDGET_USED",
    "BUDGET_WAITING",
    "BUILD",
    "CACHE_BYTES",
    "CACHE_ENTRIES",
    "CACHE_EVICTED",
    "CACHE_JOINED",
    "CACHE_LOOKUP",
    "CACHE_REQUESTS",
    "CACHE_SAVED_SECONDS",
    "CACHE_SAVED_USD",
    "CACHE_SKIPPED",
    "CACHE_WRONG",
    "COST",
    "DEGRADED",
    "ENDPOINT_OPEN",
    "ERRORS",
    "FALLBACKS",
    "FIRST_TOKEN",
    "HEDGES",
    "IN_FLIGHT",
    "JOURNAL_BYTES",
    "LIMIT_REFUSED",
    "LIMIT_WAITED",
    "LIMIT_WAITING",
    "LIMIT_WITHOUT_REDIS",
    "METRICS",
    "MOST_UNKNOWN",
    "OTHER",
    "OTLP_POSTS",
    "OTLP_SPANS",
    "OVERHEAD",
    "QUEUED",
    "RECORDS_DROPPED",
    "RECORDS_REFUSED",
    "REQUESTS",
    "RESUMED",
    "SCORES",
    "SCORES_ALONE",
    "SHADOWS",
    "SHADOWS_DROPPED",
    "SPEED",
    "SWEPT",
    "TOKENS",
    "TOOK",
    "UNPRICED",
    "Metric",
]

OTHER = "other"
"""Stands for the values of a label that have no series of their own."""
MOST_UNKNOWN = 200
"""Values of an open label that the configuration does not name and that still have series of their own."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as Prometheus has it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    """In one sentence."""
    open: str = ""
    """Labels whose values may come from callers, separated by spaces; values beyond the bound are counted as `other`."""
    bounds: tuple[float, ...] = ()
    """Of a histogram: where its buckets end."""


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
TOOK = Metric(
    "headgate_request_seconds",
    "histogram",
    ("feature", "model", "outcome"),
    "How long requests of callers took, from their first byte to their last.",
    open="feature model",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300),
)
FIRST_TOKEN = Metric(
    "headgate_first_token_seconds",
    "histogram",
    ("feature", "model", "outcome"),
    "How long streams were silent before their first content.",
    open="feature model",
    bounds=(0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 60),
)
SPEED = Metric(
    "headgate_tokens_per_second",
    "histogram",
    ("feature", "model", "outcome"),
    "Tokens of answers by the time in which they came.",
    open="feature model",
    bounds=(1, 2, 5, 10, 20, 40, 60, 80, 120, 180, 250, 400, 1000),
)
OVERHEAD = Metric(
    "headgate_overhead_seconds",
    "histogram",
    ("feature", "outcome"),
    "This gateway's own share of the time requests took.",
    open="feature",
    bounds=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1),
)
QUEUED = Metric(
    "headgate_queue_seconds",
    "histogram",
    ("feature", "outcome"),
    "How long requests waited for room in a limit or for money; most of them not at all.",
    open="feature",
    bounds=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60),
)
TOKENS = Metric(
    "headgate_tokens_total",
    "counter",
    ("feature", "model", "kind"),
    "Tokens of all calls to providers, no token in two kinds; those of shadow copies too.",
    open="feature model",
)
COST = Metric(
    "headgate_cost_usd_total",
    "counter",
    ("feature", "model", "provider", "label"),
    "US dollars that calls to providers have cost, by how certain that is; those of shadow copies too.",
    open="feature model",
)
UNPRICED = Metric(
    "headgate_unpriced_total",
    "counter",
    ("feature", "model"),
    "Calls to providers whose price nobody knows.",
    open="feature model",
)
ERRORS = Metric(
    "headgate_errors_total",
    "counter",
    ("feature", "model", "error"),
    "Requests of callers that had no answer, by what was the matter.",
    open="feature model",
)
ATTEMPT_ERRORS = Metric(
    "headgate_attempt_errors_total",
    "counter",
    ("provider", "model", "error"),
    "Calls to providers that failed, by what was the matter; a request whose next call went well has no error of its own.",
    open="model",
)
FALLBACKS = Metric(
    "headgate_fallbacks_total",
    "counter",
    ("feature",),
    "Answers that another endpoint gave than the one asked first.",
    open="feature",
)
BUILD = Metric(
    "headgate_build_info",
    "gauge",
    ("version", "python", "config"),
    "Always 1: which Headgate runs, on which Python, by which configuration.",
)
SHADOWS = Metric("headgate_shadows_total", "counter", (), "Shadow copies that were sent.")
SHADOWS_DROPPED = Metric(
    "headgate_shadows_dropped_total",
    "counter",
    (),
    "Shadow copies that were left out, because too many were under way.",
)
RECORDS_REFUSED = Metric(
    "headgate_records_refused_total",
    "counter",
    (),
    "Records that the database did not take as they were: stored without their words, or set aside in a file beside the journal.",
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
SWEPT = Metric(
    "headgate_swept_total",
    "counter",
    ("kind",),
    "What this gateway has deleted because it had been kept long enough: contents, requests, sessions, alerts, sums.",
)
SCORES = Metric(
    "headgate_scores_total",
    "counter",
    ("name", "source"),
    "Judgements of answers that this gateway kept, by what they are called and who gave them.",
    open="name",
)
SCORES_ALONE = Metric(
    "headgate_scores_alone",
    "gauge",
    (),
    "Judgements older than an hour whose request never came; after a week they are forgotten.",
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

CACHE_REQUESTS = Metric(
    "headgate_cache_requests_total",
    "counter",
    ("feature", "outcome"),
    "Requests of features that have a cache, by how memory answered.",
    open="feature",
)
CACHE_SAVED_USD = Metric(
    "headgate_cache_saved_usd_total",
    "counter",
    ("feature",),
    "US dollars that answers had cost which were given again.",
    open="feature",
)
CACHE_SAVED_SECONDS = Metric(
    "headgate_cache_saved_seconds_total",
    "counter",
    ("feature",),
    "Time that nobody had to wait, because answers were there already.",
    open="feature",
)
CACHE_SKIPPED = Metric(
    "headgate_cache_skipped_total",
    "counter",
    ("why",),
    "Requests that went on without memory: it was slow, or gone.",
)
CACHE_LOOKUP = Metric(
    "headgate_cache_lookup_seconds",
    "histogram",
    ("kind",),
    "How long memory was asked for an answer: by its key, or by nearness with embedding and check.",
    bounds=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1),
)
CACHE_ENTRIES = Metric(
    "headgate_cache_entries", "gauge", (), "Answers that are kept to be given again, as last counted."
)
CACHE_BYTES = Metric(
    "headgate_cache_bytes", "gauge", (), "Bytes of the answers that are kept, as last counted."
)
CACHE_EVICTED = Metric(
    "headgate_cache_evicted_total",
    "counter",
    (),
    "Answers that this gateway has let go for want of room.",
)
CACHE_JOINED = Metric(
    "headgate_cache_joined_readers",
    "gauge",
    (),
    "Requests that share the call of another one at this moment.",
)
CACHE_WRONG = Metric(
    "headgate_cache_wrong_share",
    "gauge",
    ("feature",),
    "The part of semantic hits that were wrong, estimated from samples of the last week.",
)

METRICS = (
    REQUESTS,
    DEGRADED,
    ATTEMPTS,
    HEDGES,
    RESUMED,
    FALLBACKS,
    ERRORS,
    ATTEMPT_ERRORS,
    TOOK,
    FIRST_TOKEN,
    SPEED,
    OVERHEAD,
    QUEUED,
    TOKENS,
    COST,
    UNPRICED,
    SHADOWS,
    SHADOWS_DROPPED,
    RECORDS_DROPPED,
    RECORDS_REFUSED,
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
    SWEPT,
    ALERT_DELIVERIES,
    SCORES,
    SCORES_ALONE,
    CACHE_REQUESTS,
    CACHE_SAVED_USD,
    CACHE_SAVED_SECONDS,
    CACHE_SKIPPED,
    CACHE_LOOKUP,
    CACHE_ENTRIES,
    CACHE_BYTES,
    CACHE_EVICTED,
    CACHE_JOINED,
    CACHE_WRONG,
    OTLP_SPANS,
    OTLP_POSTS,
    BUILD,
)
"""In the order in which they are shown."""
