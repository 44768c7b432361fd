"""What the demonstration's traffic came to, read from the records and not from what the client saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.cli.lines import tokens_in, tokens_out
from headgate.core.money import usd
from headgate.dashboard.pages import ALL
from headgate.stores.spans import ASKED, GIVEN, RequestRow

if TYPE_CHECKING:
    from headgate.cli.demo_desk import Told

__all__ = ["Line", "found", "from_memory", "percentile", "places", "summarise", "table_of"]

_PLACES = (
    ("/", "what is happening now, and what is wrong"),
    ("/traces", "every request, with its attempts, its prompt and its answer"),
    ("/sessions", "conversations, turn by turn"),
    ("/cost", "who spent what, and what it comes to by the end of the month"),
    ("/cache", "what was answered from memory, what that saves, and how often it is wrong"),
    ("/quality", "what users think, by version of the prompt"),
    ("/features", "what each feature promises, and what was kept of it"),
    ("/alerts", "rules, how they stand, and what was told"),
    ("/keys", "keys and people"),
    ("/settings", "the configuration that serves"),
)


_TITLES = (
    "feature",
    "requests",
    "ok",
    "refused",
    "failed",
    "hung up",
    "tokens in",
    "tokens out",
    "cost USD",
    "p50",
    "p95",
    "first token p50",
)


@dataclass(slots=True)
class Line:
    """Requests of one feature, or of all."""

    name: str
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nanos: int = 0
    unpriced: int = 0
    """Requests that reached a provider and whose price is not known."""
    totals_us: list[int] = field(default_factory=list)
    first_us: list[int] = field(default_factory=list)

    def add(self, row: RequestRow) -> None:
        """Count one request."""
        self.outcomes[row.outcome] += 1
        self.tokens_in += tokens_in(row)
        self.tokens_out += tokens_out(row)
        self.cost_nanos += row.cost_nanos or 0
        self.unpriced += row.cost_nanos is None and row.cost_label == "unknown"
        if row.outcome == "ok":
            self.totals_us.append(row.total_us)
            if row.stream and row.first_content_us:
                self.first_us.append(row.first_content_us)

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())


def percentile(values: Sequence[int], share: float) -> int | None:
    """The value that `share` of the values do not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def summarise(rows: Sequence[RequestRow]) -> list[Line]:
    """A line per feature, by how much is asked of it; requests that reached none are one line; all together come last."""
    lines: dict[str, Line] = {}
    everything = Line("all")
    for row in rows:
        name = row.feature or "(no feature)"
        lines.setdefault(name, Line(name)).add(row)
        everything.add(row)
    return [*sorted(lines.values(), key=lambda line: -line.requests), everything]


def from_memory(rows: Sequence[RequestRow]) -> str:
    """How often memory answered, and what that saved; "" if it was asked for nothing."""
    asked = sum(row.cache in ASKED for row in rows)
    given = [row for row in rows if row.cache in GIVEN]
    saved, seconds = sum(row.avoided_nanos for row in given), sum(row.avoided_us for row in given) / 1e6
    told = f"Memory answered {len(given):,} of the {asked:,} requests that asked it: {usd(saved):.6f} USD and {seconds:.1f} s saved."
    return told if asked else ""


def table_of(lines: Sequence[Line]) -> str:
    """The lines as text, aligned."""
    rows: list[tuple[str, ...]] = [_TITLES, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]

    def text(row: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        return "  ".join(["", row[0].ljust(widths[0]), *padded[1:]])

    titles, *others = map(text, rows)
    rule = "  " + "-" * (len(titles) - 2)
    return "\n".join([titles, rule, *others[:-1], rule, others[-1]])


def _cells(line: Line) -> tuple[str, ...]:
    failed = line.outcomes["failed"] + line.outcomes["cut_off"]
    return (
        line.name,
        f"{line.requests:,}",
        f"{line.outcomes['ok']:,}",
        f"{line.outcomes['refused']:,}",
        f"{failed:,}",
        f"{line.outcomes['hung_up']:,}",
        f"{line.tokens_in:,}",
        f"{line.tokens_out:,}",
        f"{usd(line.cost_nanos):.6f}{'+' if line.unpriced else ''}",
        _ms(percentile(line.totals_us, 0.5)),
        _ms(percentile(line.totals_us, 0.95)),
        _ms(percentile(line.first_us, 0.5)),
    )


def _ms(microseconds: int | None) -> str:
    return "-" if microseconds is None else f"{microseconds / 1000:,.0f} ms"


def places(url: str) -> str:
    """Pages of the dashboard, a line each with what is there."""
    served = {page.path for page in ALL if page.method == "GET"}
    width = max(len(path) for path, _ in _PLACES) + len(url) + 2
    return "\n".join(f"  {url + path:<{width}}{what}" for path, what in _PLACES if path in served)


def found(rule: str, told: Sequence[Told]) -> Told | None:
    """The first alert of a rule, the latest being the first of all."""
    return next((each for each in reversed(told) if each.rule == rule and each.state == "alert"), None)
