"""Record: the outermost stage. On the way down it asks to be told of every attempt and of the end; that is all.

Each attempt that is about to leave is appended to the journal, and the end of the request is, whatever the end was:
answered, refused, failed, hung up, cancelled. What the journal holds the writer moves to the database (`writer.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, InternalFault, UpstreamMalformed
from headgate.core.events import AnswerBuilder
from headgate.core.money import NANOS_PER_USD
from headgate.core.usage import Usage
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.purse import Purse
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.records.attempts import Ended, ended_attempt, leaving_attempt, outcome_of
from headgate.records.counting import Counting
from headgate.records.entries import CLOSED, OPENED, Plain
from headgate.records.estimate import tokens_of_answer, tokens_of_bytes
from headgate.records.journal import Journal, Teller
from headgate.records.listening import Hearer, Listening
from headgate.records.places import Places
from headgate.records.pricing import Pricer
from headgate.records.repeats import Repeats
from headgate.records.rows import closed_request, open_request
from headgate.records.settings import RecordSettings
from headgate.stores.spans import GIVEN, AttemptRow, Outcome
from headgate.telemetry.metrics import Metrics

__all__ = ["Record"]

_OK: Final = 200
_HUNG_UP_STATUS: Final = 499
_CANONICAL: Final = "canonical"
_OUTCOME: Final = AttemptRow.__struct_fields__.index("outcome")
_COST: Final = AttemptRow.__struct_fields__.index("cost_nanos")
_LABEL: Final = AttemptRow.__struct_fields__.index("cost_label")

_json: Final = msgspec.json.encode
_given: Final = GIVEN


class Record:
    """See `Stage` and `Observer`."""

    def __init__(
        self,
        journal: Journal,
        pricer: Pricer,
        settings: RecordSettings,
        config_hash: str,
        clock: Clock,
        metrics: Metrics | None = None,
    ) -> None:
        """config_hash: as the attribute. clock: the one the exchange's times are from. metrics: where
        requests are counted; None: for nobody to see."""
        self.journal = journal
        self.pricer = pricer
        self.content = settings.content
        self.content_limit: int = settings.content_limit
        self.vectors = settings.vectors
        self.config_hash = config_hash
        """Names the configuration that serves now."""
        self.now = clock.monotonic
        self.metrics = metrics or Metrics()
        self.counting = Counting(self.metrics)
        self.places = Places()
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
        self.journal.tell_later(_Leaving(self, exchange, attempt))

    def attempt_closed(self, exchange: Exchange, attempt: Attempt) -> None:
        """See `Observer`. Nothing is written: the next attempt's entry, or the request's last, tells of this one."""

    def keeps(self, exchange: Exchange) -> bool:
        """Are the prompt and the answer of this one kept, and what others say about them?"""
        unkept = self.unkept
        if not unkept or not self.content:
            return self.content
        feature, model = exchange.feature, exchange.peek.model
        # Whoever is refused early asked for a feature by name, and nobody has looked it up; of what cannot be read nobody knows.
        return bool(feature or model) and feature not in unkept and model not in unkept

    def body(self, kind: str, data: bytes, *, again: bool = False) -> Plain | None:
        """A prompt or answer as it is kept (a `Body`), where `keeps` says that it is; None if there is nothing of it. again: it may
        have been written a moment ago."""
        if not data:
            return None
        size = len(data)
        limit = self.content_limit
        if size > limit:
            data = data[:limit]
        return self.repeats.named(kind, data, size) if again else [kind, data, size]


class _Leaving(Teller):
    """A call that is about to leave, to be told of as an `Opened`."""

    __slots__ = ("_attempt", "_exchange", "_record")

    def __init__(self, record: Record, exchange: Exchange, attempt: Attempt) -> None:
        self._record = record
        self._exchange = exchange
        self._attempt = attempt

    def tell(self) -> None:
        """See `Teller`."""
        record, exchange, attempt = self._record, self._exchange, self._attempt
        place = record.places.of(attempt.endpoint)
        words = record.keeps(exchange)
        entry: Plain = [
            OPENED,
            open_request(exchange, record.config_hash, words=words),
            leaving_attempt(exchange, attempt, place),
            place.bill(attempt),
            len(exchange.body),
        ]
        if attempt.number > 1:
            past = [one for one in exchange.attempts if one.number < attempt.number]
            entry += [
                None,
                self._so_far(past, words=words),
                [record.places.of(one.endpoint).bill(one) for one in past],
            ]
        elif words:
            entry.append(record.body(exchange.dialect.name, exchange.body))
        record.journal.append(entry)

    def _so_far(self, attempts: Sequence[Attempt], *, words: bool) -> list[Plain]:
        """How those before it stand, while this one is about to leave: told if nothing follows."""
        now = self._record.now()
        rows: list[Plain] = []
        for one in attempts:
            place = self._record.places.of(one.endpoint)
            row = ended_attempt(
                self._exchange, one, place, ended_at=now, hung_up=False, completion=None, words=words
            ).row
            if one.pots and not one.ended_at and not one.settled:
                # It is under way beside the other: if we die now, as much may be owed as was set aside.
                row[_OUTCOME], row[_COST], row[_LABEL] = "cut_off", one.reserved_nanos, "estimated"
            rows.append(row)
        return rows


class _Span(Hearer):
    """One request on its way."""

    __slots__ = (
        "_answer",
        "_begun_at",
        "_ended_at",
        "_exchange",
        "_nanos",
        "_over",
        "_paid",
        "_record",
        "_reply",
    )

    def __init__(self, record: Record, exchange: Exchange) -> None:
        super().__init__()
        self._record = record
        self._exchange = exchange
        self._reply: Reply | None = None
        self._answer: AnswerBuilder | None = None
        self._ended_at = 0.0
        self._begun_at = 0.0
        """When a stream that no attempt has made was there."""
        self._over: list[Ended] | None = None
        self._paid: list[int | None] = []
        """Nano-dollars of each attempt, None without a price: what the writer will make of the same row."""
        self._nanos: int | None = None
        """What was told that it costs."""

    def watch(self, reply: Reply) -> Reply:
        """The same reply; if it is a stream, one that is listened to as it passes."""
        self._reply = reply
        if reply.frames is not None:
            self._answer = AnswerBuilder()
            self.finished = False
            if not self._exchange.attempts:
                self._begun_at = self._record.now()
            # Not `with_frames`: nothing is edited, so bytes may go on passing untouched.
            reply.frames = Listening(self, reply.frames, self._answer)
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
        exchange, pricer = self._exchange, self._record.pricer
        total: int | None = None
        for one in exchange.attempts:
            if one.usage is not None:
                nanos = pricer.cost(
                    one.endpoint, one.usage, when_ns=exchange.started_ns, reported_model=one.reported_model
                )
                if nanos is None:
                    return None
                total = nanos if total is None else total + nanos
        self._nanos = total
        if total is None:
            return None
        # With a 1 before them, for their zeros: a format costs more than the price does.
        rest = str(NANOS_PER_USD + total % NANOS_PER_USD)[1:]
        return f"0.{rest}" if total < NANOS_PER_USD else f"{total // NANOS_PER_USD}.{rest}"

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
            self._attempts(self._end()[1])
            self._settle(exchange.purse)
        record.journal.tell_later(self)

    def _end(self) -> tuple[GatewayError | None, Outcome]:
        """What was the matter, if anything, and how it ended."""
        exchange = self._exchange
        error = exchange.error or self.refused
        hung_up = exchange.hung_up or (not self.finished and error is None)
        if error is None and self._reply is None and not hung_up:
            error = InternalFault("the request ended without an answer and without an error")
        return error, outcome_of(error, hung_up=hung_up)

    def _attempts(self, outcome: Outcome) -> list[Ended]:
        """The attempts, and by the way what each cost; made once."""
        if self._over is None:
            now, exchange = self._ended_at, self._exchange
            hung_up, words = outcome == "hung_up", self._record.keeps(exchange)
            self._over = [self._ended(one, now, hung_up=hung_up, words=words) for one in exchange.attempts]
            self._paid = self._costs(self._over)
        return self._over

    def tell(self) -> None:
        """See `Teller`."""
        record, exchange = self._record, self._exchange
        error, outcome = self._end()
        words = record.keeps(exchange)
        again = exchange.cache in _given
        attempts: list[Ended] = []
        body: Plain | None = None
        if exchange.attempts:
            attempts = self._attempts(outcome)
        elif words and exchange.caller is not None:
            # A stranger's body is not kept: it would let anybody fill the disk.
            body = record.body(exchange.dialect.name, exchange.body, again=again)
        request = closed_request(
            exchange,
            attempts,
            config_hash=record.config_hash,
            status=self._status(error, outcome),
            outcome=outcome,
            error=error,
            ended_at=self._ended_at,
            bytes_out=exchange.bytes_out or self.bytes_out,
            words=words,
            begun_at=self._begun_at,
        )
        entry: Plain = [
            CLOSED,
            request.row,
            [one.row for one in attempts],
            [one.place.bill(one.attempt) for one in attempts],
            body,
            self._content(again=again) if words else None,
        ]
        record.journal.append(entry)
        record.counting.add(exchange, request, attempts, self._paid)

    def _costs(self, attempts: list[Ended]) -> list[int | None]:
        """Nano-dollars of each attempt, None without a price: what the writer will make of the same row."""
        if len(attempts) == 1 and self._nanos is not None and attempts[0].attempt.complete:
            return [self._nanos]
        exchange, pricer = self._exchange, self._record.pricer
        found: list[int | None] = []
        for each in attempts:
            nanos, one = each.nanos, each.attempt
            if nanos is None:
                nanos = pricer.cost(
                    one.endpoint,
                    _used(each),
                    when_ns=exchange.started_ns,
                    reported_model=one.reported_model,
                )
            found.append(nanos)
        return found

    def _settle(self, purse: Purse) -> None:
        """Tell who pays what each attempt has cost."""
        for at, one in enumerate(self._exchange.attempts):
            if not one.settled:
                one.settled = True
                nanos = self._paid[at]
                # Nobody knows the price: then as much as was set aside counts as spent.
                purse.settle(one, one.reserved_nanos if nanos is None else nanos)

    def _ended(self, attempt: Attempt, now: float, *, hung_up: bool, words: bool) -> Ended:
        exchange = self._exchange
        answering = exchange.answering
        last = attempt is (answering or exchange.attempts[-1])
        # Words of the degrade ladder are nobody's tokens.
        own = last and (answering is not None or not exchange.degraded)
        return ended_attempt(
            exchange,
            attempt,
            self._record.places.of(attempt.endpoint),
            ended_at=now,
            # What was read to its end after the caller had gone has ended well.
            hung_up=hung_up
            and attempt.error is None
            and attempt.finish_reason is None
            and not attempt.abandoned,
            completion=self._completion_of(attempt) if own and not attempt.complete else None,
            words=words,
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

    def _content(self, *, again: bool) -> Plain | None:
        """The answer, where contents are kept. again: as `Record.body` has it."""
        reply = self._reply
        record, exchange = self._record, self._exchange
        if reply is None:
            return None
        if not record.vectors and exchange.dialect.operation == "embeddings":
            return None
        if self._answer is not None:
            return record.body(_CANONICAL, _json(self._answer.answer()), again=again)
        if reply.body is not None:
            return record.body(reply.wire or _CANONICAL, reply.body, again=again)
        return None if reply.answer is None else record.body(_CANONICAL, _json(reply.answer), again=again)


def _used(ended: Ended) -> Usage:
    input_, cache_read, cache_write, cache_write_1h, output, reasoning = ended.tokens
    return Usage(
        input=input_,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=cache_write_1h,
        output=output,
        reasoning=reasoning,
    )


def _usage_of(exchange: Exchange) -> Usage | None:
    """What all attempts used, as far as they said."""
    used = [attempt.usage for attempt in exchange.attempts if attempt.usage is not None]
    if len(used) < 2:
        return used[0] if used else None
    return Usage(**{name: sum(getattr(one, name) for one in used) for name in Usage.__struct_fields__})
