"""A canonical request written as the body of Anthropic's Messages API."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import ChatRequest, Opaque, Tool, ToolChoice
from headgate.providers.wires.anthropic_messages.content import WIRE, messages_of, refuse_opaque
from headgate.providers.wires.claude import ModelTraits, effort_of, sampling_of, thinking_of, traits_of
from headgate.providers.wires.tool_history import tools_used

__all__ = ["body_of", "count_body_of"]

_JSON_ONLY = "Answer with a single JSON object and nothing else: no prose, no code fence."
_EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Body = dict[str, Any]


def body_of(request: ChatRequest, model: str, *, default_max_tokens: int, sampling: bool) -> Body:
    """The request's body. Raises UnsupportedRequest for what Claude cannot do.

    sampling: the API version still knows temperature, top_p and top_k. A caller who speaks this wire names the
    version by header, so what such a caller says is always sent."""
    if request.choices > 1:
        raise UnsupportedRequest(
            "Anthropic gives one answer per request; ask again instead of `n` > 1", param="n"
        )
    native = request.extra_wire == WIRE
    traits = traits_of(model)
    body: Body = {"model": model, "max_tokens": 0, **_prompt(request, traits, native=native)}
    if request.stop:
        body["stop_sequences"] = [stop for stop in request.stop if native or stop.strip()]
    if request.stream:
        body["stream"] = True
    if request.user:
        body["metadata"] = {**(request.metadata if native else {}), "user_id": request.user}
    thinking = body.get("thinking")
    if native:
        body |= {name: value for name, value in _sampling(request).items() if value is not None}
    elif sampling:
        body |= sampling_of(request, traits, thinking=thinking is not None and thinking["type"] != "disabled")
    body["max_tokens"] = _max_tokens(request, thinking, default_max_tokens)
    return _with_extra(body, request) if native else body


def count_body_of(request: ChatRequest, model: str) -> Body:
    """The body of `count_tokens`: what makes up the prompt and nothing else."""
    native = request.extra_wire == WIRE
    body: Body = {"model": model, **_prompt(request, traits_of(model), native=native)}
    if native and "thinking" in request.extra:
        body["thinking"] = request.extra["thinking"]
    return body


def _prompt(request: ChatRequest, traits: ModelTraits, *, native: bool) -> Body:
    """All that makes the prompt longer: messages, system, tools, how to think, the schema of the answer."""
    body: Body = {"messages": messages_of(request.messages, native=native)}
    system = _system(request, native=native)
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [_tool(tool, native=native) for tool in request.tools]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    elif not native and (used := tools_used(request.messages)):
        body["tools"] = [_tool(tool, native=False) for tool in used]
        body["tool_choice"] = {"type": "none"}
    return body | _thinking_and_output(request, traits, native=native)


def _system(request: ChatRequest, *, native: bool) -> str | list[Any]:
    blocks: list[Any] = []
    for part in request.system:
        if isinstance(part, Opaque):
            refuse_opaque(part, "system")
            blocks.append(part.raw)
        elif part.text or native:
            blocks.append({"type": "text", "text": part.text} | (part.extra if native else {}))
    wants_json = request.response_format is not None and not bytes(request.response_format.schema)
    if wants_json:
        blocks.append({"type": "text", "text": _JSON_ONLY})
    if len(blocks) == 1 and isinstance(blocks[0], dict) and len(blocks[0]) == 2:
        return str(blocks[0]["text"])
    return blocks


def _tool(tool: Tool, *, native: bool) -> Any:
    if bytes(tool.opaque):
        if not native:
            raise UnsupportedRequest(
                f"Tool `{tool.name}` is another vendor's own and unknown to Anthropic; remove it",
                param="tools",
            )
        return tool.opaque
    written: Body = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = (
        _EMPTY_SCHEMA if bytes(tool.schema).strip() in (b"", b"{}", b"null") else tool.schema
    )
    if tool.strict:
        written["strict"] = True
    return written | tool.extra if native else written


_CHOICES = {"auto": "auto", "none": "none", "any": "any", "one": "tool"}


def _tool_choice(choice: ToolChoice) -> Body:
    written: Body = {"type": _CHOICES[choice.mode]}
    if choice.mode == "one":
        written["name"] = choice.name
    if choice.parallel is not None and choice.mode != "none":
        written["disable_parallel_tool_use"] = not choice.parallel
    return written


def _thinking_and_output(request: ChatRequest, traits: ModelTraits, *, native: bool) -> Body:
    output: Body = {}
    thinking = thinking_of(request, traits, native=native)
    effort = effort_of(request, traits, native=native)
    if effort:
        output["effort"] = effort
    if request.response_format is not None and bytes(request.response_format.schema):
        output["format"] = {"type": "json_schema", "schema": request.response_format.schema}
    written: Body = {}
    forced = (
        request.tool_choice is not None and request.tool_choice.mode in ("any", "one") and bool(request.tools)
    )
    # The API refuses thinking together with a forced tool; the tool is what the caller insists on.
    if thinking is not None and (native or not forced or thinking["type"] == "disabled"):
        written["thinking"] = thinking
    if output:
        written["output_config"] = output
    return written


def _max_tokens(request: ChatRequest, thinking: Body | None, default: int) -> int:
    """Required by the API, and above the thinking budget, which counts towards it."""
    budget = 0 if thinking is None else int(thinking.get("budget_tokens", 0))
    if request.max_tokens is None:
        return default + budget
    if request.extra_wire == WIRE:
        return request.max_tokens
    return request.max_tokens if request.max_tokens > budget else request.max_tokens + budget


def _sampling(request: ChatRequest) -> dict[str, float | int | None]:
    return {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}


def _with_extra(body: Body, request: ChatRequest) -> Body:
    """The caller's own fields over ours; `output_config` is joined, as we may have written a part of it."""
    extra = dict(request.extra)
    whole = extra.pop("output_config", None)
    ours = body.get("output_config")
    if whole is not None:
        try:
            body["output_config"] = _decode(whole) | (ours or {})
        except msgspec.DecodeError:  # null, or nonsense the vendor will refuse in its own words
            body["output_config"] = ours or whole
    return body | extra
