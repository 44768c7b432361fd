"""Values that fit a JSON Schema: what the simulated model answers where structure is asked for, and what it calls tools with."""

from __future__ import annotations

import re
from typing import Any

from headgate.providers.simulated.chance import Chance

__all__ = ["Hints", "instance_of"]

_DEPTH = 8
_PARTS = 2000
_EXACT = 2.0**53  # above it floats skip whole numbers
_FORMATS = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:26:53Z",
    "time": "09:26:53Z",
    "duration": "PT15M",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "www.example.com",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uri": "https://example.com/7",
    "uri-reference": "/7",
    "uuid": "3f2a9c1e-5b7d-4e88-9a61-0c4d2e7f8b13",
    "json-pointer": "/a",
    "regex": "^a$",
}
_ASKING = "What Which Who Where When Why How Is Are Can Could Do Does Did The A An And Or Please Tell Give Find Look Use I"
_STOP = frozenset(_ASKING.split())


class Hints:
    """What a text offers for filling fields: names, numbers, quoted words."""

    __slots__ = ("_numbers", "_strings", "text")

    def __init__(self, text: str) -> None:
        self.text = text[:2000].strip()
        self._strings: list[str] = [
            quoted for quoted in re.findall(r"[\"“«„]([^\"”»“]{1,80})[\"”»“]", self.text) if quoted.strip()
        ]
        names = re.findall(r"\b[A-ZÀ-Þ][\w'-]*(?:\s+[A-ZÀ-Þ][\w'-]*)*", self.text)
        self._strings += [kept for name in names if (kept := _without_stop_words(name))]
        self._numbers = [float(number) for number in re.findall(r"-?\d{1,9}(?:\.\d{1,6})?", self.text)]

    def string(self, name: str) -> str:
        """A word for the field `name`: the next name or quotation of the text, else something made up from the field's."""
        if self._strings:
            return self._strings.pop(0) if len(self._strings) > 1 else self._strings[0]
        return (
            self.text[:80]
            if name in {"query", "question", "q", "text", "input", "prompt"}
            else f"example {name}".strip()
        )

    def number(self) -> float | None:
        """The next number of the text."""
        return self._numbers.pop(0) if self._numbers else None


def instance_of(schema: Any, hints: Hints, chance: Chance) -> Any:
    """A value that fits `schema`. References outside the schema are never followed; endless ones end in null."""
    return _Maker(schema, hints, chance).make(schema, "", 0)


class _Maker:
    """Makes one value; bounded in depth and in how many parts it has, because the schema is a stranger's."""

    def __init__(self, root: Any, hints: Hints, chance: Chance) -> None:
        self._root, self._hints, self._chance = root, hints, chance
        self._left = _PARTS

    def make(self, schema: Any, name: str, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > 4 * _DEPTH or self._left < 0:
            return None if schema is not True else self._hints.string(name)
        for simple in ("const", "default"):
            if simple in schema:
                return schema[simple]
        if enum := _list(schema, "enum"):
            return self._from_enum(enum)
        if isinstance(reference := schema.get("$ref"), str):
            return self.make(self._resolve(reference), name, depth + 1)
        if merged := _list(schema, "allOf"):
            return self.make(_merge(schema, merged), name, depth + 1)
        for either in ("anyOf", "oneOf"):
            if options := _list(schema, either):
                rest = {key: value for key, value in schema.items() if key != either}
                return self.make(_merge(rest, [self._shallow(options, depth)]), name, depth + 1)
        return self._of_type(_type_of(schema), schema, name, depth)

    def _from_enum(self, enum: list[Any]) -> Any:
        said = self._hints.text.lower()
        for value in enum:
            if isinstance(value, str) and value and value.lower() in said:
                return value
        return self._chance.pick(enum)

    def _shallow(self, options: list[Any], depth: int) -> Any:
        """The first option; where it gets deep, one that ends."""
        if depth <= _DEPTH:
            return options[0]
        deep = {"$ref", "properties", "items"}
        return next((one for one in options if isinstance(one, dict) and not deep & one.keys()), options[-1])

    def _resolve(self, reference: str) -> Any:
        found = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found if reference.startswith("#") else None

    def _of_type(self, kind: str, schema: dict[str, Any], name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in {"integer", "number"}:
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return self._chance.below(2) == 1
        return None if kind == "null" else self._string(schema, name)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = [key for key in _list(schema, "required") if isinstance(key, str)]
        wanted = [key for key in properties if depth <= _DEPTH or key in required]
        made = {key: self.make(properties[key], key, depth + 1) for key in wanted}
        for key in required:
            if key not in made:
                made[key] = self._hints.string(key)
        return made

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        made = [self.make(one, name, depth + 1) for one in _list(schema, "prefixItems")]
        usual = 0 if depth > _DEPTH or made else 2
        most = _whole(schema.get("maxItems"), _PARTS)
        count = min(max(usual, _whole(schema.get("minItems"), 0)), most)
        items = schema.get("items", {"type": "string"})
        while items is not False and len(made) < count and self._left > 0:
            made.append(self.make(items, name, depth + 1))
            if schema.get("uniqueItems") and made[-1] in made[:-1]:
                made[-1] = _other(made[-1], len(made))
        return made

    def _number(self, schema: dict[str, Any], *, whole: bool) -> float | int:
        step = _real(schema.get("multipleOf")) or 0.0
        unit = step if step > 0 else (1 if whole else 0.5)
        low = _bound(schema, "minimum", "exclusiveMinimum", unit)
        high = _bound(schema, "maximum", "exclusiveMaximum", -unit)
        value = self._hints.number()
        if value is None:
            value = self._chance.below(90) + 10
        value = min(max(value, low), high)
        if step > 0 and abs(value / step) < _EXACT:
            value = round(value / step) * step
            value += step if value < low else -step if value > high else 0
        return round(value) if whole else value

    def _string(self, schema: dict[str, Any], name: str) -> str:
        if (known := _FORMATS.get(str(schema.get("format")))) is not None:
            return known
        if isinstance(pattern := schema.get("pattern"), str):
            return _matching(pattern)
        text = self._hints.string(name)
        least, most = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), 10_000)
        if len(text) < least:
            text += "x" * (min(least, 10_000) - len(text))
        return text[:most]


def _without_stop_words(name: str) -> str:
    words = name.split()
    while words and words[0] in _STOP:
        words = words[1:]
    return " ".join(words)


def _merge(base: dict[str, Any], more: list[Any]) -> dict[str, Any]:
    merged = {key: value for key, value in base.items() if key != "allOf"}
    for one in more:
        for key, value in (one if isinstance(one, dict) else {}).items():
            there = merged.get(key)
            if key == "properties" and isinstance(there, dict) and isinstance(value, dict):
                merged[key] = there | value
            elif key == "required" and isinstance(there, list) and isinstance(value, list):
                merged[key] = there + value
            else:
                merged[key] = value
    return merged


def _list(schema: dict[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _EXACT else None


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _bound(schema: dict[str, Any], inside: str, outside: str, unit: float) -> float:
    for key, shift in ((inside, 0.0), (outside, unit)):
        if (value := _real(schema.get(key))) is not None:
            return value + shift
    return -_EXACT if unit > 0 else _EXACT


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _other(value: Any, number: int) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value + number
    return f"{value} {number}" if isinstance(value, str) else value


_UNIT = re.compile(r"\\[dws]|\\.|\[(?:\\.|[^\]\\])+\]|\(|\)|\||[^\\]", re.DOTALL)
_TIMES = re.compile(r"\{(\d{1,3})(?:,\d{0,3})?\}|[*+?]")
_CLASSES = {"\\d": "7", "\\w": "a", "\\s": " ", ".": "a"}


def _matching(pattern: str) -> str:
    """A text for the common patterns: literals, classes, counts and plain groups, the first branch of each choice."""
    groups: list[list[str]] = [[]]
    skipping, place = 0, 0
    while place < len(pattern) and (found := _UNIT.match(pattern, place)):
        unit, place = found[0], found.end()
        if unit == "(":
            groups.append([])
            place += 2 if pattern.startswith("?:", place) else 0
            skipping += 1 if skipping else 0
            continue
        if unit == "|":
            skipping = skipping or 1
            continue
        if unit == ")" and len(groups) > 1:
            made = "".join(groups.pop())
            skipping -= 1 if skipping else 0
        else:
            made = "" if unit in "^$" else _character(unit)
        times = _TIMES.match(pattern, place)
        place = times.end() if times else place
        count = 1 if times is None or times[0] == "+" else int(times[1]) if times[1] else 0
        if not skipping:
            groups[-1].append(made * min(count, 200))
    return "".join(piece for group in groups for piece in group)


def _character(unit: str) -> str:
    if unit in _CLASSES:
        return _CLASSES[unit]
    if len(unit) < 3 or not unit.startswith("["):
        return unit.removeprefix("\\")
    inside = unit[1:-1]
    if inside.startswith("^"):
        return next((one for one in "a1_-é " if one not in inside), "~")
    return _CLASSES.get(inside[:2]) or inside.removeprefix("\\")[0]
