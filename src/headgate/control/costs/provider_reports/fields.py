"""Values out of somebody else's file: the right kind and a sane size, or a refusal that says where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from headgate.control.costs.provider_reports.lines import ReportRefused
from headgate.core.money import nanos

__all__ = ["Fields", "Unknown", "day_of"]

_LONGEST_NAME = 200
_MOST_TOKENS = 10**15
_MOST_USD = Decimal(10) ** 9
_DAY = timedelta(days=1)
_YEARS = range(1970, 2107)
"""Those of 32 bits of seconds."""


class Unknown:
    """Collects names that nobody understands."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def note(self, there: Iterable[str], understood: frozenset[str]) -> None:
        """Those of `there` that are not understood."""
        for name in there:
            if name and name not in understood:
                self.names[name[:_LONGEST_NAME]] = None


class Fields:
    """One object of a file, or one row, and where it stands."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) not in (None, "")

    def refuse(self, name: str, wanted: str) -> ReportRefused:
        """What to raise for a field that is not as it should be."""
        shown = repr(self.values.get(name))
        shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
        return ReportRefused(f"{self.where}: `{name}` is {shown}, and should be {wanted}")

    def text(self, name: str) -> str:
        """A name; "" if it is not there or null."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            raise self.refuse(name, f"a text of at most {_LONGEST_NAME} printable characters")
        return value.strip()

    def count(self, name: str) -> int:
        """Tokens or requests; 0 if it is not there or null."""
        value = self.values.get(name)
        if value is None or value == "":
            return 0
        if isinstance(value, str):
            value = _decimal(value)
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 18 and value == int(value):
            value = int(value)
        if type(value) is not int or not 0 <= value <= _MOST_TOKENS:
            raise self.refuse(name, "a whole number, not negative")
        return value

    def usd(self, name: str, *, cents: bool = False) -> int:
        """Nano-dollars of an amount, which may be negative (a credit)."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = _decimal(value)
        if type(value) is int:
            value = Decimal(value)
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) > _MOST_USD:
            raise self.refuse(name, "an amount of money")
        return nanos(value / 100 if cents else value)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self.values.get(name)
        if not isinstance(value, list):
            raise self.refuse(name, "a list")
        return [self._object(each, f"{self.where}.{name}[{place}]") for place, each in enumerate(value)]

    def object(self, name: str) -> Fields:
        """An object; an empty one if it is not there or null."""
        value = self.values.get(name)
        return self._object({} if value is None else value, f"{self.where}.{name}")

    @staticmethod
    def _object(value: Any, where: str) -> Fields:
        if not isinstance(value, dict):
            raise ReportRefused(f"{where} is no object")
        return Fields(value, where)

    def moment(self, name: str) -> datetime:
        """Seconds since 1970, or a time as RFC 3339 writes it; without a zone it is UTC."""
        value = self.values.get(name)
        try:
            if isinstance(value, str) and not value.strip().isdigit():
                found = datetime.fromisoformat(value.strip())
                found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
                if found.year in _YEARS:
                    return found
            if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
                seconds = int(value)
                if 0 <= seconds < 2**32:
                    return datetime.fromtimestamp(seconds, tz=UTC)
        except (ValueError, OverflowError):
            pass
        raise self.refuse(name, "a moment: seconds since 1970, or 2026-11-21T00:00:00Z")


def day_of(fields: Fields, start: str, end: str = "") -> str:
    """The day of a bucket that lies in one day. Raises ReportRefused for a longer one: its money belongs to no day."""
    begins = fields.moment(start)
    if end and end in fields:
        ends = fields.moment(end)
        midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
        if ends > midnight + _DAY or ends < begins:
            raise ReportRefused(
                f"{fields.where}: from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC is not within one day; "
                "ask the provider for buckets of a day (bucket_width=1d) or less"
            )
    return f"{begins:%Y-%m-%d}"


def _decimal(text: str) -> Decimal | None:
    """The number; None if it is none, or one that nobody writes."""
    try:
        return Decimal(text.strip()) if len(text) < 60 else None
    except InvalidOperation:
        return None
