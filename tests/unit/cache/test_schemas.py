"""Holding answers against the caller's JSON Schema: all of it, nothing fetched, and never for long."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.cache.schemas import MOST_READ, MOST_SCHEMA, MOST_TEXT, Schemas

__all__: list[str] = []

FITS_NOT = "it does not fit the schema that was asked for"
TOO_LONG = "it would take too long to hold it against the schema that was asked for"
PERSON = {
    "$defs": {
        "Child": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0},
        "born": {"type": "string", "format": "date"},
        "kind": {"enum": ["a", "b"]},
        "code": {"type": "string", "pattern": "^[A-Z]{2}\\d$"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Child"}, "maxItems": 2},
        "pay": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "required": ["age"],
    "additionalProperties": False,
}


def why_not(schema: Any, said: Any) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return Schemas().why_not([(json.dumps(schema).encode(), text)])


@pytest.mark.parametrize(
    "said",
    [
        {"age": 3},
        {"age": 3, "born": "2026-02-28", "kind": "a", "code": "AB1", "pay": None},
        {"age": 3, "children": [{"name": "Ann"}, {"name": "Ben"}], "pay": 1.5},
    ],
)
def test_what_fits_is_kept(said: Any) -> None:
    """By every rule of the schema."""
    assert why_not(PERSON, said) == ""


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"age": "3"},
        {"age": -1},
        {"age": 3, "more": 1},
        {"age": 3, "born": "2026-02-30"},
        {"age": 3, "kind": "c"},
        {"age": 3, "code": "ab1"},
        {"age": 3, "children": [{"name": ""}]},
        {"age": 3, "children": [{"name": "Ann", "more": 1}]},
        {"age": 3, "children": [{"name": "a"}] * 3},
        {"age": 3, "pay": "much"},
    ],
)
def test_what_breaks_one_rule_is_not(said: Any) -> None:
    """However deep it lies, and whatever kind of rule it is."""
    assert why_not(PERSON, said) == FITS_NOT


@pytest.mark.parametrize("text", ["", "no JSON", '{"age": 3', '{"age": 3} and more', "NaN", '"\ud800"'])
def test_what_is_no_json_is_not(text: str) -> None:
    """With or without a schema."""
    assert why_not(PERSON, text) == "it is no JSON, which was asked for"
    assert Schemas().why_not([(b"", text)]) == "it is no JSON, which was asked for"


def test_without_a_schema_any_object_fits() -> None:
    """As `json_object` asks for."""
    assert Schemas().why_not([(b"", '{"a": 1}')]) == ""
    assert Schemas().why_not([(b"", "[1]")]) == "it is no JSON object, which was asked for"


def test_all_of_several_have_to_fit() -> None:
    """Each against its own schema."""
    one, other = b'{"type":"integer"}', b'{"type":"string"}'
    assert Schemas().why_not([(one, "1"), (other, '"a"')]) == ""
    assert Schemas().why_not([(one, "1"), (other, "2")]) == FITS_NOT


def test_nothing_is_fetched() -> None:
    """A schema that refers to an address is none to hold anything against; nobody calls there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for schema in (
            {"$ref": address},
            {"$schema": address, "type": "object"},
            {"properties": {"a": {"$ref": f"{address}#/x"}}},
            {"$id": address, "$ref": "other.json"},
            {"$ref": "file:///etc/hostname"},
            {"$defs": {"a": {"$id": address}}, "$ref": "#/$defs/a"},
        ):
            assert why_not(schema, {}).startswith("the schema that was asked for "), schema
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ([], "is no JSON Schema"),
        ({"type": "objet"}, "is none that can be checked"),
        ({"pattern": "("}, "is none that can be checked"),
        ({"pattern": "^(?=a)"}, "is none that can be checked"),
        ({"pattern": "(\\w{100}){100}"}, "is none that can be checked"),
        ({"$ref": "#/$defs/none"}, "refers to something that is not in it"),
        ({"$ref": "#name"}, "refers to something that is not in it, and nothing is fetched"),
        ({"$dynamicRef": "#a"}, "has references that depend on where they come from, which are not followed"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself without end"),
        ({"allOf": [{"pattern": str(n)} for n in range(50)]}, "has too many expressions and formats to be checked"),
        ({"enum": ["x" * MOST_SCHEMA]}, "is too large to be checked"),
        ({"items": [{}] * 3_000}, "is too large to be checked"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_checked_says_why(schema: Any, why: str) -> None:
    """Nothing is kept then: nobody has seen that it fits."""
    assert why_not(schema, {}) == f"the schema that was asked for {why}"


def doubling(levels: int) -> dict[str, Any]:
    """Two looks at each level: 2^levels at one value."""
    parts: dict[str, Any] = {
        f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{levels}": {"type": "integer"}}}


def left_over(levels: int) -> dict[str, Any]:
    """What is left over is found out anew at each level."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"allOf": [schema], "unevaluatedProperties": False, "properties": {"a": True}}
    return schema


def branching(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (doubling(40), 1),
        (left_over(40), {"a": 1}),
        ({"anyOf": [{"properties": {"x": {"$ref": "#"}}, "required": ["y"]}] * 3}, branching(40)),
        ({"items": {"anyOf": [{"const": at} for at in range(1_000)]}}, [-1] * 5_000),
        ({"items": {"enum": [[at] * 10 for at in range(1_000)]}}, [[0] * 10] * 5_000),
        ({"items": {"pattern": "([a-z]{1,20}){4}q"}}, ["ab" * MOST_READ]),
        ({"items": {"allOf": [{"format": "idn-hostname"}] * 20}}, ["ü." * 1_000]),
        ({"multipleOf": 0.001}, 10**300),
        ({}, branching(200)),
    ],
    ids=["references", "left over", "branches", "alternatives", "values", "expression", "format", "division", "depth"],
)  # fmt: skip
def test_what_would_take_too_long_is_not_begun(schema: Any, said: Any) -> None:
    """A validator cannot be stopped: some of these would keep it busy for years."""
    assert why_not(schema, said) == TOO_LONG


def test_the_work_of_all_parts_counts_together() -> None:
    """An answer may have a hundred parts, each of them just within the bound."""
    part = (json.dumps(doubling(16)).encode(), "1")
    assert Schemas().why_not([part]) == ""
    assert Schemas().why_not([part] * 4) == TOO_LONG


def test_a_long_text_is_not_held_against_anything() -> None:
    """Nor read."""
    why = Schemas().why_not([(b"{}", '"' + "a" * MOST_TEXT + '"')])
    assert why == "it is too long to be held against the schema that was asked for"


def test_a_large_answer_in_an_ordinary_form_is_no_trouble() -> None:
    """Lists of records, trees, texts: what people ask for stays far within the bounds."""
    record = {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}
    rows = {"type": "array", "items": {"type": "object", "properties": record, "required": ["name"]}}
    assert why_not(rows, [{"name": "n" * 20, "tags": ["a", "b"]}] * 2_000) == ""
    tree = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "parts": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["text"],
        "additionalProperties": False,
    }
    value: dict[str, Any] = {"text": "leaf"}
    for _ in range(9):
        value = {"text": "node", "parts": [value, value]}
    assert why_not(tree, value) == ""
    essay = {"properties": {"day": {"format": "date"}, "text": {"type": "string"}}}
    assert why_not(essay, {"day": "2026-11-22", "text": "word " * 3_000}) == ""


def test_one_deep_answer_does_not_spoil_the_schema_for_others() -> None:
    """Sums that became too many are made anew for the next."""
    parts = {
        f"d{at}": {"properties": {f"f{to}": {"$ref": f"#/$defs/d{(7 * at + to) % 300}"} for to in range(4)}}
        for at in range(300)
    }
    schema = json.dumps({"$ref": "#/$defs/d0", "$defs": parts}).encode()
    schemas = Schemas()
    deep = json.dumps(branching(60))
    assert schemas.why_not([(schema, deep)]) == "the schema that was asked for is too large to be checked"
    assert schemas.why_not([(schema, '{"f0": {"f1": {}}}')]) == ""


def test_what_is_known_of_a_schema_is_remembered_within_bounds() -> None:
    """Made ready once; who comes with ever new ones takes no more than that."""
    schemas = Schemas()
    schema, broken = json.dumps(PERSON).encode(), b'{"type": 1}'
    assert schemas.why_never(schema) == schemas.why_never(broken) == ""
    schemas.why_not([(schema, '{"age": 1}')])
    weight = schemas.weight
    assert schemas.why_not([(schema, '{"age": 2}')]) == "" and schemas.weight == weight > 0
    why = schemas.why_not([(broken, "{}")])
    assert schemas.why_never(broken) == why != "" and schemas.why_never(schema) == ""
    assert (
        schemas.why_never(b" " * (MOST_SCHEMA + 1))
        == "the schema that was asked for is too large to be checked"
    )
    for at in range(200):
        form = json.dumps({"allOf": [{"pattern": f"a{at}"}] * 20}).encode()
        assert schemas.why_not([(form, f'"a{at}"')]) == ""
        assert schemas.weight <= 16_000_000
    assert schemas.why_never(broken) == ""  # long forgotten
    for at in range(200):
        schemas.why_not([(b'{"const": %d}' % at, "1")])
    assert schemas.weight < 64 * 2_000


KEYWORDS = ["type", "properties", "items", "anyOf", "allOf", "not", "$ref", "required", "enum", "pattern", "format", "$defs", "if", "const", "prefixItems", "dependencies", "unevaluatedProperties", "patternProperties", "$id", "contains", "multipleOf", "minimum"]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["object", "array", "string", "#", "#/properties/a", "#/$defs/a", "a", "^a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(VALUES, VALUES)
@settings(max_examples=300, deadline=None)
def test_any_schema_and_any_value_come_to_an_end(schema: Any, said: Any) -> None:
    """It says why not, or nothing; it never raises."""
    schemas = Schemas()
    wanted = [(json.dumps(schema).encode(), json.dumps(said))]
    assert schemas.why_not(wanted) == schemas.why_not(wanted)
