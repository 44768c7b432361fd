"""The canonical conversation: what every dialect is read into and every provider's wire is written from.

A canonical middle grows as a sum (dialects + wires), a translator per pair as a product. The types hold what at least
two vendors can express; whatever only one knows stays in `extra`, keyed by its own field name and byte-exact, so that
it survives as long as the request stays within that vendor's family (`extra_wire` says which).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headgate.core.usage import Usage

__all__ = [
    "Answer",
    "ChatRequest",
    "Choice",
    "EmbeddingsReply",
    "EmbeddingsRequest",
    "File",
    "Image",
    "Message",
    "ModelCard",
    "ModelList",
    "Opaque",
    "Operation",
    "Part",
    "ResponseFormat",
    "Role",
    "StopReason",
    "Text",
    "Thinking",
    "TokenCount",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
]

Operation = Literal["chat", "embeddings", "count_tokens", "models"]
Role = Literal["user", "assistant"]
"""A system prompt is `ChatRequest.system`; a tool's answer is a `ToolResult` in a user message, as a turn of the user's side."""

StopReason = Literal[
    "end", "max_tokens", "stop_sequence", "tool_use", "content_filter", "pause", "context_exceeded", "other"
]

Extra = dict[str, msgspec.Raw]


class _Part(msgspec.Struct, kw_only=True, omit_defaults=True):
    extra: Extra = {}
    """Fields of this part that only its own vendor knows, such as Anthropic's `cache_control`."""


class Text(_Part, tag="text"):
    text: str


class Image(_Part, tag="image"):
    """A picture: either `url`, or `data` (base64) with its `media_type`."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""


class File(_Part, tag="file"):
    """A document (mostly PDF): `url`, `data` (base64) with `media_type`, or a vendor's `file_id`."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    file_id: str = ""
    name: str = ""


class Thinking(_Part, tag="thinking"):
    """The model's reasoning. `signature` lets its own vendor check it on the next turn; `redacted` is ciphertext."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


class ToolCall(_Part, tag="tool_call"):
    """The model asks for a tool. `arguments` is JSON as text, exactly as the model wrote it (it may be broken)."""

    id: str
    name: str
    arguments: str = "{}"


class ToolResult(_Part, tag="tool_result"):
    """A tool's answer to the call `call_id`."""

    call_id: str
    content: list[Text | Image | File | Opaque]
    name: str = ""
    """The tool's name, which some vendors want and others do not send; "" if unknown."""
    is_error: bool = False


class Opaque(_Part, tag="opaque"):
    """A part only one vendor's wire knows (server tools, citations, audio …): its JSON, byte-exact, and that wire's name."""

    wire: str
    raw: msgspec.Raw


Part = Text | Image | File | Thinking | ToolCall | ToolResult | Opaque


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One turn. Two neighbours may have the same role; wires that forbid it join them."""

    role: Role
    parts: list[Part]
    extra: Extra = {}


class Tool(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A function the model may call; `schema` is the JSON Schema of its arguments, byte-exact."""

    name: str
    description: str = ""
    schema: msgspec.Raw = msgspec.Raw(b"{}")
    strict: bool | None = None
    opaque: msgspec.Raw = msgspec.Raw(b"")
    """A vendor's own tool (web search, code execution …): its whole JSON; `name` is then its type."""
    extra: Extra = {}


class ToolChoice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """mode: auto, none, any (some tool) or one (the tool `name`)."""

    mode: Literal["auto", "none", "any", "one"]
    name: str = ""
    parallel: bool | None = None
    """May the model call several tools at once? None: the vendor's default."""


class ResponseFormat(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer must be JSON; with `schema`, JSON of that shape."""

    schema: msgspec.Raw = msgspec.Raw(b"")
    """JSON Schema, byte-exact; empty for "any JSON object"."""
    name: str = "answer"
    description: str = ""
    strict: bool | None = None


class ChatRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request for an answer. None means the caller said nothing, so nothing is sent."""

    model: str
    """As the caller asked; the wire is told the routed name apart."""
    messages: list[Message]
    system: list[Text | Opaque] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    choices: int = 1
    """How many answers are wanted (OpenAI's `n`)."""
    response_format: ResponseFormat | None = None
    thinking_budget: int | None = None
    """Tokens the model may spend on reasoning; 0 switches it off. None: not said."""
    effort: str = ""
    """minimal, low, medium, high …: reasoning effort, where it is said in words."""
    stream: bool = False
    include_usage: bool = False
    """The caller asked for usage at the end of the stream (OpenAI's `stream_options`)."""
    user: str = ""
    metadata: dict[str, Any] = {}
    extra: Extra = {}
    """Every other top-level field, byte-exact, under its own name."""
    extra_wire: str = ""
    """The wire family whose names `extra` uses, such as `openai.chat`."""
    native_only: str = ""
    """The field in `extra` because of which no other wire can carry the request, such as `previous_response_id`."""


class Choice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of the answers asked for; mostly the only one."""

    parts: list[Part] = []
    stop_reason: StopReason | None = None
    stop_sequence: str = ""
    extra: Extra = {}


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A complete answer, whole or folded from a stream."""

    id: str = ""
    """The provider's own id of the answer."""
    model: str = ""
    """The reported model."""
    choices: list[Choice] = []
    usage: Usage | None = None
    """None: the provider did not say."""
    created: int = 0
    """Unix seconds; 0 if not said."""
    fingerprint: str = ""
    """What the provider says of the system that answered; "" if it says nothing."""
    extra: Extra = {}
    extra_wire: str = ""

    @property
    def text(self) -> str:
        """The text of the first choice, joined."""
        parts = self.choices[0].parts if self.choices else []
        return "".join(part.text for part in parts if isinstance(part, Text))


class EmbeddingsRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Texts (or token ids) to turn into vectors."""

    model: str
    inputs: list[str] | list[list[int]]
    dimensions: int | None = None
    encoding: Literal["float", "base64"] = "float"
    """How the caller wants vectors: JSON numbers, or base64 of little-endian float32."""
    user: str = ""
    extra: Extra = {}


class EmbeddingsReply(msgspec.Struct, kw_only=True, omit_defaults=True):
    vectors: list[list[float]]
    model: str = ""
    usage: Usage | None = None
    encoding: Literal["float", "base64"] = "float"
    """How the caller wants them written; whoever has the request at hand sets it."""


class TokenCount(msgspec.Struct, kw_only=True):
    """How many tokens a request would send. `exact`: counted by the provider; else our own estimate."""

    input_tokens: int
    exact: bool


class ModelCard(msgspec.Struct, kw_only=True):
    id: str
    owned_by: str
    """`headgate` for features and models of the configuration, the provider's name for its own models."""
    created: int = 0
    display_name: str = ""


class ModelList(msgspec.Struct, kw_only=True):
    models: list[ModelCard]
