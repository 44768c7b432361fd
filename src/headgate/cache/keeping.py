"""What is good enough to be given again, and the entry that is made of it.

Only what is complete, meant as an answer, and in the form that was asked for: nothing broken off, cut by a length, filtered, refused,
degraded, or made of two models' halves. It is looked at after the caller has its last byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from headgate.cache.identity import Identity
from headgate.cache.policy import CachePolicy
from headgate.core.messages import (
    Answer,
    ChatRequest,
    Choice,
    EmbeddingsReply,
    EmbeddingsRequest,
    Text,
    Thinking,
    TokenCount,
    ToolCall,
)
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import CacheEntry

__all__ = ["MOST_ANSWER", "WhyNotFitting", "entry_of", "why_not_kept", "why_not_shared", "why_not_told"]

MOST_ANSWER = 1_000_000
"""Bytes of an answer that is kept."""
_MOST_REQUEST = 64_000
"""Bytes of a request that is kept, to be asked again ahead of time."""
_GOOD = ("end", "stop_sequence")
_MORE = "there is more to it than can be told in every dialect"
_UNTOLD = frozenset({"logprobs", "top_logprobs", "audio", "modalities", "web_search_options"})
"""What is asked for with these is no part of an answer in canonical form."""
_NOTHING = (b"", b"null", b"false", b"0", b"[]", b'["text"]')

WhyNotFitting = Callable[[Sequence[tuple[bytes, str]]], str]
"""As `schemas.Schemas.why_not`."""

_json = msgspec.json.Encoder(order="deterministic").encode


def why_not_told(
    request: ChatRequest | EmbeddingsRequest, *, why_never_fitting: Callable[[bytes], str] = lambda _: ""
) -> str:
    """Why answers to such a request cannot be told again, whatever they are; "" if they can. why_never_fitting: JSON Schema -> why none
    can be held against it, as far as that is known."""
    for name in request.extra.keys() & _UNTOLD:
        if bytes(request.extra[name]).replace(b" ", b"") not in _NOTHING:
            return f"`{name}` asks for more than can be told again"
    if isinstance(request, ChatRequest) and request.native_only:
        return f"`{request.native_only}` is answered from what the provider remembers"
    if isinstance(request, ChatRequest) and request.response_format is not None:
        return why_never_fitting(bytes(request.response_format.schema))
    return ""


def why_not_kept(
    exchange: Exchange,
    answer: LocalReply,
    identity: Identity,
    policy: CachePolicy,
    *,
    personal: Callable[[Answer], str],
    why_not_fitting: WhyNotFitting,
) -> str:
    """Why this answer is not given again; "" if it may be. personal: what personal data is in it, in words.

    Raises MalformedBody, InvalidRequest, as reading the request does."""
    if exchange.error is not None or exchange.degraded:
        return "no model of the route has answered it well"
    if "resumed" in exchange.notes:
        return "it was put together from two answers"
    if isinstance(answer, TokenCount):
        return "" if answer.exact else "the tokens are only estimated"
    if isinstance(answer, EmbeddingsReply):
        request = exchange.request
        whole = isinstance(request, EmbeddingsRequest) and len(answer.vectors) == len(request.inputs)
        return "" if answer.vectors and whole else "vectors are missing"
    if not isinstance(answer, Answer):
        return "it is no answer of a model"
    request = exchange.request
    if not isinstance(request, ChatRequest):
        return "it is no answer to this request"
    why = _why_not_whole(answer, request, policy) or _why_not_formed(answer, request, why_not_fitting)
    if why:
        return why
    if not identity.named and (found := personal(answer)):
        return f"it holds personal data ({found}), and others share what is kept"
    return ""


def why_not_shared(answer: LocalReply, *, personal: Callable[[Answer], str]) -> str:
    """Why this answer is told to nobody but the user who has asked for it; "" if others who have asked the same may hear it."""
    if not isinstance(answer, Answer):
        return ""
    for choice in answer.choices:
        if choice.extra or not all(isinstance(part, Text | Thinking | ToolCall) for part in choice.parts):
            return "there is more to it than is looked through"
    return personal(answer)


def _why_not_whole(answer: Answer, request: ChatRequest, policy: CachePolicy) -> str:
    if len(answer.choices) < max(request.choices, 1):
        return "choices are missing"
    good = (*_GOOD, "tool_use") if "tools" in policy.settings.let else _GOOD
    for choice in answer.choices:
        if choice.stop_reason not in good:
            return f"it ended with `{choice.stop_reason or 'nothing'}`"
        for part in choice.parts:
            if isinstance(part, ToolCall):
                if "tools" not in policy.settings.let:
                    return "it calls a tool"
            elif not isinstance(part, Text | Thinking):
                return _MORE
        if not any(isinstance(part, ToolCall) or _says(part) for part in choice.parts):
            return "it is empty"
        if choice.extra:
            return "the model refused" if "refusal" in choice.extra else _MORE
    return ""


def _says(part: object) -> bool:
    return isinstance(part, Text) and bool(part.text.strip())


def _why_not_formed(answer: Answer, request: ChatRequest, why_not_fitting: WhyNotFitting) -> str:
    """The text, where a form was asked for, and what tools are told has to be JSON of the caller's schema."""
    wanted = request.response_format
    tools = {tool.name: bytes(tool.schema) for tool in request.tools if not bytes(tool.opaque)}
    formed: list[tuple[bytes, str]] = []
    for choice in answer.choices:
        calls = [part for part in choice.parts if isinstance(part, ToolCall)]
        for call in calls:
            # A vendor's own tool has a form that only the vendor knows.
            if call.name not in tools and len(tools) == len(request.tools):
                return "it calls a tool that it was not offered"
            formed.append((tools.get(call.name, b""), call.arguments))
        text = _text(choice)
        if wanted is not None and (text or not calls):
            formed.append((bytes(wanted.schema), text))
    return why_not_fitting(formed) if formed else ""


def _text(choice: Choice) -> str:
    return "".join(part.text for part in choice.parts if isinstance(part, Text))


def entry_of(
    exchange: Exchange,
    answer: LocalReply,
    identity: Identity,
    policy: CachePolicy,
    *,
    now_ns: int,
    seconds: float,
    cost_nanos: int,
    took_us: int,
    vector: bytes = b"",
    embedder: str = "",
) -> CacheEntry | None:
    """The entry to be kept; None if it is too large. seconds: how long it is given without more ado."""
    content = _json(answer)
    if len(content) > MOST_ANSWER:
        return None
    request = _json(exchange.request)
    settings = policy.settings
    longest = max(min(seconds, policy.longest), 0.0)
    after = max(settings.stale, settings.if_error)
    reported = exchange.answering.reported_model if exchange.answering is not None else ""
    operation = exchange.dialect.operation
    assert operation != "models"
    return CacheEntry(
        key=identity.key,
        compat=identity.compat,
        tenant=identity.tenant,
        feature=policy.feature,
        scope=identity.scope,
        owner=identity.owner,
        user=exchange.user or exchange.peek.user[:256],
        operation=operation,
        model=exchange.routed_model or policy.model,
        reported_model=reported or getattr(answer, "model", ""),
        prompt=exchange.prompt or exchange.tags.get("prompt", ""),
        tags=dict(exchange.tags),
        question=identity.question,
        answer=content,
        origin_id=exchange.id,
        made_ns=now_ns,
        fresh_ns=now_ns + int(longest * 1e9),
        until_ns=now_ns + int(min(longest + after, policy.longest) * 1e9),
        cost_nanos=cost_nanos,
        took_us=took_us,
        vector=vector,
        embedder=embedder if vector else "",
        request=request if len(request) <= _MOST_REQUEST else b"",
        dialect=exchange.dialect.name,
        durable=policy.durable,
    )
