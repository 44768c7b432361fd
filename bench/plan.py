"""What is measured, how long and how often."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import measures
from bench.shapes import LANES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.contestants.contestant import Contestant, Running
    from bench.measures import Reading

__all__ = ["COLD", "Scenario", "full_plan", "most_streams", "quick_plan"]

COLD = "cold"
# Descriptors a gateway needs beside two per stream: listening sockets, database, logs, epoll.
_OTHER_DESCRIPTORS = 200


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: its name, what it is, how to measure one contestant once, and how many rounds."""

    name: str
    about: str
    measure: Callable[[Running], Reading]
    rounds: int = 3
    only: frozenset[str] | None = None
    """Names of the contestants it is for; None: all."""
    slow_rounds: int = 1
    """Rounds for contestants that are marked slow; 0 leaves them out."""
    fresh: bool = False
    """Whether each round needs a process just started: memory kept from earlier load would hide what it takes."""

    def rounds_for(self, contestant: Contestant) -> int:
        """How many rounds this contestant gets."""
        if self.only is not None and contestant.name not in self.only:
            return 0
        return self.slow_rounds if contestant.slow else self.rounds


def most_streams() -> int:
    """How many streams one gateway process can hold here: each takes two descriptors of it."""
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _OTHER_DESCRIPTORS) // 2


def full_plan() -> list[Scenario]:
    """All that `make bench` measures after the starts."""
    return [
        _whole(seconds=3, rounds=5),
        _hit(seconds=3, rounds=5),
        _latency(rate=20, seconds=5, rounds=2, slow_rounds=2),
        _latency(rate=500, seconds=4, rounds=2, slow_rounds=0),
        _large(seconds=4, rounds=3),
        _burst(seconds=3, rounds=3),
        _paced(rounds=3),
        _slow(5_000),
        _slow(10_000),
    ]


def quick_plan() -> list[Scenario]:
    """A look in a minute and a half: the two held CPU budgets."""
    return [
        _whole(seconds=3, rounds=3),
        _hit(seconds=3, rounds=2),
        _burst(seconds=2, rounds=1),
        _paced(rounds=1),
    ]


def _whole(*, seconds: float, rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.whole(running, LANES["whole"], seconds=seconds)

    about = "1 kB request, 0.9 kB JSON answer, 16 connections kept open, as fast as it goes"
    return Scenario("whole", about, measure, rounds, slow_rounds=2)


def _hit(*, seconds: float, rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.hit(running, LANES["hit"], seconds=seconds)

    about = (
        "the same 1 kB request over and over, answered from an exact cache by those who have one (each answer says so), "
        "and forwarded by nginx, 16 connections kept open"
    )
    only = frozenset({"direct", "nginx", "nginx-plain", "headgate", "litellm"})
    return Scenario("hit", about, measure, rounds, only=only, slow_rounds=2)


def _large(*, seconds: float, rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.whole(running, LANES["large"], seconds=seconds)

    return Scenario("large", "1 MB request, 0.9 kB JSON answer, 16 connections kept open", measure, rounds)


def _latency(*, rate: int, seconds: float, rounds: int, slow_rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.latency(running, LANES["whole"], rate=rate, seconds=seconds)

    about = f"1 kB request, 0.9 kB JSON answer, {rate} requests/s arriving at random (open loop)"
    return Scenario(f"latency-{rate}", about, measure, rounds, slow_rounds=slow_rounds)


def _burst(*, seconds: float, rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.burst(running, LANES["burst"], seconds=seconds)

    about = "replies of 100 events arriving in four large writes, 16 connections, one after the other"
    return Scenario("burst", about, measure, rounds)


def _paced(*, rounds: int) -> Scenario:
    def measure(running: Running) -> Reading:
        return measures.paced(running, LANES["paced"], open_at_once=300, limit_seconds=120)

    about = "300 streams open, 100 tokens each at 20 tokens/s, every token its own TCP segment"
    return Scenario("paced", about, measure, rounds)


def _slow(wanted: int) -> Scenario:
    count = min(wanted, most_streams())

    def measure(running: Running) -> Reading:
        return measures.slow(running, LANES["slow"], open_at_once=count, work=running.work)

    about = f"{count:,} streams open, 12 tokens each, one every 2 s"
    if count < wanted:
        about += f" ({wanted:,} would need more than the {count * 2 + _OTHER_DESCRIPTORS:,} descriptors allowed here)"
    return Scenario(f"slow-{wanted}", about, measure, 1, only=frozenset({"nginx", "headgate"}), fresh=True)
