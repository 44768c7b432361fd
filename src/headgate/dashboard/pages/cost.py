"""`/cost`: what was spent, by anything and over time; what the month may come to; how far budgets are."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from headgate.control.forecast import DAYS, Forecast, forecast, month_of
from headgate.control.http.budgets import BudgetsQuery, list_budgets
from headgate.control.http.problems import Problem
from headgate.control.provider_cache import provider_cache
from headgate.control.spending import OTHERS, Line, as_csv, dimension, drill, offered, over_time, spending
from headgate.dashboard.looking import Data, Looking, Raw, Shown, page
from headgate.stores.rollups import DAY, MEMORY, RollupStore, Scope
from headgate.telemetry.names import OTHER

__all__ = ["PAGES"]

_RIGHT = "api.costs.show"
_SUMS = 8
"""Of each budget, the fullest."""
_SHOWN = 50
_NONE = "(none)"
_LONGEST = 100
_MANY_DAYS = 14 * DAY


async def show(asked: Looking) -> Shown:
    """Where the money goes."""
    by, stretch, rollups = _by(asked), asked.stretch, asked.desk.rollups
    found = await spending(rollups, by, stretch.since, stretch.until)
    expected = await _forecast(asked)
    budgets = None
    if asked.viewer.may("api.budgets.list"):
        budgets = await list_budgets(asked.asked(BudgetsQuery(limit=_SUMS)))
    return Shown(
        "cost.html",
        {
            "title": "Cost",
            "by": by,
            "offered": await offered(rollups, stretch.since, stretch.until),
            # Of all lines: some of them have copies in them, which are in no total of callers' requests.
            "lines": [
                _row(by, line, sum(each.nanos for each in found.lines)) for line in found.lines[:_SHOWN]
            ],
            "left_out": max(len(found.lines) - _SHOWN, 0),
            "total": found.total,
            "besides": found.besides,
            "provider_cache": (await provider_cache(rollups, stretch.since, stretch.until))[:_SHOWN],
            "expected": expected,
            "budgets": budgets,
            "planned": len(asked.desk.budgets().rules),
        },
    )


async def drawn(asked: Looking) -> Data:
    """The data of one plot."""
    name = asked.path["name"]
    if name == "month":
        return Data(await _month(asked))
    if name != "spending":
        raise Problem("not_found", "there is no such plot; there are spending and month")
    by, stretch = _by(asked), asked.stretch
    # Nobody looks at what a quarter of a day cost, two weeks ago; and it takes ten times as long to read.
    step = stretch.step if stretch.seconds <= _MANY_DAYS else max(stretch.step, DAY)
    at, series = await over_time(asked.desk.rollups, by, stretch.since, stretch.until, step)
    marks = await asked.desk.rollups.marks(stretch.since * 1_000_000_000, stretch.until * 1_000_000_000)
    return Data(
        {
            "title": f"Cost by {by}",
            "unit": "nanos",
            "x": at,
            "stacked": True,
            "series": [{"name": value or _NONE, "y": costs} for value, costs in series.items()],
            "marks": [
                {
                    "at": mark.at_ns // 1_000_000_000,
                    "text": f"{mark.subject} {mark.text}".strip(),
                    "kind": mark.kind,
                }
                for mark in marks
            ],
            "drill": "/traces?from={from}&to={to}",
        }
    )


async def kept(asked: Looking) -> Raw:
    """The table as CSV, with all its lines."""
    if asked.path["file"] != "spending.csv":
        raise Problem("not_found", "there is no such file; there is spending.csv")
    by, stretch = _by(asked), asked.stretch
    found = await spending(asked.desk.rollups, by, stretch.since, stretch.until)
    return Raw(as_csv(found).encode("utf-8", "replace"), "text/csv; charset=utf-8", "spending.csv")


def _by(asked: Looking) -> str:
    by = (asked.query.get("by", "") or "feature")[:_LONGEST]
    try:
        dimension(by)
    except ValueError as wrong:
        raise Problem("invalid_request", str(wrong), param="by") from None
    return by


def _row(by: str, line: Line, total: int) -> dict[str, object]:
    address = ""
    if line.value == MEMORY and by in ("model", "provider"):
        address = "cached=yes"
    elif line.value and line.value not in (OTHERS, OTHER):
        way = drill(by)
        address = f"{way['name']}={quote(way['before'] + line.value, safe='')}"
    return {
        "value": line.value or _NONE,
        "address": address,
        "line": line,
        "share": line.nanos / total if total else None,
    }


async def _days(rollups: RollupStore, now: int) -> Mapping[int, int]:
    """What each day has cost, copies too: where it begins -> nano-dollars; as far back as a forecast looks."""
    begins, _ = month_of(now)
    since = min(begins, now // DAY * DAY - DAYS * DAY)
    rows = await rollups.rolled(Scope(since, now + 1, purpose=None), step=DAY)
    return {row.at: row.cost_nanos for row in rows}


async def _forecast(asked: Looking) -> Forecast:
    now = asked.now_ns // 1_000_000_000
    return forecast(await _days(asked.desk.rollups, now), now)


async def _month(asked: Looking) -> dict[str, object]:
    now = asked.now_ns // 1_000_000_000
    days = await _days(asked.desk.rollups, now)
    begins, ends = month_of(now)
    found = forecast(days, now)
    at = [*range(begins, ends, DAY), ends]
    today = now // DAY * DAY
    so_far: list[int | None] = []
    total = 0
    for day in at:
        # What a day cost is there at its end: where the next one begins.
        so_far.append(total if day <= today else found.so_far if day == today + DAY else None)
        total += days.get(day, 0)
    series: list[dict[str, object]] = [{"name": "spent", "y": so_far}]
    for name, end in (("likely", found.likely), ("low", found.low), ("high", found.high)):
        if end is not None:
            series.append({"name": name, "y": _towards(at, today + DAY, found.so_far, end)})
    return {"title": "This month, added up", "unit": "nanos", "x": at, "series": series, "marks": []}


def _towards(at: list[int], since: int, begin: int, end: int) -> list[int | None]:
    """A line from what was spent at `since` to what is expected at the end."""
    length = max(at[-1] - since, 1)
    return [None if day < since else round(begin + (end - begin) * (day - since) / length) for day in at]


PAGES = (
    page("GET", "/cost", _RIGHT, show),
    page("GET", "/plots/cost/{name}", _RIGHT, drawn),
    page("GET", "/cost/{file}", _RIGHT, kept),
)
