"""A whole response, read into an Answer; and the words both whole and streamed replies share."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Extra, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.providers.wires.openai_errors import is_error_body, stream_refusal
from headgate.providers.wires.openai_responses.request import MARK, NAME
from headgate.providers.wires.openai_usage import TokenCount, UnixTime, disjoint

__all__ = [
    "Item",
    "Response",
    "parts_of",
    "read_head",
    "read_item",
    "read_response",
    "refused",
    "stop_of",
    "usage_of",
]

_INCOMPLETE: dict[str, StopReason] = {"max_output_tokens": "max_tokens", "content_filter": "content_filter"}
"""From `incomplete_details.reason`; a word not listed means "other"."""

_FAILED = frozenset({"failed", "cancelled"})
_READ_FIELDS = (
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "model",
    "output",
    "usage",
)
_ECHOED_FIELDS = ("instructions", "prompt", "tools")
"""The request said once more, words of the prompt included: part of no answer, and of no record of one."""


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: TokenCount | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None = None
    total_tokens: TokenCount | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct):
    """The response object, as far as it is read."""

    id: str | None = None
    model: str | None = None
    created_at: UnixTime | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    output: list[msgspec.Raw] | None = None
    usage: _Usage | None = None


class _Summary(msgspec.Struct, gc=False):
    text: str | None = None


class Item(msgspec.Struct):
    """One item of `output`: a message, a function call, reasoning, or a kind that stays opaque."""

    type: str = ""
    content: list[msgspec.Raw] | None = None
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    summary: list[_Summary] | None = None
    encrypted_content: str | None = None


_RESPONSE = msgspec.json.Decoder(Response)
_ITEM = msgspec.json.Decoder(Item)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_response(body: bytes) -> Answer:
    """The answer a whole reply holds.

    Raises UpstreamMalformed for anything else, ProviderRefusal for a response that failed."""
    response, extra = read_head(body)
    if response.output is None:
        if is_error_body(body):
            raise stream_refusal(NAME, body)
        raise UpstreamMalformed(detail=f"a response without output: {body[:120]!r}")
    if response.status in _FAILED:
        raise refused(body)
    parts = [part for raw in response.output for part in parts_of(raw)]
    called = any(isinstance(part, ToolCall) for part in parts)
    return Answer(
        id=response.id or "",
        model=response.model or "",
        created=int(response.created_at or 0),
        choices=[Choice(parts=parts, stop_reason=stop_of(response, called=called))],
        usage=usage_of(response),
        extra=extra,
        extra_wire=NAME,
    )


def read_head(data: bytes | msgspec.Raw) -> tuple[Response, Extra]:
    """The response object, and the fields of it that nobody else reads. Raises UpstreamMalformed."""
    try:
        response = _RESPONSE.decode(data)
        extra = _FIELDS.decode(data)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(detail=f"no response object ({error}): {bytes(data)[:120]!r}") from None
    for name in (*_READ_FIELDS, *_ECHOED_FIELDS):
        extra.pop(name, None)
    return response, extra


def refused(response: bytes) -> Exception:
    """The error of a response whose status is failed or cancelled."""
    return stream_refusal(NAME, response)


def stop_of(response: Response, *, called: bool) -> StopReason | None:
    """Why the answer ended; None while it has not (a response in the background)."""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details is not None else None
        return _INCOMPLETE.get(reason or "", "other")
    if response.status in (None, "completed"):
        return "tool_use" if called else "end"
    return None


def usage_of(response: Response) -> Usage | None:
    """The buckets; None if the provider counted nothing."""
    said = response.usage
    if said is None or (said.input_tokens is None and said.output_tokens is None):
        return None
    read, written = said.input_tokens_details, said.output_tokens_details
    return disjoint(
        prompt=said.input_tokens or 0,
        completion=said.output_tokens or 0,
        cached=(read.cached_tokens or 0) if read is not None else 0,
        written=(read.cache_write_tokens or 0) if read is not None else 0,
        reasoning=(written.reasoning_tokens or 0) if written is not None else 0,
        total=said.total_tokens,
    )


def read_item(raw: bytes | msgspec.Raw) -> Item | None:
    """An output item; None if it is of a shape only its own kind has."""
    try:
        return _ITEM.decode(raw)
    except (ValueError, RecursionError):
        return None


def parts_of(raw: msgspec.Raw) -> list[Part]:
    """An output item as canonical parts; kinds we have no word for stay as they are."""
    item = read_item(raw)
    if item is not None:
        if item.type == "message":
            return [_content_part(content) for content in item.content or ()]
        if item.type == "function_call":
            call_id = item.call_id or item.id or ""
            return [ToolCall(id=call_id, name=item.name or "", arguments=item.arguments or "")]
        if item.type == "reasoning":
            return [_thinking(item)]
    return [Opaque(wire=NAME, raw=raw)]


def _thinking(item: Item) -> Thinking:
    texts = [part.text for part in item.summary or () if part.text]
    if not texts:
        # Open models say the reasoning itself, not a summary of it.
        texts = [part.text for part in map(_content_part, item.content or ()) if isinstance(part, Text)]
    extra = {"id": msgspec.Raw(msgspec.json.encode(item.id))} if item.id else {}
    signature = MARK + item.encrypted_content if item.encrypted_content else ""
    return Thinking(text="\n\n".join(texts), signature=signature, extra=extra)


class _Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None


_CONTENT = msgspec.json.Decoder(_Content)


def _content_part(raw: msgspec.Raw) -> Text | Opaque:
    try:
        content = _CONTENT.decode(raw)
    except (ValueError, RecursionError):
        return Opaque(wire=NAME, raw=raw)
    if content.type in ("output_text", "reasoning_text") and content.text is not None:
        if content.annotations:
            return Text(text=content.text, extra={"annotations": _FIELDS.decode(raw)["annotations"]})
        return Text(text=content.text)
    if content.type == "refusal" and content.refusal is not None:
        return Text(text=content.refusal)
    return Opaque(wire=NAME, raw=raw)
