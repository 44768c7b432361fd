"""How places that secrets are sent to are written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stores.secrets import place_of, read_place

__all__: list[str] = []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("api.openai.com", "api.openai.com"),
        (" API.OpenAI.com. ", "api.openai.com"),
        ("api.openai.com:443", "api.openai.com"),
        ("10.0.0.5:8000", "10.0.0.5:8000"),
        ("vllm:80", "vllm:80"),
        ("[::1]", "[::1]"),
        ("[::1]:8000", "[::1]:8000"),
        ("my_host.internal", "my_host.internal"),
    ],
)
def test_a_host_is_read_as_calls_name_it(written: str, read: str) -> None:
    """Capitals, blanks, a dot at the end and the usual port make no difference."""
    assert read_place(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        "https://api.openai.com",
        "api.openai.com/v1",
        "user@host",
        "host:",
        "host:0",
        "host:65536",
        "host:http",
        "*.openai.com",
        "a b",
        "::1",
        "[::1",
        "[api.test]",
        "-a.test",
        "a..test",
        "a,b",
    ],
)
def test_what_is_no_host_is_refused_with_what_would_be_right(written: str) -> None:
    """An address, a pattern, half a host."""
    with pytest.raises(ValueError, match="is not a host: write its name"):
        read_place(written)


@given(st.text(max_size=30))
def test_whatever_is_read_stays_the_same_when_read_again(text: str) -> None:
    """And nothing but ValueError comes of the rest; no blank is in it, since hosts are kept with blanks between them."""
    try:
        place = read_place(text)
    except ValueError:
        return
    assert read_place(place) == place and place.split() == [place]


def test_without_tls_it_is_another_place() -> None:
    """An address that loses its `s` must not get the key."""
    assert place_of("https", "api.openai.com", 443) == "api.openai.com"
    assert place_of("http", "api.openai.com", 80) == "api.openai.com:80"
    assert place_of("http", "api.openai.com", 443) == "api.openai.com:443" != read_place("api.openai.com:443")
