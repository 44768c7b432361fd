"""What the how-to on providers' prompt caches promises: its program runs, and its report tells what was saved."""

from __future__ import annotations

from pathlib import Path

from tests.support.following import beside_a_gateway, how_to
from tests.support.pages import blocks
from tests.support.raw_client import until

__all__: list[str] = []

PAGE = how_to("provider-cache")


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with."""
    assert len(blocks(PAGE, "toml")) == 1
    (program,) = blocks(PAGE, "python")
    (report,) = blocks(PAGE, "console")
    with beside_a_gateway(PAGE, tmp_path) as (_, reader):
        reader.do(program)
        until(lambda: "Providers' caches: " in reader.run("headgate cost report"))
        reader.do(report)
