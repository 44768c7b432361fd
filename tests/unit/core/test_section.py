"""Durations, sizes and sections: the kinds of value a configuration is written in."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.section import Duration, Section, Size, decode_value, is_secret, schema_of

__all__: list[str] = []

anything = st.one_of(
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2),
        (" 1.5 M ", 90),
        ("5min", 300),
        ("1h", 3600),
        ("7d", 604800),
        ("3", 3),
        (0, 0),
        (2.5, 2.5),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    """With a unit, or bare seconds."""
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64 kB", 64_000),
        ("1 GiB", 2**30),
        ("2MB", 2_000_000),
        ("7", 7),
        ("5 b", 5),
        ("0.5 KiB", 512),
        (12, 12),
    ],
)
def test_sizes(text: object, size: int) -> None:
    """Powers of ten, and of two where it says so."""
    assert Size.parse(text) == size


@pytest.mark.parametrize(
    "value",
    [
        "", "s", "2 weeks", "-1s", "1e3", "2s3", "١s", -1, True, None, [], {}, "nan", "inf",
        math.nan, math.inf, -math.inf, "9" * 400,
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [Duration, Size])
def test_what_is_neither_is_refused_with_what_would_be_right(kind: Any, value: object) -> None:
    """Not a number is no time to wait, and forever is none either."""
    with pytest.raises(ValueError, match="write one like"):
        kind.parse(value)


@given(anything)
def test_any_value_is_a_duration_or_is_refused(value: object) -> None:
    """Finite and not negative, if it is one."""
    for kind in (Duration, Size):
        try:
            parsed = kind.parse(value)
        except ValueError:
            continue
        assert parsed >= 0 and math.isfinite(parsed)


@given(st.text(alphabet="0123456789. msKMGkib٣", max_size=12))
def test_the_schema_takes_what_the_parser_takes(text: str) -> None:
    """Editors and the program agree."""
    for kind in (Duration, Size):
        pattern = next(one["pattern"] for one in schema_of(kind)["anyOf"] if "pattern" in one)
        try:
            kind.parse(text)
        except ValueError:
            continue
        assert re.search(pattern, text), text


class Pool(Section, frozen=True):
    name: str = ""
    api_key: str = ""
    wait: Duration = Duration(1)
    most: Size = Size(5)
    price: Decimal = Decimal(0)


def read(**fields: Any) -> Pool:
    return msgspec.convert(fields, Pool, dec_hook=decode_value)


def test_a_section_is_read_and_frozen() -> None:
    """Amounts exactly as they are written."""
    pool = read(wait="2s", most="1 kB", price=0.1)
    assert (pool.wait, pool.most, pool.price) == (2.0, 1000, Decimal("0.1"))
    with pytest.raises(AttributeError):
        pool.name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields", [{"nam": "x"}, {"wait": "soon"}, {"most": -1}, {"price": "much"}, {"name": 7}]
)
def test_a_section_refuses_what_it_does_not_know(fields: dict[str, Any]) -> None:
    """Unknown keys and values of the wrong kind."""
    with pytest.raises(msgspec.ValidationError):
        read(**fields)


def test_a_section_shows_no_secret() -> None:
    """Settings end up in logs."""
    shown = repr(read(name="visible", api_key="hidden"))
    assert "visible" in shown and "hidden" not in shown


@pytest.mark.parametrize(
    "name", ["api_key", "key", "headers", "secret", "session_token", "password", "aws_access_key"]
)
def test_names_of_secrets(name: str) -> None:
    """What is called like one is one."""
    assert is_secret(name) and not is_secret("name")
