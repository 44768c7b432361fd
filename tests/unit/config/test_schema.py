"""The schema for editors and the documentation of settings come from the types that read the file."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import msgspec
import pytest

from headgate.config.documented import meanings, purpose
from headgate.config.example import EXAMPLE
from headgate.config.model import KINDS, Settings, kind_of
from headgate.config.reading import hints
from headgate.config.schema import json_schema
from headgate.core.section import Section

__all__: list[str] = []

SCHEMA = json_schema()


def sections(kind, seen=None):
    """Every section that a file may contain."""
    seen = {} if seen is None else seen
    stack = [kind, *KINDS.values()]
    while stack:
        each = stack.pop()
        if isinstance(each, type) and issubclass(each, Section):
            if each not in seen:
                seen[each] = None
                stack += hints(each).values()
        else:
            stack += getattr(each, "__args__", ())
    return list(seen)


def resolve(schema):
    return SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def faults(value, schema, key=""):
    """What of `value` the schema does not know. A tenth of a validator: enough to see keys and types."""
    schema = resolve(schema)
    for branch in schema.get("allOf", ()):
        if value.get("kind") == branch["if"]["properties"]["kind"]["const"]:
            return faults(value, branch["then"], key)
    if "anyOf" in schema:
        tried = [faults(value, each, key) for each in schema["anyOf"]]
        return [] if any(not each for each in tried) else tried[0]
    if isinstance(value, dict):
        found = [f"{key}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += faults(each, inner, f"{key}.{name}") if inner else [f"{key}.{name} is unknown"]
        return found
    if isinstance(value, list):
        return [fault for each in value for fault in faults(each, schema["items"], f"{key}[]")]
    if schema.get("type") in ("object", "array"):
        return [f"{key}: {value!r} is no {schema['type']}"]
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return [f"{key}: {value!r}"]
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "enum" in schema or "const" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{key}: {value!r}"]
    return [] if isinstance(value, kinds[schema["type"]]) else [f"{key}: {value!r} is no {schema['type']}"]


@pytest.mark.parametrize("section", sections(Settings), ids=lambda section: section.__name__)
def test_every_setting_says_what_it_means(section):
    """A setting without a sentence under it is not finished."""
    assert purpose(section)
    assert [name for name in section.__struct_fields__ if not meanings(section).get(name)] == []


@pytest.mark.parametrize("section", KINDS.values())
def test_every_kind_can_be_told_from_its_settings(section):
    """The record of a provider's kind is its class."""
    assert KINDS[kind_of(section())] is section


def test_the_schema_is_json():
    """No default of a type of ours is left in it."""
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_schema_knows_the_example_with_every_line_in_use():
    """Lines that are commented out in the example are settings too."""
    used = re.compile(r"# (\[|[a-z_]+ = )")
    lines = [line.removeprefix("# ") if used.match(line) else line for line in EXAMPLE.split("\n")]
    text = "\n".join(line.replace("  # {", "  {") for line in lines)
    data = tomllib.loads(text)
    assert {"anthropic", "house"} < set(data["providers"]) and data["server"]["auth"] == "none"
    assert faults(data, SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[server]\nlisen = 'x'", ".server.lisen is unknown"),
        ("[server]\nauth = 'maybe'", ".server.auth: 'maybe'"),
        ("[providers.a]\nkind = 'openai'\nseed = 1", ".providers.a.seed is unknown"),
        ("[models.a]", ".models.a: endpoints is missing"),
    ],
)
def test_the_schema_knows_what_is_wrong(text, fault):
    """An editor underlines it before Headgate refuses it."""
    assert faults(tomllib.loads(text), SCHEMA) == [fault]


def test_the_schema_has_the_defaults():
    """An editor shows them."""
    server = resolve(SCHEMA["properties"]["server"])["properties"]
    assert server["listen"]["default"] == "127.0.0.1:8080"
    assert server["keep_alive"]["default"] == 75
    assert all(field.name in server for field in msgspec.structs.fields(hints(Settings)["server"]))
