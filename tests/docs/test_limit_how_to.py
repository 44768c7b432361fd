"""What the how-to on limits promises: its commands print what is shown, its second configuration is sound."""

from __future__ import annotations

from pathlib import Path

from headgate.config.loader import parse
from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "limit.md"


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with."""
    config, shared = blocks(PAGE, "toml")
    with running_gateway(tmp_path, config.text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        for block in blocks(PAGE, "console"):
            reader.do(block)
    assert parse(shared.text, {}).settings.server.nodes == 3
