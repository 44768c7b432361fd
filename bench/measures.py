"""The scenarios: each measures one contestant once and returns named figures.

CPU is user and system time of the contestant's whole process tree, from just before the load until the tree is
quiet again, so that work put off to a background writer is counted.
"""

from __future__ import annotations

import statistics
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.load import LoadFailed, closed_loop, open_loop, streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contestants.contestant import Running
    from bench.load import Streams
    from bench.shapes import Lane
    from bench.upstream import Served

__all__ = ["Reading", "burst", "hit", "latency", "paced", "percentile", "slow", "whole"]

_CONNECTIONS = 16
_QUIET_SHARE = 0.03
_QUIET_PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Reading:
    """What one round of one scenario found for one contestant."""

    figures: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    """Latencies, merged over rounds before percentiles are taken."""
    warnings: list[str] = field(default_factory=list)


class _Window:
    """CPU of contestant and upstream over a load, and what the upstream served meanwhile."""

    def __init__(self, running: Running, lane: Lane) -> None:
        self._running, self._lane = running, lane
        upstream = running.upstream
        self._upstream_tree = upstream.tree(lane)
        self._served_before = upstream.served(lane)
        self._cpu_before = running.tree.cpu_seconds()
        self._upstream_before = self._upstream_tree.cpu_seconds()
        self._peak = 0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)
        self._watch.start()

    def close(self, given: int = 0) -> tuple[float, float, Served, Reading]:
        """CPU seconds of contestant and upstream, what was served, and a reading with memory and writer lag.

        given: answers that came without the upstream, which are on record too."""
        self._over.set()
        self._watch.join()
        tree = self._running.tree
        upstream_cpu = self._upstream_tree.cpu_seconds() - self._upstream_before
        served = self._running.upstream.served(self._lane).since(self._served_before)
        answered = max(served.requests, given)
        recorded = self._running.recorded(answered)
        settled = tree.wait_quiet(idle_share=_QUIET_SHARE, seconds=_QUIET_PATIENCE_SECONDS)
        settled += recorded.seconds if recorded else 0.0
        cpu = tree.cpu_seconds() - self._cpu_before
        reading = Reading({"rss_mb": self._peak / 1e6, "settle_s": settled})
        if recorded is not None:
            gained = recorded.rows - recorded.before
            reading.figures |= {"served": answered, "recorded": gained, "recorded_s": recorded.seconds}
            # More rows than served requests are right: who hangs up before the upstream is asked is recorded too.
            if gained < answered:
                reading.warnings.append(f"records gained {gained} rows for {answered} requests served")
        return cpu, upstream_cpu, served, reading

    def _watch_memory(self) -> None:
        while not self._over.wait(0.25):
            self._peak = max(self._peak, self._running.tree.rss_bytes())


def whole(running: Running, lane: Lane, *, seconds: float) -> Reading:
    """Whole answers as fast as 16 connections can: CPU per request, requests a second, p50 and p99."""
    target = running.target(lane)
    warm_up = _Window(running, lane)
    warm = closed_loop(target, connections=_CONNECTIONS, seconds=1, work=running.work)
    warm_up.close()
    if warm.bad_status:
        raise LoadFailed(f"{warm.bad_status} of {warm.requests} answers were not 200")
    window = _Window(running, lane)
    seen = closed_loop(target, connections=_CONNECTIONS, seconds=seconds, work=running.work)
    cpu, upstream_cpu, served, reading = window.close()
    good = seen.requests - seen.bad_status
    if not good:
        raise LoadFailed(f"no good answer in {seconds:.0f} s")
    reading.figures |= {
        "cpu_us": cpu / good * 1e6,
        "upstream_cpu_us": upstream_cpu / good * 1e6,
        "per_second": good / seen.seconds,
        "cores": cpu / seen.seconds,
        "p50_ms": seen.p50_ms,
        "p99_ms": seen.p99_ms,
        "requests": good,
    }
    # wrk hangs up in the middle of what is in flight when its time is over.
    if not 0 <= served.requests - good <= _CONNECTIONS:
        reading.warnings.append(f"upstream served {served.requests}, client got {good} good answers")
    if seen.bad_status or seen.broken:
        reading.warnings.append(f"{seen.bad_status} answers not 200, {seen.broken} connections broken")
    return reading


def hit(running: Running, lane: Lane, *, seconds: float) -> Reading:
    """The same request over and over, as fast as 16 connections can: from the cache by those who have one, which is counted answer
    by answer; through to the upstream by those who have none."""
    header = running.contestant.hit_header
    if header is None:
        return whole(running, lane, seconds=seconds)
    target = running.target(lane)
    warm_up = _Window(running, lane)
    warm = closed_loop(target, connections=_CONNECTIONS, seconds=1, work=running.work, hit_header=header)
    warm_up.close(warm.requests)
    window = _Window(running, lane)
    seen = closed_loop(
        target, connections=_CONNECTIONS, seconds=seconds, work=running.work, hit_header=header
    )
    good = seen.requests - seen.bad_status
    cpu, _, served, reading = window.close(good)
    if not seen.hits:
        raise LoadFailed(f"none of {good} answers came from the cache")
    reading.figures |= {
        "cpu_us": cpu / good * 1e6,
        "per_second": good / seen.seconds,
        "cores": cpu / seen.seconds,
        "p50_ms": seen.p50_ms,
        "p99_ms": seen.p99_ms,
        "requests": good,
        "hits": seen.hits,
    }
    if seen.hits != good or served.requests:
        reading.warnings.append(
            f"{seen.hits} of {good} answers were hits, the upstream served {served.requests}"
        )
    if seen.bad_status or seen.broken:
        reading.warnings.append(f"{seen.bad_status} answers not 200, {seen.broken} connections broken")
    return reading


def latency(running: Running, lane: Lane, *, rate: float, seconds: float) -> Reading:
    """Whole answers at a given rate of random arrivals: the latencies users would see."""
    window = _Window(running, lane)
    seen = open_loop(running.target(lane), rate=rate, seconds=seconds, work=running.work)
    cpu, _, _, reading = window.close()
    good = len(seen.latencies_ms)
    if not good:
        raise LoadFailed(f"no good answer at {rate:.0f}/s")
    reading.figures |= {"cpu_us": cpu / good * 1e6, "client_lag_ms": seen.client_lag_ms, "requests": good}
    reading.samples["latency_ms"] = seen.latencies_ms
    if seen.failed:
        reading.warnings.append(f"{seen.failed} of {seen.requests} requests failed")
    return reading


def burst(running: Running, lane: Lane, *, seconds: float) -> Reading:
    """Replies of 100 events in four writes, 16 connections, one after the other."""
    target = running.target(lane)

    def load() -> Streams:
        return streams(
            target,
            work=running.work,
            limit_seconds=seconds + 30,
            open_at_once=_CONNECTIONS,
            loop_seconds=seconds,
        )

    return _streamed(running, lane, load)


def paced(running: Running, lane: Lane, *, open_at_once: int, limit_seconds: float) -> Reading:
    """One token at a time, each its own TCP segment, with many streams open."""
    target = running.target(lane)

    def load() -> Streams:
        return streams(
            target,
            work=running.work,
            limit_seconds=limit_seconds,
            open_at_once=open_at_once,
            per_second=open_at_once / 1.0,
        )

    reading = _streamed(running, lane, load)
    if reading.figures["most_open"] < open_at_once:
        reading.warnings.append(
            f"only {reading.figures['most_open']:.0f} of {open_at_once} were open at once"
        )
    return reading


def slow(running: Running, lane: Lane, *, open_at_once: int, work: Path) -> Reading:
    """Thousands of slow streams: memory for each while all are open, and whether all complete."""
    held = work / "held"
    held.unlink(missing_ok=True)
    target = running.target(lane)
    before = running.tree.rss_bytes()
    plateau: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            if held.exists():
                plateau.append(running.tree.rss_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()

    def load() -> Streams:
        return streams(
            target, work=work, limit_seconds=120, open_at_once=open_at_once, per_second=700, held_file=held
        )

    try:
        reading = _streamed(running, lane, load)
    finally:
        over.set()
        watcher.join()
    # The highest reading while all were open: later ones already lack the streams that ended.
    if plateau:
        reading.figures["kb_per_stream"] = (max(plateau) - before) / reading.figures["most_open"] / 1e3
    _warn_if_not_all_open(reading, open_at_once)
    reading.figures["open_at_once"] = open_at_once
    return reading


def _warn_if_not_all_open(reading: Reading, wanted: int) -> None:
    most = round(reading.figures["most_open"])
    if most < wanted:
        reading.warnings.append(f"only {most:,} of {wanted:,} streams were open at once")


def _streamed(running: Running, lane: Lane, load: Callable[[], Streams]) -> Reading:
    window = _Window(running, lane)
    seen = load()
    cpu, upstream_cpu, served, reading = window.close()
    if not seen.completed:
        raise LoadFailed(f"no stream completed; {seen.problem}")
    reading.figures |= {
        "cpu_us_per_token": cpu / seen.tokens * 1e6,
        "cpu_us_per_stream": cpu / seen.completed * 1e6,
        "upstream_cpu_us_per_token": upstream_cpu / seen.tokens * 1e6,
        "tokens_per_second": seen.tokens / seen.seconds,
        "tokens_per_read": seen.tokens / seen.reads,
        "streams": seen.completed,
        "most_open": seen.most_open,
        "seconds": seen.seconds,
        "cores": cpu / seen.seconds,
    }
    reading.samples["first_token_ms"] = seen.first_token_ms
    if seen.problem or seen.completed != seen.streams:
        reading.warnings.append(
            f"{seen.completed} of {seen.streams} streams completed; {seen.problem}".rstrip("; ")
        )
    if seen.tokens != seen.completed * lane.tokens or served.tokens != seen.tokens:
        due = seen.completed * lane.tokens
        reading.warnings.append(
            f"tokens: upstream sent {served.tokens}, client saw {seen.tokens}, due were {due}"
        )
    return reading


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; of few values, the highest."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    return cuts[min(round(share * 1000), 999) - 1]
