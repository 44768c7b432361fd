"""The base of every settings section, and the kinds of value that configuration files write as text."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

__all__ = ["Duration", "Section", "Size", "decode_value", "is_secret", "schema_of", "without_credentials"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SECRET = re.compile(r"key|headers|redis|(.*_)?(api_keys?|access_key|token|secret|password)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)|(?<=[?&]password=)[^&\s]+")
_FOREVER = 1e18
"""Also keeps out infinity, which TOML can write and timers cannot keep."""
_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration: frozen, unknown keys refused, each field documented by the string under it.

    A subclass repeats `frozen=True`: msgspec inherits it, the type checker does not know."""

    def __repr__(self) -> str:
        """Without secrets: settings end up in logs and tracebacks."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = (
            f"{name}={'...' if value and is_secret(name) else without_credentials(repr(value))}"
            for name, value in fields
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Duration(float):
    """Seconds. Written as `"250ms"`, `"2s"`, `"5m"`, `"1h"`, `"7d"`, or a bare number of seconds."""

    @classmethod
    def parse(cls, value: object) -> Duration:
        """Raises ValueError with what would be right."""
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _FOREVER:
            return cls(value)
        found = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
        if not found or found[2].lower() not in (*_UNITS, ""):
            raise ValueError(f'{value!r} is not a duration; write one like "250ms", "2s", "5m", "1h" or "7d"')
        return cls(float(found[1]) * _UNITS.get(found[2].lower(), 1.0))


class Size(int):
    """Bytes. Written as `"64 kB"`, `"32 MB"`, `"1 GiB"`, or a bare number of bytes."""

    @classmethod
    def parse(cls, value: object) -> Size:
        """Raises ValueError with what would be right."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(value)
        found = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
        if not found or found[2].lower() not in _BYTES:
            raise ValueError(f'{value!r} is not a size; write one like "64 kB", "32 MB" or "1 GiB"')
        return cls(float(found[1]) * _BYTES[found[2].lower()])


def is_secret(name: str) -> bool:
    """May a setting of this name hold a secret, so that its value is never shown? `headers` may: keys travel in them."""
    return _SECRET.fullmatch(name) is not None


def without_credentials(text: str) -> str:
    """`text` without the user and the password of an address in it."""
    return _CREDENTIALS.sub("...", text)


def decode_value(kind: type, value: Any) -> Any:
    """msgspec's `dec_hook` for the kinds above and for Decimal written as a TOML number."""
    if kind is Duration:
        return Duration.parse(value)
    if kind is Size:
        return Size.parse(value)
    if kind is Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise ValueError(f"{value!r} is not an amount") from None
    raise NotImplementedError(f"no way to read a {kind.__name__} from configuration")


def schema_of(kind: type) -> dict[str, Any]:
    """msgspec's `schema_hook`: how editors see the kinds above."""
    if kind is Duration:
        pattern = r"^\s*[0-9]{1,18}(\.[0-9]+)?\s*([mM]?[sS]|[mM]([iI][nN])?|[hH]|[dD])?\s*$"
        return {
            "anyOf": [{"type": "string", "pattern": pattern}, {"type": "number", "minimum": 0}],
            "examples": ["2s"],
        }
    if kind is Size:
        pattern = r"^\s*[0-9]{1,18}(\.[0-9]+)?\s*(([kKmMgG][iI]?)?[bB])?\s*$"
        return {
            "anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0}],
            "examples": ["32 MB"],
        }
    raise NotImplementedError(f"no schema for {kind.__name__}")
