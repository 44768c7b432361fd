"""Processes that do a gateway's part in alerts and nothing else, started and stopped by tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from headgate.stores.alerts import Alert

__all__ = ["Node", "node"]

ROOT = Path(__file__).resolve().parents[2]


class Node:
    """A process that tells."""

    def __init__(self, folder: Path, claim_seconds: float = 60.0) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.support.alert_node",
            str(folder / "headgate.toml"),
            str(claim_seconds),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (folder / "node.log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def tell(self, *alerts: Alert) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        for each in alerts:
            self.process.stdin.write(msgspec.json.encode(each) + b"\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == b"told\n"

    def stop(self) -> None:
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


@contextmanager
def node(folder: Path, claim_seconds: float = 60.0) -> Iterator[Node]:
    running = Node(folder, claim_seconds)
    try:
        yield running
        if running.process.poll() is None:
            running.stop()
            assert running.process.returncode == 0, (folder / "node.log").read_text()
    finally:
        if running.process.poll() is None:
            running.kill()
