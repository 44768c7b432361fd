"""Values made for JSON Schemas fit them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.simulated.chance import Chance
from headgate.providers.simulated.schemas import Hints, instance_of
from tests.support.wires import JSON_VALUES, UNHURRIED

__all__: list[str] = []

KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}


def fits(value: Any, schema: Any) -> bool:
    """A checker of its own for the keywords used below, written from the specification (2020-12)."""
    if isinstance(schema, bool):
        return schema
    kinds = schema.get("type", list(KINDS))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    is_bool = isinstance(value, bool)
    if not any(isinstance(value, KINDS[kind]) and (is_bool <= (kind == "boolean")) for kind in kinds):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str) and not fits_text(value, schema):
        return False
    if isinstance(value, int | float) and not is_bool and not fits_number(value, schema):
        return False
    if isinstance(value, list):
        length_ok = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return length_ok and all(fits(one, schema.get("items", True)) for one in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return set(schema.get("required", ())) <= value.keys() and all(
            fits(value[k], known.get(k, True)) for k in value
        )
    return True


def fits_text(value: str, schema: dict[str, Any]) -> bool:
    length_ok = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return length_ok and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)


def fits_number(value: float, schema: dict[str, Any]) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)
        and value % schema.get("multipleOf", 1 if isinstance(value, int) else value or 1) == 0
    )


def bounds(low: str, high: str, most: int) -> st.SearchStrategy[dict[str, int]]:
    pair = st.tuples(st.integers(0, most), st.integers(0, most)).map(sorted)
    return pair.map(lambda two: {low: two[0], high: two[1]}) | st.just({})


LEAVES = st.one_of(
    bounds("minLength", "maxLength", 30).map(lambda more: {"type": "string", **more}),
    bounds("minimum", "maximum", 500).map(lambda more: {"type": "integer", **more}),
    bounds("minimum", "maximum", 500).map(lambda more: {"type": "number", **more}),
    st.integers(-50, 50).map(lambda low: {"type": "number", "exclusiveMinimum": low}),
    st.integers(-50, 50).map(lambda high: {"type": "integer", "exclusiveMaximum": high}),
    st.integers(1, 9).map(lambda step: {"type": "integer", "minimum": 10, "maximum": 99, "multipleOf": step}),
    st.lists(st.text(max_size=5), min_size=1, max_size=4).map(lambda values: {"enum": values}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, True]),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=6), inner, max_size=4).map(
            lambda fields: {"type": "object", "properties": fields, "required": list(fields)}
        ),
        st.tuples(inner, bounds("minItems", "maxItems", 6)).map(
            lambda two: {"type": "array", "items": two[0], **two[1]}
        ),
    ),
    max_leaves=10,
)


@UNHURRIED
@given(SCHEMAS, st.text(), st.integers(0, 2**64))
def test_what_is_made_fits(schema: Any, text: str, seed: int) -> None:
    """For every schema of these keywords, whatever the question was."""
    made = instance_of(schema, Hints(text), Chance(seed))
    assert fits(made, schema), made


@UNHURRIED
@given(JSON_VALUES, st.text(max_size=20))
def test_nonsense_is_borne(schema: Any, text: str) -> None:
    """A caller's schema may be anything; something is made of it."""
    instance_of({"type": "object", "properties": {"a": schema}, "required": schema}, Hints(text), Chance(1))
    for key in (
        "type",
        "enum",
        "$ref",
        "allOf",
        "anyOf",
        "items",
        "prefixItems",
        "minItems",
        "minimum",
        "pattern",
    ):
        instance_of({key: schema, "multipleOf": schema, "format": schema}, Hints(text), Chance(1))
        instance_of({"type": "array", key: schema}, Hints(text), Chance(1))


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}-\d{4}$",
        r"^\+?[0-9]{6,12}$",
        r"^(red|green|blue)$",
        r"^(?:a(b|c)d)+x?$",
        r"^[^a]\w+\.txt$",
        r"^#[0-9a-f]{6}$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"[",
    ],
)
def test_common_patterns_are_met(pattern: str) -> None:
    """Classes, counts, groups and choices; a broken pattern is taken as text."""
    made = instance_of({"type": "string", "pattern": pattern}, Hints(""), Chance(1))
    assert made == "[" if pattern == "[" else re.search(pattern, made)


def test_references_are_followed_and_end() -> None:
    """A tree that contains itself is cut off; nothing outside the schema is looked up."""
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        },
        "required": ["name", "next"],
    }
    made = instance_of({"$ref": "#/$defs/node", "$defs": {"node": node}}, Hints("Ada"), Chance(1))
    depth = 0
    while made is not None:
        assert made["name"] == "Ada"
        made, depth = made["next"], depth + 1
    assert 2 < depth < 40
    assert instance_of({"$ref": "https://example.com/x.json"}, Hints(""), Chance(1)) is None
    assert instance_of({"$ref": "#", "$defs": {}}, Hints(""), Chance(1)) is None


def test_parts_of_all_of_add_up() -> None:
    """Every part's fields are there."""
    one = {"properties": {"a": {"const": 1}}, "required": ["a"]}
    two = {"properties": {"b": {"default": "x"}}, "required": ["b"]}
    assert instance_of({"allOf": [one, two]}, Hints(""), Chance(1)) == {"a": 1, "b": "x"}


def test_fields_are_filled_from_the_question() -> None:
    """Names, numbers and quoted words in the order they stand; an option that is named is chosen."""
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "city": {"type": "string"},
            "guests": {"type": "integer"},
            "meal": {"enum": ["lunch", "dinner"]},
            "email": {"type": "string", "format": "email"},
        },
    }
    hints = Hints('Book "The Old Mill" in New York for 12 people, dinner please.')
    made = instance_of(schema, hints, Chance(1))
    assert made == {
        "title": "The Old Mill",
        "city": "New York",
        "guests": 12,
        "meal": "dinner",
        "email": "ada@example.com",
    } | {"city": made["city"]}
    assert made["city"] in {"Book", "The Old Mill", "New York"}
