"""`headgate chaos` on an installation that is not running: what is ordered, what is refused, what is told."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.providers.rehearsal.faults import FAULTS

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[providers.house]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }, { provider = "house", model = "llama" }]
[features.support-chat]
route = "small"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, ["chaos", *arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def listed(*more: str) -> Any:
    return json.loads(run("list", "--json", *more).stdout)


def test_an_order_is_kept_and_warned_of() -> None:
    """Only its number goes to standard output; people are told what happens, where, to how many, until when."""
    told = run("start", "sim", "cut:20", "--share", "0.2", "--for", "90s", "--feature", "support-chat")
    assert told.stdout == "1\n"
    assert "WARNING: calls fail on purpose now." in told.stderr
    assert "rehearsal 1: cut:20 on sim, 20 % of calls of support-chat, until " in told.stderr
    assert "headgate chaos stop 1" in told.stderr
    (one,) = listed()
    assert (one["fault"], one["share"], one["feature"], one["state"]) == (
        "cut:20",
        0.2,
        "support-chat",
        "running",
    )


def test_an_order_ends_by_itself_within_five_minutes_unless_said_otherwise() -> None:
    """Nobody forgets a rehearsal for a weekend."""
    one = json.loads(run("start", "*", "silence", "--json").stdout)
    began, ends = (datetime.strptime(one[key][:19], "%Y-%m-%d %H:%M:%S") for key in ("started", "until"))
    assert (ends - began).total_seconds() in (299, 300, 301)


@pytest.mark.parametrize(
    ("endpoint", "targets"),
    [
        ("*", ["*"]),
        ("sim", ["sim"]),
        ("sim/sim-large", ["sim/sim-large"]),
        ("small", ["sim/sim-small", "house/llama"]),
    ],
)
def test_a_place_may_be_named_in_four_ways(endpoint: str, targets: list[str]) -> None:
    """All, a provider, one of its models, or a model of the configuration wherever it is reached."""
    assert json.loads(run("start", endpoint, "reset", "--json").stdout)["targets"] == targets


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sin", "reset"), "no provider, model or endpoint `sin`; did you mean `sim`"),
        (("smal", "reset"), "did you mean `small`?"),
        (("hous/llama", "reset"), "did you mean `house/llama`?"),
        (("support-chat", "reset"), "is a feature: `headgate chaos start '*' FAULT --feature support-chat`"),
        (("sim", "silense"), "did you mean `silence`?"),
        (("sim", "cut:x"), "takes pieces before it"),
        (("sim", "reset", "--feature", "suport-chat"), "did you mean `support-chat`?"),
        (("sim", "reset", "--for", "25h"), "at most 24 hours"),
        (("sim", "reset", "--for", "0s"), "more than 0"),
        (("sim", "reset", "--for", "soon"), "is not a duration"),
        (("sim", "reset", "--share", "0"), "0<x<=1"),
        (("sim", "reset", "--share", "1.5"), "0<x<=1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(arguments: tuple[str, ...], told: str) -> None:
    """A typing error must not look like a rehearsal that everything survived."""
    assert told in " ".join(run("start", *arguments, code=2).stderr.split())
    assert listed("--all") == []


def test_a_model_nobody_configured_is_noted() -> None:
    """A caller may ask for it by its full name; a typing error is more likely."""
    assert "no model is configured at `sim/sim-smal`; did you mean `sim/sim-small`" in (
        run("start", "sim/sim-smal", "reset").stderr
    )


def test_an_order_is_ended_by_its_number_once() -> None:
    """And stays on the list of all that ever were."""
    run("start", "sim", "reset")
    run("start", "house", "reset")
    assert "ended: rehearsal 1" in run("stop", "1").stderr
    assert [one["id"] for one in listed()] == [2]
    assert [one["state"] for one in listed("--all")] == ["stopped", "running"]
    assert "no rehearsal 1 is running; running are 2" in run("stop", "1", code=1).stderr


def test_all_are_ended_at_once() -> None:
    """The one thing to remember when it goes wrong."""
    run("start", "sim", "reset")
    run("start", "*", "silence")
    assert "ended: rehearsal 1, rehearsal 2" in run("stop", "--all").stderr
    assert listed() == []
    assert "no rehearsal is running" in run("stop", "--all").stderr
    assert "say which" in run("stop", code=2).stderr
    assert "say which" in run("stop", "1", "--all", code=2).stderr


def test_rehearsals_are_listed_for_people_too() -> None:
    """A table, no box; and a word where there is none."""
    assert "no rehearsal is running" in run("list").stderr
    run("start", "small", "stall:3", "--share", "0.5")
    text = run("list").stdout
    assert re.search(r"1\s+running\s+stall:3\s+small\s+50 % of calls", text), text


def test_every_fault_is_listed_with_how_to_write_it() -> None:
    """For people a line each, for scripts as data."""
    text = run("faults").stdout
    assert all(kind.meaning in text for kind in FAULTS.values())
    assert [one["name"] for one in json.loads(run("faults", "--json").stdout)] == list(FAULTS)
