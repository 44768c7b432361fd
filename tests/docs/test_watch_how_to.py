"""What the how-tos on rules and contracts promise: their commands print what is shown."""

from __future__ import annotations

import time
from pathlib import Path

from headgate.compose.stores import open_stores
from headgate.config.loader import choose
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.following import how_to
from tests.support.pages import Reader, blocks

__all__: list[str] = []


def happened(folder: Path, seconds: float, requests: int = 200) -> None:
    """An hour ago, to the feature of the pages."""
    stores = open_stores(choose(folder / "headgate.toml").settings)
    began = time.time_ns() - 3600 * 10**9
    rows = [
        RequestRow(
            number << 22,
            began,
            "t",
            feature="support-chat",
            total_us=round(seconds * 1e6),
            first_content_us=100_000,
            stream=True,
            cost_nanos=1_000_000,
            cost_label="exact",
            attempts=1,
        )
        for number in range(1, requests + 1)
    ]
    stores.sink.write(Batch(journal="j", position=Position(1, 1), requests=rows))
    stores.sink.close()


def located(text: str, folder: Path) -> str:
    return f'[server]\ndatabase = "sqlite:///{folder / "headgate.db"}"\n\n{text}'


def test_the_page_on_rules_can_be_followed(tmp_path: Path) -> None:
    """From the rules that there are to one that is added and removed, over requests that were slow once."""
    page = how_to("watch-with-rules")
    first, own = blocks(page, "toml")
    listed, tried = blocks(page, "console")
    reader = Reader(tmp_path, "", {})
    (tmp_path / "headgate.toml").write_text(located("", tmp_path))
    reader.do(listed)
    (tmp_path / "headgate.toml").write_text(located(f"{first.text}\n{own.text}", tmp_path))
    happened(tmp_path, 5)
    reader.do(tried)


def test_the_page_on_contracts_can_be_followed(tmp_path: Path) -> None:
    """What is shown and what a build ends with, over requests that were good."""
    page = how_to("keep-a-contract")
    (config,) = blocks(page, "toml")
    (shown,) = blocks(page, "console")
    (check,) = blocks(page, "sh")
    (tmp_path / "headgate.toml").write_text(located(config.text, tmp_path))
    happened(tmp_path, 1)
    reader = Reader(tmp_path, "", {})
    reader.do(shown)
    assert "headgate contract check --feature support-chat --window 1d" in check.text
