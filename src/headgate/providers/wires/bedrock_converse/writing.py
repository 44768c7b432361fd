"""A canonical request written as the body of Converse."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import ChatRequest, Opaque, Tool
from headgate.providers.wires.bedrock_converse.content import WIRE, cache_point, messages_of, refuse_opaque
from headgate.providers.wires.claude import effort_of, sampling_of, thinking_of, traits_of
from headgate.providers.wires.tool_history import tools_used

__all__ = ["body_of", "count_body_of"]

_JSON_ONLY = "Answer with a single JSON object and nothing else: no prose, no code fence."
_EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode

Body = dict[str, Any]


def body_of(request: ChatRequest, model: str) -> Body:
    """The body for `request` of `model`, which itself stands in the path. Raises UnsupportedRequest."""
    if request.choices > 1:
        raise UnsupportedRequest(
            "Bedrock gives one answer per request; ask again instead of `n` > 1", param="n"
        )
    body, more = _prompt(request, model)
    config: Body = {}
    if request.max_tokens is not None:
        config["maxTokens"] = request.max_tokens
    if request.stop:
        config["stopSequences"] = request.stop
    sampling = _sampling(request, model, more)
    top_k = sampling.pop("top_k", None)
    for name, value in sampling.items():
        config["topP" if name == "top_p" else name] = value
    if top_k is not None:
        more |= _top_k(model, int(top_k))
    _leave_room(config, more)
    if config:
        body["inferenceConfig"] = config
    if more:
        body["additionalModelRequestFields"] = more
    return body | request.extra if request.extra_wire == WIRE else body


def count_body_of(request: ChatRequest, model: str) -> Body:
    """The body of count-tokens: messages, system and tools."""
    body, more = _prompt(request, model)
    body.pop("outputConfig", None)
    if more:
        body["additionalModelRequestFields"] = more
    return {"input": {"converse": body}}


def _prompt(request: ChatRequest, model: str) -> tuple[Body, Body]:
    """The fields that make the prompt, and those that only the model's own vendor knows."""
    claude = "claude" in model
    caching = claude and request.extra_wire == "anthropic.messages"
    body: Body = {"messages": messages_of(request.messages, caching=caching)}
    system = _system(request, caching=caching)
    if system:
        body["system"] = system
    more: Body = {}
    tools = _tools(request, more, caching=caching, claude=claude)
    if tools:
        body["toolConfig"] = tools
    output = _output(request, model, more, claude=claude)
    if output:
        body["outputConfig"] = output
    return body, more


def _system(request: ChatRequest, *, caching: bool) -> list[Any]:
    blocks: list[Any] = []
    for part in request.system:
        if isinstance(part, Opaque):
            blocks.append(refuse_opaque(part, "system"))
        elif part.text:
            blocks.append({"text": part.text})
            blocks += cache_point(part, wanted=caching)
    if request.response_format is not None and not bytes(request.response_format.schema):
        blocks.append({"text": _JSON_ONLY})
    return blocks


def _tools(request: ChatRequest, more: Body, *, caching: bool, claude: bool) -> Body | None:
    choice = request.tool_choice
    if not request.tools or (choice is not None and choice.mode == "none"):
        return _tools_not_offered(request, more, claude=claude)
    tools: list[Any] = []
    for tool in request.tools:
        tools.append(_tool(tool, native=request.extra_wire == WIRE))
        if caching and "cache_control" in tool.extra:
            tools.append({"cachePoint": {"type": "default"}})
    written: Body = {"tools": tools}
    if choice is not None:
        written["toolChoice"] = {"tool": {"name": choice.name}} if choice.mode == "one" else {choice.mode: {}}
    return written


def _tools_not_offered(request: ChatRequest, more: Body, *, claude: bool) -> Body | None:
    """Converse has no word for "none". Tools that the history has not used need not be named at all; the others must,
    and only Claude can be told to leave them alone."""
    used = tools_used(request.messages)
    if not used:
        return None
    if claude:
        more["tool_choice"] = {"type": "none"}
    elif request.tools:
        raise UnsupportedRequest(
            "Bedrock cannot keep this model from calling tools that the history has used; leave `tool_choice` out",
            param="tool_choice",
        )
    native = request.extra_wire == WIRE
    return {"tools": [_tool(tool, native=native) for tool in request.tools or used]}


def _tool(tool: Tool, *, native: bool) -> Any:
    if bytes(tool.opaque):
        if not native:
            raise UnsupportedRequest(
                f"Tool `{tool.name}` is another vendor's own and unknown to Bedrock; remove it", param="tools"
            )
        return tool.opaque
    spec: Body = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    empty = bytes(tool.schema).strip() in (b"", b"{}", b"null")
    spec["inputSchema"] = {"json": _EMPTY_SCHEMA if empty else tool.schema}
    if tool.strict:
        spec["strict"] = True
    return {"toolSpec": spec}


def _output(request: ChatRequest, model: str, more: Body, *, claude: bool) -> Body:
    output: Body = {}
    wanted = request.response_format
    if wanted is not None and bytes(wanted.schema):
        schema: Body = {"schema": bytes(wanted.schema).decode(), "name": wanted.name}
        if wanted.description:
            schema["description"] = wanted.description
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    if claude:
        traits = traits_of(model)
        thinking = _said_by_anthropic(request) or thinking_of(request, traits, native=False)
        forced = (
            bool(request.tools)
            and request.tool_choice is not None
            and request.tool_choice.mode in ("any", "one")
        )
        # Thinking together with a forced tool is refused; the tool is what the caller insists on.
        if thinking is not None and (not forced or thinking["type"] == "disabled"):
            more["thinking"] = thinking
        effort = effort_of(request, traits, native=False)
        if effort:
            output["effort"] = effort
    elif request.effort and ("openai." in model or "gpt-oss" in model):
        more["reasoning_effort"] = request.effort
    return output


def _said_by_anthropic(request: ChatRequest) -> Body | None:
    """`thinking` in Anthropic's own words, where the canonical request has none (`adaptive`): Claude is Claude."""
    raw = request.extra.get("thinking") if request.extra_wire == "anthropic.messages" else None
    if raw is None:
        return None
    try:
        said: Body = _decode_object(raw)
    except msgspec.DecodeError:
        return None
    return said if isinstance(said.get("type"), str) else None


def _sampling(request: ChatRequest, model: str, more: Body) -> dict[str, float | int]:
    if "claude" in model:
        thinking = more.get("thinking", {"type": "disabled"})
        return sampling_of(request, traits_of(model), thinking=thinking["type"] != "disabled")
    said = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    return {name: value for name, value in said.items() if value is not None}


def _top_k(model: str, value: int) -> Body:
    """Each vendor's own field; models of vendors without one are not told."""
    if "claude" in model:
        return {"top_k": value}
    return {"inferenceConfig": {"topK": value}} if "nova" in model else {}


def _leave_room(config: Body, more: Body) -> None:
    """The bound on the answer includes thinking and must exceed its budget."""
    budget = more.get("thinking", {}).get("budget_tokens", 0)
    if isinstance(budget, int) and budget and config.get("maxTokens", budget + 1) <= budget:
        config["maxTokens"] += budget
