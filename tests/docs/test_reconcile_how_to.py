"""docs/how-to/reconcile.md can be followed, with a report of today."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.following import at_once, beside_a_gateway, how_to
from tests.support.pages import blocks

__all__: list[str] = []

PAGE = how_to("reconcile")
DAY = 86_400


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Its configuration, its report, then every command in order."""
    (_,), (shown,) = blocks(PAGE, "toml"), blocks(PAGE, "json")
    report = json.loads(shown.text)
    with beside_a_gateway(PAGE, tmp_path, adapted=at_once) as (_, reader):
        first, *others = blocks(PAGE, "console")
        reader.do(first)
        # The page's day is long over; the request came just now.
        (bucket,) = report["data"]
        assert bucket["start_time"] % DAY == 0
        bucket["start_time"] = int(time.time()) // DAY * DAY
        bucket["end_time"] = bucket["start_time"] + DAY
        (tmp_path / "costs.json").write_text(json.dumps(report), encoding="utf-8")
        assert len(others) == 3
        for block in others:
            reader.do(block)
