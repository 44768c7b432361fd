"""`headgate demo` as people start it, on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.gateway import KEY
from tests.support.ports import free_port

__all__ = ["Demo", "demo", "until"]


@dataclass
class Demo:
    """A demonstration under way."""

    url: str
    process: subprocess.Popen[bytes]
    said: Path

    def get(self, path: str) -> bytes:
        """With the key, as scripts do."""
        request = urllib.request.Request(self.url + path, headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            body: bytes = reply.read()
            return body

    def alerts(self) -> list[dict[str, Any]]:
        """All that were told, the latest first."""
        items: list[dict[str, Any]] = json.loads(self.get("/api/alerts"))["items"]
        return items

    def found(self, rule: str) -> dict[str, Any] | None:
        """The rule's alert."""
        return next(
            (
                each
                for each in self.alerts()
                if each["facts"].get("rule") == rule and each["facts"].get("state") == "alert"
            ),
            None,
        )


@contextmanager
def demo(folder: Path, *more: str) -> Iterator[Demo]:
    """Started, and seen to listen."""
    folder.mkdir()
    port, said = free_port(), folder / "said"
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    command = [sys.executable, "-m", "headgate", "demo", "--data", "data", "--listen", f"127.0.0.1:{port}"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*command, *more],
            cwd=folder,
            env=environment | {"HEADGATE_BOOTSTRAP_KEY": KEY, "NO_COLOR": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        made = Demo(f"http://127.0.0.1:{port}", process, said)
        until(lambda: b"Headgate listens" in said.read_bytes(), 60, said)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], object], seconds: float, said: Path) -> Any:
    """What it says at last."""
    due = time.monotonic() + seconds
    while time.monotonic() < due:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s:\n{said.read_text()}")
