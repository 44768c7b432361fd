"""What a request has really used."""

from __future__ import annotations

from headgate.admission.limits.spent import Spent, spent
from headgate.core.errors import ConnectFailed, UpstreamCut
from headgate.core.tokens import tokens_of_body
from headgate.core.usage import Usage
from tests.support.exchanges import BODY, Desk

__all__: list[str] = []

PROMPT = tokens_of_body(BODY)


def test_all_attempts_count_as_their_providers_said() -> None:
    """Cached prompt tokens are prompt tokens, reasoning is answer."""
    desk = Desk()
    exchange = desk.exchange()
    for _ in range(2):
        attempt = desk.attempt(exchange)
        attempt.usage = Usage(input=10, cache_read=5, cache_write=2, output=7, reasoning=3)
        attempt.finish_reason = "end"
    assert spent(exchange) == Spent(34, 20, 0)


def test_what_never_reached_a_provider_or_was_refused_costs_nothing() -> None:
    """Nor does what failed in silence."""
    desk = Desk()
    exchange = desk.exchange()
    desk.attempt(exchange).reached_provider = False
    desk.attempt(exchange).status = 429
    desk.attempt(exchange).error = ConnectFailed(detail="nobody")
    assert spent(exchange) == Spent()


def test_an_answer_that_broke_off_counts_as_what_was_set_aside() -> None:
    """Its prompt as the provider said, or by estimate."""
    desk = Desk()
    exchange = desk.exchange()
    begun = desk.attempt(exchange)
    begun.usage, begun.error, begun.first_content_at = Usage(input=9, output=1), UpstreamCut(detail="x"), 1.0
    assert spent(exchange) == Spent(9, 0, 1)
    cut = desk.attempt(exchange)
    cut.status, cut.first_content_at, cut.error = 200, 1.0, UpstreamCut(detail="x")
    assert spent(exchange) == Spent(9 + PROMPT, 0, 2)


def test_a_caller_who_left_before_the_first_word_pays_the_prompt() -> None:
    """The provider may have read it."""
    desk = Desk()
    exchange = desk.exchange()
    desk.attempt(exchange)
    assert spent(exchange) == Spent(PROMPT, 0, 0)


def test_counting_tokens_uses_none() -> None:
    """It is free at the providers too."""
    desk = Desk()
    exchange = desk.exchange(operation="count_tokens")
    desk.attempt(exchange).status = 200
    assert spent(exchange) == Spent()
