"""What is happening, in numbers and as plots, from rollups: for the first page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.core.sketch import Sketch
from headgate.stores.rollups import HOUR, MINUTE, Failed, Mark, Rolled, RollupStore, Scope

__all__ = ["PLOTS", "Pulse", "Trouble", "plot", "pulse", "troubles"]

FAILED = ("failed", "cut_off")
"""Outcomes that are somebody's failure here or at a provider; a caller's mistake and a hang-up are none."""
_TIMES = ("total_us", "first_content_us")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Pulse:
    """Requests of one stretch of time, added up."""

    seconds: int = 1
    requests: int = 0
    failed: int = 0
    refused: int = 0
    hung_up: int = 0
    total_p95_us: float | None = None
    """Of those that were answered."""
    first_p95_us: float | None = None
    """Of streams that were answered."""
    cost_nanos: int = 0
    unpriced: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def per_second(self) -> float:
        """Requests each second."""
        return self.requests / self.seconds

    @property
    def failed_share(self) -> float | None:
        """Of those that were neither a caller's mistake nor left by their caller; None if there were none."""
        asked = self.requests - self.refused - self.hung_up
        return self.failed / asked if asked > 0 else None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Requests without an answer, of one kind."""

    error_class: str
    model: str
    feature: str
    requests: int
    users: int


async def pulse(rollups: RollupStore, since: int, until: int, *, times: bool = True) -> Pulse:
    """Requests that ended from `since` on, seconds since 1970. times: how long they took, too. Raises StoreUnavailable."""
    rows = await rollups.rolled(Scope(since, until), by=("outcome",), sketches=_TIMES if times else ())
    answered = [row for row in rows if row.group[:1] == ("ok",)]
    return Pulse(
        seconds=max(until - since, 1),
        requests=_sum(rows, lambda row: row.requests),
        failed=_sum((row for row in rows if row.group[0] in FAILED), lambda row: row.requests),
        refused=_sum((row for row in rows if row.group[0] == "refused"), lambda row: row.requests),
        hung_up=_sum((row for row in rows if row.group[0] == "hung_up"), lambda row: row.requests),
        total_p95_us=_quantile(answered, "total_us", 0.95),
        first_p95_us=_quantile(answered, "first_content_us", 0.95),
        cost_nanos=_sum(rows, lambda row: row.cost_nanos),
        unpriced=_sum(rows, lambda row: row.unpriced),
        tokens_in=_sum(rows, _tokens_in),
        tokens_out=_sum(rows, _tokens_out),
    )


async def troubles(rollups: RollupStore, since: int, until: int) -> Sequence[Trouble]:
    """What failed most, and whom it affected; the first few kinds. Raises StoreUnavailable."""
    found: Sequence[Failed] = await rollups.failures(since, until, by=("error_class", "model", "feature"))
    ordered = sorted(found, key=lambda each: (each.users, each.requests), reverse=True)
    return [
        Trouble(each.group[0], each.group[1], each.group[2], each.requests, each.users)
        for each in ordered[:_SHOWN]
    ]


async def plot(
    rollups: RollupStore, name: str, since: int, until: int, step: int, now: int | None = None
) -> Mapping[str, object]:
    """The data of a plot of PLOTS, a point each `step` seconds. now: seconds since 1970; what is not over yet is shorter.
    Raises KeyError, StoreUnavailable."""
    drawing = PLOTS[name]
    at = range(since // step * step, until, step)
    rows = await rollups.rolled(Scope(at.start, until), step=step, by=("outcome",), sketches=drawing.sketches)
    by_time: dict[int, list[Rolled]] = {}
    for row in rows:
        by_time.setdefault(row.at // step * step, []).append(row)
    # Rows are of whole minutes.
    end = -(-until // MINUTE) * MINUTE
    end = end if now is None else min(end, now + 1)
    lengths = [max(min(moment + step, end) - moment, 1) for moment in at]
    series = drawing.draw([by_time.get(moment, []) for moment in at], lengths)
    marks = await rollups.marks(since * 1_000_000_000, until * 1_000_000_000)
    return {
        "title": drawing.title,
        "unit": drawing.unit,
        "x": list(at),
        "step": step,
        "stacked": drawing.stacked,
        "series": series,
        "marks": [_mark(each) for each in marks],
        "drill": drawing.drill,
    }


def step_of(seconds: int) -> int:
    """Between the points of a small plot of so long a time."""
    return MINUTE if seconds <= HOUR else max(seconds // 30 // HOUR, 1) * HOUR


Drawn = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a plot is made of rollups."""

    title: str
    unit: str
    draw: Callable[[Sequence[Sequence[Rolled]], Sequence[int]], Drawn]
    """Of the rows of each point, and its length in seconds."""
    sketches: tuple[str, ...] = ()
    stacked: bool = False
    drill: str = "/traces?from={from}&to={to}"


def _requests(points: Sequence[Sequence[Rolled]], lengths: Sequence[int]) -> Drawn:
    def rate(rows: Iterable[Rolled], seconds: int, outcomes: Sequence[str]) -> float:
        return round(sum(row.requests for row in rows if row.group[0] in outcomes) / seconds, 6)

    kinds = (
        ("answered", ("ok",), "good"),
        ("refused", ("refused",), "soft"),
        ("hung up", ("hung_up", "abandoned"), ""),
        ("failed", FAILED, "bad"),
    )
    return [
        {
            "name": name,
            "kind": kind,
            "y": [rate(*each, outcomes) for each in zip(points, lengths, strict=True)],
        }
        for name, outcomes, kind in kinds
    ]


def _errors(points: Sequence[Sequence[Rolled]], _: Sequence[int]) -> Drawn:
    def share(rows: Sequence[Rolled]) -> float | None:
        asked = sum(row.requests for row in rows if row.group[0] not in ("refused", "hung_up"))
        return sum(row.requests for row in rows if row.group[0] in FAILED) / asked if asked else None

    return [{"name": "failed", "kind": "bad", "y": [share(rows) for rows in points]}]


def _times(sketch: str) -> Callable[[Sequence[Sequence[Rolled]], Sequence[int]], Drawn]:
    def draw(points: Sequence[Sequence[Rolled]], _: Sequence[int]) -> Drawn:
        ok = [[row for row in rows if row.group[0] == "ok"] for rows in points]
        return [
            {"name": f"p{round(part * 100)}", "y": [_quantile(rows, sketch, part) for rows in ok]}
            for part in (0.5, 0.95, 0.99)
        ]

    return draw


def _cost(points: Sequence[Sequence[Rolled]], _: Sequence[int]) -> Drawn:
    return [{"name": "cost", "y": [_sum(rows, lambda row: row.cost_nanos) for rows in points]}]


def _tokens(points: Sequence[Sequence[Rolled]], _: Sequence[int]) -> Drawn:
    return [
        {"name": "in", "y": [_sum(rows, _tokens_in) for rows in points]},
        {"name": "out", "y": [_sum(rows, _tokens_out) for rows in points]},
    ]


PLOTS: Mapping[str, Drawing] = {
    "requests": Drawing("Requests", "per_s", _requests, stacked=True),
    "errors": Drawing("Failed", "share", _errors, drill="/traces?from={from}&to={to}&outcome=failed"),
    "latency": Drawing("Time to the whole answer", "us", _times("total_us"), ("total_us",)),
    "first": Drawing("Time to the first token", "us", _times("first_content_us"), ("first_content_us",)),
    "cost": Drawing("Cost", "nanos", _cost),
    "tokens": Drawing("Tokens", "", _tokens, stacked=True),
}
"""By the last part of the address."""


def _mark(mark: Mark) -> dict[str, object]:
    text = (
        f"{mark.subject}: {mark.text}"
        if mark.subject and mark.text
        else mark.subject or mark.text or mark.kind
    )
    return {"at": mark.at_ns // 1_000_000_000, "text": text, "kind": mark.kind}


def _quantile(rows: Iterable[Rolled], name: str, share: float) -> float | None:
    return Sketch().merge(row.sketches[name] for row in rows if name in row.sketches).quantile(share)


def _sum(rows: Iterable[Rolled], number: Callable[[Rolled], int]) -> int:
    return sum(number(row) for row in rows)


def _tokens_in(row: Rolled) -> int:
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens


def _tokens_out(row: Rolled) -> int:
    return row.output_tokens + row.reasoning_tokens
