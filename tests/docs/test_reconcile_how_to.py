"""docs/how-to/reconcile.md can be followed, with a report of today."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.gateway import running_gateway
from tests.support.pages import Reader, blocks

__all__: list[str] = []

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "reconcile.md"
DAY = 86_400


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Its configuration, its report, then every command in order."""
    (config,), (shown,) = blocks(PAGE, "toml"), blocks(PAGE, "json")
    text = config.text.replace('kind = "simulated"', 'kind = "simulated"\nspeed = 0')
    report = json.loads(shown.text)
    with running_gateway(tmp_path, text) as gateway:
        reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
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
