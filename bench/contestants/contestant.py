"""What the harness needs to know of a gateway to measure it."""

from __future__ import annotations

import http.client
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.process_tree import ProcessTree, StartFailed
from bench.shapes import LANES, request_body

if TYPE_CHECKING:
    from pathlib import Path

    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["Contestant", "Launch", "Recorded", "Running", "Start", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a load client sends a lane's requests, and what it sends."""

    port: int
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> bytes:
        """The whole HTTP request as bytes."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"host: 127.0.0.1:{self.port}",
            "content-type: application/json",
        ]
        lines += [
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a contestant's process."""

    command: list[str]
    env: dict[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Start:
    """How long a start took, in seconds from exec."""

    listening_seconds: float
    answering_seconds: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether a gateway's own records have caught up with what it served."""

    before: int
    rows: int
    seconds: float


class Contestant(ABC):
    """One gateway (or none): how it is installed, configured, started and asked."""

    name: str
    title: str
    does: str
    """What it does besides forwarding, in this run; printed under the tables."""
    start_seconds: float = 20.0
    """How long it may take to listen."""
    slow: bool = False
    """Serves hundreds, not thousands, of requests a second: gets fewer rounds of the long scenarios."""
    hit_header: tuple[str, str] | None = None
    """The header of an answer from its cache, as it is sent, and what its value begins with; None: it has no cache here."""

    @abstractmethod
    def version(self) -> str:
        """The installed version."""

    @abstractmethod
    def missing(self) -> str | None:
        """Why it cannot be measured here, or None."""

    @abstractmethod
    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        """Write the configuration into `work` and say how to start. Called before every start."""

    def model(self, lane: Lane) -> str:
        """The model name a caller asks for to reach the lane."""
        return f"bench-{lane.name}"

    def path(self, lane: Lane) -> str:
        """The request path for the lane."""
        return "/v1/chat/completions"

    def headers(self, lane: Lane, upstream: Upstream) -> dict[str, str]:
        """The caller's headers for the lane."""
        return {"authorization": "Bearer unused"}

    def target(self, lane: Lane, upstream: Upstream, port: int) -> Target:
        """All a load client must know."""
        body = request_body(self.model(lane), size=lane.body_bytes, stream=lane.streamed)
        return Target(port, self.path(lane), body, self.headers(lane, upstream))

    def recorded(self, before: int, more: int, work: Path) -> Recorded | None:
        """Wait until its records hold `more` requests than `before`; None if it keeps none here."""
        return None


class Running:
    """A started contestant."""

    def __init__(
        self, contestant: Contestant, upstream: Upstream, port: int, work: Path, *, recorded: int
    ) -> None:
        """Start it and wait for its first good answer. Raises StartFailed.

        recorded: requests that earlier starts left in the records in `work`."""
        self.contestant, self.upstream, self.work, self.port = contestant, upstream, work, port
        self.rows = recorded
        launch = contestant.launch(upstream, self.port, work)
        self.tree = ProcessTree(launch.command, log=work / "output.log", env=launch.env, cwd=launch.cwd)
        try:
            listening = self.tree.wait_listening(self.port, seconds=contestant.start_seconds)
            answering = self._first_answer(LANES["whole"], contestant.start_seconds)
        except BaseException:
            self.tree.stop()
            raise
        self.start = Start(listening, answering)
        self.recorded(1)

    def target(self, lane: Lane) -> Target:
        """Where and what to send for the lane."""
        return self.contestant.target(lane, self.upstream, self.port)

    def recorded(self, more: int) -> Recorded | None:
        """Wait for the records of `more` further requests; None if it keeps none here."""
        found = self.contestant.recorded(self.rows, more, self.work)
        if found is not None:
            self.rows = found.rows
        return found

    def _first_answer(self, lane: Lane, seconds: float) -> float:
        target = self.target(lane)
        deadline = self.tree.started_at + seconds + 5
        while True:
            status, text = _ask(target)
            if status == 200:
                return time.perf_counter() - self.tree.started_at
            if time.perf_counter() > deadline:
                raise StartFailed(f"no good answer: HTTP {status} {text[:300]!r}; {self.tree.last_words()}")
            time.sleep(0.005)


def _ask(target: Target) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=10)
    headers = {"content-type": "application/json", **target.headers}
    try:
        connection.request("POST", target.path, target.body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()
