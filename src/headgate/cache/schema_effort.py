"""How much work it is, at most, to hold a value against a JSON Schema: known before the work is begun. Pure.

Both come from strangers: a schema of a kilobyte may refer to itself such that a validator, which nobody can stop, is busy for hours.
What is counted leaves out nothing that a validator might spare itself: how many schemas are held against a value and all that it lies in, times the
number of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

__all__ = ["DEEPEST", "Effort", "Outline", "Size", "Unchecked", "outline_of", "size_of"]

DEEPEST = 64
"""Levels of a value; far beyond, a validator runs out of stack."""
_MOST_PARTS = 2_000
"""Schemas within a schema."""
_MOST_EXPRESSIONS = 32
_MOST_SUMS = 10_000
"""Sums that are made for values of one depth: 20 ms."""
_ENDLESS = 10**12

_BESIDE = ("allOf", "anyOf", "oneOf")
_BESIDE_ONE = ("not", "if", "then", "else")
_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions")
_OF_MANY = ("additionalProperties", "additionalItems", "contains", "propertyNames", "items", "prefixItems")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_IDS = ("$id", "id")
_OTHER_REFERENCES = ("$dynamicRef", "$recursiveRef")


class Unchecked(Exception):
    """Nothing can be held against this schema; its text says why, after "the schema that was asked for"."""


class Outline(NamedTuple):
    """A schema, and what it refers to."""

    root: Any
    targets: dict[str, Any]
    """By reference, as written."""
    expressions: int
    """Parts that look at each character of a text."""
    divides: bool
    """Is there a `multipleOf` in it?"""


class Size(NamedTuple):
    """Of a value."""

    values: int
    """With all that lies in it."""
    depth: int
    """0: nothing lies in it."""


def outline_of(schema: Any) -> Outline:
    """Raises Unchecked: it refers to what is elsewhere, or is too large."""
    if not isinstance(schema, dict | bool):
        raise Unchecked("is no JSON Schema")
    targets: dict[str, Any] = {}
    seen: set[int] = set()
    expressions, divides = 0, False
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        if len(seen) > _MOST_PARTS:
            raise Unchecked("is too large to be checked")
        if part is not schema and any(isinstance(part.get(name), str) for name in _IDS):
            raise Unchecked("holds schemas with names of their own, which are not followed")
        if any(name in part for name in _OTHER_REFERENCES):
            raise Unchecked("has references that depend on where they come from, which are not followed")
        reference = part.get("$ref")
        if isinstance(reference, str) and reference not in targets:
            targets[reference] = _target(schema, reference)
            waiting.append(targets[reference])
        expressions += _expressions(part)
        divides = divides or "multipleOf" in part or "divisibleBy" in part
        waiting += _within(part)
    if expressions > _MOST_EXPRESSIONS:
        raise Unchecked("has too many expressions and formats to be checked")
    return Outline(schema, targets, expressions, divides)


def size_of(value: Any) -> Size:
    """Counted down to `DEEPEST` and one more."""
    values, depth = 1, 0
    level = [value]
    while depth <= DEEPEST:
        deeper: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                deeper += each.values()
            elif isinstance(each, list):
                deeper += each
        if not deeper:
            break
        values += len(deeper)
        depth += 1
        level = deeper
    return Size(values, depth)


class Effort:
    """Of one schema, for values of any depth. What it found out it remembers."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._looks = _Sums(outline, _weight)
        self._readings = _Sums(outline, _expressions)

    def looks(self, depth: int) -> int:
        """How many schemas are held against a value, and what it lies in, that lies so deep. Raises Unchecked."""
        return self._looks.of(depth)

    def readings(self, depth: int) -> int:
        """How many times each character of a text is looked at. Raises Unchecked."""
        return self._readings.of(depth) if self._outline.expressions else 0


class _Sums:
    """Of what each schema costs, over those that are held against a value and what lies in it, one in the other."""

    def __init__(self, outline: Outline, costs: Callable[[dict[str, Any]], int]) -> None:
        self._outline = outline
        self._costs = costs
        self._totals: dict[int, int] = {}
        self._known: dict[tuple[int, int, bool], int | None] = {}

    def of(self, depth: int) -> int:
        total = self._totals.get(depth)
        if total is None:
            try:
                total = self._totals[depth] = self._sum(self._outline.root, depth, again=False)
            except RecursionError:
                raise Unchecked("refers to itself too often to be checked") from None
            finally:
                self._known.clear()
        return total

    def _sum(self, part: Any, depth: int, *, again: bool) -> int:
        """again: it is gone through once more, as is done to find out what is left over for `unevaluated…`."""
        if not isinstance(part, dict):
            return 0
        about = (id(part), depth, again)
        if about in self._known:
            known = self._known[about]
            if known is None:
                raise Unchecked("refers to itself without end")
            return known
        if len(self._known) >= _MOST_SUMS:
            raise Unchecked("is too large to be checked")
        self._known[about] = None
        times = again + any(name in part for name in _UNEVALUATED)
        total: int = self._costs(part)
        for each in _beside(part, self._outline):
            total += self._sum(each, depth, again=False)
            if times:
                total += times * self._sum(each, depth, again=True)
        if depth:
            total += max(self._of_field(part, depth - 1), self._of_item(part, depth - 1))
        found = self._known[about] = min(total, _ENDLESS)
        return found

    def _of_field(self, part: dict[str, Any], depth: int) -> int:
        found = self._sum(part.get("additionalProperties"), depth, again=False)
        for each in _values(part.get("properties")):
            found = max(found, self._sum(each, depth, again=False))
        for each in _values(part.get("patternProperties")):
            found += self._sum(each, depth, again=False)
        found += self._sum(part.get("unevaluatedProperties"), depth, again=False)
        return found + self._sum(part.get("propertyNames"), 0, again=False)

    def _of_item(self, part: dict[str, Any], depth: int) -> int:
        found = 0
        for name in ("prefixItems", "items", "additionalItems"):
            several = part.get(name)
            for each in several if isinstance(several, list) else (several,):
                found = max(found, self._sum(each, depth, again=False))
        for name in ("contains", "unevaluatedItems"):
            found += self._sum(part.get(name), depth, again=False)
        return found


def _weight(part: dict[str, Any]) -> int:
    """What it takes by itself, beside what is in it."""
    weight = 1
    for name in ("enum", "const"):
        if name in part:
            weight += len(msgspec.json.encode(part[name])) // 64
    required = part.get("required")
    weight += len(required) // 8 if isinstance(required, list) else 0
    return weight + 4 * ("uniqueItems" in part) + 8 * ("multipleOf" in part)


def _expressions(part: dict[str, Any]) -> int:
    by_pattern = part.get("patternProperties")
    return ("pattern" in part) + ("format" in part) + (len(by_pattern) if isinstance(by_pattern, dict) else 0)


def _target(schema: Any, reference: str) -> Any:
    if reference != "#" and not reference.startswith("#/"):
        raise Unchecked("refers to something that is not in it, and nothing is fetched")
    found = schema
    for step in reference.split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise Unchecked("refers to something that is not in it")
    return found


def _values(named: Any) -> Iterator[Any]:
    if isinstance(named, dict):
        yield from named.values()


def _within(part: dict[str, Any]) -> Iterator[Any]:
    """The schemas that stand in it."""
    for name in (*_BESIDE, *_BESIDE_ONE, *_OF_MANY, *_UNEVALUATED):
        inner = part.get(name)
        if isinstance(inner, list):
            yield from inner
        else:
            yield inner
    for name in _BY_NAME:
        yield from _values(part.get(name))


def _beside(part: dict[str, Any], outline: Outline) -> Iterator[Any]:
    """The schemas that are held against the same value."""
    reference = part.get("$ref")
    if isinstance(reference, str):
        yield outline.targets[reference]
    for name in _BESIDE:
        several = part.get(name)
        if isinstance(several, list):
            yield from several
    for name in _BESIDE_ONE:
        yield part.get(name)
    for name in ("dependentSchemas", "dependencies"):
        yield from _values(part.get(name))
