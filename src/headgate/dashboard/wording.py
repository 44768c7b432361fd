"""Numbers as people read them: the filters of the templates, in one place."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from typing import Any

from headgate.core.ids import request_id_text

__all__ = ["FILTERS", "ago", "bytes_", "clock", "duration", "moment", "number", "percent", "seconds", "usd"]

NONE = "–"
"""Where there is no number."""
_NS = 1_000_000_000
_NAME = re.compile(r"`([^`]{1,200})`")


def number(value: float | None, digits: int | None = None) -> str:
    """1234 -> 1,234; 12345678 -> 12.3 M; 0.1234 -> 0.123."""
    if value is None:
        return NONE
    if digits is not None:
        return f"{value:,.{digits}f}"
    size = abs(value)
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size >= limit * 10 or (size >= limit > 1e6):
            return f"{value / limit:,.1f} {unit}"
    if value == int(value) or size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.3g}"


def usd(nanos: float | None, *, exact: bool = False) -> str:
    """Nano-dollars -> $1,234.56; small amounts with the digits that count. exact: all nine."""
    if nanos is None:
        return NONE
    value = nanos / 1e9
    if exact:
        return f"${value:,.9f}".rstrip("0").rstrip(".")
    size = abs(value)
    if size == 0:
        return "$0"
    if size >= 10_000:
        return f"${value:,.0f}"
    if size >= 1:
        return f"${value:,.2f}"
    if size >= 0.01:
        return f"${value:.3f}"
    digits = 2 - math.floor(math.log10(size))
    return f"${value:.{min(digits, 9)}f}".rstrip("0")


def seconds(value: float | None) -> str:
    """0.00042 -> 420 µs; 0.83 -> 830 ms; 12.3 -> 12.3 s; 300 -> 5 m; 9000 -> 2.5 h."""
    if value is None:
        return NONE
    size = abs(value)
    for limit, factor, unit in (
        (1e-3, 1e6, "µs"),
        (1, 1e3, "ms"),
        (120, 1, "s"),
        (3600, 1 / 60, "m"),
        (172_800, 1 / 3600, "h"),
    ):
        if size < limit:
            scaled = value * factor
            return (
                f"{scaled:.0f} {unit}"
                if abs(scaled) >= 100 or scaled == int(scaled)
                else f"{scaled:.3g} {unit}"
            )
    return f"{value / 86_400:.3g} d"


def duration(microseconds: float | None) -> str:
    """As `seconds`, of microseconds; 0 is something that did not happen."""
    return seconds(microseconds / 1e6) if microseconds else NONE


def percent(share: float | None, digits: int = 1) -> str:
    """0.1234 -> 12.3 %; what is not quite nothing or everything is not rounded to it."""
    if share is None:
        return NONE
    shown = share * 100
    while digits < 4 and 0 < share < 1 and f"{shown:.{digits}f}" in (f"{0:.{digits}f}", f"{100:.{digits}f}"):
        digits += 1
    text = f"{shown:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def bytes_(size: float | None) -> str:
    """1234 -> 1.2 kB."""
    if size is None:
        return NONE
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(size) >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size:.0f} B"


def moment(ns: int | None) -> str:
    """Nanoseconds since 1970 -> 2026-01-31 08:00:00."""
    return f"{datetime.fromtimestamp(ns / _NS, tz=UTC):%Y-%m-%d %H:%M:%S}" if ns else NONE


def clock(ns: int | None) -> str:
    """Nanoseconds since 1970 -> 08:00:00."""
    return f"{datetime.fromtimestamp(ns / _NS, tz=UTC):%H:%M:%S}" if ns else NONE


def iso(ns: int | None) -> str:
    """Nanoseconds since 1970, for the attribute of a <time>."""
    return datetime.fromtimestamp(ns / _NS, tz=UTC).isoformat() if ns else ""


def ago(ns: int | None) -> str:
    """Nanoseconds since 1970 -> 5 min ago, 31 h ago; never more than has passed."""
    if not ns:
        return NONE
    passed = int(time.time() - ns / _NS)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if passed < limit:
            return f"{passed // size} {unit} ago" if passed >= 1 else "now"
    return f"{passed // 86_400} d ago"


def day(value: datetime | None) -> str:
    """A moment of /api's answers -> 2026-01-31 08:00."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}" if value is not None else NONE


def words(text: str) -> str:
    """hung_up -> hung up."""
    return text.replace("_", " ")


def plain(value: object) -> str:
    """A value of JSON as people write it: true -> yes, null -> none, ["a", "b"] -> a, b."""
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(each) for each in value) or "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def marked(text: str) -> Any:
    """What stands between backticks is a name: `<code>`; all else is escaped."""
    from minijinja import safe  # noqa: PLC0415 - nobody pays for it who looks at no page

    return safe(_NAME.sub(r"<code>\1</code>", escape(text)))


def request_id(number_: int) -> str:
    """As callers are told it."""
    return request_id_text(number_)


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "number": number,
        "usd": usd,
        "seconds": seconds,
        "duration": duration,
        "percent": percent,
        "bytes": bytes_,
        "moment": moment,
        "clock": clock,
        "iso": iso,
        "ago": ago,
        "day": day,
        "words": words,
        "plain": plain,
        "marked": marked,
        "request_id": request_id,
    }
)
"""By the name that templates use."""
