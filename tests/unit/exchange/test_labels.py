"""Tags in headers: one way to read them."""

from __future__ import annotations

import pytest

from headgate.exchange.labels import tags_of

__all__: list[str] = []


def tags(*values: bytes, known: dict[str, str] | None = None) -> dict[str, str]:
    return tags_of([(b"accept", b"*/*"), *((b"x-headgate-tags", value) for value in values)], known or {})


def test_every_tag_of_every_header_counts() -> None:
    """A proxy may have added a header of its own; of two with one name the later one counts."""
    assert tags(b"a=1, b", b"c=3,a=2") == {"a": "2", "b": "true", "c": "3"}
    assert tags(b"a=1", known={"a": "0", "z": "9"}) == {"a": "1", "z": "9"}


@pytest.mark.parametrize(
    "values",
    [
        [b"trace=" + b"x" * 300 + b",data=sensitive"],
        [b"t=" + b"x" * 300 + b"," + b",".join(b"n%d=v" % n for n in range(4000)) + b",data=sensitive"],
        [b"data=sensitive", b"app=web"],
        [b"data=sensitive,data=normal"],
        [b"data=normal", b"data = Sensitive "],
    ],
)
def test_what_is_sensitive_is_not_lost_on_its_way_in(values: list[bytes]) -> None:
    """Whatever stands before it, behind it or in another header."""
    assert tags(*values)["data"].lower() == "sensitive"


def test_a_tag_that_was_known_before_cannot_be_taken_back() -> None:
    """Nobody's word makes sensitive data normal."""
    assert tags(b"data=normal", known={"data": "sensitive"}) == {"data": "sensitive"}


def test_tags_are_bounded() -> None:
    """They are recorded with every request."""
    found = tags(b"a=" + b"x" * 5000, b",".join(b"n%05d=value" % n for n in range(5000)))
    assert len(found["a"]) == 256
    assert 7000 < sum(len(name) + len(value) for name, value in found.items()) < 8192 + 512
