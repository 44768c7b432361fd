"""`headgate rules` and `headgate contract` on an installation that is not running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.compose.stores import open_stores
from headgate.config.loader import choose
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[features.shop]
route = "sim/sim-small"
contract = { availability = 0.9, latency_p95 = "2s", least = 10 }
[features.free]
route = "sim/sim-small"
[[watch.rules]]
name = "own"
metric = "error_rate"
alert = "10 %"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def happened(*, seconds: float, requests: int = 100) -> None:
    stores = open_stores(choose(None).settings)
    now = time.time_ns() - 3600 * 10**9
    rows = [
        RequestRow(
            number << 22, now, "t", feature="shop", outcome="ok", total_us=round(seconds * 1e6), attempts=1
        )
        for number in range(1, requests + 1)
    ]
    stores.sink.write(Batch(journal="j", position=Position(1, 1), requests=rows))
    stores.sink.close()


def test_rules_are_listed_added_paused_and_removed() -> None:
    """Each change is in the audit log; names that are nearly right are told."""
    listed = run("rules", "list").output
    assert "records-dropped" in listed and "configuration" in listed
    run(
        "rules",
        "add",
        "slow",
        "--metric",
        "latency_p95",
        "--alert",
        "2s",
        "--feature",
        "shop",
        "--looks",
        "1",
    )
    run("rules", "pause", "slow")
    [slow] = [each for each in json.loads(run("rules", "list", "--json").output) if each["name"] == "slow"]
    assert (slow["state"], slow["source"], slow["of"], slow["alert"]) == (
        "paused",
        "added",
        {"feature": "shop"},
        2,
    )
    run("rules", "resume", "slow")
    assert "did you mean `slow`" in run("rules", "remove", "slwo", code=1).stderr
    run("rules", "remove", "slow")
    assert "take it out there" in run("rules", "remove", "own", code=1).stderr
    log = json.loads(run("audit", "list", "--json").output)
    assert [each["action"] for each in log] == ["rule.add", "rule.pause", "rule.resume", "rule.remove"]


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    """With exit code 2 and what would be right; a feature that is not configured is only noted."""
    wrong = run("rules", "add", "slow", "--metric", "latency_p59", "--alert", "2s", code=2)
    assert "did you mean `latency_p9" in wrong.stderr
    run("rules", "add", "own", "--metric", "latency_p95", "--alert", "2s", code=1)
    noted = run("rules", "add", "a", "--metric", "latency_p95", "--alert", "2", "--feature", "shp")
    assert "did you mean `shop`" in noted.stderr
    assert "latency_p95" in run("rules", "metrics").output


def test_a_preview_shows_the_value_and_when_it_would_have_told_somebody() -> None:
    """With a line of bars; nothing is kept."""
    happened(seconds=5)
    options = ("--metric", "latency_p95", "--alert", "2s", "--each", "feature", "--days", "1")
    shown = run("rules", "preview", *options)
    assert "feature:shop" in shown.output and "█" in shown.output and "alert" in shown.output
    assert "somebody would have been told once" in shown.output
    told = json.loads(run("rules", "preview", *options, "--json").output)
    assert told["times"] == 1 and told["fired"][0]["subject"] == "feature:shop"
    nobody = run("rules", "preview", "--metric", "latency_p95", "--alert", "9s", "--days", "1")
    assert "nobody would have been told" in nobody.output


def test_a_contract_is_shown_and_checked() -> None:
    """0: kept, 1: broken, 2: not enough data, or no such contract."""
    assert "no data" in run("contract", "check", code=2).output
    happened(seconds=1)
    shown = run("contract", "show").output
    assert "availability" in shown and "kept" in shown and "100 %" in shown
    assert run("contract", "check", "--feature", "shop").output.count("kept") == 2
    told = json.loads(run("contract", "check", "--json").output)
    assert told["exit_code"] == 0 and told["contracts"][0]["state"] == "kept"
    missing = run("contract", "check", "--feature", "free", code=2)
    assert "has no contract; known are `shop`" in missing.stderr
    assert "whole hours" in run("contract", "show", "--window", "5m", code=2).stderr


def test_a_broken_contract_ends_a_build() -> None:
    """The line says what was promised and what was reached."""
    happened(seconds=5)
    checked = run("contract", "check", code=1).output
    assert "broken   shop latency_p95: 2 s promised" in checked
    [contract] = json.loads(run("contract", "show", "--json").output)
    assert contract["promises"][1]["budget_left"] < 0


def test_who_promises_nothing_is_told_how(folder: Path) -> None:
    """And a check of nothing is no success."""
    (folder / "headgate.toml").write_text('[providers.sim]\nkind = "simulated"\n')
    assert "contract = {" in run("contract", "show").stderr
    run("contract", "check", code=2)
