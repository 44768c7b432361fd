"""The page on metrics says what there is."""

from __future__ import annotations

import re
from pathlib import Path

from headgate.telemetry.metrics import MOST_UNKNOWN
from headgate.telemetry.names import METRICS, OTHER

__all__: list[str] = []

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"


def test_every_metric_is_documented_and_no_other() -> None:
    """With kind, labels and meaning, in the order in which they are shown."""
    rows = re.findall(
        r"^\| `(headgate_\w+)` \| (.*) \|$", (REFERENCE / "metrics.md").read_text(), re.MULTILINE
    )
    wanted = [
        (each.name, f"{each.kind} | {' '.join(f'`{label}`' for label in each.labels)} | {each.help}")
        for each in METRICS
    ]
    assert rows == wanted


def test_the_page_names_the_bound() -> None:
    """And only metrics that exist, also in the alarms."""
    text = (REFERENCE / "metrics.md").read_text()
    assert f"for the first {MOST_UNKNOWN}, and is counted under `{OTHER}`" in text
    parts = {f"{each.name}_bucket" for each in METRICS if each.bounds}
    assert set(re.findall(r"headgate_\w+", text)) - parts == {each.name for each in METRICS}


def test_the_path_is_documented() -> None:
    """Beside the others."""
    assert "| GET | `/metrics` |" in (REFERENCE / "http.md").read_text()


def test_names_follow_the_custom() -> None:
    """Counters end in `_total`, and no label is about a person."""
    for each in METRICS:
        assert each.name.endswith("_total") == (each.kind == "counter"), each.name
        assert not {"user", "key", "session", "tag"} & set(each.labels)
        assert set(each.open.split()) <= set(each.labels)
        assert bool(each.bounds) == (each.kind == "histogram")
        assert list(each.bounds) == sorted(set(each.bounds)), each.name
