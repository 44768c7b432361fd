"""Answers in a form that was asked for: does what the model said fit the caller's JSON Schema?

It is looked at after the caller has the answer. Nothing is fetched, and nothing is begun that takes long: what cannot be checked within
the bounds counts as not fitting."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.cache.schema_effort import DEEPEST, Effort, Outline, Unchecked, outline_of, size_of

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["MOST_LOOKS", "MOST_READ", "MOST_SCHEMA", "MOST_TEXT", "Schemas", "prepare"]

MOST_SCHEMA = 64_000
"""Bytes of a schema."""
MOST_TEXT = 256_000
"""Characters of a text that is held against one."""
MOST_LOOKS = 500_000
"""Of one answer, schemas times values: 20 ms at worst."""
MOST_READ = 20_000
"""Of one answer, characters times expressions and formats that look at them: most take nanoseconds, the worst 6 µs each."""
_EXPRESSION = 50_000
"""Bytes of an expression, as it is held in memory."""
_STATES = 200_000
"""Bytes of what it remembers while it looks."""
_MOST_KEPT = 64
_MOST_WEIGHT = 16_000_000
_LONG_NUMBER = re.compile(r"\d{40}|\d[eE][+-]?\d{3}")
_ASKED = "the schema that was asked for"


@lru_cache(maxsize=1)
def prepare() -> None:
    """Have the validator at hand (15 ms, 5 MB): before the first answer that needs it."""
    import jsonschema_rs  # noqa: F401, PLC0415 - not for those who keep no answers


class _Ready:
    """A schema that answers can be held against. Raises Unchecked when made of one that is none."""

    __slots__ = ("_effort", "_outline", "_validator", "weight")

    def __init__(self, schema: bytes) -> None:
        if len(schema) > MOST_SCHEMA:
            raise Unchecked("is too large to be checked")
        try:
            read = msgspec.json.decode(schema)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise Unchecked("is no JSON") from None
        self._outline: Outline = outline_of(read)
        if self._outline.divides and _LONG_NUMBER.search(schema.decode()):
            raise Unchecked("has numbers that take too long to be divided")
        self._effort = Effort(self._outline)
        self._validator = _validator(read)
        self.weight = 10 * len(schema) + self._outline.expressions * (_EXPRESSION + _STATES)

    def costs(self, said: Any, text: str) -> tuple[int, int]:
        """Looks and readings; see the bounds. Raises Unchecked."""
        size = size_of(said)
        if size.depth > DEEPEST:
            return MOST_LOOKS + 1, 0
        if self._outline.divides and _LONG_NUMBER.search(text):
            return MOST_LOOKS + 1, 0
        return self._effort.looks(size.depth) * size.values, self._effort.readings(size.depth) * len(text)

    def fits(self, said: Any) -> bool:
        try:
            return self._validator.is_valid(said)
        except ValueError:
            # A number or a text that no validator reads.
            return False


def _validator(schema: Any) -> jsonschema_rs.Validator:
    import jsonschema_rs  # noqa: PLC0415 - see `prepare`

    try:
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            # In time that grows with the text alone; what has to go back in it (looking ahead) is refused.
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_EXPRESSION, dfa_size_limit=_STATES),
            offline=True,
        )
    except ValueError:
        raise Unchecked("is none that can be checked") from None


class Schemas:
    """Holds answers against schemas, and keeps those ready that came lately."""

    def __init__(self) -> None:
        self._ready: OrderedDict[bytes, _Ready | str] = OrderedDict()
        """By schema; why nothing can be held against it, where that is so."""
        self.weight = 0
        """Bytes held, about."""

    def why_never(self, schema: bytes) -> str:
        """Why no answer can be held against it, as far as that is known by now; "" if one might be. Quick."""
        if len(schema) > MOST_SCHEMA:
            return f"{_ASKED} is too large to be checked"
        known = self._ready.get(schema)
        return known if isinstance(known, str) else ""

    def why_not(self, wanted: Sequence[tuple[bytes, str]]) -> str:
        """Why an answer does not fit; "" if all of it does. wanted: JSON Schemas, and the texts that should be JSON of that shape; an
        empty one wants any JSON object."""
        looks = readings = 0
        for schema, text in wanted:
            if len(text) > MOST_TEXT:
                return f"it is too long to be held against {_ASKED}"
            try:
                said = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return "it is no JSON, which was asked for"
            if not schema:
                if not isinstance(said, dict):
                    return "it is no JSON object, which was asked for"
                continue
            ready = self._of(schema)
            if isinstance(ready, str):
                return ready
            try:
                more = ready.costs(said, text)
            except Unchecked as reason:
                return f"{_ASKED} {reason}"
            looks, readings = looks + more[0], readings + more[1]
            if looks > MOST_LOOKS or readings > MOST_READ:
                return f"it would take too long to hold it against {_ASKED}"
            if not ready.fits(said):
                return f"it does not fit {_ASKED}"
        return ""

    def _of(self, schema: bytes) -> _Ready | str:
        known = self._ready.get(schema)
        if known is not None:
            self._ready.move_to_end(schema)
            return known
        made: _Ready | str
        try:
            made = _Ready(schema)
        except Unchecked as reason:
            made = f"{_ASKED} {reason}"
        self._ready[schema] = made
        self.weight += _weight(schema, made)
        while len(self._ready) > 1 and (len(self._ready) > _MOST_KEPT or self.weight > _MOST_WEIGHT):
            self.weight -= _weight(*self._ready.popitem(last=False))
        return made


def _weight(schema: bytes, made: _Ready | str) -> int:
    return len(schema) + (1_000 if isinstance(made, str) else made.weight)
