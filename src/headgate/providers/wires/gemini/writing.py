"""A canonical request written as the body of generateContent."""

from __future__ import annotations

from typing import Any

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import ChatRequest, Opaque, Tool, ToolChoice
from headgate.providers.wires.gemini.content import WIRE, contents_of, refuse_opaque
from headgate.providers.wires.gemini.models import is_current

__all__ = ["BUDGETS", "LEVELS", "body_of", "prompt_of"]

BUDGETS: dict[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""Effort in words -> thinking tokens, for models before version 3; as Google's own OpenAI-compatible endpoint has it."""

LEVELS: dict[str, str] = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""Effort in words -> `thinkingLevel`, from version 3 on. Thinking cannot be switched off there; `minimal` is the least,
and only Flash models know it: the others get `low`."""

_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "one": "ANY"}

Body = dict[str, Any]


def body_of(request: ChatRequest, model: str) -> Body:
    """The body for `request` of `model`, which itself stands in the path. Raises UnsupportedRequest."""
    body = prompt_of(request, model)
    if request.tools and request.tool_choice is not None:
        body["toolConfig"] = {"functionCallingConfig": _tool_choice(request.tool_choice)}
    config = _config(request, model)
    if config:
        body["generationConfig"] = config
    return body | request.extra if request.extra_wire == WIRE else body


def prompt_of(request: ChatRequest, model: str) -> Body:
    """What makes up the prompt: contents, system instruction, tools."""
    body: Body = {"contents": contents_of(request.messages, model)}
    system: list[Any] = [
        refuse_opaque(part, "system") if isinstance(part, Opaque) else {"text": part.text}
        for part in request.system
        if isinstance(part, Opaque) or part.text
    ]
    if system:
        body["systemInstruction"] = {"parts": system}
    if request.tools:
        body["tools"] = _tools(request)
    return body


def _tools(request: ChatRequest) -> list[Any]:
    written: list[Any] = []
    functions = [_function(tool) for tool in request.tools if not bytes(tool.opaque)]
    if functions:
        written.append({"functionDeclarations": functions})
    for tool in request.tools:
        if bytes(tool.opaque):
            if request.extra_wire != WIRE:
                raise UnsupportedRequest(
                    f"Tool `{tool.name}` is another vendor's own and unknown to Gemini; remove it",
                    param="tools",
                )
            written.append(tool.opaque)
    return written


def _function(tool: Tool) -> Body:
    written: Body = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if bytes(tool.schema).strip() not in (b"", b"{}", b"null"):
        written["parametersJsonSchema"] = tool.schema
    return written


def _tool_choice(choice: ToolChoice) -> Body:
    """Gemini cannot be kept from calling several functions at once; `parallel` is a wish it does not know."""
    written: Body = {"mode": _MODES[choice.mode]}
    if choice.mode == "one":
        written["allowedFunctionNames"] = [choice.name]
    return written


def _config(request: ChatRequest, model: str) -> Body:
    said: dict[str, object | None] = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": request.stop or None,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "candidateCount": request.choices if request.choices > 1 else None,
        "thinkingConfig": _thinking(request, model),
    }
    config: Body = {name: value for name, value in said.items() if value is not None}
    wanted = request.response_format
    if wanted is not None:
        config["responseMimeType"] = "application/json"
        if bytes(wanted.schema):
            config["responseJsonSchema"] = wanted.schema
    return config


def _thinking(request: ChatRequest, model: str) -> Body | None:
    """How much to think; thoughts are asked for when thinking is."""
    budget, effort = request.thinking_budget, request.effort
    if budget is None and not effort:
        return None
    if is_current(model) and not budget:
        level = LEVELS.get("none" if budget == 0 else effort, effort)
        if level == "minimal" and "flash" not in model:
            level = "low"
        written: Body = {"thinkingLevel": level}
        off = budget == 0 or effort == "none"
    else:
        if budget is None:
            # -1: as much as the model thinks fit.
            budget = BUDGETS.get(effort, -1)
        written = {"thinkingBudget": budget}
        off = budget == 0
    return written if off else written | {"includeThoughts": True}
