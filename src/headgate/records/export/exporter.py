"""Sends spans and metrics to a collector, every few seconds, from what is stored. No request waits for it or knows of it.

Of all nodes that share a database one sends the spans of all (`claim.py`): each request once, in the order in which they
were stored, beginning with those stored after the first start with a collector. A mark in the database says how far; a
node that is killed makes the next one repeat at most the batch it was at, with the same ids, and leaves none out.
What the collector refuses for good is dropped and counted; while it is away all waits in the database, up to `give_up`.
Metrics are every node's own and need no mark: counts begin with the process and only grow.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.records.export.claim import Claim
from headgate.records.export.histograms import Histograms
from headgate.records.export.relay import Plan, Relay
from headgate.stores.errors import StoreError
from headgate.stores.exports import ExportStore
from headgate.stores.spans import SpanStore
from headgate.telemetry.measures import Distributions
from headgate.telemetry.metrics import Metrics, Series
from headgate.telemetry.names import OTLP_POSTS, OTLP_SPANS, Metric
from headgate.telemetry.otlp.names import metric_label, metric_name
from headgate.telemetry.otlp.protobuf import encode_metrics
from headgate.telemetry.otlp.signals import Histogram, MetricPoints, Point

__all__ = ["MARK", "Exporter"]

MARK = "otlp"
"""The name of the mark in the database."""
_LONGEST_WAIT = 60.0
_COMPLAIN_SECONDS = 60.0

_log = logging.getLogger("headgate.records")


class Exporter:
    """See above. Belongs to one event loop."""

    def __init__(
        self, spans: SpanStore, exports: ExportStore, metrics: Metrics, clock: Clock, *, node: str
    ) -> None:
        """node: a name that no other process has."""
        self._metrics = metrics
        self._clock = clock
        self._start_ns = clock.wall_ns()
        self._claim = Claim(MARK, exports, spans, clock, node=node)
        self._histograms = Histograms(self._start_ns)
        self.relay = Relay(spans, exports, self._claim, self._histograms, clock)
        self.posts = {"ok": 0, "failed": 0, "refused": 0}
        """Of metrics, by what became of them."""
        self._plan: Plan | None = None
        self._running = False
        self._stopping = False
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._again_at = 0.0
        """When the relay is tried again after the collector was away."""
        self._complained = -_COMPLAIN_SECONDS

    def use(self, plan: Plan | None) -> None:
        """From now on; None: send nothing."""
        if plan is not None and self._plan is None:
            self._metrics.read(OTLP_SPANS, self._span_counts)
            self._metrics.read(OTLP_POSTS, self._post_counts)
        self._plan = plan
        self.relay.forget()
        self._failures, self._again_at = 0, 0.0
        self._woken.set()
        if self._running and plan is not None and self._task is None:
            self._task = asyncio.create_task(self._run(), name="export")

    def start(self) -> None:
        """Begin, if there is a plan."""
        self._running = True
        if self._plan is not None:
            self._task = asyncio.create_task(self._run(), name="export")

    async def aclose(self, seconds: float) -> None:
        """Send what is stored, for so long, and let another node go on. Idempotent."""
        self._running, self._stopping = False, True
        self._woken.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait({task}, timeout=seconds)
            await ended(task)
            with contextlib.suppress(StoreError):
                await self._claim.let_go()

    async def _run(self) -> None:
        while True:
            stopping = self._stopping
            self._woken.clear()
            await self._guarded_round()
            if stopping:
                return
            if self._stopping:
                continue
            plan = self._plan
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if plan is None else float(plan.settings.every)):
                    await self._woken.wait()

    async def _guarded_round(self) -> None:
        try:
            await self._round()
        except StoreError as failure:
            self._complain("spans cannot be read from the database: %s", failure)
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the export for good
            _log.exception("the export of spans and metrics")

    async def _round(self) -> None:
        plan = self._plan
        if plan is None:
            await self._claim.let_go()
            return
        if self._clock.monotonic() >= self._again_at:
            await self._relay_all(plan)
        if plan.settings.metrics:
            await self._send_metrics(plan)

    async def _relay_all(self, plan: Plan) -> None:
        step = "more"
        while step == "more" and self._plan is plan:
            step = await self.relay.step(plan)
            if step != "away" and self.relay.trouble:
                self._complain("the collector did not take some spans: %s", self.relay.trouble)
                self.relay.trouble = ""
        if step == "away":
            self._failures += 1
            wait = min(float(plan.settings.every) * 2.0 ** min(self._failures - 1, 10), _LONGEST_WAIT)
            self._again_at = self._clock.monotonic() + max(wait, self.relay.wait)
            self._complain("spans wait, because the collector does not take them: %s", self.relay.trouble)
        else:
            self._failures, self._again_at = 0, 0.0

    async def _send_metrics(self, plan: Plan) -> None:
        body = encode_metrics(plan.resource, plan.version, self.points(), self._clock.wall_ns())
        sent = await plan.collector.send("metrics", body)
        if sent.outcome == "ok":
            self.posts["ok"] += 1
        else:
            # The next ones say the same and more.
            self.posts["failed" if sent.outcome == "away" else "refused"] += 1
            self._complain("the collector did not take metrics: %s", sent.why)

    def points(self) -> list[MetricPoints]:
        """Everything `/metrics` shows, and the histograms of the conventions."""
        found = [
            MetricPoints(
                metric_name(metric.name),
                "",  # the name says it; from a unit, Prometheus would make a longer name
                metric.help,
                metric.kind,
                self._start_ns,
                [
                    Point(list(zip(map(metric_label, metric.labels), values, strict=True)), number)
                    for values, number in series
                ],
            )
            for metric, series in self._metrics.series()
        ]
        return [*found, *map(self._distribution, self._metrics.histograms()), *self._histograms.metrics()]

    def _distribution(self, of: tuple[Metric, Distributions]) -> MetricPoints:
        metric, series = of
        histogram = Histogram(metric.bounds)
        labels = [metric_label(label) for label in metric.labels]
        for values, counts, total in series:
            histogram.put(tuple(zip(labels, values, strict=True)), counts, total)
        return MetricPoints(
            metric_name(metric.name), "", metric.help, "histogram", self._start_ns, histogram=histogram
        )

    def _complain(self, words: str, why: object) -> None:
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS:
            self._complained = now
            _log.warning(words, why)

    def _span_counts(self) -> Series:
        return [((outcome,), number) for outcome, number in self.relay.counts.items()]

    def _post_counts(self) -> Series:
        counts: Mapping[str, Mapping[str, int]] = {"traces": self.relay.posts, "metrics": self.posts}
        return [
            ((signal, outcome), number)
            for signal, found in counts.items()
            for outcome, number in found.items()
        ]
