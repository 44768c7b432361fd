"""`headgate budgets` on an installation that is not running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[features.f]
route = "sim/sim-small"
budget = { per_request = 1, month = 500 }
[[budgets]]
name = "credits"
per = "prepaid"
[[budgets]]
name = "pool"
per = "prepaid"
each = false
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, ["budgets", *arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_budgets_are_listed_with_a_bar() -> None:
    """Also those that nobody has used, and those of requests in a word."""
    told = run()
    assert "f.month" in told.stdout
    assert "all together" in told.stdout
    assert "░░░░   0 %" in told.stdout
    assert "nobody yet" in told.stdout
    assert "`f.per_request`: for each request" in told.stderr


def test_a_deposit_is_for_a_key_by_its_name() -> None:
    """Kept under its id, so that it stays when the key is rotated; shown by its name."""
    CliRunner().invoke(main, ["keys", "create", "shop"])
    (key,) = json.loads(CliRunner().invoke(main, ["keys", "list", "--json"]).stdout)
    made = json.loads(run("deposit", "credits", "--usd", "12.50", "--for", "shop", "--json").stdout)
    assert (made["for"], made["usd"]) == (key["id"], "12.50")
    run("deposit", "credits", "--usd", "-2.50", "--for", key["id"])
    (state,) = json.loads(run("--budget", "credits", "--json").stdout)
    assert (state["subject"], state["key_name"], state["amount_usd"]) == (key["id"], "shop", "10.000000000")
    assert f"shop ({key['id']})" in run("--budget", "credits").stdout
    log = json.loads(CliRunner().invoke(main, ["audit", "list", "--json"]).stdout)
    assert [entry["action"] for entry in log] == ["key.create", "budget.deposit", "budget.deposit"]


def test_one_sum_for_all_needs_no_name() -> None:
    """And takes none."""
    run("deposit", "pool", "--usd", "5")
    (state,) = json.loads(run("--budget", "pool", "--json").stdout)
    assert (state["subject"], state["amount_usd"], state["begins_anew"]) == ("*", "5.000000000", None)
    assert "say no `--for`" in run("deposit", "pool", "--usd", "5", "--for", "ann", code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("deposit", "credit", "--usd", "5", "--for", "x"), 1, "did you mean `credits`?"),
        (("deposit", "f.month", "--usd", "5"), 1, "begins anew each month"),
        (("deposit", "credits", "--usd", "5"), 1, "say whose"),
        (("deposit", "credits", "--usd", "much", "--for", "x"), 2, "not an amount"),
        (("deposit", "credits", "--usd", "0", "--for", "x"), 2, "other than 0"),
        (("deposit", "credits", "--usd", "nan", "--for", "x"), 2, "other than 0"),
        (("--budget", "credit"), 2, "did you mean `credits`?"),
    ],
)
def test_mistakes_are_told_in_words(arguments: tuple[str, ...], code: int, said: str) -> None:
    """And change nothing."""
    assert said in run(*arguments, code=code).stderr
    assert json.loads(run("--budget", "credits", "--json").stdout) == []


def test_who_has_no_budgets_is_told_how_to_write_one(folder: Path) -> None:
    """It is no failure."""
    (folder / "headgate.toml").write_text("[providers.sim]\nkind = 'simulated'\n")
    assert "[[budgets]]" in run().stderr
    assert json.loads(run("--json").stdout) == []
