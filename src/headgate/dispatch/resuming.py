"""A stream that breaks off after content was sent, and is finished by another attempt instead of ending in an error.

Two ways, in this order. Continuation: a target that goes on with an answer somebody else has begun is asked with what
was said as the beginning. Restart: the request is sent again, and the new answer is held back until it has come to where
the other one broke off. If neither works, the caller learns of the first error: what went wrong while mending it is on
the attempts, and in the note `not_resumed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from headgate.core.errors import GatewayError, ProviderFault
from headgate.core.events import End, Event, TextDelta, ThinkingDelta, ToolCallDelta, UsageReport
from headgate.core.frame import Frame
from headgate.core.messages import ChatRequest
from headgate.core.tokens import estimate_tokens
from headgate.core.usage import Usage
from headgate.dispatch.attempting import NoPlace
from headgate.dispatch.rejoin import Diverged
from headgate.dispatch.retelling import Retelling, Told
from headgate.dispatch.ways import Way, Ways
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.pumping import Pumped, pump_one
from headgate.providers.port import Endpoint

__all__ = ["Open", "Resuming", "Stream"]

_MAX_NOTE = 500
_FIELDS = tuple(Usage.__struct_fields__)


class Stream(Protocol):
    """As much of a `StreamedAnswer` as is needed here."""

    attempt: Attempt

    async def __anext__(self) -> Frame: ...

    async def aclose(self) -> None: ...


Open = Callable[[Endpoint, ChatRequest | None], Awaitable[Stream]]
"""Makes an attempt of kind `resume` at the endpoint, up to its first content, within what is left of the request's time.
The request to ask; None: the caller's own. Raises GatewayError, NoPlace."""


class Resuming:
    """The frames of an answer, told by one attempt or by several as if it had been one. They carry events only.

    No generator: one that was never begun would swallow `aclose`, and the provider's stream would stay open."""

    def __init__(
        self, exchange: Exchange, first: Stream, targets: Sequence[Endpoint], open_: Open, *, most: int = 2
    ) -> None:
        """targets: where the answer may be finished, best first; may hold the endpoint of `first`. most: streams that may
        be opened to finish it; as many refusals come on top."""
        self._exchange = exchange
        self._stream = first
        self._ways = Ways(targets, most)
        self._open = open_
        self._told = Told()
        self._retelling: Retelling | None = None
        """None: the first stream still runs."""
        self._way: Way | None = None
        self._error: GatewayError | None = None
        """The first one."""
        self._unmarked = False
        """Has the current attempt not told the caller anything yet?"""
        self._heard: list[str] = []
        """What the current attempt has said, told or not; empty while the first stream runs: that is all told."""
        self._usage: Usage | None = None
        """As the current attempt has reported it so far."""
        self._used: list[Usage] = []
        self._over = False

    def __aiter__(self) -> Resuming:
        return self

    async def __anext__(self) -> Frame:
        """The next frame. Raises the first error, if the answer cannot be finished."""
        while not self._over:
            try:
                frame = await self._stream.__anext__()
                events = self._news(frame.events)
            except StopAsyncIteration:
                events = await self._ended()
            except Diverged as difference:
                await self._give_up(str(difference))
                await self._go_on()
                continue
            except GatewayError as error:
                events = await self._broke(error)
            if events:
                return Frame(None, events)
        raise StopAsyncIteration

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `exchange.reply.Pumped`. As long as nothing breaks, frames come by call; what is mended is asked for."""
        stream = self._stream
        if self._over:
            return True
        if self._retelling is not None or not isinstance(stream, Pumped):
            return await pump_one(self, deliver)
        try:
            ended = await stream.pump(lambda frame: deliver(Frame(None, self._news(frame.events))))
        except GatewayError as error:
            events = await self._broke(error)
            if events and not deliver(Frame(None, events)):
                return False
            return await pump_one(self, deliver)
        if ended:
            self._over = True
        return ended

    async def aclose(self) -> None:
        """Hang up on whoever is talking. Idempotent."""
        self._over = True
        await self._stream.aclose()

    def _news(self, events: Sequence[Event]) -> Sequence[Event]:
        """What the caller is to be told after these. Raises Diverged."""
        retelling = self._retelling
        if retelling is None:
            for event in events:
                if type(event) is UsageReport:
                    self._usage = event.usage
            self._told.note(events)
            return events
        told: list[Event] = []
        for event in events:
            if type(event) is UsageReport:
                # Told at the end, with what the other attempts used.
                self._usage = event.usage
                continue
            self._hear(event)
            news = retelling.feed(event)
            if type(event) is End:
                told += [*news[:-1], *self._bill(), event]
            else:
                told += news
        if told:
            if self._unmarked:
                self._mark()
            self._told.note(told)
        return told

    def _mark(self) -> None:
        """From here on it is the current attempt that the caller hears."""
        assert self._way is not None
        self._unmarked = False
        self._exchange.answering = self._stream.attempt
        name = self._way.endpoint.name
        so_far = len(self._told.everything)
        self._note("resumed", f"after {so_far} characters on {name} ({self._way.kind})")

    def _hear(self, event: Event) -> None:
        if isinstance(event, TextDelta | ThinkingDelta):
            self._heard.append(event.text)
        elif isinstance(event, ToolCallDelta):
            self._heard.append(event.arguments)

    def _bill(self) -> list[Event]:
        used = self._used if self._usage is None else [*self._used, self._usage]
        if not used:
            return []
        return [UsageReport(usage=Usage(*[sum(getattr(one, name) for one in used) for name in _FIELDS]))]

    async def _ended(self) -> Sequence[Event]:
        """The stream is over, in good order."""
        if self._retelling is not None and not self._retelling.joined:
            await self._give_up("the new answer ended before it came to the place")
            await self._go_on()
            return ()
        self._over = True
        return ()

    async def _broke(self, error: GatewayError) -> Sequence[Event]:
        """The stream broke off. Raises the first error if nothing can be done."""
        self._error = self._error or error
        attempt = self._stream.attempt
        self._close_account(attempt)
        told = self._told
        if told.stopped:
            # All was told, and why it ended; only the mark after it is missing.
            self._over = True
            self._note("resumed", f"nothing was missing after {len(told.everything)} characters")
            return () if told.ended else [*(self._bill() if self._retelling else ()), End()]
        if not isinstance(error, ProviderFault) or error.fault != "provider":
            raise self._failed(f"{attempt.endpoint.name}: {error.code}")
        self._ways.broke_off(attempt.endpoint, error)
        await self._go_on()
        return ()

    async def _give_up(self, reason: str) -> None:
        """Let go of an attempt whose answer cannot be joined: nobody's failure."""
        stream, way = self._stream, self._way
        assert way is not None
        stream.attempt.abandoned = True
        self._close_account(stream.attempt)
        self._ways.did_not_fit(way)
        self._note("not_resumed", f"{way.kind} on {way.endpoint.name}: {reason}")
        await stream.aclose()

    async def _go_on(self) -> None:
        """Have the answer finished by another attempt. Raises the first error, if there is no way left."""
        exchange = self._exchange
        while (way := self._next_way()) is not None:
            answering = exchange.answering
            try:
                stream = await self._open(way.endpoint, way.request)
            except (GatewayError, NoPlace) as error:
                reason = error.code if isinstance(error, GatewayError) else "takes no call now"
                self._note("not_resumed", f"{way.kind} on {way.endpoint.name}: {reason}")
                self._ways.refused(way, error)
            else:
                # It answers once its words reach the caller, not before.
                exchange.answering = answering
                self._ways.opened()
                self._stream, self._way, self._unmarked = stream, way, True
                self._retelling = Retelling(self._told, way.joint)
                if self._over:
                    await stream.aclose()
                return
        raise self._failed("no way was left")

    def _failed(self, reason: str) -> GatewayError:
        self._over = True
        self._note("not_resumed", reason)
        assert self._error is not None
        return self._error

    def _next_way(self) -> Way | None:
        told, exchange = self._told, self._exchange
        if exchange.hung_up or self._over:
            return None
        try:
            request = exchange.request
        except GatewayError:
            return None  # its bytes passed, and say nothing to us
        if not isinstance(request, ChatRequest) or request.choices > 1:
            return None
        if told.strange:
            self._note("not_resumed", f"there was {told.strange}")
            return None
        return self._ways.next(request, told)

    def _close_account(self, attempt: Attempt) -> None:
        """An attempt is over that will report no usage any more."""
        if self._usage is not None:
            self._used.append(self._usage)
            self._usage = None
        said = "".join(self._heard) if self._retelling else self._told.everything
        attempt.seen_completion = estimate_tokens(said.encode("utf-8", "surrogatepass"))
        self._heard = []

    def _note(self, name: str, text: str) -> None:
        """Add to a note of the exchange."""
        notes = self._exchange.notes
        so_far = notes.get(name)
        notes[name] = (f"{so_far}; {text}" if so_far else text)[:_MAX_NOTE]
