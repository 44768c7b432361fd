"""What a run found: medians over rounds, percentiles over all samples, and what went wrong."""

from __future__ import annotations

import datetime as dt
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bench.measures import percentile
from bench.places import BUILD

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measures import Reading

__all__ = ["Outcome", "Run", "Summary", "save", "summarise"]


@dataclass(slots=True)
class Summary:
    """One contestant in one scenario. `figures` are medians over the rounds; `spread` is (lowest, highest)."""

    rounds: list[dict[str, float]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failure: str = ""


@dataclass(slots=True)
class Outcome:
    """One scenario over all contestants, by their names."""

    name: str
    about: str
    by_contestant: dict[str, Summary] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """A whole run of the harness."""

    began: str
    machine: dict[str, str]
    contestants: dict[str, dict[str, str]]
    """By name: title, version, what it does, and `missing` if it could not be measured."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = True
    """Whether all scenarios and contestants of the full plan were asked for."""

    def figure(self, scenario: str, contestant: str, name: str) -> float | None:
        """One median, or None if it was not measured."""
        outcome = self.outcomes.get(scenario)
        summary = outcome.by_contestant.get(contestant) if outcome else None
        return summary.figures.get(name) if summary else None

    def to_nginx(self, scenario: str, contestant: str, name: str) -> float | None:
        """The median over the rounds of a figure's ratio to nginx's in the same round.

        Neighbours on the machine make whole rounds dearer or cheaper for everybody; a ratio within a round
        suffers less from that than a ratio of medians."""
        return self.ratio(scenario, contestant, "nginx", name)

    def ratio(self, scenario: str, contestant: str, other: str, name: str) -> float | None:
        """As `to_nginx`, to any other contestant."""
        outcome = self.outcomes.get(scenario)
        ours = outcome.by_contestant.get(contestant) if outcome else None
        limit = outcome.by_contestant.get(other) if outcome else None
        if ours is None or limit is None:
            return None
        pairs = zip(ours.rounds, limit.rounds, strict=False)
        ratios = [mine[name] / its[name] for mine, its in pairs if name in mine and its.get(name)]
        return statistics.median(ratios) if ratios else None


def summarise(readings: list[Reading], failure: str) -> Summary:
    """Bring the rounds of one contestant together. A median of two is their mean."""
    names = sorted({name for reading in readings for name in reading.figures})
    summary = Summary(rounds=[reading.figures for reading in readings], failure=failure)
    for name in names:
        values = [reading.figures[name] for reading in readings if name in reading.figures]
        summary.figures[name] = statistics.median(values)
        summary.spread[name] = (min(values), max(values))
    for name in sorted({name for reading in readings for name in reading.samples}):
        merged = sorted(value for reading in readings for value in reading.samples.get(name, ()))
        summary.figures |= {
            f"{name}_p50": percentile(merged, 0.50),
            f"{name}_p99": percentile(merged, 0.99),
            f"{name}_count": len(merged),
        }
    for number, reading in enumerate(readings, 1):
        summary.warnings += [f"round {number}: {text}" for text in reading.warnings]
    return summary


def save(run: Run) -> Path:
    """Write the run as JSON and return where."""
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = dt.datetime.fromisoformat(run.began).strftime("%Y-%m-%d-%H%M%S")
    path = BUILD / f"results-{stamp}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return path
