"""The tutorial works for whoever follows it: its configuration is served, and everything else on the page is done to that."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-call.md"


def test_following_the_tutorial_works(tmp_path: Path) -> None:
    """Every program runs and every command prints what stands under it, in the order of the page."""
    (config,) = blocks(PAGE, "toml")
    # A reader waits for a model's words, a test does not.
    served = config.text.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    assert served != config.text
    with running_gateway(tmp_path, served) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        for block in blocks(PAGE, "console", "python"):
            reader.do(block)
