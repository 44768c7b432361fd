"""All that is known of one request so far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from headgate.core.messages import ChatRequest, EmbeddingsRequest
from headgate.core.tokens import tokens_of_body
from headgate.exchange.dialect import Dialect
from headgate.exchange.heard import Heard, Pairs, heard_of
from headgate.exchange.peek import Peek

if TYPE_CHECKING:
    from headgate.core.errors import GatewayError
    from headgate.exchange.attempt import Attempt
    from headgate.exchange.caller import Caller
    from headgate.exchange.purse import Purse
    from headgate.exchange.reply import Reply
    from headgate.providers.port import Endpoint
    from headgate.providers.prefixes import Prefix

__all__ = ["Exchange", "Observer"]

CLOSE_SECONDS = 10.0
"""How long one thing that must be closed may take: a slow goodbye must not keep the rest open."""


_NO_RESERVES: Mapping[str, Sequence[Endpoint]] = MappingProxyType({})


def _limited(request: ChatRequest | EmbeddingsRequest, most: int | None) -> ChatRequest | EmbeddingsRequest:
    if most is None or not isinstance(request, ChatRequest):
        return request
    return replace(request, max_tokens=most)


class Observer(Protocol):
    """Whoever writes things down (the record stage). Called by dispatch; never waits."""

    def attempt_opened(self, exchange: Exchange, attempt: Attempt) -> None:
        """A call is about to leave. What this writes is on disk before the provider can see the call."""
        ...

    def attempt_closed(self, exchange: Exchange, attempt: Attempt) -> None:
        """The call is over, whatever its end."""
        ...


class Exchange:
    """One request and everything stages have found out about it. Created by the edge, passed down the journey.

    A stage may read everything and set the fields of its own subject. What must happen at the end, whatever the end
    (finished, refused, hung up, cancelled), is handed to `on_close`.
    """

    __slots__ = (
        "_body_tokens",
        "_closers",
        "_failures",
        "_headers",
        "_heard",
        "_request",
        "answer_limit",
        "answering",
        "asked",
        "asked_by",
        "attempts",
        "avoided_nanos",
        "avoided_us",
        "body",
        "bytes_out",
        "cache",
        "caller",
        "candidates",
        "confined",
        "deadline",
        "degraded",
        "dialect",
        "edited",
        "error",
        "feature",
        "grant",
        "hung_up",
        "id",
        "index_version",
        "notes",
        "observer",
        "origin_id",
        "path",
        "peek",
        "preferred",
        "prefix",
        "prompt",
        "purpose",
        "purse",
        "queued_seconds",
        "received_at",
        "replay_of",
        "reply",
        "reply_headers",
        "reserves",
        "route_as",
        "routed_model",
        "session",
        "similarity",
        "started_ns",
        "status",
        "tags",
        "tier",
        "trace_parent",
        "trailer",
        "unreadable",
        "user",
        "variables",
    )

    def __init__(  # noqa: PLR0915 - a line per field
        self,
        *,
        id: int,  # noqa: A002
        dialect: Dialect,
        body: bytes,
        headers: Pairs,
        received_at: float,
        started_ns: int,
        path: str = "",
        heard: Heard | None = None,
    ) -> None:
        """received_at: `time.monotonic()` when the request's head had come; started_ns: the same moment on the wall. heard: what
        the headers say, if somebody has gone through them."""
        self.id = id
        self.dialect = dialect
        self.body = body
        """As the caller sent it. After `edit` it is stale: read `request`."""
        self._headers = headers
        self._heard = heard
        self.path = path
        self.received_at = received_at
        self.started_ns = started_ns
        self.peek = Peek()
        self.caller: Caller | None = None
        self.user = ""
        self.session = ""
        self.feature = ""
        self.tags: dict[str, str] = {}
        self.trace_parent = ""
        """The caller's W3C traceparent, if it sent a valid one."""
        self.candidates: Sequence[Endpoint] = ()
        """Where the request may go, best first."""
        self.preferred: Sequence[Endpoint] = ()
        """Where the model that was chosen is reached; who else answers does so in its place."""
        self.prefix: Prefix | None = None
        """How the prompt begins, where that matters to providers' prompt caches; see `prefix_of`."""
        self.reserves: Mapping[str, Sequence[Endpoint]] = _NO_RESERVES
        """Where the models of the degrade ladder may be reached, by the ladder's name of them; the same rules hold."""
        self.route_as = ""
        """The model that serves it in place of the one asked for; "": the route decides."""
        self.grant: asyncio.Task[None] | None = None
        """A stage's consent that is still on its way; see `granted`."""
        self.purse: Purse | None = None
        """Who pays for its attempts; None: no budget is about it."""
        self.tier = ""
        """simple, medium or complex, where the route depends on difficulty. Set before routing, it is the caller's wish."""
        self.purpose = ""
        """"" for a caller's own request; `shadow` for a copy of one, and so on: who else may have caused it."""
        self.replay_of = 0
        """The recorded request that this one repeats; 0 if it repeats none."""
        self.prompt = ""
        """Name and version of the prompt that was used, such as `greeting@7`; "" if the caller sent its own."""
        self.variables: dict[str, str] = {}
        """What the prompt's variables were filled with."""
        self.index_version = ""
        """Of the retrieval index that the answer may rest on; "" if it rests on none."""
        self.cache = ""
        """How memory has answered, see `RequestRow.cache`."""
        self.origin_id = 0
        """The request whose answer this one gets; 0: it gets its own."""
        self.avoided_nanos = 0
        """What that answer had cost, which is not paid again."""
        self.avoided_us = 0
        """How much longer that answer took when it was made."""
        self.similarity = 0.0
        """How sure it is, 0 to 1, that the question is the same, where words are not equal."""
        self.asked = ""
        """The name that the caller asked for, where this is a copy for another model; "": `peek.model` is."""
        self.asked_by: Caller | None = None
        """Whose request it was, where somebody else repeats it: rules on where data may go are about them; None: `caller`'s."""
        self.confined = False
        """Rules keep the request to certain places: no service that is not the operator's own may be told of it."""
        self.degraded = ""
        """The rung of the degrade ladder that answered, such as `say` or `model:small`; "" if a model of the route did."""
        self.routed_model = ""
        """The model of our configuration that was chosen; the provider's name of it is on the attempt."""
        self.unreadable: GatewayError | None = None
        """Why the edge could not make sense of the request; stage Accept refuses it."""
        self.attempts: list[Attempt] = []
        self.deadline = 0.0
        """The moment (`time.monotonic()`) when the whole request has to be over; 0.0 until dispatch has it."""
        self.answering: Attempt | None = None
        """The attempt whose answer the caller gets; None as long as none does."""
        self.observer: Observer | None = None
        self.queued_seconds = 0.0
        self.edited = False
        """Has a stage changed the request, so that the caller's bytes no longer say it?"""
        self.answer_limit: int | None = None
        """See `limit_answer`."""
        self.reply: Reply | None = None
        self.reply_headers: list[tuple[bytes, bytes]] = []
        """Headers that stages add to the reply."""
        self.notes: dict[str, str] = {}
        """Decisions worth recording, by name, in words."""
        self.hung_up = False
        """The caller has gone. Nothing is retried for them; what is under way is drained for its usage, within bounds."""
        self.trailer: Callable[[], bytes] | None = None
        """Called after a stream's last frame: an SSE comment that tells the caller what is known only then, such as cost."""
        self.status = 200
        """HTTP status sent to the caller."""
        self.bytes_out = 0
        """Length of the body sent to the caller."""
        self.error: GatewayError | None = None
        """How it ended, if not well; set by whoever saw the end last (dispatch, edge)."""
        self._body_tokens = -1
        self._request: ChatRequest | EmbeddingsRequest | None = None
        self._closers: list[Callable[[], Awaitable[None] | None]] = []
        self._failures: list[Exception] = []

    @property
    def headers(self) -> Pairs:
        """The request's, in their order, names in lower case."""
        return self._headers

    @headers.setter
    def headers(self, headers: Pairs) -> None:
        self._headers = headers
        self._heard = None

    @property
    def heard(self) -> Heard:
        """What the headers say that every request is asked for."""
        heard = self._heard
        if heard is None:
            heard = self._heard = heard_of(self._headers)
        return heard

    @property
    def request(self) -> ChatRequest | EmbeddingsRequest:
        """The request in canonical form, read from the body when first asked for. Raises MalformedBody, InvalidRequest.

        To change it, call `edit`: changing it in place alone does not reach the provider."""
        if self._request is None:
            self._request = _limited(self.dialect.read(self.body), self.answer_limit)
        return self._request

    @property
    def body_tokens(self) -> int:
        """Prompt tokens of the body as it came, estimated when first asked for."""
        if self._body_tokens < 0:
            self._body_tokens = tokens_of_body(self.body)
        return self._body_tokens

    def edit(self, request: ChatRequest | EmbeddingsRequest) -> None:
        """From here on, this is the request: it will be encoded afresh for the provider."""
        self._request = request
        self.edited = True

    def limit_answer(self, most: int) -> None:
        """The answer may have so many tokens. For a request that does not say it itself: the rest of it stays as the caller
        wrote it, so this is no edit, and its bytes can still pass."""
        self.peek.max_tokens = self.answer_limit = most
        if self._request is not None:
            self._request = _limited(self._request, most)

    def header(self, name: bytes) -> str:
        """The first value of a request header (lower-case name), or ""."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return ""

    async def granted(self) -> None:
        """Wait for the consent that a stage has asked for and not waited for. Whoever answers the request, or is about to let
        something leave for it, calls this first. Raises what the stage refuses with."""
        if self.grant is not None:
            # Who waits may be one attempt of several: its end is not the end of the question.
            await asyncio.shield(self.grant)

    def on_close(self, closer: Callable[[], Awaitable[None] | None]) -> None:
        """Call `closer` when the exchange is over: after the last byte or the hang-up. Last registered runs first."""
        self._closers.append(closer)

    def waited_seconds(self) -> float:
        """Time spent waiting for providers so far, all attempts together: not our own doing. Two side by side count once."""
        waited = until = 0.0
        for attempt in self.attempts:
            began = attempt.sent_at or attempt.started_at
            ended = attempt.ended_at or attempt.first_content_at
            waited += max(ended - max(began, until), 0.0)
            until = max(until, ended)
        return waited

    def close(self) -> Awaitable[None] | None:
        """Run what `on_close` collected, each once, also when one of them fails.

        None: all is done. Otherwise something must be waited for: await the result, shielded from cancellation; each
        wait is bounded. Raises, or the awaitable does, an ExceptionGroup of what failed, after the rest has run."""
        closers, failures = self._closers, self._failures
        while closers:
            try:
                pending = closers.pop()()
            except Exception as failure:  # noqa: BLE001 - collected, and raised together below
                failures.append(failure)
            else:
                if pending is not None:
                    return self._close_waiting(pending)
        if failures:
            raise ExceptionGroup("closing an exchange", failures)
        return None

    def hand_over(self) -> Callable[[], Awaitable[None] | None]:
        """For a closer, the first to run: somebody goes on with the call that this request has made. What is left to be closed, the
        record among it, is closed when they call the result, which is as `close` is."""
        rest = self._closers[:]
        # In place: `close` is looking at this list.
        self._closers.clear()

        def close() -> Awaitable[None] | None:
            self._closers[:0] = rest
            rest.clear()
            return self.close()

        return close

    async def _close_waiting(self, pending: Awaitable[None]) -> None:
        following: Awaitable[None] | None = pending
        while following is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await following
            except Exception as failure:  # noqa: BLE001 - as above
                self._failures.append(failure)
            following = self.close()
