"""What every wire's errors share: how long to wait, and how much of a body is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headgate.core.errors import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRefusal,
    ProviderRejected,
)
from headgate.providers.wires.refusals import Rule, plain_detail, refusal, retry_after_seconds
from tests.support.wires import headers

NOON = "Sat, 21 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "20"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "20"}, 20.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT", "date": NOON}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 40.0),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "today"}, None),
        ({"retry-after": "-5", "date": NOON}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
    ],
)
def test_the_wait_is_read_in_every_form_and_nonsense_is_no_wait(sent, seconds):
    """Milliseconds first; a date counts from the reply's own date, and from our clock where it has none."""
    ten_to_noon = datetime(2026, 11, 21, 11, 59, 50, tzinfo=UTC).timestamp()
    assert retry_after_seconds(headers(**sent), wall=lambda: ten_to_noon) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ProviderFailed), (400, ProviderRejected), (401, ProviderAuthFailed), (402, ProviderQuotaSpent),
        (403, ProviderAuthFailed), (404, ProviderModelUnknown), (408, ProviderFailed), (409, ProviderFailed),
        (418, ProviderRejected), (422, ProviderRejected), (429, ProviderRateLimited), (500, ProviderFailed),
        (503, ProviderOverloaded), (529, ProviderOverloaded), (599, ProviderFailed),
    ],
)  # fmt: skip
def test_a_status_alone_decides_when_nothing_else_is_known(status, kind):
    """The same for every vendor, and with a message that says something."""
    error = refusal((), wire="w", status=status, kinds=(), text="", body=b"")
    assert type(error) is kind
    assert len(error.message) > 20 and "{" not in error.message


def test_the_first_rule_that_fits_decides():
    """A rule fits when all it names fits."""
    rules = (
        Rule(ProviderQuotaSpent, kind="a", status=429, words="credit"),
        Rule(ProviderOverloaded, kind="a", status=429),
        Rule(ProviderAuthFailed, kind="a"),
    )

    def of(status: int, kinds: list[str], text: str) -> type[ProviderRefusal]:
        return type(refusal(rules, wire="w", status=status, kinds=kinds, text=text, body=b""))

    assert of(429, ["x", "a"], "no CREDIT left") is ProviderQuotaSpent
    assert of(429, ["a"], "slow down") is ProviderOverloaded
    assert of(400, ["a"], "credit") is ProviderAuthFailed
    assert of(400, [], "credit") is ProviderRejected


def test_a_page_is_told_in_its_words():
    """Tags and scripts go, whitespace is joined, bad UTF-8 is replaced, the rest is bounded."""
    assert plain_detail(b"<html><script>x<y</script><h1>502\n\n Bad</h1> \xff") == "502 Bad \ufffd"
    assert len(plain_detail(b"word " * 10_000)) == 300
