"""What was spent, by anything and over time, from rollups, as the Cost page shows it. What it may come to: `forecast.py`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.stores.rollups import HOUR, Rolled, RollupStore, Scope, Spent

__all__ = [
    "MOST",
    "OTHERS",
    "Line",
    "Spending",
    "as_csv",
    "dimension",
    "drill",
    "offered",
    "over_time",
    "spending",
]

MOST = 200
"""Lines that are told one by one."""
OTHERS = "all others"
_PARTS = ("feature", "model", "provider")
"""What rollups are kept apart by."""
_SPENT = {"key": "key_id", "user": "user", "team": "team", "tenant": "tenant", "prompt": "prompt"}
"""What people say -> the dimension of the table `spend`."""
_DRAWN = 7
_SUMS = ("requests", "failed", "tokens_in", "tokens_out", "nanos", "estimated", "unpriced", "avoided")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class Line:
    """Requests of one value, added up. Money in nano-dollars."""

    value: str = ""
    requests: int = 0
    failed: int = 0
    """Without an answer."""
    tokens_in: int = 0
    tokens_out: int = 0
    nanos: int = 0
    estimated: int = 0
    """The part of `nanos` that is estimated."""
    unpriced: int = 0
    """Requests whose cost nobody knows."""
    avoided: int = 0
    """What answers would have cost that were there already."""

    @property
    def per_request(self) -> float | None:
        """Nano-dollars; None without requests."""
        return self.nanos / self.requests if self.requests else None

    def add(self, other: Line) -> None:
        """Its requests, too."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent in some time."""

    by: str
    lines: Sequence[Line]
    """The dearest first."""
    total: Line
    """Of callers' own requests."""
    besides: Sequence[Line]
    """What was made besides, such as shadow copies, by why; in no other sum."""


def dimension(by: str) -> str:
    """What is meant by a word. Raises ValueError."""
    if by in _PARTS or by in _SPENT:
        return _SPENT.get(by, by)
    if by.startswith("tag:") and by != "tag:":
        return by
    raise ValueError(f"`{by}` is none of {', '.join((*_PARTS, *_SPENT))} or tag:NAME")


async def offered(rollups: RollupStore, since: int, until: int) -> list[str]:
    """Words for `dimension` of which there is anything. Raises StoreUnavailable."""
    there = set(await rollups.dimensions(since, until))
    named = [word for word, meant in _SPENT.items() if meant in there]
    return [*_PARTS, *named, *sorted(each for each in there if each.startswith("tag:"))]


async def spending(rollups: RollupStore, by: str, since: int, until: int) -> Spending:
    """From `since` to `until`, seconds since 1970. by: a word for `dimension`; what is no part of rollups is kept by the hour, then
    these are whole hours, and what was made besides is among the lines. Raises ValueError, StoreUnavailable."""
    meant = dimension(by)
    if meant not in _PARTS:
        since, until = since // HOUR * HOUR, -(-until // HOUR) * HOUR
    purposes = await rollups.rolled(Scope(since, until, purpose=None), by=("purpose", "outcome"))
    total = Line("")
    besides: dict[str, Line] = {}
    for row in purposes:
        purpose, outcome = row.group
        line = besides.setdefault(purpose, Line(purpose)) if purpose else total
        line.add(_of_rolled(row, outcome))
    if meant in _PARTS:
        lines: dict[str, Line] = {}
        for row in await rollups.rolled(Scope(since, until), by=(meant, "outcome")):
            value, outcome = row.group
            lines.setdefault(value, Line(value)).add(_of_rolled(row, outcome))
        found: Iterable[Line] = lines.values()
    else:
        lines = {one.value: _of_spent(one) for one in await rollups.spent(meant, since, until, limit=MOST)}
        rest = _rest(lines.values(), (total, *besides.values()))
        if rest.requests > 0:
            lines[rest.value] = rest
        found = lines.values()
    ordered = sorted(found, key=lambda line: (-line.nanos, -line.requests, line.value))
    return Spending(by, ordered, total, sorted(besides.values(), key=lambda line: -line.nanos))


async def over_time(
    rollups: RollupStore, by: str, since: int, until: int, step: int
) -> tuple[list[int], dict[str, list[int]]]:
    """Where each step begins, seconds since 1970, and nano-dollars in it by value: the dearest few, the rest together, the
    dearest first. Raises ValueError, StoreUnavailable."""
    meant = dimension(by)
    rows: list[tuple[int, str, int]]
    if meant in _PARTS:
        at = range(since // step * step, until, step)
        found = await rollups.rolled(Scope(at.start, until), step=step, by=(meant,))
        rows = [(row.at, row.group[0], row.cost_nanos) for row in found]
    else:
        step = max(step // HOUR, 1) * HOUR
        at = range(since // step * step, until, step)
        dearest = [one.value for one in await rollups.spent(meant, at.start, until, limit=_DRAWN)]
        kept = await rollups.spent(meant, at.start, until, step=step, values=dearest) if dearest else ()
        rows = [(one.at, one.value, one.cost_nanos) for one in kept]
        # What is of no value, or of none of these, was spent too.
        end = -(-until // HOUR) * HOUR
        rest = dict.fromkeys(at, 0)
        for row in await rollups.rolled(Scope(at.start, end, purpose=None), step=step):
            rest[row.at] = rest.get(row.at, 0) + row.cost_nanos
        for moment, _, nanos in rows:
            rest[moment] = rest.get(moment, 0) - nanos
        rows += [(moment, OTHERS, max(nanos, 0)) for moment, nanos in rest.items()]
    totals: dict[str, int] = {}
    for _, value, nanos in rows:
        totals[value] = totals.get(value, 0) + nanos
    drawn = sorted((value for value in totals if totals[value]), key=lambda value: -totals[value])
    series: dict[str, list[int]] = {value: [0] * len(at) for value in drawn[:_DRAWN]}
    for moment, value, nanos in rows:
        place = (moment - at.start) // step
        if nanos and 0 <= place < len(at):
            series.setdefault(value if value in series else OTHERS, [0] * len(at))[place] += nanos
    return list(at), series


def as_csv(found: Spending) -> str:
    """For spreadsheets. Callers chose some of the values: none of them is taken for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            found.by,
            "requests",
            "failed",
            "input_tokens",
            "output_tokens",
            "cost_usd",
            "estimated_usd",
            "unpriced_requests",
            "avoided_usd",
            "usd_per_request",
        ]
    )
    for line in found.lines:
        value = f"'{line.value}" if line.value.startswith(_FORMULA) else line.value
        each = line.per_request
        writer.writerow(
            [
                value,
                line.requests,
                line.failed,
                line.tokens_in,
                line.tokens_out,
                _usd(line.nanos),
                _usd(line.estimated),
                line.unpriced,
                _usd(line.avoided),
                "" if each is None else f"{each / 1e9:.9f}",
            ]
        )
    return buffer.getvalue()


def drill(by: str) -> Mapping[str, str]:
    """How the Traces page is asked for the requests of a value: the parameter's name, and what stands before the value."""
    if by.startswith("tag:"):
        return {"name": "tag", "before": f"{by.removeprefix('tag:')}="}
    return {"name": by, "before": ""}


def _rest(lines: Iterable[Line], everything: Iterable[Line]) -> Line:
    """What is in no line: of those who named no user, for instance; or of values beyond MOST."""
    rest, known = Line(), list(lines)
    for each in everything:
        rest.add(each)
    rest.value = OTHERS if len(known) >= MOST else ""
    for line in known:
        for name in _SUMS:
            setattr(rest, name, max(getattr(rest, name) - getattr(line, name), 0))
    return rest


def _usd(nanos: int) -> str:
    sign = "-" if nanos < 0 else ""
    return f"{sign}{abs(nanos) // 1_000_000_000}.{abs(nanos) % 1_000_000_000:09d}"


def _of_rolled(row: Rolled, outcome: str) -> Line:
    return Line(
        requests=row.requests,
        failed=row.requests if outcome not in ("ok", "hung_up") else 0,
        tokens_in=row.input_tokens + row.cache_read_tokens + row.cache_write_tokens,
        tokens_out=row.output_tokens + row.reasoning_tokens,
        nanos=row.cost_nanos,
        estimated=row.estimated_nanos,
        unpriced=row.unpriced,
        avoided=row.avoided_nanos,
    )


def _of_spent(one: Spent) -> Line:
    return Line(
        one.value,
        one.requests,
        one.failed,
        one.input_tokens,
        one.output_tokens,
        one.cost_nanos,
        one.estimated_nanos,
        one.unpriced,
        one.avoided_nanos,
    )
