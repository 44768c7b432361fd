"""What the how-to on access promises: its commands print what is shown, beside a running gateway."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "give-access.md"


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with, by somebody called Ann."""
    config = blocks(PAGE, "toml")[0]
    with running_gateway(tmp_path, config.text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"SUDO_USER": "ann"})
        for block in blocks(PAGE, "console"):
            reader.do(block)
