"""What docs/how-to/replay.md shows is what is printed, beside a gateway that goes on serving."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "replay.md"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """One request again, as it was and by another model, and many."""
    config, *_ = blocks(PAGE, "toml")
    text = config.text.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    with running_gateway(tmp_path, text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        commands = blocks(PAGE, "console")
        assert len(commands) == 4
        for block in commands:
            reader.do(block)
