"""The most that a call can cost, before anybody has made it. Pure."""

from __future__ import annotations

import re
from math import ceil
from typing import NamedTuple

import msgspec

from headgate.core.messages import ChatRequest
from headgate.core.tokens import tokens_of_body
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.charging import DEAREST_NANOS
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["Size", "size_of", "thinking_room", "worst_nanos"]

_PER = 1_000_000
_TOKENS_PER_PICTURE = 1_600
"""A picture or document. Vendors charge from 85 to some 1,600 tokens for a picture of usual size; a long document costs more."""
_TOKENS_ELSEWHERE = 100_000
"""What is not in the body: a conversation or prompt that is kept at the provider and only named, or what tools find that the
provider runs itself and reads before it answers. Nobody here knows how long it is."""
_BYTES_PER_TOKEN = 4
"""Of a document in base64."""
_HIDDEN = re.compile(rb"\\u00([4-7][0-9A-Fa-f])")
"""A letter written as an escape, which no encoder does."""
_NAMED = re.compile(rb'"(?:image_url|file_url|file_id)"\s*:|"type"\s*:\s*"(?:url|base64)"')
_KEPT_ELSEWHERE = re.compile(rb'"(?:previous_response_id|conversation)"\s*:|"prompt"\s*:\s*\{')
_FOUND_ELSEWHERE = re.compile(
    rb'"type"\s*:\s*"(?:web_search|web_fetch|file_search|code_interpreter|code_execution|image_generation|mcp)'
    rb'|"(?:web_search_options|mcp_servers)"\s*:'
)
_TELLING = re.compile(
    rb'"(?:base64|url|image_url|file_url|file_id|file_data|application/pdf|previous_response_id|conversation|prompt|tools'
    rb'|web_search_options|mcp_servers|cache_control|n)"'
)
"""Without one of these words there is nothing but text in a request, and one answer to it."""
_SHORT = 65_536
"""Bytes in which all words are looked for at once; a longer body is searched for each word."""
_THINKING = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Effort in words -> the most tokens of reasoning that a wire asks for, where it has no word for it."""
_encode = msgspec.json.encode


class Size(NamedTuple):
    """How large a request is, as far as that can be told beforehand."""

    prompt: int
    """Tokens, estimated."""
    choices: int = 1
    """Answers that were asked for."""
    caches: bool = False
    """The caller asks for parts of the prompt to be kept by the provider, which costs more the first time."""


def size_of(exchange: Exchange, edited: bool = False) -> Size:
    """As the request is now. edited: a stage has changed what is asked, so that the caller's bytes do not tell."""
    if edited:
        body = _encode(exchange.request)
        prompt = tokens_of_body(body)
    else:
        body = exchange.body
        prompt = exchange.body_tokens
    # A backslash alone is found ten times faster than two characters.
    if b"\\" in body and _HIDDEN.search(body) is not None:
        body = _HIDDEN.sub(_letter, body)
    # One look for all words is quicker than one for each.
    if not edited and len(body) <= _SHORT and _TELLING.search(body) is None:
        return Size(prompt)
    if b'url"' in body or b'_id"' in body or b'base64"' in body:
        prompt += len(_NAMED.findall(body)) * _TOKENS_PER_PICTURE
    if b'"file_data"' in body or b"application/pdf" in body:
        prompt += len(body) // _BYTES_PER_TOKEN
    dialect = exchange.dialect
    if dialect.name == "openai.responses" and _KEPT_ELSEWHERE.search(body) is not None:
        prompt += _TOKENS_ELSEWHERE
    tools = b'"tools"' in body or b"web_search_options" in body or b"mcp_servers" in body
    if tools and _FOUND_ELSEWHERE.search(body) is not None:
        prompt += _TOKENS_ELSEWHERE
    choices = 1
    if (b'"n"' in body or edited) and dialect.operation == "chat":
        request = exchange.request
        if isinstance(request, ChatRequest):
            choices = max(request.choices, 1)
    return Size(prompt, choices, b"cache_control" in body)


def _letter(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def thinking_room(request: ChatRequest) -> int:
    """Tokens of reasoning that may come on top of the limit on the answer, where the request is put into another wire's words:
    some of them count reasoning apart, and so the limit is raised by it."""
    if request.thinking_budget is not None:
        return request.thinking_budget
    return _THINKING.get(request.effort, _THINKING["max"]) if request.effort else 0


def worst_nanos(rates: Rates, size: Size, answer: int, margin: float = 1.0) -> int:
    """Nano-dollars, rounded up, at most `DEAREST_NANOS`. answer: the most tokens of one answer; margin: how many times the prompt's
    estimate is taken."""
    prompt = size.prompt if margin == 1.0 else ceil(size.prompt * margin)
    steps = rates.steps
    into, out = _dearest(steps[0], size.caches)
    if len(steps) > 1:
        for step in steps[1:]:
            if prompt > step.over:
                more_in, more_out = _dearest(step, size.caches)
                into, out = max(into, more_in), max(out, more_out)
    total = prompt * into + answer * size.choices * out
    nanos = -(-total // _PER) + rates.per_request
    return nanos if nanos < DEAREST_NANOS else DEAREST_NANOS  # noqa: FURB136 - as below


def _dearest(step: Step, caches: bool) -> tuple[int, int]:
    into, out = step.input, step.output
    # Conditions, as `max` takes three times as long.
    if step.cache_read > into:  # noqa: PLR1730
        into = step.cache_read
    if caches:
        into = max(into, step.cache_write, step.cache_write_1h)
    return into, step.reasoning if step.reasoning > out else out  # noqa: FURB136
