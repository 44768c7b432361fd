"""Record: the outermost stage. On the way down it asks to be told of every attempt and of the end; that is all.

Each attempt that is about to leave is appended to the journal, and the end of the request is, whatever the end was:
answered, refused, failed, hung up, cancelled. What the journal holds the writer moves to the database (`writer.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, InternalFault, UpstreamMalformed
from headgate.core.events import AnswerBuilder
from headgate.core.frame import Frame
from headgate.core.money import NANOS_PER_USD
from headgate.core.usage import Usage
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.pumping import Pumped, pump_one
from headgate.exchange.purse import Purse
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.records.counting import Counting
from headgate.records.entries import Bill, Body, Closed, Opened
from headgate.records.estimate import tokens_of_answer, tokens_of_bytes
from headgate.records.journal import Journal
from headgate.records.pricing import Pricer, bill_of, usage_of
from headgate.records.repeats import Repeats
from headgate.records.rows import closed_request, ended_attempt, leaving_attempt, open_request, outcome_of
from headgate.records.settings import RecordSettings
from headgate.stores.spans import GIVEN, AttemptRow, Outcome
from headgate.telemetry.metrics import Metrics

__all__ = ["Record"]

_OK = 200
_HUNG_UP_STATUS = 499
_CANONICAL = "canonical"
_AT_A_TIME: Final = 64
"""Frames of a stream that are listened to together."""

_json = msgspec.json.encode


class Record:
    """See `Stage` and `Observer`."""

    def __init__(
        self,
        journal: Journal,
        pricer: Pricer,
        settings: RecordSettings,
        config_hash: Callable[[], str],
        clock: Clock,
        metrics: Metrics | None = None,
    ) -> None:
        """config_hash: names the configuration that serves now. clock: the one the exchange's times are from. metrics: where
        requests are counted; None: for nobody to see."""
        self.journal = journal
        self.pricer = pricer
        self.settings = settings
        self.config_hash = config_hash
        self.now = clock.monotonic
        self.metrics = metrics or Metrics()
        self.counting = Counting(self.metrics)
        self.repeats = Repeats(clock.monotonic)
        self.unkept: frozenset[str] = frozenset()
        """Features whose contents are not kept, whatever `settings` say."""

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`."""
        span = _Span(self, exchange)
        exchange.observer = self
        # The outermost stage registers first, and what is registered first runs last: everything is known by then.
        exchange.on_close(span.close)
        try:
            reply = await proceed(exchange)
        except GatewayError as error:
            span.refused = error
            raise
        return span.watch(reply)

    def attempt_opened(self, exchange: Exchange, attempt: Attempt) -> None:
        """See `Observer`."""
        self.journal.tell_later(partial(self._tell_of, exchange, attempt))

    def _tell_of(self, exchange: Exchange, attempt: Attempt) -> None:
        body = exchange.body
        words = self.keeps(exchange)
        earlier: tuple[AttemptRow, ...] = ()
        earlier_bills: tuple[Bill, ...] = ()
        if attempt.number > 1:
            past = [one for one in exchange.attempts if one.number < attempt.number]
            now = self.now()
            earlier = tuple([_so_far(exchange, one, now, words=words) for one in past])
            earlier_bills = tuple(bill_of(one) for one in past)
        self.journal.append(
            Opened(
                open_request(exchange, self.config_hash(), words=words),
                leaving_attempt(exchange, attempt),
                bill_of(attempt),
                len(body),
                None if earlier or not words else self.body(exchange.dialect.name, body),
                earlier,
                earlier_bills,
            )
        )

    def attempt_closed(self, exchange: Exchange, attempt: Attempt) -> None:
        """See `Observer`. Nothing is written: the next attempt's entry, or the request's last, tells of this one."""

    def keeps(self, exchange: Exchange) -> bool:
        """Are the prompt and the answer of this one kept, and what others say about them?"""
        unkept = self.unkept
        if not unkept or not self.settings.content:
            return self.settings.content
        feature, model = exchange.feature, exchange.peek.model
        # Whoever is refused early asked for a feature by name, and nobody has looked it up; of what cannot be read nobody knows.
        return bool(feature or model) and feature not in unkept and model not in unkept

    def body(self, kind: str, data: bytes) -> Body | None:
        """A prompt or answer as it is kept, where `keeps` says that it is; None if there is nothing of it."""
        if not data:
            return None
        size = len(data)
        limit = self.settings.content_limit
        return Body(kind, data if size <= limit else data[:limit], size)


class _Span:
    """One request on its way."""

    __slots__ = (
        "_answer",
        "_begun_at",
        "_ended_at",
        "_exchange",
        "_known",
        "_nanos",
        "_record",
        "_reply",
        "bytes_out",
        "finished",
        "refused",
    )

    def __init__(self, record: Record, exchange: Exchange) -> None:
        self._record = record
        self._exchange = exchange
        self._reply: Reply | None = None
        self._answer: AnswerBuilder | None = None
        self._ended_at = 0.0
        self._begun_at = 0.0
        """When a stream that no attempt has made was there."""
        self._known: tuple[tuple[AttemptRow, ...], Sequence[int | None]] | None = None
        self._nanos: int | None = None
        """What was told that it costs."""
        self.finished = True
        self.bytes_out = 0
        self.refused: GatewayError | None = None

    def watch(self, reply: Reply) -> Reply:
        """The same reply; if it is a stream, one that is listened to as it passes."""
        self._reply = reply
        if reply.frames is not None:
            self._answer = AnswerBuilder()
            self.finished = False
            if not self._exchange.attempts:
                self._begun_at = self._record.now()
            # Not `with_frames`: nothing is edited, so bytes may go on passing untouched.
            reply.frames = _Listening(self, reply.frames, self._answer)
            self._exchange.trailer = self._trailer
        else:
            if reply.body is not None:
                self.bytes_out = len(reply.body)
            cost = self._cost()
            if cost is not None:
                self._exchange.reply_headers.append((b"x-headgate-cost-usd", cost.encode()))
        return reply

    def _cost(self) -> str | None:
        """USD of all attempts with a usage, as far as it is known now; what the record says later is final."""
        exchange, cost = self._exchange, self._record.pricer.cost
        total: int | None = None
        for one in exchange.attempts:
            if one.usage is not None:
                nanos = cost(
                    one.endpoint, one.usage, when_ns=exchange.started_ns, reported_model=one.reported_model
                )
                if nanos is None:
                    return None
                total = nanos if total is None else total + nanos
        self._nanos = total
        return None if total is None else f"{total // NANOS_PER_USD}.{total % NANOS_PER_USD:09d}"

    def _trailer(self) -> bytes:
        """Headers are gone when a stream knows its cost: an SSE comment says it, which every client passes over."""
        exchange = self._exchange
        answering = exchange.answering
        said: dict[str, object] = {}
        if answering is not None and answering.usage is not None:
            said = {"cost_usd": self._cost(), "usage": _usage_of(exchange)}
        if exchange.degraded:
            # The head was gone before, if the caller was kept waiting with comments.
            said["degraded"] = exchange.degraded
        if "resumed" in exchange.notes:
            said["resumed"] = exchange.notes["resumed"]
        return b": headgate %b\n\n" % _json(said) if said else b""

    def close(self) -> None:
        """The request is over."""
        record, exchange = self._record, self._exchange
        self._ended_at = record.now()
        if exchange.purse is not None and exchange.attempts:
            # Not later: what limits give back at the end of a request goes to Redis in the same round trip.
            self._settle(exchange.purse, self._attempts(self._end()[1])[1])
        record.journal.tell_later(self._tell)

    def _end(self) -> tuple[GatewayError | None, Outcome]:
        """What was the matter, if anything, and how it ended."""
        exchange = self._exchange
        error = exchange.error or self.refused
        hung_up = exchange.hung_up or (not self.finished and error is None)
        if error is None and self._reply is None and not hung_up:
            error = InternalFault("the request ended without an answer and without an error")
        return error, outcome_of(error, hung_up=hung_up)

    def _attempts(self, outcome: Outcome) -> tuple[tuple[AttemptRow, ...], Sequence[int | None]]:
        """The rows of the attempts, and what each cost; made once."""
        if self._known is None:
            now, attempts = self._ended_at, self._exchange.attempts
            rows = tuple([self._ended(one, now, hung_up=outcome == "hung_up") for one in attempts])
            self._known = rows, self._costs(rows)
        return self._known

    def _tell(self) -> None:
        record, exchange = self._record, self._exchange
        error, outcome = self._end()
        words = record.keeps(exchange)
        rows: tuple[AttemptRow, ...] = ()
        bills: tuple[Bill, ...] = ()
        costs: Sequence[int | None] = ()
        body: Body | None = None
        reply: Body | None = None
        if exchange.attempts:
            rows, costs = self._attempts(outcome)
            bills = tuple([bill_of(one) for one in exchange.attempts])
        elif words and exchange.caller is not None:
            # A stranger's body is not kept: it would let anybody fill the disk.
            body = record.body(exchange.dialect.name, exchange.body)
        request = closed_request(
            exchange,
            rows,
            config_hash=record.config_hash(),
            status=self._status(error, outcome),
            outcome=outcome,
            error=error,
            ended_at=self._ended_at,
            bytes_out=exchange.bytes_out or self.bytes_out,
            words=words,
            begun_at=self._begun_at,
        )
        if words:
            reply = self._content()
        if exchange.cache in GIVEN:
            body = record.repeats.named(body) if body is not None else None
            reply = record.repeats.named(reply) if reply is not None else None
        record.journal.append(Closed(request, rows, bills, body, reply))
        record.counting.add(exchange, request, rows, costs)

    def _costs(self, rows: Sequence[AttemptRow]) -> list[int | None]:
        """Nano-dollars of each attempt, None without a price: what the writer will make of the same row."""
        exchange, cost = self._exchange, self._record.pricer.cost
        if len(rows) == 1 and self._nanos is not None and exchange.attempts[0].complete:
            return [self._nanos]
        found: list[int | None] = []
        for one, row in zip(exchange.attempts, rows, strict=True):
            nanos = row.cost_nanos
            if nanos is None:
                nanos = cost(
                    one.endpoint,
                    usage_of(row),
                    when_ns=exchange.started_ns,
                    reported_model=one.reported_model,
                )
            found.append(nanos)
        return found

    def _settle(self, purse: Purse, costs: Sequence[int | None]) -> None:
        """Tell who pays what each attempt has cost."""
        for one, nanos in zip(self._exchange.attempts, costs, strict=True):
            if not one.settled:
                one.settled = True
                # Nobody knows the price: then as much as was set aside counts as spent.
                purse.settle(one, one.reserved_nanos if nanos is None else nanos)

    def _ended(self, attempt: Attempt, now: float, *, hung_up: bool) -> AttemptRow:
        answering = self._exchange.answering
        last = attempt is (answering or self._exchange.attempts[-1])
        # Words of the degrade ladder are nobody's tokens.
        own = last and (answering is not None or not self._exchange.degraded)
        return ended_attempt(
            self._exchange,
            attempt,
            ended_at=now,
            # What was read to its end after the caller had gone has ended well.
            hung_up=hung_up
            and attempt.error is None
            and attempt.finish_reason is None
            and not attempt.abandoned,
            completion=self._completion_of(attempt) if own and not attempt.complete else None,
            words=self._record.keeps(self._exchange),
        )

    def _completion_of(self, attempt: Attempt) -> tuple[int, int] | None:
        """What of the answer is this attempt's, in tokens: one that went on where another broke off said only the rest."""
        said = self._completion()
        if said is None or attempt.kind != "resume":
            return said
        heard = self._exchange.notes.get("resumed", "")
        if heard.rfind("(restart)") > heard.rfind("(continuation)"):
            return said  # it has said all of it again
        others = (one for one in self._exchange.attempts if one is not attempt and not one.abandoned)
        before = sum(one.seen_completion for one in others)
        return max(said[0] - before, 0), said[1]

    def _status(self, error: GatewayError | None, outcome: str) -> int:
        if outcome == "hung_up":
            return _HUNG_UP_STATUS
        if self._exchange.status != _OK:
            return self._exchange.status  # a dialect may say an error with a status of its own
        if self._reply is not None:
            return self._reply.status  # what came later could not change it
        return error.status if error is not None else 0

    def _completion(self) -> tuple[int, int] | None:
        if self._answer is not None:
            return tokens_of_answer(self._answer.answer())
        reply = self._reply
        if reply is None:
            return None
        try:
            answer = reply.answer
        except UpstreamMalformed:
            # Its bytes have passed, and are no answer to us. Whatever they are, they were made, and the request has an end.
            return tokens_of_bytes(reply.body or b""), 0
        return None if answer is None else tokens_of_answer(answer)

    def _content(self) -> Body | None:
        """The answer, where contents are kept."""
        reply = self._reply
        record, exchange = self._record, self._exchange
        if reply is None:
            return None
        if exchange.dialect.operation == "embeddings" and not record.settings.vectors:
            return None
        if self._answer is not None:
            return record.body(_CANONICAL, _json(self._answer.answer()))
        if reply.body is not None:
            return record.body(reply.wire or _CANONICAL, reply.body)
        return None if reply.answer is None else record.body(_CANONICAL, _json(reply.answer))


def _so_far(exchange: Exchange, attempt: Attempt, now: float, *, words: bool) -> AttemptRow:
    """How an attempt stands while another is about to leave: told if nothing follows."""
    row = ended_attempt(exchange, attempt, ended_at=now, hung_up=False, completion=None, words=words)
    if attempt.pots and not attempt.ended_at and not attempt.settled:
        # It is under way beside the other: if we die now, as much may be owed as was set aside.
        return replace(row, outcome="cut_off", cost_nanos=attempt.reserved_nanos, cost_label="estimated")
    return row


def _usage_of(exchange: Exchange) -> Usage | None:
    """What all attempts used, as far as they said."""
    used = [attempt.usage for attempt in exchange.attempts if attempt.usage is not None]
    if len(used) < 2:
        return used[0] if used else None
    return Usage(**{name: sum(getattr(one, name) for one in used) for name in Usage.__struct_fields__})


class _Listening:
    """The frames of a stream, unchanged, listened to as they pass.

    No generator: one that was never begun would swallow `aclose`, and the provider's stream would stay open."""

    __slots__ = ("_answer", "_frames", "_next", "_span")

    def __init__(self, span: _Span, frames: AsyncIterator[Frame], answer: AnswerBuilder) -> None:
        self._span = span
        self._frames = frames
        self._next = frames.__anext__
        self._answer = answer

    def __aiter__(self) -> _Listening:
        return self

    async def __anext__(self) -> Frame:
        try:
            frame = await self._next()
        except StopAsyncIteration:
            self._span.finished = True
            raise
        except GatewayError as error:
            self._span.refused = error
            raise
        self._take(frame)
        return frame

    def _take(self, frame: Frame) -> None:
        for event in frame.events:
            self._answer.add(event)
        if frame.data is not None:
            self._span.bytes_out += len(frame.data)

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `Pumped`."""
        frames = self._frames
        if not isinstance(frames, Pumped):
            return await pump_one(self, deliver)

        answer = self._answer
        waiting, words = answer.waiting, answer.words

        def listen(frame: Frame) -> bool:
            # Many at a time cost a fraction of one by one, between which everything else has run.
            said = frame.words
            if said is not None:
                words.append(said)
            else:
                if words:
                    answer.fold()
                waiting.extend(frame.events)
            if len(words) >= _AT_A_TIME or len(waiting) >= _AT_A_TIME:
                answer.fold()
            return deliver(frame)

        answer.fold()

        try:
            self._span.finished = await frames.pump(listen)
        except GatewayError as error:
            self._span.refused = error
            raise
        finally:
            answer.fold()
        return self._span.finished

    async def aclose(self) -> None:
        """Hang up on the provider, if there is more to come."""
        close = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()
