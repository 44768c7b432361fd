"""`headgate simulate`: the simulated provider as an upstream of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port

SECONDS = 30.0


class Simulator:
    """A started simulator, and all it has said."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "headgate", "simulate", "--speed", "0"]
        self.process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{self.port}"],
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        assert "listens on" in self.process.stderr.readline()

    def ask(self, fault: str, *, stream: bool) -> tuple[int, bytes]:
        """Status and body; 0 if no reply came, what came of the body if it broke off."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        body = {
            "model": "sim-large",
            "stream": stream,
            "messages": [{"role": "user", "content": "Hello"}],
        }
        try:
            line.request("POST", "/v1/chat/completions", json.dumps(body), {"x-headgate-fault": fault})
            reply = line.getresponse()
        except (http.client.HTTPException, ConnectionError):
            return 0, b""
        else:
            try:
                return reply.status, reply.read()
            except (http.client.IncompleteRead, ConnectionError) as broken:
                return reply.status, getattr(broken, "partial", b"")
        finally:
            line.close()

    def stop(self) -> str:
        """End it. What it has complained of."""
        self.process.terminate()
        return self.process.communicate(timeout=SECONDS)[1]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    started = Simulator(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.communicate()


def test_ordered_faults_are_no_reason_to_complain(simulator: Simulator) -> None:
    """A reply that was to be broken off is broken off, and the terminal stays readable: no tracebacks, no warnings."""
    assert simulator.ask("none", stream=False)[0] == 200
    for fault in ("reset", "refused"):
        assert simulator.ask(fault, stream=True) == (0, b"")
    status, body = simulator.ask("cut:3", stream=True)
    assert status == 200 and b"[DONE]" not in body
    assert simulator.ask("error_500", stream=False)[0] == 500
    assert simulator.stop() == ""
