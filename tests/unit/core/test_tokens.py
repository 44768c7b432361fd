"""Token estimates: cheap, never negative, growing with the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.tokens import estimate_tokens, tokens_of_body, tokens_of_bytes
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


@given(st.text(max_size=500))
def test_fourteen_times_the_estimate_is_never_short(text: str) -> None:
    """No tokenizer makes more tokens than there are bytes; the how-to tells whoever must be sure to take so many."""
    data = text.encode()
    # One more for what was rounded off: braces and names around any text are more than that.
    assert 14 * (estimate_tokens(data) + 1) >= len(data)


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


def _body(content: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


_BLOB = "iVBORw0KGgo" * 10_000
_PICTURES = {
    "openai": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_BLOB}"}},
    "responses": {"type": "input_image", "image_url": f"data:image/png;base64,{_BLOB}"},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _BLOB}},
    "file": {
        "type": "file",
        "file": {"filename": "x.pdf", "file_data": f"data:application/pdf;base64,{_BLOB}"},
    },
}


@pytest.mark.parametrize("name", _PICTURES)
def test_a_picture_costs_by_no_letter(name: str) -> None:
    """Its base64 tells nothing of its tokens: an amount is assumed."""
    assert 800 < tokens_of_body(_body([_PICTURES[name]])) < 900


@pytest.mark.parametrize(
    "text", [f"base64 {_BLOB}", f'<img src="data:image/png;base64,{_BLOB}">', json.dumps({"data": _BLOB})]
)
def test_a_text_that_looks_like_a_picture_is_tokens(text: str) -> None:
    """Whoever pays by the estimate could be asked for hundreds of thousands of tokens at the price of one picture."""
    assert tokens_of_body(_body(text)) > 0.15 * len(_BLOB)


def test_a_cheap_beginning_hides_nothing() -> None:
    """Digits are four times as many tokens as letters are: also behind the first hundred thousand of these."""
    letters, digits = b"water " * 20_000, b"1234567890" * 60_000
    assert tokens_of_body(letters + digits) == pytest.approx(
        estimate_tokens(letters) + estimate_tokens(digits), rel=0.01
    )
    assert tokens_of_bytes(letters * 8 + digits * 8) == pytest.approx(
        8 * tokens_of_bytes(letters + digits), rel=0.05
    )
