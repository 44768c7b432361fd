"""Two mock vendors nobody here wrote, each in a process of its own: aimock (Node) and llmock (Python)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

__all__ = ["LLMock", "aimock", "llmock"]

_AIMOCK = Path(__file__).parents[1] / "node" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"


@contextmanager
def _started(command: list[str], url: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        due = time.monotonic() + 60
        while not _answers(url):
            said = log.read_text(errors="replace")[-2000:]
            assert process.poll() is None and time.monotonic() < due, f"{command[0]} did not start:\n{said}"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


@contextmanager
def aimock(folder: Path, fixtures: list[dict[str, Any]]) -> Iterator[str]:
    """aimock's address, answering from `fixtures` (its own format)."""
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": fixtures}))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["node", str(_AIMOCK), "-p", str(port), "-f", str(file), "--log-level", "warn", "-c", "6"]
    with _started(command, url, folder / "aimock.log"):
        yield url


class LLMock:
    """A running llmock and its control interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def next_time(self, *behaviours: dict[str, Any]) -> None:
        """Queue behaviours, each for one matching request."""
        self._call("POST", "/_llmock/scenario", {"behaviors": list(behaviours)})

    def requests(self) -> list[dict[str, Any]]:
        """What it has been asked since `reset`."""
        found: list[dict[str, Any]] = self._call("GET", "/_llmock/requests")["requests"]
        return found

    def reset(self) -> None:
        self._call("POST", "/_llmock/reset")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read())


@contextmanager
def llmock(folder: Path) -> Iterator[LLMock]:
    """llmock, echoing what it is asked."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", "from llmock.cli import app; app()", "serve"]
    command += ["--port", str(port), "--response-style", "varied", "--log-level", "warning"]
    with _started(command, f"{url}/_llmock/requests", folder / "llmock.log"):
        yield LLMock(url)
