"""Takes what is stored, in the order of storing, to a collector, batch by batch; the mark moves when a batch is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from headgate.core.clock import Clock
from headgate.records.export.claim import Claim
from headgate.records.export.histograms import Histograms
from headgate.records.export.spans import Places, attempt_span, request_span
from headgate.records.export.wording import ReadAnswer, ReadPrompt, answer_words, prompt_words
from headgate.stores.errors import StoreError
from headgate.stores.exports import ExportStore
from headgate.stores.spans import AttemptRow, RequestRow, SpanStore
from headgate.telemetry.otlp.protobuf import encode_span, traces_of
from headgate.telemetry.otlp.sending import Collector, Sent
from headgate.telemetry.otlp.settings import OtlpSettings
from headgate.telemetry.otlp.signals import Value

_log = logging.getLogger("headgate.records")

__all__ = ["BATCH_BYTES", "Plan", "Relay", "Step"]

BATCH_BYTES = 1_000_000
"""Of spans, before they are compressed; a single span may have more."""
_PAGE = 100
_PAGE_WITH_CONTENT = 10
"""Each may have megabytes."""
_AT_A_TIME = 8
"""Requests that are encoded before others have their turn: a third of a millisecond."""
_NS = 1_000_000_000

Step = Literal["more", "done", "away"]
"""more: there may be more to send. done: nothing now, or another node sends. away: the collector took nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """By what a batch is made and sent."""

    settings: OtlpSettings
    collector: Collector
    places: Places
    resource: bytes
    """Encoded."""
    version: str
    read_prompt: ReadPrompt
    read_answer: ReadAnswer


@dataclass(slots=True)
class _Batch:
    """Requests on their way, and what of them is still to be sent."""

    position: int
    rows: Sequence[RequestRow]
    attempts: Mapping[int, Sequence[AttemptRow]]
    parts: list[list[bytes]] = field(default_factory=list)
    newest_ns: int = 0
    """When the last of them ended."""


class Relay:
    """See above. Belongs to one event loop; keeps a batch that could not be sent."""

    def __init__(
        self, spans: SpanStore, exports: ExportStore, claim: Claim, histograms: Histograms, clock: Clock
    ) -> None:
        self._spans = spans
        self._exports = exports
        self._claim = claim
        self._histograms = histograms
        self._clock = clock
        self._batch: _Batch | None = None
        self.counts = {"sent": 0, "refused": 0, "given_up": 0}
        """Spans, by what became of them."""
        self.posts = {"ok": 0, "failed": 0, "refused": 0}
        self.trouble = ""
        """Why the last batch was not taken, or not whole; "" if it was."""
        self.wait = 0.0
        """Seconds the collector asked for when it was away."""

    def forget(self) -> None:
        """Make the batch under way anew: by another plan it may hold what must not be sent."""
        self._batch = None

    async def step(self, plan: Plan) -> Step:
        """Send the next batch. Raises StoreUnavailable."""
        if not await self._claim.hold():
            self._batch = None
            return "done"
        batch = self._batch
        if batch is None:
            size = _PAGE_WITH_CONTENT if plan.settings.content else _PAGE
            page = await self._spans.after(self._claim.position, size)
            if not page.rows:
                return "done"
            attempts = await self._exports.attempts_of([row.id for row in page.rows if row.attempts])
            batch = _Batch(page.position, page.rows, attempts)
            await self._encode(batch, plan)
            # Not before: a batch that the database cut short in the middle must not pass for a whole one.
            self._batch = batch
        if batch.newest_ns < self._oldest_ns(plan):
            self.counts["given_up"] += sum(map(len, batch.parts))
            batch.parts.clear()
        if not await self._send(batch, plan):
            return "away"
        self._batch = None
        if not await self._claim.move(batch.position):
            return "done"
        for row in batch.rows:
            self._histograms.add(row, batch.attempts.get(row.id, ()), plan.places)
        return "more"

    def _oldest_ns(self, plan: Plan) -> int:
        return self._clock.wall_ns() - int(plan.settings.give_up * _NS)

    async def _encode(self, batch: _Batch, plan: Plan) -> None:
        oldest, size = self._oldest_ns(plan), BATCH_BYTES
        for number, row in enumerate(batch.rows):
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
            attempts = batch.attempts.get(row.id, ())
            ended = row.started_ns + row.total_us * 1000
            batch.newest_ns = max(batch.newest_ns, ended)
            if not plan.settings.traces:
                continue
            if ended < oldest:
                self.counts["given_up"] += 1 + len(attempts)
                continue
            for encoded in await self._spans_or_none(row, attempts, plan):
                if size + len(encoded) > BATCH_BYTES:
                    batch.parts.append([])
                    size = 0
                batch.parts[-1].append(encoded)
                size += len(encoded)

    async def _spans_or_none(
        self, row: RequestRow, attempts: Sequence[AttemptRow], plan: Plan
    ) -> Sequence[bytes]:
        try:
            return await self._spans_of(row, attempts, plan)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - one request that cannot be told must not keep back all after it
            _log.exception("request %d cannot be exported", row.id)
            self.counts["refused"] += 1 + len(attempts)
            return ()

    async def _spans_of(self, row: RequestRow, attempts: Sequence[AttemptRow], plan: Plan) -> list[bytes]:
        settings, places = plan.settings, plan.places
        words = await self._words(row, plan) if settings.content else ()
        full = settings.content
        whole = request_span(row, places, content=words, full=full, users=settings.users)
        parts = (attempt_span(row, each, places, full=full) for each in attempts)
        return [encode_span(whole), *map(encode_span, parts)]

    async def _words(self, row: RequestRow, plan: Plan) -> list[tuple[str, Value]]:
        found: list[tuple[str, Value]] = []
        if row.request_content and (kept := await self._spans.content(row.request_content)) is not None:
            request = plan.read_prompt(kept)
            found += prompt_words(request) if request is not None else []
        if row.reply_content and (kept := await self._spans.content(row.reply_content)) is not None:
            answer = plan.read_answer(kept)
            found += answer_words(answer) if answer is not None else []
        return found

    async def _send(self, batch: _Batch, plan: Plan) -> bool:
        """False: the collector is away, and what is left waits."""
        while batch.parts:
            part = batch.parts[0]
            if not await self._claim.hold():
                # Another node has begun where the mark stands.
                batch.parts.clear()
                return True
            sent = await plan.collector.send("traces", traces_of(plan.resource, plan.version, part))
            self.trouble, self.wait = sent.why, sent.wait
            if sent.outcome == "away":
                self.posts["failed"] += 1
                return False
            if sent.outcome == "too_large" and len(part) > 1:
                batch.parts[:1] = [part[: len(part) // 2], part[len(part) // 2 :]]
                self.posts["refused"] += 1
                continue
            self._count(sent, len(part))
            del batch.parts[0]
        return True

    def _count(self, sent: Sent, spans: int) -> None:
        taken = max(spans - sent.rejected, 0) if sent.outcome == "ok" else 0
        self.posts["ok" if sent.outcome == "ok" else "refused"] += 1
        self.counts["sent"] += taken
        self.counts["refused"] += spans - taken
