"""The most that a call can cost, before anybody has made it. Pure."""

from __future__ import annotations

import re
from math import ceil

import msgspec

from headgate.core.messages import ChatRequest
from headgate.core.tokens import tokens_of_body
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["Size", "size_of", "thinking_room", "worst_nanos"]

_PER = 1_000_000
_TOKENS_PER_PICTURE = 1_600
"""A picture or document that the body only names by an address. Vendors charge from 85 to some 1,600 tokens for a picture of
usual size; a long document costs more."""
_TOKENS_ELSEWHERE = 100_000
"""A conversation or prompt that is kept at the provider and only named in the body: nobody here knows how long it is."""
# Any of them may hide behind escaped letters; no encoder writes letters so.
_HIDDEN = re.compile(rb"\\u00[4-7]")
_NAMED = re.compile(rb'"(?:image_url|file_url|file_id)"\s*:|"type"\s*:\s*"url"')
_KEPT_ELSEWHERE = re.compile(rb'"(?:previous_response_id|conversation)"\s*:|"prompt"\s*:\s*\{')
_THINKING = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Effort in words -> the most tokens of reasoning that a wire asks for, where it has no word for it."""
_encode = msgspec.json.encode


class Size(msgspec.Struct, frozen=True, gc=False):
    """How large a request is, as far as that can be told beforehand."""

    prompt: int
    """Tokens, estimated."""
    choices: int = 1
    """Answers that were asked for."""
    caches: bool = False
    """The caller asks for parts of the prompt to be kept by the provider, which costs more the first time."""


def size_of(exchange: Exchange, *, edited: bool = False) -> Size:
    """As the request is now. edited: a stage has changed what is asked, so that the caller's bytes do not tell."""
    if edited:
        body = _encode(exchange.request)
        prompt = tokens_of_body(body)
    else:
        body = exchange.body
        prompt = exchange.body_tokens
    # A backslash alone is found ten times faster than two characters.
    hidden = b"\\" in body and _HIDDEN.search(body) is not None
    if hidden or b'url"' in body or b'_id"' in body:
        prompt += len(_NAMED.findall(body)) * _TOKENS_PER_PICTURE
    dialect = exchange.dialect
    if dialect.name == "openai.responses" and (hidden or _KEPT_ELSEWHERE.search(body) is not None):
        prompt += _TOKENS_ELSEWHERE
    choices = 1
    if (hidden or b'"n"' in body or edited) and dialect.operation == "chat":
        request = exchange.request
        if isinstance(request, ChatRequest):
            choices = max(request.choices, 1)
    return Size(prompt, choices, hidden or b"cache_control" in body)


def thinking_room(request: ChatRequest) -> int:
    """Tokens of reasoning that may come on top of the limit on the answer, where the request is put into another wire's words:
    some of them count reasoning apart, and so the limit is raised by it."""
    if request.thinking_budget is not None:
        return request.thinking_budget
    return _THINKING.get(request.effort, _THINKING["max"]) if request.effort else 0


def worst_nanos(rates: Rates, size: Size, *, answer: int, margin: float = 1.0) -> int:
    """Nano-dollars, rounded up. answer: the most tokens of one answer; margin: how many times the prompt's estimate is taken."""
    prompt = size.prompt if margin == 1.0 else ceil(size.prompt * margin)
    steps = rates.steps
    into, out = _dearest(steps[0], caches=size.caches)
    for step in steps[1:] if len(steps) > 1 else ():
        if prompt > step.over:
            more_in, more_out = _dearest(step, caches=size.caches)
            into, out = max(into, more_in), max(out, more_out)
    total = prompt * into + answer * size.choices * out
    return -(-total // _PER) + rates.per_request


def _dearest(step: Step, *, caches: bool) -> tuple[int, int]:
    into, out = step.input, step.output
    # Conditions, as `max` takes three times as long.
    if step.cache_read > into:  # noqa: PLR1730
        into = step.cache_read
    if caches:
        into = max(into, step.cache_write, step.cache_write_1h)
    return into, step.reasoning if step.reasoning > out else out  # noqa: FURB136
