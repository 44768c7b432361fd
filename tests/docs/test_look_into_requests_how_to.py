"""What the pages on looking into requests and on keeping and forgetting show is what is printed, beside a gateway that serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"


@pytest.mark.parametrize("name", ["look-into-requests.md", "keep-and-forget.md"])
def test_the_page_can_be_followed(name: str, tmp_path: Path) -> None:
    """From top to bottom."""
    config, *_ = blocks(PAGES / name, "toml")
    text = config.text.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    with running_gateway(tmp_path, text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        for block in blocks(PAGES / name, "console"):
            reader.do(block)
