"""What the how-to on people promises: its commands print what is shown, and its settings are ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from headgate.config.loader import parse
from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "let-people-in.md"


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """In a shell, because the page pipes passwords."""
    places = tmp_path / "bin"
    places.mkdir()
    (places / "headgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headgate "$@"\n')
    (places / "headgate").chmod(0o755)
    environment = os.environ | {"PATH": f"{places}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    environment.pop("HEADGATE_CONFIG", None)
    reader = Reader(tmp_path, "", {})
    for block in blocks(PAGE, "console"):
        for step in steps(block):
            done = subprocess.run(
                ["sh", "-c", step.command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            reader.compare(step, done.stdout + done.stderr)


def test_the_settings_of_the_page_are_ones() -> None:
    """With a secret from the environment."""
    [text] = [block.text for block in blocks(PAGE, "text")]
    settings = parse(text, {"OIDC_CLIENT_SECRET": "s"}).settings
    assert settings.dashboard.oidc is not None and settings.dashboard.oidc.client_secret == "s"
