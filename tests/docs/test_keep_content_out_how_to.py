"""What docs/how-to/keep-content-out.md shows is what happens."""

from __future__ import annotations

from pathlib import Path

from tests.support.following import beside_a_gateway, how_to
from tests.support.pages import Block, blocks
from tests.support.planted import found_in
from tests.support.raw_client import until

__all__: list[str] = []

PAGE = how_to("keep-content-out")


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """The request is on record, and what was said is not."""
    assert len(blocks(PAGE, "toml")) == 1
    with beside_a_gateway(PAGE, tmp_path) as (_, reader):
        check, asking = blocks(PAGE, "console")
        reader.do(check)
        first, *rest = asking.text.split("$ ")[1:]
        reader.do(Block("console", f"$ {first}"))
        listing = rest[0].strip()
        assert until(lambda: "medical-notes" in reader.run(listing), seconds=15)
        assert "req_" not in reader.run(rest[1].strip())
    assert not found_in(tmp_path, "Patient 4711")
