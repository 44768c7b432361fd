"""What the how-to on providers' prompt caches promises: its program runs, and its report tells what was saved."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks
from tests.support.raw_client import until

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "provider-cache.md"


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """With the configuration it begins with."""
    (config,) = blocks(PAGE, "toml")
    (program,) = blocks(PAGE, "python")
    (report,) = blocks(PAGE, "console")
    with running_gateway(tmp_path, config.text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
        reader.do(program)
        until(lambda: "Providers' caches: " in reader.run("headgate cost report"))
        reader.do(report)
