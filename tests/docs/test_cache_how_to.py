"""What docs/how-to/cache.md shows is what is printed; all its configurations are taken."""

from __future__ import annotations

from pathlib import Path

from headgate.config.loader import parse
from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "cache.md"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Ask twice, look, switch it off for a request, remove."""
    config, *_ = blocks(PAGE, "toml")
    text = config.text.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    with running_gateway(tmp_path, text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        commands = blocks(PAGE, "console")
        assert len(commands) == 4
        for block in commands:
            reader.do(block)


def test_the_other_configurations_are_taken() -> None:
    """Each is whole, and has a cache."""
    _, *others = blocks(PAGE, "toml")
    assert len(others) == 3
    for other in others:
        settings = parse(other.text, {}).settings
        assert settings.features["questions"].cache is not None
