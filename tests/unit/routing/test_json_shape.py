"""Is a text the JSON that was asked for?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.json_shape import fits

__all__: list[str] = []

TRIP = {
    "type": "object",
    "required": ["city", "stays"],
    "properties": {
        "city": {"type": "string"},
        "stays": {"type": "array", "items": {"type": "object", "required": ["days"]}},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"city": "Bern", "stays": []}', True),
        ('{"city": "Bern", "stays": [{"days": 1}], "more": null}', True),
        ('{"city": "Bern"}', False),
        ('{"city": "Bern", "stays": [{"days": 1}, {}]}', False),
        ('{"city": "Bern", "stays": {}}', False),
        ("[]", False),
        ('"Bern"', False),
        ("Sure! {}", False),
        ("", False),
    ],
)
def test_what_is_required_has_to_be_there(text, good):
    """At every depth; more than that may be there too."""
    assert fits(text, json.dumps(TRIP).encode()) is good


def test_without_a_schema_any_json_will_do():
    """And one that says what is not looked at keeps nobody out."""
    for schema in (b"", b"{}", b"true", b"broken", b'{"$ref": "#/x"}', b'{"anyOf": [{"required": ["a"]}]}'):
        assert fits("[1, 2]", schema) and not fits("[1, 2", schema)


@given(JSON, st.one_of(JSON.map(lambda one: json.dumps(one).encode()), st.binary()))
def test_no_answer_and_no_schema_breaks_it(value, schema):
    """Both come from outside."""
    assert fits(json.dumps(value, allow_nan=False, default=str) if _finite(value) else "1", schema) in (
        True,
        False,
    )


def test_deep_nesting_is_left_alone():
    """Bounded work."""
    deep = b'{"properties": {"a": ' * 100 + b'{"required": ["b"]}' + b"}}" * 100
    assert fits('{"a": ' * 100 + "{}" + "}" * 100, deep)


def _finite(value):
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
