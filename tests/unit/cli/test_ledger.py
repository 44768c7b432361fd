"""`headgate ledger` and `headgate cost reconcile`: what they print, in which form, and how they end."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headgate.cli import main
from headgate.stores.backends.sqlite import Database, SqliteLedger, SqliteSink
from headgate.stores.ledger import Entry
from headgate.stores.purses import Holder, Orphan
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, RequestRow

__all__: list[str] = []

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "usage_reports"
NOON = int(datetime(2026, 11, 19, 12, tzinfo=UTC).timestamp()) * 10**9
MILLION = 10**6
CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.openai]
kind = "openai"
api_key = "k"
[providers.house]
kind = "openai"
api_key = "k"
base_url = "http://127.0.0.1:9/v1"
self_hosted = true
[models.small]
endpoints = [{ provider = "openai", model = "gpt-4o-mini", price = { input = 1, output = 2 } }]
[models.home]
endpoints = [{ provider = "house", model = "llama" }]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    for path in GOLDEN.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture
def recorded(folder: Path) -> Path:
    """Two calls with money set aside, one of them of unknown cost; an orphan; a deposit."""
    rows, attempts, uses = [], [], []
    for number, (cost, user) in enumerate(((180 * MILLION, "=ann"), (None, "\x1b[2Jbob")), start=1):
        id_ = (NOON // 10**6 - 1_704_067_200_000) * 2**22 + number
        label: Any = {"cost_nanos": cost, "cost_label": "unknown" if cost is None else "exact"}
        rows.append(RequestRow(id_, NOON, "t", feature="chat", user=user, attempts=1, **label))
        given: Any = {
            "reported_model": "gpt-4o-mini-2024-07-18",
            "input_tokens": 900_000,
            "reserved_nanos": 10**9,
        }
        attempts.append(AttemptRow(id_ + 100, id_, 0, "openai", "gpt-4o-mini", **label, **given))
        uses.append(Use(id_ + 100, "canal", "*", 0, 10**9 if cost is None else cost))
    database = Database(folder / "records.db")
    sink = SqliteSink(database)
    sink.write(Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, uses=uses))
    sink.close()

    async def more() -> None:
        ledger = SqliteLedger(database)
        holder = Holder(7, 6, NOON + 10**9, "openai", "gpt-4o-mini-2024-07-18", "chat")
        await ledger.orphaned([Orphan(holder, 5 * MILLION, (("canal", "*", 0),))])
        deposit = Entry(
            event="deposit:1", at_ns=NOON + 2 * 10**9, kind="deposit", nanos=-50 * 10**9, budget="gift"
        )
        await ledger.add([deposit])
        await database.close()

    asyncio.run(more())
    return folder


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.usefixtures("recorded")
def test_movements_are_listed_newest_last_with_their_sums() -> None:
    """What was set aside and what came back; nothing in a name moves the cursor."""
    printed = run("ledger").stdout
    kinds = [line.split()[2] for line in printed.splitlines() if line.strip().startswith("2026-")]
    assert kinds == ["call", "call", "orphan", "deposit"]
    assert "\x1b[2J" not in printed
    for said in (
        "spent 0.185000 USD, 0.005000 of it estimated",
        "set aside 2.000000 USD, 0.820000 of it given back",
        "deposited 50.000000 USD",
        "? 1 calls of unknown cost",
    ):
        assert said in " ".join(printed.split())
    short = run("ledger", "--limit", "1").stdout
    assert "The newest 1 of 4 lines" in short and "0.185000 USD" in short


@pytest.mark.usefixtures("recorded")
def test_scripts_get_every_line() -> None:
    """As one JSON document and as CSV, where a name is no formula; by kind, user and time."""
    told = json.loads(run("ledger", "--json", "--limit", "1").stdout)
    assert [one["kind"] for one in told["lines"]] == ["call", "call", "orphan", "deposit"]
    assert (told["lines"][0]["usd"], told["lines"][1]["usd"]) == ("0.180000000", None)
    assert told["lines"][0]["request"].startswith("req_") and told["lines"][3]["request"] is None
    assert (told["sums"]["spent_usd"], told["sums"]["deposited_usd"]) == ("0.185000000", "50.000000000")
    rows = list(csv.DictReader(io.StringIO(run("ledger", "--csv").stdout)))
    assert [row["usd"] for row in rows] == ["0.180000000", "", "0.005000000", "-50.000000000"]
    assert rows[0]["user"] == "'=ann"
    only = json.loads(run("ledger", "--kind", "orphan", "--kind", "deposit", "--json").stdout)
    assert only["sums"]["lines"] == 2
    assert json.loads(run("ledger", "--user", "=ann", "--json").stdout)["sums"]["lines"] == 1
    assert json.loads(run("ledger", "--until", "2026-11-19", "--json").stdout)["lines"] == []
    assert "no such movement" in run("ledger", "--since", "2026-12-01").stderr


def test_a_kind_that_is_none_is_told_the_nearest() -> None:
    """And the arguments are wrong, not the ledger."""
    assert "did you mean `orphan`?" in run("ledger", "--kind", "orfan", code=2).stderr
    assert "there are call, orphan" in run("ledger", "--kind", "xyz", code=2).stderr


@pytest.mark.usefixtures("recorded")
def test_the_ledger_is_proved() -> None:
    """Every sum by its parts; exit code 0."""
    printed = run("ledger", "check").stdout
    assert "It adds up." in printed and "1 calls of unknown cost" in printed
    told = json.loads(run("ledger", "check", "--json").stdout)
    assert (told["ok"], told["wrong"], told["movements_usd"]) == (True, [], "0.185000000")
    assert (told["calls"], told["calls_usd"], told["pots_usd"]) == (2, "0.180000000", "1.185000000")


def test_an_empty_ledger_adds_up() -> None:
    """Nothing is nothing."""
    assert "It adds up." in run("ledger", "check").stdout


def test_what_does_not_add_up_is_said(recorded: Path) -> None:
    """Each in words, with exit code 1."""
    with closing(sqlite3.connect(recorded / "records.db")) as connection, connection:
        connection.execute("UPDATE attempt SET cost_nanos = 7 WHERE cost_nanos IS NOT NULL")
        connection.execute("UPDATE budget_use SET nanos = 9000000000")
        connection.execute("INSERT INTO budget_use VALUES ('canal', 'x', 86400, -1)")
        connection.execute(
            "INSERT INTO ledger_entry (event, at_ns, kind, nanos, attempt_id) VALUES ('void:7', 1, 'void', -3, 7)"
        )
    told = json.loads(run("ledger", "check", "--json", code=1).stdout)
    assert told["ok"] is False
    wrong = "\n".join(told["wrong"])
    for said in (
        "calls come to 0.000000007 USD, their requests to 0.180000000",
        "says 180000000 nano-dollars, its calls say 7",
        "the void of call 7 takes back -3 nano-dollars, and its orphan was 5000000",
        "budget `canal` has spent 9.000000000 USD",
        "budget `canal` since 1970-01-02 has spent less than nothing",
    ):
        assert said in wrong
    assert "do not add up" in run("ledger", "check", code=1).stdout


@pytest.mark.usefixtures("recorded")
def test_a_report_is_compared_and_nothing_is_entered() -> None:
    """Both sides, their difference, and what only one of them has."""
    printed = run("cost", "reconcile", "openai_costs.json", "openai_usage.json").stdout
    assert "openai costs (JSON), openai usage (JSON) beside openai" in printed
    line = next(line for line in printed.splitlines() if "gpt-4o-mini-2024-07-18" in line)
    figures = [
        "2026-11-19",
        "gpt-4o-mini-2024-07-18",
        "1,100,000",
        "1,800,000",
        "0.195000",
        "0.185000",
        "0.010000",
    ]
    assert line.split() == [*figures, "+5.4", "%", "+"]
    assert "Only in the report" in printed and "web search tool calls" in printed
    assert "calls of unknown cost come on top of ours" in printed
    assert "Nothing was entered; --apply would enter 1 difference." in printed
    assert json.loads(run("ledger", "--kind", "reconcile", "--json").stdout)["lines"] == []


@pytest.mark.usefixtures("recorded")
def test_a_difference_is_entered_once_and_shown() -> None:
    """In the ledger, in the report of costs and in the audit log; what only the report has if it is asked for."""
    arguments = ("cost", "reconcile", "openai_costs.csv", "--provider", "openai", "--apply")
    assert "Entered 1 difference into" in run(*arguments).stdout
    assert "Entered 0 differences" in run(*arguments).stdout
    assert json.loads(run(*arguments, "--all", "--json").stdout)["entered"] == 2
    assert json.loads(run(*arguments, "--all", "--json").stdout)["entered"] == 0
    assert "It adds up." in run("ledger", "check").stdout
    report = run("cost", "report", "--by", "provider,month").stdout
    assert "What the ledger adds" in report
    # The report's 0.195 + 0.25 + 0.036.
    assert "Everything together: 0.481000 USD" in report
    told = json.loads(run("cost", "report", "--by", "feature", "--json").stdout)
    assert told["spent_usd"] == "0.481000000"
    assert {line["feature"] for line in told["differences"] if line["kind"] == "reconcile"} == {""}
    assert "not attributed" in run("cost", "report", "--by", "feature").stdout
    rows = list(csv.DictReader(io.StringIO(run("cost", "report", "--csv").stdout)))
    assert {row["purpose"] for row in rows} == {"", "ledger:orphan", "ledger:reconcile"}
    audit = run("audit", "list", "--since", "1h").stdout
    assert audit.count("ledger.reconcile") == 2


@pytest.mark.usefixtures("recorded")
def test_tokens_are_priced_and_it_is_said() -> None:
    """At the configuration's price first."""
    told = json.loads(run("cost", "reconcile", "openai_usage.csv", "--json").stdout)
    mini = next(line for line in told["lines"] if line["model"].startswith("gpt-4o-mini"))
    assert mini["priced_by_us"] and mini["their_usd"] == "1.200000000"
    assert any("at your prices" in note for note in told["notes"])
    other = next(line for line in told["lines"] if line["model"] == "gpt-4o-2024-08-06")
    assert other["their_usd"] == "0.035000000"


@pytest.mark.usefixtures("recorded")
def test_what_cannot_be_compared_is_told() -> None:
    """A file that is not there or not one, another provider's, a name that is none."""
    assert "no.json: No such file" in run("cost", "reconcile", "no.json", code=1).stderr
    Path("bad.csv").write_text("a,b\n")
    assert "Its columns: a, b" in run("cost", "reconcile", "bad.csv", code=1).stderr
    wrong = run("cost", "reconcile", "openai_costs.csv", "--provider", "anthropic", code=2)
    assert "the report is openai's" in wrong.stderr
    assert (
        "no provider of the configuration is anthropic's"
        in run("cost", "reconcile", "anthropic_costs.csv", code=2).stderr
    )
    near = run("cost", "reconcile", "openai_costs.csv", "--of", "opena", code=2)
    assert "did you mean `openai`?" in near.stderr
    told = json.loads(run("cost", "reconcile", "anthropic_costs.csv", "--of", "house", "--json").stdout)
    assert told["providers"] == ["house"]
