"""The figures Headgate promises to hold, and how far the run was from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Run

__all__ = ["BUDGETS", "Budget", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Budget:
    """An upper limit on one figure of a run. Source: docs/design, "Bytes and speed"; the CPU limit of a whole
    answer is the stricter one the first release set itself."""

    promise: str
    limit: float
    unit: str
    measured: Callable[[Run], float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A budget beside what was measured."""

    budget: Budget
    value: float | None

    @property
    def held(self) -> bool | None:
        """Whether it was held; None if it was not measured."""
        return None if self.value is None else self.value <= self.budget.limit

    def words(self) -> str:
        """ "held", "missed by ..." or "not measured"."""
        if self.value is None:
            return "not measured in this run"
        if self.held:
            return "held"
        over = self.value - self.budget.limit
        return f"missed by {over:.2g} {self.budget.unit} ({over / self.budget.limit:.0%})"


def judge(run: Run) -> list[Verdict]:
    """Every budget beside what the run found."""
    return [Verdict(budget, budget.measured(run)) for budget in BUDGETS]


def _to_nginx(scenario: str, figure: str) -> Callable[[Run], float | None]:
    return lambda run: run.to_nginx(scenario, "headgate", figure)


def _ours(scenario: str, figure: str) -> Callable[[Run], float | None]:
    return lambda run: run.figure(scenario, "headgate", figure)


BUDGETS = (
    Budget("whole answer, CPU, writer included", 7, "× nginx", _to_nginx("whole", "cpu_us")),
    Budget(
        "the same, beside nginx as packaged",
        7,
        "× nginx",
        lambda run: run.ratio("whole", "headgate", "nginx-plain", "cpu_us"),
    ),
    Budget("answer from the cache, CPU, writer included", 6, "× nginx", _to_nginx("hit", "cpu_us")),
    Budget(
        "the same, beside nginx as packaged",
        6,
        "× nginx",
        lambda run: run.ratio("hit", "headgate", "nginx-plain", "cpu_us"),
    ),
    Budget("streamed token, CPU, 300 streams open", 2.5, "× nginx", _to_nginx("paced", "cpu_us_per_token")),
    # The first answer comes after listening, so that a socket opened early cannot make this look better than it is.
    Budget("start to listening and answering", 1.0, "s", _ours("cold", "answering_s")),
    Budget("idle memory", 120, "MB", _ours("cold", "idle_rss_mb")),
    Budget("memory of each of 10,000 open streams", 60, "kB", _ours("slow-10000", "kb_per_stream")),
)
