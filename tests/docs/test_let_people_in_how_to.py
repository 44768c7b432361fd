"""What the how-to on people promises: its commands print what is shown, and its settings are ones."""

from __future__ import annotations

from pathlib import Path

from headgate.config.loader import parse
from tests.support.following import Shell, how_to
from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

PAGE = how_to("let-people-in")


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """In a shell, because the page pipes passwords."""
    shell, reader = Shell(tmp_path), Reader(tmp_path, "", {})
    for block in blocks(PAGE, "console"):
        for step in steps(block):
            reader.compare(step, shell.run(step.command))


def test_the_settings_of_the_page_are_ones() -> None:
    """With a secret from the environment."""
    [text] = [block.text for block in blocks(PAGE, "text")]
    settings = parse(text, {"OIDC_CLIENT_SECRET": "s"}).settings
    assert settings.dashboard.oidc is not None and settings.dashboard.oidc.client_secret == "s"
