"""Replies that are no answer: what a fault or an impossible request is told, in the wire that was spoken."""

from __future__ import annotations

from collections.abc import Mapping

from headgate.providers.port import Headers
from headgate.providers.simulated.faults import FAULTS, FaultOrder
from headgate.providers.simulated.profiles import Profile
from headgate.providers.simulated.prompt import BadRequest, Prompt
from headgate.providers.simulated.script import Connection, Pace, Script
from headgate.providers.simulated.speech import Problem, ProblemKind, Speech

__all__ = ["check_abilities", "refusal", "refusal_for", "too_long"]

_PROBLEMS: Mapping[str, tuple[ProblemKind, str]] = {
    "rate_limit": ("rate_limit", "Rate limit reached for {model}. Please try again later."),
    "quota": ("quota", "You exceeded your current quota, please check your plan and billing details."),
    "auth_401": ("auth", "Incorrect API key provided. You can find your API key in your account settings."),
    "model_unknown": ("model_unknown", "The model `{model}` does not exist or you do not have access to it."),
    "context_length": (
        "context_length",
        "This model's maximum context length is 1 tokens: prompt is too long.",
    ),
    "content_filter": (
        "content_filter",
        "The response was filtered due to the prompt triggering our content policy.",
    ),
    "error_500": ("server_error", "The server had an error while processing your request."),
    "overloaded_503": ("overloaded", "The server is overloaded or not ready yet."),
    "overloaded_529": ("overloaded_529", "Overloaded"),
}
_CONNECTIONS: Mapping[str, Connection] = {
    "refused": "refused",
    "connect_timeout": "connect_timeout",
    "reset": "reset",
    "silence": "silence",
}
_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>One moment</title></head>"
    b"<body><h1>Checking your browser</h1><p>Please come back later.</p></body></html>\n"
)
_JSON_TYPE = (b"content-type", b"application/json")


def refusal(speech: Speech, problem: Problem, name: str = "0", pace: Pace | None = None) -> Script:
    """The reply that says no. Refusing takes a quarter of what the first token would have taken."""
    status, body = speech.problem(problem, name)
    request = f"req_{name}".encode()
    headers = Headers([_JSON_TYPE, (b"x-request-id", request), (b"request-id", request)])
    return Script(status, headers, pace.first_token * 0.25 if pace else 0.0, body)


def refusal_for(speech: Speech, fault: FaultOrder, model: str, name: str, pace: Pace) -> Script | None:
    """The reply `fault` demands instead of an answer; None if there is an answer, spoilt or not."""
    if connection := _CONNECTIONS.get(fault.name):
        return Script(0, Headers(), pace.first_token * 0.25, connection=connection)
    if FAULTS[fault.name].stage != "head" or (fault.name == "content_filter" and fault.argument == "stop"):
        return None
    if fault.name == "html":
        page = Headers([(b"content-type", b"text/html; charset=utf-8")])
        return Script(int(fault.argument), page, pace.first_token * 0.25, _PAGE)
    kind, message = _PROBLEMS[fault.name]
    script = refusal(speech, Problem(kind, message.format(model=model)), name, pace)
    if fault.seconds is not None:
        # HTTP knows whole seconds only; OpenAI adds a header that knows more.
        script.headers.append((b"retry-after", str(-int(-fault.seconds // 1)).encode()))
        script.headers.append((b"retry-after-ms", str(round(fault.seconds * 1000)).encode()))
    return script


def too_long(speech: Speech, prompt: Prompt, profile: Profile, tokens: int, name: str) -> Script:
    """The prompt does not fit, said with the figures."""
    most = profile.context_window
    if speech.wire.startswith("anthropic"):
        text = f"prompt is too long: {tokens + (prompt.max_tokens or 0)} tokens > {most} maximum"
    else:
        text = (
            f"This model's maximum context length is {most} tokens. However, you requested "
            f"{tokens + (prompt.max_tokens or 0)} tokens ({tokens} in the messages, {prompt.max_tokens or 0} in the completion)."
        )
    return refusal(speech, Problem("context_length", text, "messages"), name)


def check_abilities(prompt: Prompt, profile: Profile) -> None:
    """Raises BadRequest for what the model cannot do."""
    able = profile.capabilities
    wanted = (
        ("chat", True, "is no chat model"),
        ("tools", bool(prompt.tools), "does not support tools"),
        ("images", prompt.images > 0, "does not support image inputs"),
        ("json", prompt.json_only, "does not support structured outputs"),
        ("thinking", bool(prompt.thinking), "does not support reasoning"),
        ("prefill", bool(prompt.begun), "does not go on with an answer: let the last message be the user's"),
    )
    for ability, asked, text in wanted:
        if asked and ability not in able:
            raise BadRequest(f"The model `{prompt.model}` {text}.", "model")
