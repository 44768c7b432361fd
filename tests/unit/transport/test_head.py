"""Request heads: what goes in comes out, and nothing else can be slipped in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.transport.head import host_line, render_head

FIXED = b" HTTP/1.1\r\nhost: h\r\n"


def test_a_head_is_the_request_line_ours_and_theirs() -> None:
    """Headers keep their order and bytes; the length is said."""
    head = render_head("POST", b"/v1?x", FIXED, [(b"x-api-key", b"k"), (b"X-Odd", b"a b\xff")], 12)
    assert head == (
        b"POST /v1?x HTTP/1.1\r\nhost: h\r\ncontent-length: 12\r\nx-api-key: k\r\nX-Odd: a b\xff\r\n\r\n"
    )


def test_a_method_that_has_no_body_says_no_length() -> None:
    """GET without a body has none; POST without one says 0, or some servers wait for it."""
    assert render_head("GET", b"/", FIXED, [], 0) == b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
    assert (
        render_head("POST", b"/", FIXED, [], 0) == b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
    )
    assert b"content-length: 3" in render_head("DELETE", b"/", FIXED, [], 3)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_no_header_can_start_a_line_of_its_own(name: bytes, value: bytes) -> None:
    """Whatever the bytes, the head has exactly the lines asked for, or there is no head."""
    try:
        head = render_head("POST", b"/", FIXED, [(name, value), (b"accept", b"*/*")], 0)
    except ValueError:
        return
    assert head.endswith(b"\r\n\r\n")
    lines = head[:-4].split(b"\r\n")
    assert lines[3:] == [name + b": " + value, b"accept: */*"]
    assert head.count(b"\n") == head.count(b"\r") == len(lines) + 1


def test_a_refusal_names_the_header_and_not_its_value() -> None:
    """The message goes to logs, the value may be a key."""
    headers = [(b"accept", b"*/*"), (b"x-api-key", b"sk-secret\r\nx: y")]
    with pytest.raises(ValueError, match="x-api-key") as caught:
        render_head("POST", b"/", FIXED, headers, 0)
    assert "secret" not in str(caught.value) and "accept" not in str(caught.value)


@given(st.binary(min_size=1, max_size=20), st.text(min_size=1, max_size=8))
def test_the_request_line_has_three_parts(target: bytes, method: str) -> None:
    """A target or method that could end the line, or add a part to it, is refused."""
    try:
        head = render_head(method, target, FIXED, [], 0)
    except ValueError:
        return
    assert head.partition(b"\r\n")[0].split(b" ") == [method.encode(), target, b"HTTP/1.1"]


@pytest.mark.parametrize("name", [b"host", b"Content-Length", b"TRANSFER-ENCODING", b"connection", b"Expect"])
def test_headers_the_transport_writes_are_refused_from_others(name: bytes) -> None:
    """Two lengths, or two hosts, are how requests are smuggled."""
    with pytest.raises(ValueError, match="writes"):
        render_head("POST", b"/", FIXED, [(name, b"1")], 0)


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (("https", "api.example", 443), b"api.example"),
        (("https", "api.example", 80), b"api.example:80"),
        (("http", "10.0.0.5", 8000), b"10.0.0.5:8000"),
        (("http", "::1", 80), b"[::1]"),
        (("http", "fe80::1", 8080), b"[fe80::1]:8080"),
        (("http", "bücher.example", 80), b"xn--bcher-kva.example"),
    ],
)
def test_the_host_line_names_the_port_only_if_it_must(origin: tuple[str, str, int], line: bytes) -> None:
    """As RFC 9110, section 7.2."""
    assert host_line(*origin) == line
