"""Is a text the JSON that was asked for? Pure; as much of a schema as every model has to get right."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["fits"]

_DEEPEST = 32
_MOST_ITEMS = 1000


def fits(text: str, schema: bytes) -> bool:
    """JSON, objects and lists where the schema says so, and in objects the keys that it requires.

    schema: JSON Schema; empty for any JSON. What it says beyond that (references, alternatives, formats) is not looked at:
    what is called bad here is bad without doubt."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    try:
        wanted = msgspec.json.decode(schema) if schema else {}
    except (msgspec.DecodeError, RecursionError):
        return True
    return not _lacks(value, wanted, 0)


def _lacks(value: object, schema: Any, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return False
    kind = schema.get("type")
    if isinstance(value, dict):
        required, properties = schema.get("required"), schema.get("properties")
        if isinstance(required, list) and any(isinstance(key, str) and key not in value for key in required):
            return True
        if isinstance(properties, dict):
            return any(
                _lacks(value[key], inner, depth + 1) for key, inner in properties.items() if key in value
            )
        return kind == "array"
    if isinstance(value, list):
        items = schema.get("items")
        return kind == "object" or any(_lacks(each, items, depth + 1) for each in value[:_MOST_ITEMS])
    return kind in ("object", "array")
