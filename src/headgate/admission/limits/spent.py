"""What a request has really used, when it is over: tokens of all its attempts."""

from __future__ import annotations

from typing import NamedTuple

from headgate.exchange.exchange import Exchange

__all__ = ["Spent", "spent"]


class Spent(NamedTuple):
    """Tokens of all attempts together."""

    input: int = 0
    output: int = 0
    unknown: int = 0
    """Answers that began and did not say how long they were: what was set aside for an answer counts for each of them."""


def spent(exchange: Exchange) -> Spent:
    """As the providers said. Of an attempt that did not say: nothing if it was refused or never left; the prompt by our
    estimate if it may have been read."""
    if exchange.dialect.operation == "count_tokens":
        return Spent()
    prompt = output = unknown = 0
    for attempt in exchange.attempts:
        usage = attempt.usage
        if usage is not None:
            prompt += usage.prompt
            if attempt.complete:
                output += usage.completion
            else:
                # Said at the start of a stream that broke off: the prompt is right, the answer had only begun.
                unknown += 1
            continue
        error = attempt.error
        silent = error is not None and not attempt.first_content_at
        if not attempt.reached_provider or attempt.status >= 400 or silent:
            continue
        prompt += exchange.body_tokens
        if attempt.first_content_at and exchange.dialect.operation == "chat":
            unknown += 1
    return Spent(prompt, output, unknown)
