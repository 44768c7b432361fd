"""A run as tables of text, ready for the terminal and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.budgets import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Outcome, Run, Summary

__all__ = ["Table", "tables"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; `notes` are what went wrong and who is absent."""

    heading: str
    about: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    figure: str
    show: Callable[[float], str]
    to_nginx: bool = False


def _us(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


_WHOLE = [
    _Column("CPU µs/request", "cpu_us", _us),
    _Column("× nginx", "cpu_us", _times, to_nginx=True),
    _Column("requests/s", "per_second", _count),
    _Column("cores busy", "cores", _seconds),
    _Column("p50 ms", "p50_ms", _ms),
    _Column("p99 ms", "p99_ms", _ms),
    _Column("peak MB", "rss_mb", _count),
    _Column("settled after s", "settle_s", _seconds),
    _Column("upstream CPU µs", "upstream_cpu_us", _us),
]
_HIT = [*_WHOLE[:-1], _Column("of the cache", "hits", _count)]
_LATENCY = [
    _Column("p50 ms", "latency_ms_p50", _ms),
    _Column("p99 ms", "latency_ms_p99", _ms),
    _Column("samples", "latency_ms_count", _count),
    _Column("CPU µs/request", "cpu_us", _us),
    _Column("client's timer late by at most ms", "client_lag_ms", _ms),
]
_STREAM = [
    _Column("CPU µs/token", "cpu_us_per_token", _us),
    _Column("× nginx", "cpu_us_per_token", _times, to_nginx=True),
    _Column("CPU µs/stream", "cpu_us_per_stream", _us),
    _Column("tokens/s", "tokens_per_second", _count),
    _Column("first token p50 ms", "first_token_ms_p50", _ms),
    _Column("p99 ms", "first_token_ms_p99", _ms),
    _Column("tokens per read", "tokens_per_read", _times),
    _Column("peak MB", "rss_mb", _count),
    _Column("settled after s", "settle_s", _seconds),
    _Column("upstream CPU µs/token", "upstream_cpu_us_per_token", _us),
]
_SLOW = [
    _Column("kB/stream", "kb_per_stream", _us),
    _Column("streams", "open_at_once", _count),
    _Column("completed", "streams", _count),
    _Column("CPU µs/token", "cpu_us_per_token", _us),
    _Column("first token p50 ms", "first_token_ms_p50", _ms),
    _Column("p99 ms", "first_token_ms_p99", _ms),
    _Column("peak MB", "rss_mb", _count),
    _Column("settled after s", "settle_s", _seconds),
]
_COLD = [
    _Column("listening s", "listening_s", _seconds),
    _Column("first answer s", "answering_s", _seconds),
    _Column("very first start s", "first_listening_s", _seconds),
    _Column("idle MB", "idle_rss_mb", _count),
    _Column("idle CPU %", "idle_cpu_percent", lambda value: f"{value:.1f}"),
    _Column("processes", "processes", _count),
]
_KINDS = {"cold": _COLD, "whole": _WHOLE, "hit": _HIT, "large": _WHOLE, "burst": _STREAM, "paced": _STREAM}
_KINDS |= {"latency": _LATENCY, "slow": _SLOW}


def tables(run: Run) -> list[Table]:
    """Budgets first, then one table per scenario, then who took part."""
    return [_budgets(run), *(_outcome(run, outcome) for outcome in run.outcomes.values()), _contestants(run)]


def _budgets(run: Run) -> Table:
    rows = []
    for verdict in judge(run):
        unit = verdict.budget.unit
        value = "-" if verdict.value is None else f"{_times(verdict.value)} {unit}"
        rows.append([verdict.budget.promise, f"≤ {verdict.budget.limit:g} {unit}", value, verdict.words()])
    absent = run.contestants.get("headgate", {}).get("missing")
    notes = [f"Headgate was not measured: {absent}"] if absent else []
    return Table(
        "Held budgets", "Headgate with everything on", ["budget", "limit", "measured", ""], rows, notes
    )


def _outcome(run: Run, outcome: Outcome) -> Table:
    columns = _KINDS[outcome.name.partition("-")[0]]
    shown = {
        name: summary
        for name, summary in outcome.by_contestant.items()
        if (outcome.name, name) != ("cold", "direct")
    }
    rows, notes = [], []
    for name, summary in shown.items():
        title = run.contestants[name]["title"]
        rows.append([title, *(_cell(run, outcome, name, summary, column) for column in columns)])
        notes += _notes(title, summary)
    headings = ["", *(column.heading for column in columns)]
    return Table(outcome.name, outcome.about, headings, rows, notes)


def _cell(run: Run, outcome: Outcome, name: str, summary: Summary, column: _Column) -> str:
    if column.to_nginx:
        value = None if name == "direct" else run.to_nginx(outcome.name, name, column.figure)
    else:
        value = summary.figures.get(column.figure)
    if value is None:
        return "failed" if summary.failure else "-"
    return column.show(value)


def _notes(title: str, summary: Summary) -> list[str]:
    notes = [f"{title}: {summary.failure}"] if summary.failure else []
    notes += [f"{title}, {warning}" for warning in summary.warnings]
    kept = [figures for figures in summary.rounds if "recorded" in figures]
    if kept:
        rows, served = sum(one["recorded"] for one in kept), sum(one["served"] for one in kept)
        late = max(one["recorded_s"] for one in kept)
        notes.append(
            f"{title}: {served:,.0f} requests were served, the records gained {rows:,.0f}; "
            f"they had caught up {late:.1f} s after the load ended, at the latest"
        )
    return notes


def _contestants(run: Run) -> Table:
    rows, notes = [], []
    for one in run.contestants.values():
        rows.append([one["title"], one["version"], one["does"]])
        if one.get("missing"):
            notes.append(f"{one['title']} was not measured: {one['missing']}")
    return Table(
        "who", "the contestants and what they do besides forwarding", ["", "version", "does"], rows, notes
    )
