"""A gateway as users start it: the `headgate serve` command in a process of its own, on a free port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ports import free_port

__all__ = ["KEY", "RunningGateway", "running_gateway"]

KEY = "hg_test_key_0123456789abcdefghijklmnopqrstuv"


@dataclass(slots=True)
class RunningGateway:
    """A started gateway. `url` has no path; SDKs want `url + "/v1"` (OpenAI) or `url` (Anthropic)."""

    url: str
    process: subprocess.Popen[bytes]
    directory: Path
    key: str = KEY
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """All it has said so far."""
        return (self.directory / "serve.log").read_text(errors="replace")

    @property
    def database(self) -> Path:
        return self.directory / "headgate.db"

    def stop(self) -> int:
        """Ask it to stop and wait until it has. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        """`kill -9`: no goodbye."""
        self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def running_gateway(
    directory: Path,
    config: str,
    *,
    environment: Mapping[str, str] | None = None,
    ready_within: float = 30.0,
    port: int = 0,
) -> Iterator[RunningGateway]:
    """Start `headgate serve` on `config` (TOML; without [server].listen and database), wait until it is ready, stop it.

    port: 0 is any."""
    port = port or free_port()
    (directory / "headgate.toml").write_text(config)
    env = {
        k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.lower().endswith("_proxy")
    }
    env |= {"HEADGATE_BOOTSTRAP_KEY": KEY, "NO_COLOR": "1", **(environment or {})}
    command = [
        sys.executable,
        "-m",
        "headgate",
        "serve",
        "--config",
        "headgate.toml",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    with (directory / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=directory, env=env, stdout=log, stderr=subprocess.STDOUT)
    gateway = RunningGateway(f"http://127.0.0.1:{port}", process, directory)
    try:
        _wait_until_ready(gateway, ready_within)
        yield gateway
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(gateway: RunningGateway, seconds: float) -> None:
    due = time.monotonic() + seconds
    while time.monotonic() < due:
        if gateway.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {gateway.process.returncode}:\n{gateway.log}")
        try:
            with urllib.request.urlopen(f"{gateway.url}/readyz", timeout=2) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"the gateway was not ready within {seconds} s:\n{gateway.log}")
