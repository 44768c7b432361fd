"""The tutorial works for whoever follows it: its configuration is served, and everything else on the page is done to that."""

from __future__ import annotations

from pathlib import Path

from tests.support.following import DOCS, at_once, beside_a_gateway
from tests.support.pages import blocks

__all__: list[str] = []

PAGE = DOCS / "tutorial" / "first-call.md"


def test_following_the_tutorial_works(tmp_path: Path) -> None:
    """Every program runs and every command prints what stands under it, in the order of the page."""
    assert len(blocks(PAGE, "toml")) == 1
    with beside_a_gateway(PAGE, tmp_path, adapted=at_once) as (_, reader):
        for block in blocks(PAGE, "console", "python"):
            reader.do(block)
