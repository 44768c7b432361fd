"""Addresses of providers: taken apart once, and what is none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.port import Headers, Url

__all__: list[str] = []


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://api.openai.com/v1/chat?x=1", ("https", "api.openai.com", 443), b"/v1/chat?x=1"),
        ("http://127.0.0.1:8000", ("http", "127.0.0.1", 8000), b"/"),
        ("http://[::1]:80/a", ("http", "::1", 80), b"/a"),
        ("HTTPS://Example.COM/A", ("https", "example.com", 443), b"/A"),
    ],
)
def test_an_address_is_taken_apart(text: str, origin: tuple[str, str, int], target: bytes) -> None:
    """The port is the scheme's, unless it says another."""
    url = Url.parse(text)
    assert (url.origin, url.target) == (origin, target)


@pytest.mark.parametrize(
    "text", ["", "api.openai.com/v1", "ftp://host/", "http://", "https:///v1", "http://host:port/", "http://[::1", "http://h:99999/"]
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    """ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError):
        Url.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    """And no text puts a line break or a space into a request line."""
    for candidate in (text, f"http://host/{text}", f"http://{text}/"):
        try:
            url = Url.parse(candidate)
        except ValueError:
            continue
        assert url.host and 0 <= url.port < 65_536
        assert url.target.startswith(b"/")
        assert not any(byte <= 0x20 or byte == 0x7F for byte in url.target)


def test_headers_are_found_by_name() -> None:
    """The first one counts."""
    headers = Headers([(b"a", b"1"), (b"a", b"2")])
    assert headers.first(b"a") == b"1" and headers.get(b"b") is None
