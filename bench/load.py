"""Run the load clients as processes of their own and read what they measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from bench.places import ROOT, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from bench.contestants.contestant import Target

__all__ = ["ClosedLoop", "LoadFailed", "OpenLoop", "Streams", "closed_loop", "open_loop", "streams"]


class LoadFailed(Exception):
    """A load client did not do its work; the message says why."""


class ClosedLoop(msgspec.Struct, frozen=True):
    """What wrk saw: each connection sends its next request as soon as it has its answer."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bad_status: int
    broken: int
    hits: int = 0
    """Answers that said they came from a cache."""


class OpenLoop(msgspec.Struct, frozen=True):
    """What arrivals at a given rate saw. Latencies in ms, from the moment a request was due and released."""

    requests: int
    failed: int
    seconds: float
    latencies_ms: list[float]
    client_lag_ms: float
    """How late the client's own timer was at worst: large values make the run worthless."""


class Streams(msgspec.Struct, frozen=True):
    """What the streaming client saw. Times in ms, from request to first token."""

    streams: int
    completed: int
    tokens: int
    reads: int
    seconds: float
    first_token_ms: list[float]
    most_open: int
    problem: str


def closed_loop(
    target: Target,
    *,
    connections: int,
    seconds: float,
    work: Path,
    script: str = "wrk.lua",
    hit_header: tuple[str, str] | None = None,
) -> ClosedLoop:
    """Drive one target with wrk as hard as it goes. Raises LoadFailed.

    hit_header: a header and how its value begins, by which hits are counted; that takes wrk some time for each answer."""
    headers, body = work / "wrk-headers.txt", work / "wrk-body.bin"
    headers.write_text("".join(f"{name}: {value}\n" for name, value in target.headers.items()))
    body.write_bytes(target.body)
    program = shutil.which("wrk")
    if program is None:
        raise LoadFailed("wrk is not installed: apt-get install wrk")
    url = f"http://127.0.0.1:{target.port}{target.path}"
    options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    command = [program, *options, "-s", str(ROOT / "bench" / script), url, "--", str(headers), str(body)]
    if hit_header is not None:
        command += hit_header
    text = _run(command, patience=seconds + 60)
    for line in text.splitlines():
        if line.startswith("RESULT "):
            return msgspec.json.decode(line[7:], type=ClosedLoop)
    raise LoadFailed(f"wrk said: {text.strip()[-300:]}")


def open_loop(target: Target, *, rate: float, seconds: float, work: Path) -> OpenLoop:
    """Send requests at `rate` a second, whether or not answers come. Raises LoadFailed."""
    text = _client("bench.open_loop", target, work, seconds + 60, rate=rate, seconds=seconds)
    return msgspec.json.decode(text, type=OpenLoop)


def streams(
    target: Target,
    *,
    work: Path,
    limit_seconds: float,
    open_at_once: int,
    per_second: float = 0.0,
    loop_seconds: float = 0.0,
    held_file: Path | None = None,
) -> Streams:
    """Hold `open_at_once` streams, once each or over and over for `loop_seconds`. Raises LoadFailed.

    per_second: how many streams are opened a second at first; 0 opens all at once.
    held_file:  written when all streams are open and have had their first token."""
    options: dict[str, Any] = {
        "open_at_once": open_at_once,
        "per_second": per_second,
        "loop_seconds": loop_seconds,
    }
    options["limit_seconds"] = limit_seconds
    if held_file is not None:
        options["held_file"] = held_file
    text = _client("bench.stream_client", target, work, limit_seconds + 30, **options)
    return msgspec.json.decode(text, type=Streams)


def _client(module: str, target: Target, work: Path, patience: float, **options: object) -> str:
    request = work / f"{module.rpartition('.')[2]}-request.bin"
    request.write_bytes(target.request())
    command = [sys.executable, "-m", module, "--port", str(target.port), "--request", str(request)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return _run(command, patience=patience)


def _run(command: list[str], *, patience: float) -> str:
    name = command[2] if command[1] == "-m" else "wrk"
    try:
        said = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
            cwd=ROOT,
            env=clean_environment(),
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{name} did not end within {patience:.0f} s") from None
    if said.returncode:
        raise LoadFailed(f"{name}: {said.stderr.strip()[-400:]}")
    return said.stdout
