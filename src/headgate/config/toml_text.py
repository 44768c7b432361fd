"""Plain data as TOML text. The standard library reads TOML and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["toml_text"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(data: dict[str, Any]) -> str:
    """`data` as a file people can read: sections as tables, lists and what is in them inline. None is left out."""
    return "\n".join(_tables(data, ())).strip() + "\n"


def _tables(data: dict[str, Any], key: tuple[str, ...]) -> Iterator[str]:
    leaves = {
        name: value for name, value in data.items() if not isinstance(value, dict) and value is not None
    }
    if key and (leaves or not data):
        yield f"\n[{'.'.join(map(_key, key))}]"
    for name, value in leaves.items():
        yield f"{_key(name)} = {_value(value)}"
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _tables(value, (*key, name))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(
            f"{_key(name)} = {_value(each)}" for name, each in value.items() if each is not None
        )
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
