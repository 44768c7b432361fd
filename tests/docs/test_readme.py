"""What README shows is what happens: a started demonstration, and everything on the page done to it, in order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.pages import Reader, blocks, steps
from tests.support.ports import free_port

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
KEY = "hg_a_key_for_readers_of_the_page_0123456789"
KEYS = {"HEADGATE_KEY": KEY, "OPENAI_API_KEY": "made-up", "ANTHROPIC_API_KEY": "made-up"}


@contextmanager
def demonstration(folder: Path) -> Iterator[tuple[Reader, str]]:
    """`headgate demo` with a second of traffic instead of a minute, and what it printed until it asked for more."""
    url = f"http://127.0.0.1:{free_port()}"
    printed = folder / "printed"
    environment = os.environ | {"HEADGATE_BOOTSTRAP_KEY": KEY, "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "headgate", "demo", "--seconds", "1", "--data", str(folder / "data")]
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--listen", url.removeprefix("http://")],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        due = time.monotonic() + 60
        while "Ctrl-C ends it." not in printed.read_text():
            assert process.poll() is None and time.monotonic() < due, printed.read_text()
            time.sleep(0.1)
        work = folder / "work"
        work.mkdir()
        reader = Reader(work, url, KEYS, config=folder / "data" / "headgate.toml")
        yield reader, printed.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_what_the_page_shows_is_what_happens(tmp_path: Path) -> None:
    """Every program runs, every command prints what stands under it."""
    with demonstration(tmp_path) as (reader, printed):
        done = 0
        for block in blocks(README, "console", "python", "toml"):
            if block.text.startswith("$ headgate demo"):
                (demo,) = steps(block)
                reader.compare(demo, printed)
            else:
                reader.do(block)
            done += 1
        assert done >= 9


def test_the_targets_on_the_page_are_there() -> None:
    """`make demo` and `make test` are what a visitor types first."""
    named = set(re.findall(r"\bmake ([a-z-]+)", README.read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named & targets


def test_the_page_stays_short_and_its_pictures_light() -> None:
    """A page that nobody reads to the end sells nothing; a checkout should not weigh for its pictures."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 270
    pictures = re.findall(r"docs/images/[\w-]+\.png", README.read_text(encoding="utf-8"))
    assert len(pictures) == 2
    assert [name for name in pictures if (ROOT / name).stat().st_size > 200_000] == []
