"""Sends a recorded request again: an exchange of its own, which takes the whole journey and is read to its end.

It keeps what rules go by: user, session, feature, tags, and whose request it was. It is paid for, limited and recorded as whoever
sends it again; `purpose` is `replay`, and `replay_of` says of what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError, InternalFault, ShuttingDown
from headgate.core.events import AnswerBuilder
from headgate.core.ids import IdSource, request_id_text, trace_id
from headgate.core.messages import Answer
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed
from headgate.quality.replay.changing import Changes, changed_body
from headgate.quality.replay.planning import answer_bound
from headgate.quality.replay.rebuilding import Original

__all__ = ["PURPOSE", "Replayer", "Sent"]

PURPOSE = "replay"
"""What the record of a replay says it was for."""
_LONGEST_LABEL = 256

log = logging.getLogger("headgate.replay")


@dataclass(slots=True)
class Sent:
    """What came of sending a request again; its record has the figures."""

    id: int
    answer: Answer | None = None
    """What was said, as far as it came; None: nothing came."""
    error: GatewayError | None = None
    notes: dict[str, str] = field(default_factory=dict)


class Replayer:
    """Makes exchanges of recorded requests, and sends them."""

    def __init__(
        self, proceed: Proceed, ids: IdSource, clock: Clock, dialects: Mapping[str, tuple[str, Dialect]]
    ) -> None:
        """proceed: the journey of a replay, which knows its caller already. dialects: name -> (path, dialect)."""
        self._proceed = proceed
        self._ids = ids
        self._clock = clock
        self._dialects = dialects

    def exchange(self, original: Original, changes: Changes, caller: Caller) -> Exchange:
        """The request, ready to be sent. Raises ChangeRefused, and InvalidRequest or MalformedBody for what is no request of its
        dialect any more."""
        row = original.row
        path, dialect = self._dialects[row.dialect]
        body = changed_body(row.dialect, original.body, changes)
        exchange = Exchange(
            id=self._ids.next(),
            dialect=dialect,
            body=body,
            # The caller's headers are not kept. What rules go by is on record otherwise.
            headers=[],
            received_at=self._clock.monotonic(),
            started_ns=self._clock.wall_ns(),
            path=path,
        )
        exchange.peek = dialect.peek(body)
        if body is not original.body:
            # Refused now, not by the provider: it was the change that broke it.
            exchange.request  # noqa: B018 - reads it
        exchange.purpose, exchange.replay_of = PURPOSE, row.id
        if changes.model and changes.model != row.requested_model:
            # What rules say of the name that was asked for goes on holding.
            exchange.asked = row.requested_model
        exchange.caller = caller
        exchange.asked_by = Caller(key_id=row.key_id, team=row.team, tenant=row.tenant)
        exchange.user, exchange.session, exchange.feature = row.user, row.session, row.feature
        exchange.tags = {**original.tags, "replay_of": request_id_text(row.id)}
        if changes.prompt:
            exchange.tags["prompt"] = changes.prompt[:_LONGEST_LABEL]
        elif changes.system is not None:
            # Another prompt, whose name nobody said.
            exchange.tags.pop("prompt", None)
        elif row.prompt:
            exchange.prompt = row.prompt
            exchange.variables = original.variables
        trace = row.trace_id if len(row.trace_id) == 32 else trace_id(row.id)
        exchange.trace_parent = f"00-{trace}-{row.id:016x}-01"
        return exchange

    def bound(self, exchange: Exchange, original: Original) -> None:
        """Give its answer a limit if it has none: a cap holds only over answers that end."""
        if exchange.dialect.operation == "chat" and exchange.peek.max_tokens is None:
            exchange.limit_answer(answer_bound(original.row, None))

    async def send(self, exchange: Exchange) -> Sent:
        """The answer, read to its end; however it ends, the record says so. Cancelled, it is recorded as given up."""
        sent = Sent(exchange.id)
        heard = AnswerBuilder()
        try:
            reply = exchange.reply = await self._proceed(exchange)
            if reply.frames is None:
                sent.answer = _whole(reply)
            else:
                try:
                    async for frame in reply.frames:
                        for event in frame.events:
                            heard.add(event)
                finally:
                    sent.answer = heard.answer()
                    await reply.frames.aclose()  # type: ignore[attr-defined]
        except GatewayError as error:
            sent.error = exchange.error = exchange.error or error
        except asyncio.CancelledError:
            exchange.error = ShuttingDown("this replay was given up before it was answered")
            raise
        except Exception as bug:
            log.exception("replay %s failed inside Headgate", request_id_text(exchange.id))
            sent.error = exchange.error = InternalFault(
                "a replay failed inside Headgate", detail=repr(bug)[:500]
            )
        finally:
            if exchange.error is not None:
                exchange.status = exchange.error.status
            pending = exchange.close()
            if pending is not None:
                await asyncio.shield(pending)
        sent.notes = exchange.notes
        return sent


def _whole(reply: Reply) -> Answer | None:
    answer = reply.answer
    return answer if isinstance(answer, Answer) else None
