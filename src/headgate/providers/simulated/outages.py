"""Times at which everything fails, as the configuration writes them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from headgate.core.section import Duration
from headgate.providers.simulated.faults import FaultOrder, parse_fault

__all__ = ["Outage", "parse_outage"]

_WINDOW = re.compile(r"\s*(\S+?)\s*\.\.\s*(\d\S*)?(?:\s+(\S+))?\s*")


@dataclass(frozen=True, slots=True)
class Outage:
    """A time at which everything fails, in seconds from the start."""

    begins: float
    ends: float
    fault: FaultOrder


def parse_outage(text: str) -> Outage:
    """Read `"30s..60s"`, `"5m.."` or `"30s..60s fault"`. Raises ValueError with what would be right."""
    found = _WINDOW.fullmatch(text)
    if not found:
        raise ValueError(
            f'`{text}` is no outage; write one like "30s..60s", "5m.." or "30s..60s rate_limit:5"'
        )
    begins = float(Duration.parse(found[1]))
    ends = float(Duration.parse(found[2])) if found[2] else math.inf
    if ends <= begins:
        raise ValueError(f"the outage `{text}` ends before it begins")
    return Outage(begins, ends, parse_fault(found[3] or "overloaded_503"))
