"""Token estimates: cheap, never negative, growing with the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.tokens import estimate_tokens
from headgate.core.usage import Usage

__all__: list[str] = []


@given(st.text(max_size=500))
def test_some_text_is_some_tokens(text: str) -> None:
    """At least one, at most one a byte; nothing is nothing."""
    data = text.encode()
    assert (1 <= estimate_tokens(data) <= len(data)) if data else estimate_tokens(data) == 0


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_is_not_fewer_tokens(one: str, other: str) -> None:
    """Whatever the scripts."""
    assert estimate_tokens((one + other).encode()) >= estimate_tokens(one.encode())


@given(st.binary(max_size=300))
def test_any_bytes_can_be_estimated(data: bytes) -> None:
    """Also those that are no text."""
    assert estimate_tokens(data) >= 0


def test_usual_texts_are_met() -> None:
    """English within a fifth of what o200k counts: 9 tokens each here."""
    assert 7 <= estimate_tokens(b"How high does the water stand in the canal?") <= 12
    assert 9 <= estimate_tokens("運河の水位はどれくらいですか".encode()) <= 15


@given(*[st.integers(0, 1000)] * 6)
def test_buckets_add_up(a: int, b: int, c: int, d: int, e: int, f: int) -> None:
    """No token is counted twice."""
    usage = Usage(input=a, cache_read=b, cache_write=c, output=d, reasoning=e, cache_write_1h=f)
    assert usage.prompt == a + b + c + f and usage.completion == d + e
    assert usage.total == usage.prompt + usage.completion
