"""Run the plan: start everybody once, then go round and round, one contestant awake at a time."""

from __future__ import annotations

import shutil
import statistics
import time
from typing import TYPE_CHECKING

from bench.contestants.contestant import Running
from bench.load import LoadFailed
from bench.measures import Reading
from bench.plan import COLD
from bench.process_tree import Ports, StartFailed
from bench.results import Outcome, Summary, summarise
from bench.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contestants.contestant import Contestant
    from bench.plan import Scenario

__all__ = ["Runner"]

_IDLE_SECONDS = 2.0


class Runner:
    """Owns the upstream and every started contestant; `close` ends all of them."""

    def __init__(self, work: Path, say: Callable[[str], None]) -> None:
        """say: told before each step what comes now; called once per step that `steps` counted."""
        shutil.rmtree(work, ignore_errors=True)
        self._work, self._say = work, say
        self._ports = Ports()
        self.upstream = Upstream(work / "upstream", self._ports)
        self._running: dict[str, Running] = {}
        self._awake: Running | None = None

    def close(self) -> None:
        """End everything this object started."""
        for running in self._running.values():
            running.tree.stop(seconds=3)
        self._running.clear()
        self._awake = None
        self.upstream.stop()

    def start_all(self, contestants: list[Contestant], *, starts: int) -> Outcome:
        """Start each contestant `starts` times (slow ones at most twice); the last start stays, asleep."""
        outcome = Outcome(
            COLD, f"from exec to the first good answer, medians of up to {starts} starts; then idle"
        )
        for contestant in contestants:
            self._say(f"starting {contestant.title}")
            try:
                outcome.by_contestant[contestant.name] = self._start(contestant, starts)
            except StartFailed as error:
                outcome.by_contestant[contestant.name] = Summary(failure=f"did not start: {error}")
        return outcome

    def scenario(self, scenario: Scenario) -> Outcome:
        """All rounds of one scenario, the contestants taking turns. Raises UpstreamEnded."""
        outcome = Outcome(scenario.name, scenario.about)
        readings: dict[str, list[Reading]] = {}
        failures: dict[str, str] = {}
        for number in range(scenario.rounds):
            for name, running in list(self._running.items()):
                if number >= scenario.rounds_for(running.contestant) or name in failures:
                    continue
                self._say(f"{scenario.name}, round {number + 1}: {running.contestant.title}")
                self._wake(running)
                try:
                    awake = self._again(running) if scenario.fresh else running
                    readings.setdefault(name, []).append(scenario.measure(awake))
                except (LoadFailed, StartFailed) as error:
                    ended = self._running[name].tree.ended()
                    failures[name] = f"{error}; its process {ended}" if ended else str(error)
                self.upstream.check()
        for name in self._running:
            if name in readings or name in failures:
                outcome.by_contestant[name] = summarise(readings.get(name, []), failures.get(name, ""))
        return outcome

    def _start(self, contestant: Contestant, starts: int) -> Summary:
        work = self._work / contestant.name
        work.mkdir(parents=True)
        self._wake(None)
        last = min(starts, 2) if contestant.slow else starts
        running = Running(contestant, self.upstream, self._ports.take(), work, recorded=0)
        self._running[contestant.name] = self._awake = running
        found = [running.start]
        while len(found) < last:
            running = self._again(running)
            found.append(running.start)
        again = found[1:] or found
        figures = {
            "first_listening_s": found[0].listening_seconds,
            "listening_s": statistics.median(start.listening_seconds for start in again),
            "answering_s": statistics.median(start.answering_seconds for start in again),
            **_idle(running),
        }
        return Summary(rounds=[figures], figures=figures)

    def _again(self, running: Running) -> Running:
        contestant = running.contestant
        running.tree.stop()
        started = Running(contestant, self.upstream, self._ports.take(), running.work, recorded=running.rows)
        self._running[contestant.name] = self._awake = started
        return started

    def _wake(self, running: Running | None) -> None:
        # Others sleep by SIGSTOP: a peer's timers must not be charged to its neighbour's latency.
        if self._awake is running:
            return
        if self._awake is not None:
            self._awake.tree.freeze()
        if running is not None:
            running.tree.thaw()
        self._awake = running


def _idle(running: Running) -> dict[str, float]:
    time.sleep(_IDLE_SECONDS / 2)
    before = running.tree.cpu_seconds()
    time.sleep(_IDLE_SECONDS)
    return {
        "idle_cpu_percent": (running.tree.cpu_seconds() - before) / _IDLE_SECONDS * 100,
        "idle_rss_mb": running.tree.rss_bytes() / 1e6,
        "processes": running.tree.processes(),
    }
