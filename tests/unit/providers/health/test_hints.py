"""What vendors' headers say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from headgate.providers.health.hints import Allowance, hints_of

__all__: list[str] = []

WALL = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()


def headers(**values: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in values.items()]


def test_openai_says_requests_and_tokens() -> None:
    """Azure and Groq write the same names."""
    said = headers(
        x_ratelimit_limit_requests="60",
        x_ratelimit_limit_tokens="150000",
        x_ratelimit_remaining_requests="0",
        x_ratelimit_remaining_tokens="149984",
        x_ratelimit_reset_requests="1.5s",
        x_ratelimit_reset_tokens="6m0s",
    )
    assert set(hints_of(said) or ()) == {
        Allowance("requests", 0, 60, 1.5, -1.0),
        Allowance("tokens", 149984, 150000, 360.0, -1.0),
    }


@pytest.mark.parametrize("kind", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_anthropic_says_moments(kind: str) -> None:
    """RFC 3339; each of its four limits by itself."""
    said = headers(
        **{
            f"anthropic-ratelimit-{kind}-limit": "50",
            f"anthropic-ratelimit-{kind}-remaining": "0",
            f"anthropic-ratelimit-{kind}-reset": "2026-11-21T12:00:42Z",
        }
    )
    (allowance,) = hints_of(said) or ()
    assert allowance.subject == kind.replace("-", " ")
    assert (allowance.remaining, allowance.limit) == (0, 50)
    assert allowance.seconds_to_full(WALL) == 42.0
    assert allowance.seconds_to_full(WALL + 60) == 0.0


def test_mistral_says_no_moment() -> None:
    """Its windows are a minute by name, its `req` are requests."""
    said = headers(
        x_ratelimit_limit_req_minute="720",
        x_ratelimit_remaining_req_minute="0",
        x_ratelimit_limit_tokens_minute="5000000",
        x_ratelimit_remaining_tokens_minute="4999911",
    )
    assert Allowance("requests", 0, 720, -1.0, -1.0) in (hints_of(said) or ())


def test_azure_not_knowing_is_no_hint() -> None:
    """It has been seen to send -1 left, with a reset of 0."""
    said = headers(
        x_ratelimit_limit_tokens="-1", x_ratelimit_remaining_tokens="-1", x_ratelimit_reset_tokens="0"
    )
    assert hints_of(said) is None


def test_plenty_is_no_hint() -> None:
    """A thousand or more left of everything: nobody would do anything, so nothing is read."""
    assert hints_of(headers(x_ratelimit_remaining_requests="4999", x_ratelimit_reset_requests="12ms")) is None
    assert hints_of(headers(content_type="application/json", date="x")) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20ms", 0.02),
        ("1.5s", 1.5),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("1m1s500ms", 61.5),
        ("12", 12.0),
        ("0.5", 0.5),
        ("99999999s", 86400.0),
        ("", -1.0),
        ("soon", -1.0),
        ("-3s", -1.0),
        ("nan", -1.0),
        ("2026-11-21T12:00:00", -1.0),  # of which zone?
        ("1" * 400, -1.0),
    ],
)
def test_every_way_to_say_how_long(text: str, seconds: float) -> None:
    """Durations as Go prints them, plain seconds, and nothing for what is none; a day at most."""
    (allowance,) = (
        hints_of(headers(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests=text)) or ()
    )
    assert allowance.seconds_to_full(WALL) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", [f"{int(WALL) + 30}", f"{int(WALL + 30) * 1000}", "2026-11-21T13:00:30+01:00"]
)
def test_a_moment_may_be_said_as_a_number(text: str) -> None:
    """Seconds or milliseconds since 1970, as some compatible servers do; zones are understood."""
    (allowance,) = (
        hints_of(headers(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests=text)) or ()
    )
    assert allowance.seconds_to_full(WALL) == pytest.approx(30.0)


NAMES = some.sampled_from(
    [
        b"x-ratelimit-%b-%b" % (part, kind)
        for part in (b"remaining", b"limit", b"reset")
        for kind in (b"requests", b"tokens", b"req-minute")
    ]
    + [b"anthropic-ratelimit-requests-remaining", b"anthropic-ratelimit-requests-reset"]
)
VALUES = some.one_of(
    some.binary(max_size=40),
    some.integers(-10, 10**20).map(lambda number: str(number).encode()),
    some.from_regex(rb"[0-9.dhmsTZ:+-]{0,30}", fullmatch=True),
    some.datetimes().map(lambda moment: moment.isoformat().encode() + b"Z"),
)


@given(some.lists(some.tuples(NAMES, VALUES), max_size=12))
def test_nothing_a_vendor_sends_harms(said: list[tuple[bytes, bytes]]) -> None:
    """Any bytes: no error, and numbers that timers can keep."""
    for allowance in hints_of(said) or ():
        assert 0 <= allowance.remaining <= 10**12
        assert 0 <= allowance.limit <= 10**12
        seconds = allowance.seconds_to_full(WALL)
        assert seconds == -1.0 or 0 <= seconds <= 86400


@given(some.integers(0, 23), some.integers(0, 59), some.integers(0, 59), some.integers(0, 999))
def test_a_duration_is_read_as_it_was_written(
    hours: int, minutes: int, seconds: int, thousandths: int
) -> None:
    """There and back."""
    text = f"{hours}h{minutes}m{seconds}.{thousandths:03}s"
    (allowance,) = hints_of(headers(x_ratelimit_remaining_tokens="1", x_ratelimit_reset_tokens=text)) or ()
    assert allowance.full_in == pytest.approx(hours * 3600 + minutes * 60 + seconds + thousandths / 1000)
