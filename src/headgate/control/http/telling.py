"""The OpenAPI document as rows for people: what both pages about it, the served one and the written one, are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Field", "Operation", "fields_of", "operations_of"]


class Field(NamedTuple):
    """A parameter or a field."""

    name: str
    kind: str
    """In words."""
    default: str
    meaning: str


class Operation(NamedTuple):
    """A method at a path."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    roles: list[str]
    parameters: list[Field]
    """Those of the query."""
    body: str
    """The name of a type; "" for none."""
    answer: str
    status: str
    problems: list[str]
    """Codes."""


def operations_of(told: dict[str, Any]) -> Iterator[Operation]:
    """In the order of the document."""
    for path, methods in told["paths"].items():
        for method, each in methods.items():
            good = next(status for status in each["responses"] if status.startswith("2"))
            yield Operation(
                name=each["operationId"],
                method=method.upper(),
                path=path,
                summary=each["summary"],
                description=each["description"],
                roles=each["x-roles"],
                parameters=[
                    Field(
                        one["name"],
                        _kind(one["schema"]),
                        _default(one["schema"], required=one["required"]),
                        one["description"],
                    )
                    for one in each["parameters"]
                    if one["in"] == "query"
                ],
                body=_named(each["requestBody"]["content"]) if "requestBody" in each else "",
                answer=_named(each["responses"][good]["content"]),
                status=good,
                problems=[
                    part.partition(":")[0]
                    for status, one in each["responses"].items()
                    if status != good
                    for part in one["description"].split("; ")
                ],
            )


def fields_of(told: dict[str, Any], name: str) -> list[Field]:
    """The fields of a type."""
    schema = told["components"]["schemas"][name]
    required = schema.get("required", ())
    return [
        Field(field, _kind(kind), _default(kind, required=field in required), kind.get("description", ""))
        for field, kind in schema["properties"].items()
    ]


def _named(content: dict[str, Any]) -> str:
    return str(next(iter(content.values()))["schema"]["$ref"]).rpartition("/")[2]


def _default(schema: dict[str, Any], *, required: bool) -> str:
    if required:
        return ""
    default = schema.get("default")
    return "" if default in (None, "", []) else f"`{json.dumps(default)}`"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join("null" if each is None else f"`{each}`" for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        pair = schema.get("prefixItems")
        return f"list of {' and '.join(map(_kind, pair))}" if pair else f"list of {_kind(schema['items'])}"
    if kind == "object":
        return "object"
    if kind == "string":
        return "moment" if schema.get("format") == "date-time" else f"text{_bounds(schema)}"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: dict[str, Any]) -> str:
    least = schema.get("minimum", schema.get("minLength"))
    most = schema.get("maximum", schema.get("maxLength"))
    above = f"over {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else ""
    words = [
        above or (f"from {least}" if least is not None else ""),
        f"to {most}" if most is not None else "",
    ]
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    text = " ".join(word for word in words if word)
    return f", {text}{unit}" if text else ""
