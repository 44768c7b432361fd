"""A page of the documentation, followed: beside a gateway with the page's own configuration, or in a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.pages import Reader, blocks

__all__ = ["DOCS", "Shell", "as_it_is", "at_once", "beside_a_gateway", "how_to", "reader_beside"]

DOCS = Path(__file__).resolve().parents[2] / "docs"


def how_to(name: str) -> Path:
    """The page of this name."""
    return DOCS / "how-to" / f"{name}.md"


def as_it_is(config: str) -> str:
    """Models answer as slowly as the page has it."""
    return config


def at_once(config: str) -> str:
    """A reader waits for a model's words, a test does not. Raises AssertionError where no model is simulated."""
    changed = config.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    assert changed != config
    return changed


def reader_beside(gateway: RunningGateway, environment: Mapping[str, str] | None = None) -> Reader:
    """Somebody in the gateway's folder, who has its key."""
    return Reader(gateway.directory, gateway.url, {"HEADGATE_KEY": gateway.key, **(environment or {})})


@contextmanager
def beside_a_gateway(
    page: Path,
    folder: Path,
    *,
    adapted: Callable[[str], str] = as_it_is,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[RunningGateway, Reader]]:
    """A gateway with the configuration that the page begins with, and its reader. environment: of the reader."""
    config = blocks(page, "toml")[0]
    with running_gateway(folder, adapted(config.text)) as gateway:
        yield gateway, reader_beside(gateway, environment)


class Shell:
    """Where `headgate` is a program on the PATH: for pages that pipe and export."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        places = folder / "bin"
        places.mkdir()
        (places / "headgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headgate "$@"\n')
        (places / "headgate").chmod(0o755)
        self._folder = folder
        self.environment = os.environ | {
            "PATH": f"{places}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
            **(environment or {}),
        }
        """Of what is run from now on."""
        self.environment.pop("HEADGATE_CONFIG", None)

    def run(self, command: str) -> str:
        """All that it says. Raises AssertionError if it fails."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr
