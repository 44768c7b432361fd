"""What the gateway asks of a provider: a Wire to speak, an Adapter that addresses the call, an Upstream that carries it.

A wire is pure (bytes in, canonical out, and back). An adapter knows one vendor: paths, credentials, which wires.
An upstream moves bytes and knows neither. `Endpoint` ties them to one model in one region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

from headgate.core.errors import GatewayError
from headgate.core.frame import Frame
from headgate.core.messages import (
    Answer,
    ChatRequest,
    EmbeddingsReply,
    EmbeddingsRequest,
    Operation,
    StopReason,
    TokenCount,
)
from headgate.core.usage import Usage
from headgate.providers.headers import Headers
from headgate.providers.health.health import Health
from headgate.providers.optional import Limiting, Marking, Marks, Relaying

__all__ = [
    "ABILITIES",
    "Adapter",
    "Call",
    "Endpoint",
    "Glimpse",
    "Headers",
    "Limiting",
    "Marking",
    "Marks",
    "Relaying",
    "Reply",
    "StreamDecoder",
    "Timeouts",
    "Upstream",
    "UpstreamReply",
    "UpstreamRequest",
    "Url",
    "Wire",
]


ABILITIES = ("tools", "images", "files", "json", "thinking", "prefill", "embeddings")
"""What an endpoint may be unable to do. prefill: go on with an answer somebody else has begun."""


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http(s) URL, taken apart once."""

    scheme: str
    host: str
    port: int
    target: bytes
    """Path and query as sent on the request line."""

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises ValueError for anything but an absolute http or https URL with a host."""
        parts = urlsplit(text)
        # A space or a control character would end up in the request line.
        plain = text.isprintable() and " " not in text
        if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"`{text}` is not an absolute http:// or https:// URL")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(
            parts.scheme,
            parts.hostname,
            parts.port or (443 if parts.scheme == "https" else 80),
            target.encode(),
        )

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections are pooled by."""
        return (self.scheme, self.host, self.port)


class UpstreamRequest:
    """One HTTP request, complete but for host, content-length, connection and accept-encoding, which the upstream adds."""

    __slots__ = ("body", "call", "headers", "method", "url", "withheld")

    def __init__(
        self,
        method: str,
        url: Url,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes = b"",
        call: Call | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        """A tuple if they are the same for many requests: what is made of it may be kept."""
        self.body = body
        self.call = call
        """What it says, for whoever carries it and is not to read it; None for a probe."""
        self.withheld = False
        """Set by whoever carries it: it never left Headgate, so nobody can have worked on it or bill it."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Deadlines of one call, in seconds, by phase."""

    connect: float = 5.0
    """Name, TCP, TLS and proxy, and waiting for a free connection."""
    headers: float = 60.0
    """Request written to reply head complete."""
    first_content: float = 60.0
    """Request written to the first content; judged by dispatch, which knows content when it sees it."""
    between: float = 60.0
    """The longest silence inside a reply's body."""
    total: float = 600.0
    """Everything."""


class UpstreamReply(Protocol):
    """A reply whose head has come. Whoever holds it reads it to the end or calls `close`."""

    status: int
    headers: Headers
    connected_at: float
    """`time.monotonic()` when a new connection stood; 0.0 on a reused one."""
    sent_at: float
    first_byte_at: float
    between: float
    """Seconds of silence allowed before the next piece; starts as `Timeouts.between`, may be set before each `chunk`."""
    whole: bytes | None
    """The entire decoded body, if it came together with the head: looking here saves a wait. None: read it.

    Looking takes nothing: `chunk` and `read` still hand the same bytes out, once, to a reader who does not look."""

    async def chunk(self) -> bytes:
        """All decoded bytes that came since the last call, waiting for some; b"" at the end. Raises TransportFault."""
        ...

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises UpstreamMalformed over `limit` bytes, TransportFault if it breaks off."""
        ...

    def close(self) -> None:
        """Let go. An unfinished reply costs its connection; a finished one has returned it already. Idempotent."""
        ...


class Upstream(Protocol):
    """Carries requests to one provider."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        """The reply, once its head is complete. Raises TransportFault.

        The bytes leave at the end of the current turn of the event loop, after everything scheduled in it before:
        what was recorded before the call is on disk before the provider can see it.
        Cancelled: the connection is closed, and no slot is lost."""
        ...

    async def aclose(self) -> None: ...


class StreamDecoder(Protocol):
    """Reads one streamed answer. Pieces may be cut anywhere, inside a character too."""

    def feed(self, data: bytes) -> Frame | None:
        """The complete events in what has come so far, as one frame; None if there is none yet.

        Raises UpstreamMalformed for bytes that are not this wire. A vendor's error event becomes a `Failure` event."""
        ...

    def finish(self) -> Frame | None:
        """The body has ended: what was still held, with `End` if the wire has no mark of its own.

        Raises UpstreamCut when the answer has not reached its end."""
        ...


class Glimpse:
    """What is to be known of a whole answer whose bytes pass."""

    __slots__ = ("fingerprint", "model", "stop_reason", "usage")

    def __init__(
        self, model: str, usage: Usage | None, stop_reason: StopReason | None, fingerprint: str
    ) -> None:
        self.model = model
        self.usage = usage
        self.stop_reason = stop_reason
        """Of the first choice."""
        self.fingerprint = fingerprint


Reply = Answer | EmbeddingsReply | TokenCount


class Wire(Protocol):
    """One upstream wire format: pure, stateless, shared by all vendors that speak it."""

    name: str
    """`openai.chat`, `openai.responses`, `openai.embeddings`, `anthropic.messages`, `gemini`, `bedrock.converse` …"""

    def encode(self, request: ChatRequest | EmbeddingsRequest, model: str) -> bytes:
        """The body that asks for `request` of `model`. Raises UnsupportedRequest for what the wire cannot say."""
        ...

    def splice(self, body: bytes, model: str, *, stream: bool = True) -> bytes:
        """The caller's own body, in this very wire, with only the model's name replaced (and, where the wire needs to
        be asked for usage, that request added). All else stays byte for byte. stream: False where it is known that the
        body asks for none, so that nobody has to look."""
        ...

    def decode(self, body: bytes) -> Reply:
        """A whole answer. Raises UpstreamMalformed."""
        ...

    def glance(self, body: bytes) -> Reply | Glimpse:
        """As `decode`, for a body that will pass untouched: less than all of it may be read. Raises as `decode` does."""
        ...

    def decoder(self, *, hide_usage: bool = False) -> StreamDecoder:
        """A decoder for one stream. hide_usage: drop the event that carries usage from the passed bytes, because
        `splice` asked for it and the caller did not."""
        ...

    def decode_error(self, status: int, headers: Headers, body: bytes) -> GatewayError:
        """The error behind a reply that is not 2xx, body possibly not of this wire at all (HTML from a proxy)."""
        ...


class Call:
    """One call as dispatch wants it made."""

    __slots__ = ("body", "feature", "headers", "model", "operation", "stream", "wire")

    def __init__(
        self,
        operation: Operation,
        wire: str,
        model: str,
        body: bytes,
        stream: bool,
        headers: Sequence[tuple[bytes, bytes]] = (),
        feature: str = "",
    ) -> None:
        self.operation = operation
        self.wire = wire
        """Name of the wire `body` is in."""
        self.model = model
        """The provider's name of the model."""
        self.body = body
        self.stream = stream
        self.headers = headers
        """The caller's headers, names in lower case; an adapter passes on those it has on its list and no others."""
        self.feature = feature
        """On whose behalf it is made, if that is a feature."""


class Adapter(Protocol):
    """One vendor: where to call, how to sign, which wires it speaks."""

    kind: ClassVar[str]

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:
        """The wire for this operation: the caller's own if the vendor speaks it, so that bytes can pass; else the
        vendor's best. None: the vendor cannot do it."""
        ...

    def request(self, call: Call) -> UpstreamRequest:
        """Address and sign the call. Raises ProviderAuthFailed if there are no credentials."""
        ...

    def probe(self) -> UpstreamRequest:
        """A cheap request that shows that address and credentials work (mostly: list the models)."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place a model can be reached."""

    provider: str
    """Its name in the configuration."""
    model: str
    """The provider's name of the model."""
    adapter: Adapter
    upstream: Upstream
    region: str = ""
    self_hosted: bool = False
    price_key: str = ""
    """Under which provider the price list knows the model: the vendor, not our name of it; "" if not listed."""
    own_price: object | None = field(default=None, compare=False)
    credential: str = ""
    """Which key of the provider's pool this is, such as `key 2`; "" if it has only one."""
    weight: float = 1.0
    """Its share of the traffic, beside the other endpoints of its model, where the model is spread by weight."""
    priority: int = 0
    """Its tier: one of a higher number is asked only when those of lower ones cannot."""
    context: int = 0
    """Tokens that prompt and answer may have together; 0: not known."""
    lacks: frozenset[str] = frozenset()
    """What it cannot do, of `ABILITIES`."""
    health: Health = field(default_factory=Health, compare=False)
    """What is known of it now; shared by all who know the endpoint, kept when the configuration changes."""

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"
