"""What the how-to on timeouts and failover promises: its defaults are the defaults, its errors exist."""

from __future__ import annotations

import re

from headgate.core import errors
from headgate.dispatch.settings import RetrySettings, TimeoutSettings
from headgate.edge.settings import ServerSettings
from headgate.providers.health.settings import HealthSettings
from tests.support.following import how_to

__all__: list[str] = []

PAGE = how_to("timeouts-and-failover")


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    """In the table of phases, and in the sentences about waits and rests."""
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    timeouts, retry, health = TimeoutSettings(), RetrySettings(), HealthSettings()
    for name in ("connect", "first_token", "between_tokens", "total"):
        assert re.search(rf"\| `{name}` \| {getattr(timeouts, name):g} s \|", text), name
    assert seconds(retry.base, retry.most) == [1, 8] and "between 0 and 1, 2, 4 seconds" in text
    assert seconds(health.failures, health.failure_rate, health.window) == [5, 0.5, 10]
    assert "Five failures in a row, or half of the calls of ten seconds" in text
    assert seconds(health.cooldown, health.cooldown_most, health.retry_share) == [1, 60, 0.1]
    assert seconds(ServerSettings().waiting) == [15] and "one every 15 seconds" in text


def seconds(*settings: float) -> list[float]:
    return [float(one) for one in settings]


def test_the_errors_on_the_page_exist() -> None:
    """By the codes that callers and records see."""
    known = {
        one.code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.GatewayError)
    }
    named = set(
        re.findall(r"`(\w+_timeout|nothing_available|rate_too_low)`", PAGE.read_text(encoding="utf-8"))
    )
    assert len(named) >= 8 and named <= known
