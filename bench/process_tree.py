"""Start a server as a process tree of its own and read its CPU time and memory from the operating system."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Ports", "ProcessTree", "StartFailed"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class StartFailed(Exception):
    """A server did not come up; the message ends with the last lines it printed."""


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    session: int
    reaped_ticks: int
    rss_pages: int


class ProcessTree:
    """One server: its leader, every descendant, and whatever else runs in its session."""

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> None:
        self.log = log
        self.started_at = time.perf_counter()
        with log.open("wb") as out:
            self._leader = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._leader.pid

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far, to the microsecond; children that ended and were reaped
        are included, to the hundredth of a second."""
        return sum(_cpu_seconds(stat) for stat in self._members())

    def rss_bytes(self) -> int:
        """Resident memory, added up over the processes: pages shared by several count several times."""
        return sum(stat.rss_pages for stat in self._members()) * _PAGE_BYTES

    def ended(self) -> str | None:
        """How the leader ended, with its last words; None while it runs."""
        status = self._leader.poll()
        return None if status is None else f"ended with status {status}: {self.last_words(2)}"

    def processes(self) -> int:
        """How many processes the tree has now."""
        return len(self._members())

    def wait_listening(self, port: int, *, seconds: float) -> float:
        """Seconds from exec until 127.0.0.1:port accepted a connection. Raises StartFailed."""
        deadline = self.started_at + seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return time.perf_counter() - self.started_at
            if self._leader.poll() is not None:
                raise StartFailed(self.ended() or "ended")
            if time.perf_counter() > deadline:
                raise StartFailed(f"not listening after {seconds:.0f} s: {self.last_words()}")
            time.sleep(0.003)

    def wait_quiet(self, *, idle_share: float, seconds: float, window: float = 0.3) -> float:
        """Seconds until the tree used at most `idle_share` of a core over one window; at most `seconds`."""
        began = time.perf_counter()
        while True:
            before = self.cpu_seconds()
            time.sleep(window)
            waited = time.perf_counter() - began
            if self.cpu_seconds() - before <= idle_share * window:
                return max(0.0, waited - window)
            if waited > seconds:
                return waited

    def freeze(self) -> None:
        """Stop every process of the tree where it stands, so that it takes nothing from its neighbours."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the tree go on."""
        self._signal(signal.SIGCONT)

    def stop(self, *, seconds: float = 8.0) -> None:
        """Ask the tree to end, then make it; returns when all of it is gone."""
        self.thaw()
        self._signal(signal.SIGTERM)
        deadline = time.perf_counter() + seconds
        while self._alive() and time.perf_counter() < deadline:
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        self._leader.wait()

    def last_words(self, lines: int = 6) -> str:
        """The end of what the server printed."""
        text = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(text[-lines:]) or "it printed nothing"

    def _alive(self) -> bool:
        return self._leader.poll() is None or bool(self._members())

    def _signal(self, number: signal.Signals) -> None:
        for stat in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(stat.pid, number)

    def _members(self) -> list[_Stat]:
        every = _read_all()
        inside = {self.pid}
        grown = True
        while grown:
            more = {
                s.pid for s in every if s.pid not in inside and (s.parent in inside or s.session == self.pid)
            }
            inside |= more
            grown = bool(more)
        return [stat for stat in every if stat.pid in inside]


def _read_all() -> list[_Stat]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.append(_parse(int(entry.name), (entry / "stat").read_text()))
    return [stat for stat in found if stat is not None]


def _parse(pid: int, text: str) -> _Stat | None:
    # The name in parentheses may hold spaces, so fields are counted from the last parenthesis; proc(5).
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] == "Z":
        return None
    return _Stat(pid, int(fields[1]), int(fields[3]), int(fields[13]) + int(fields[14]), int(fields[21]))


def _cpu_seconds(stat: _Stat) -> float:
    try:
        # The process's own CPU clock, as clock_getcpuclockid(3) names it. /proc counts in ticks of 10 ms, which is
        # too coarse for nginx: it uses a quarter of a second in a whole round of streams.
        own = time.clock_gettime((~stat.pid << 3) | 2)
    except OSError:
        own = 0.0  # it ended meanwhile; from now on its parent's reaped children hold its time
    return own + stat.reaped_ticks / _TICKS_PER_SECOND


class Ports:
    """Free TCP ports of 127.0.0.1, below the range the kernel gives to outgoing connections.

    Ten thousand outgoing connections would otherwise sooner or later sit on a port a server wants to open."""

    def __init__(self) -> None:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        self._candidates = iter(range(low - 1, 10_000, -1))

    def take(self) -> int:
        """A port nobody listens on now and that this object has not given out. Raises StartFailed."""
        for port in self._candidates:
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return port
        raise StartFailed("no free port on 127.0.0.1")
