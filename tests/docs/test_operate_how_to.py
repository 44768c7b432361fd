"""What the how-to on operating over HTTP promises: its requests are answered as is shown."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import KEY, running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "operate-over-http.md"


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with, by somebody who has the first key."""
    (config,) = blocks(PAGE, "toml")
    with running_gateway(tmp_path, config.text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": KEY})
        for block in blocks(PAGE, "console"):
            reader.do(block)
