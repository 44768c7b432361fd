"""Gemini's replies read: a whole one is one chunk of the stream it could have been."""

from __future__ import annotations

from hashlib import blake2s

import msgspec

from headgate.core.errors import ProviderRefusal, UpstreamMalformed
from headgate.core.events import (
    Begin,
    Event,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.core.messages import StopReason
from headgate.core.usage import Usage
from headgate.providers.wires.gemini.content import WIRE
from headgate.providers.wires.gemini.errors import blocked, is_refusal, refusal_of
from headgate.providers.wires.gemini.models import MARK

__all__ = ["STOP_REASONS", "ChunkReader", "UsageFields", "usage_of"]

STOP_REASONS: dict[str, StopReason] = {
    "STOP": "end",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "LANGUAGE": "other",
    "MALFORMED_FUNCTION_CALL": "other",
    "UNEXPECTED_TOOL_CALL": "other",
    "TOO_MANY_TOOL_CALLS": "other",
    "MISSING_THOUGHT_SIGNATURE": "other",
    "NO_IMAGE": "other",
    "IMAGE_OTHER": "other",
    "OTHER": "other",
}


class _Wire(msgspec.Struct, rename="camel"):
    pass


class _FunctionCall(_Wire, gc=False):
    name: str
    id: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _Part(_Wire, gc=False):
    text: str | None = None
    thought: bool = False
    thought_signature: str = ""
    function_call: _FunctionCall | None = None


class _Content(_Wire):
    parts: list[_Part] = []


class _Candidate(_Wire):
    content: _Content | None = None
    finish_reason: str = ""
    index: int = 0


class UsageFields(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """`usageMetadata`. Zeros are left out by the API, so only all of it can be missing."""

    prompt_token_count: int = 0
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    total_token_count: int | None = None


class _Feedback(_Wire):
    block_reason: str = ""


class _Chunk(_Wire):
    candidates: list[_Candidate] = []
    usage_metadata: UsageFields | None = None
    prompt_feedback: _Feedback | None = None
    response_id: str = ""
    model_version: str = ""
    error: msgspec.Raw = msgspec.Raw(b"")


class _RawContent(_Wire):
    parts: list[msgspec.Raw] = []


class _RawCandidate(_Wire):
    content: _RawContent | None = None


class _RawChunk(_Wire):
    candidates: list[_RawCandidate] = []


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_raw = msgspec.json.Decoder(_RawChunk).decode


def usage_of(fields: UsageFields) -> Usage:
    """`promptTokenCount` includes what came from the cache; thoughts are counted beside the candidates."""
    cached = min(fields.cached_content_token_count, fields.prompt_token_count)
    return Usage(
        input=fields.prompt_token_count - cached + fields.tool_use_prompt_token_count,
        cache_read=cached,
        output=fields.candidates_token_count,
        reasoning=fields.thoughts_token_count,
    )


class ChunkReader:
    """Turns chunks into events, and keeps what one chunk must know of those before."""

    __slots__ = ("_begun", "_calls", "_open", "_usage", "id", "stopped")

    def __init__(self) -> None:
        self.id = ""
        self.stopped: set[int] = set()
        """Choices that have given their reason to stop."""
        self._begun = False
        self._open: set[int] = set()
        self._calls: dict[int, int] = {}
        self._usage: UsageFields | None = None

    @property
    def complete(self) -> bool:
        """Every choice that began has stopped, and there was one."""
        return bool(self.stopped) and self._open <= self.stopped

    def read(self, data: bytes, events: list[Event]) -> ProviderRefusal | None:
        """Append what `data` says. Returns the refusal it reports instead of content, if it does.

        Raises UpstreamMalformed if it is no chunk."""
        try:
            chunk = _decode_chunk(data)
            if not chunk.candidates and bytes(chunk.error) not in (b"", b"null") and is_refusal(data):
                return refusal_of(WIRE, 200, data)
            self._begin(chunk, events)
            for number, candidate in enumerate(chunk.candidates):
                self._candidate(candidate, number, data, events)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Gemini reply: {error}") from None
        usage = chunk.usage_metadata
        # Every chunk repeats the usage; events say what is new.
        if (
            usage is not None
            and usage != self._usage
            and (usage.total_token_count is not None or usage.prompt_token_count)
        ):
            self._usage = usage
            events.append(UsageReport(usage=usage_of(usage)))
        feedback = chunk.prompt_feedback
        if feedback is not None and feedback.block_reason and not chunk.candidates:
            return blocked(WIRE, feedback.block_reason, data)
        return None

    def _begin(self, chunk: _Chunk, events: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            self.id = chunk.response_id
            events.append(Begin(id=chunk.response_id, model=chunk.model_version))

    def _candidate(self, candidate: _Candidate, number: int, data: bytes, events: list[Event]) -> None:
        choice = candidate.index
        self._open.add(choice)
        parts = candidate.content.parts if candidate.content is not None else ()
        for at, part in enumerate(parts):
            if part.function_call is not None:
                self._call(part, part.function_call, choice, events)
            elif part.text is None:
                self._foreign(data, number, at, events)
            elif part.text:
                if part.thought:
                    events.append(ThinkingDelta(text=part.text, choice=choice))
                else:
                    events.append(TextDelta(text=part.text, choice=choice))
        if candidate.finish_reason and choice not in self.stopped:
            self.stopped.add(choice)
            reason = STOP_REASONS.get(candidate.finish_reason)
            if reason in ("end", None) and self._calls.get(choice):
                # Also with a reason we do not know: servers like it say FUNCTION_CALL, and whoever is to run a tool must hear of it.
                reason = "tool_use"
            reason = reason or "other"
            events.append(Stop(reason=reason, choice=choice))

    def _call(self, part: _Part, call: _FunctionCall, choice: int, events: list[Event]) -> None:
        index = self._calls.get(choice, 0)
        self._calls[choice] = index + 1
        arguments = bytes(call.args).decode()
        if part.thought_signature:
            events.append(ThinkingDelta(signature=MARK + part.thought_signature, choice=choice))
        call_id = call.id or self._made_id(f"{choice}/{index}/{call.name}/{arguments}")
        events.append(ToolCallBegin(index=index, id=call_id, name=call.name, choice=choice))
        events.append(ToolCallDelta(index=index, arguments=arguments, choice=choice))

    def _made_id(self, what: str) -> str:
        """An id for a call that has none: the same whenever the same reply is read."""
        return "call_" + blake2s(f"{self.id}/{what}".encode(), digest_size=12).hexdigest()

    def _foreign(self, data: bytes, number: int, at: int, events: list[Event]) -> None:
        content = _decode_raw(data).candidates[number].content
        if content is not None:
            events.append(OpaqueDelta(wire=WIRE, name="part", raw=b"{}", part=content.parts[at].copy()))
