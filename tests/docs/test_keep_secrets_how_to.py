"""What the how-to on secrets promises: its commands print what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "keep-secrets.md"
_EXPORT = re.compile(r"export (\w+)=(.*)")


def _no_id(text: str) -> str:
    """Master keys are others each time."""
    return re.sub(r"\b[0-9a-f]{8}\b", "MASTER", text)


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """In a shell, because the page pipes and exports, by somebody called Ann; and no value is shown in the end."""
    places = tmp_path / "bin"
    places.mkdir()
    (places / "headgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headgate "$@"\n')
    (places / "headgate").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{places}{os.pathsep}{os.environ['PATH']}",
        "SUDO_USER": "ann",
        "NO_COLOR": "1",
    }
    environment.pop("HEADGATE_CONFIG", None)
    reader, everything = Reader(tmp_path, "", {}), ""

    def run(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    for block in blocks(PAGE, "toml", "console"):
        if block.language == "toml":
            reader.do(block)
            continue
        for step in steps(block):
            if found := _EXPORT.fullmatch(step.command.strip()):
                environment[found[1]] = run(f"printf %s {found[2]}")
                continue
            printed = run(step.command)
            everything += printed
            reader.compare(step._replace(shown=list(map(_no_id, step.shown))), _no_id(printed))
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("headgate.db*"))
    for value in ("sk-a-key-of-openai", "a-key-of-the-house", environment["HEADGATE_SECRET_KEY"]):
        assert value not in everything and value.encode() not in kept
