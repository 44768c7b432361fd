"""`headgate cost`: what it prints, in which form, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.cli.cost_options import moment_ns, money, percent
from headgate.cli.table import aligned, as_csv, plain
from headgate.control.costs.prices import parse_price, rates_of_price
from headgate.stores.backends.sqlite import Database, SqliteSink
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content
from tests.support.cost_rows import DAY, priced, request

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[providers.house]
kind = "openai"
api_key = "k"
base_url = "http://127.0.0.1:9/v1"
self_hosted = true
[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }]
[models.dear]
endpoints = [{ provider = "house", model = "llama", price = { input = 20, output = 80 } }]
[models.home]
endpoints = [{ provider = "house", model = "llama" }]
[features.chat]
route = "small"
"""
EXAMPLE = (
    *("plan", "--conversations", "10000", "--messages", "10", "--tokens", "500", "--price", "0.045/1k"),
    *("--tokens-after", "200", "--share", "0.0015/1k=0.7", "--share", "0.045/1k=0.3", "--cache", "0.3"),
)
PLAIN = ("plan", "--conversations", "100", "--messages", "10", "--tokens", "1000")
RATES = rates_of_price(parse_price("10:40/M"))
PROMPT = b'{"model":"chat","messages":[{"role":"user","content":"Where is the key of the headgate?"}]}'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def recorded(folder):
    """Three requests of callers, one copy to a shadow, one of unknown price."""
    now = time.time_ns()
    common: dict[str, Any] = {
        "operation": "chat",
        "dialect": "openai.chat",
        "attempts": 1,
        "bytes_in": len(PROMPT),
    }
    rows, attempts = [], []
    traffic: list[tuple[dict[str, Any], int]] = [
        ({"feature": "chat", "user": "=ann", "tier": "simple", "request_content": "c"}, 1000),
        ({"feature": "chat", "user": "\x1b[2Jbob", "tier": "complex"}, 2000),
        ({"feature": "mail", "tags": '{"project":"canal"}', "started_ns": now - 30 * DAY}, 500),
        ({"feature": "chat", "purpose": "shadow"}, 4000),
        ({"feature": "mail", "cost_label": "unknown"}, 100),
    ]
    for number, (given, tokens) in enumerate(traffic, start=1):
        label = given.get("cost_label", "exact")
        cost = None if label == "unknown" else 10_000 * tokens
        row = request(
            (given.get("started_ns", now) // 10**6 - 1_704_067_200_000) * 2**22 + number,
            **(
                common
                | {"started_ns": now, "input_tokens": tokens, "cost_nanos": cost, "cost_label": label}
                | given
            ),
        )
        rows.append(row)
        attempts.append(
            priced(
                row,
                1,
                RATES,
                (tokens, 0, 0, 0, 0, 0),
                cost_nanos=cost,
                cost_label=label,
                reported_model="m-1",
            )
        )
    sink = SqliteSink(Database(folder / "records.db"))
    kept = Content(hash="c", kind="openai.chat", data=PROMPT, size=len(PROMPT))
    sink.write(Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, contents=[kept]))
    sink.close()


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["cost", *arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def rows_of(*arguments):
    return list(csv.DictReader(io.StringIO(run(*arguments, "--csv").stdout)))


def test_the_worked_example_is_printed_step_by_step():
    """Each step with its arithmetic, to the cent, a day and a month; and the assumptions before."""
    text = run(*EXAMPLE).stdout
    for line in (
        "10,000 conversations a day x 10 messages x 500 tokens; all days alike, a month has 30",
        "0.0015/1k: 1.5 USD per million tokens",
        "100,000 messages x 500 tokens = 50,000,000 tokens, at 0.045/1k = 2,250.00 USD a day",
        "x 30 = 67,500.00 USD a month",
        "100,000 messages x 200 tokens = 20,000,000 tokens, at 0.045/1k = 900.00 USD a day",
        "together 21.00 + 270.00 = 291.00 USD a day",
        "49,000 messages x 200 tokens = 9,800,000 tokens, at 0.0015/1k = 14.70 USD a day",
        "21,000 messages x 200 tokens = 4,200,000 tokens, at 0.045/1k = 189.00 USD a day",
        "together 14.70 + 189.00 = 203.70 USD a day",
        "x 30 = 6,111.00 USD a month",
        "A conversation costs 0.225000 USD now and 0.020370 USD after.",
    ):
        assert line in text, line
    last = text.split("saved so far")[1].split("A conversation")[0].split("---\n")[-1].split()
    assert last == ["saved", "36,000,000", "2,046.30", "61,389.00", "90.9", "%"]


def test_a_plan_can_be_read_by_scripts():
    """JSON with every digit as text, CSV with a line for each step."""
    found = told(*EXAMPLE)
    assert [(step["usd_day"], step["usd_month"]) for step in found["steps"]] == [
        ("2250", "67500"),
        ("900", "27000"),
        ("291", "8730"),
        ("203.7", "6111"),
    ]
    assert found["saved"] == {"usd_day": "2046.3", "usd_month": "61389", "part": "0.909467"}
    assert [row["usd_month"] for row in rows_of(*EXAMPLE)] == ["67500", "27000", "8730", "6111"]
    assert run(*EXAMPLE, "--format", "csv").stdout == run(*EXAMPLE, "--csv").stdout


def test_compression_is_another_way_to_say_how_short_messages_become():
    """60 % of 500 tokens saved are 200; parts may be written either way."""
    with_part = [
        *("plan", "--conversations", "10,000", "--messages", "10", "--tokens", "500", "--price", "0.045/1k"),
        *("--compress", "60%", "--share", "0.0015/1k=70%", "--cache", "30%"),
    ]
    assert told(*with_part)["saved"] == told(*EXAMPLE)["saved"]


def test_a_model_has_its_list_price_with_prompt_and_answer_apart():
    """0.15 and 0.60 USD per million: a quarter of a million tokens is answer."""
    found = told(*PLAIN, "--model", "gpt-4o-mini")
    assert found["steps"][0]["usd_day"] == "0.2625"
    assert found["assumptions"]["price"] == {
        "name": "gpt-4o-mini",
        "prompt_usd_per_mtok": "0.15",
        "answer_usd_per_mtok": "0.6",
        "usd_per_message": "0",
    }
    assert told(*PLAIN, "--model", "openai/gpt-4o-mini", "--answers", "0")["steps"][0]["usd_day"] == "0.15"
    assert "25 % of the tokens are answer" in run(*PLAIN, "--model", "gpt-4o-mini").stdout


def test_a_plan_knows_the_configuration_if_it_is_named():
    """Its models and its prices."""
    found = told(*PLAIN, "--model", "dear", "--config", "headgate.toml")
    assert found["steps"][0]["usd_day"] == "35"
    assert "no price is known for `dear`" in run(*PLAIN, "--model", "dear", code=2).stderr
    assert (
        "no price is known for `home`" in run(*PLAIN, "--model", "home", "-c", "headgate.toml", code=2).stderr
    )


def test_growth_is_shown_month_by_month():
    """With the sum of all months under it."""
    lines = run(*PLAIN, "--price", "1/M", "--growth", "10%", "--months", "3").stdout.splitlines()
    assert [line.split() for line in lines[-5:]] == [
        ["1", "100", "30.00", "30.00", "0.00"],
        ["2", "110", "33.00", "33.00", "0.00"],
        ["3", "121", "36.30", "36.30", "0.00"],
        [lines[-2].strip()],
        ["all", "99.30", "99.30", "0.00"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        PLAIN,
        (*PLAIN, "--price", "1/M", "--model", "gpt-4o"),
        (*PLAIN, "--price", "gpt-4o"),
        (*PLAIN, "--model", "no-such-model-anywhere"),
        (*PLAIN, "--price", "1/M", "--compress", "0.5", "--tokens-after", "5"),
        (*PLAIN, "--price", "1/M", "--compress", "2"),
        (*PLAIN, "--price", "1/M", "--cache", "1.5"),
        (*PLAIN, "--price", "1/M", "--share", "0.5"),
        (*PLAIN, "--price", "1/M", "--share", "2/M=x"),
        (*PLAIN, "--price", "1/M", "--share", "2/M=0.6", "--share", "3/M=0.6"),
        (*PLAIN, "--price", "1/M", "--cache", "inf"),
        ("plan", "--conversations", "1e30", "--messages", "1", "--tokens", "1", "--price", "1/M"),
        ("report", "--by", "colour"),
        ("report", "--since", "yesterday"),
        ("report", "--since", "7"),
        ("report", "--since", "1d", "--until", "2d"),
        ("whatif",),
        ("whatif", "--model", "no-such-model-anywhere"),
        ("whatif", "--model", "home"),
        ("whatif", "--route", "hard=small"),
        ("whatif", "--route", "simple"),
        ("tokens", "--sample", "-1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    """With code 2 and in words."""
    assert "rror" in run(*arguments, code=2).stderr


@pytest.mark.usefixtures("recorded")
def test_a_report_adds_up_what_is_recorded():
    """Callers' requests by feature, the copy apart, what is unknown marked, the total under a rule."""
    text = run("report").stdout
    callers, apart = text.split("Made besides")
    chat, mail, everything = [
        line.split() for line in callers.splitlines() if line[2:6] in ("chat", "mail", "all ")
    ]
    assert chat[:3] == ["chat", "2", "2"] and "0.030000" in chat
    assert mail[:3] == ["mail", "2", "2"] and "0.005000+" in mail
    assert everything[:3] == ["all", "4", "4"] and "0.035000+" in everything
    assert "  shadow   chat" in apart
    assert "reasoning" not in text and "requests of unknown price come on top" in text


@pytest.mark.usefixtures("recorded")
def test_a_report_is_asked_by_what_when_and_whom():
    """Several things at once, a time, a filter."""
    found = told("report", "--by", "feature,model")
    assert [(line["feature"], line["model"], line["requests"]) for line in found["lines"]] == [
        ("chat", "", 2),
        ("mail", "", 2),
    ]
    assert found["total"]["cost_usd"] == "0.035000000" and found["total_apart"]["cost_usd"] == "0.040000000"
    assert told("report", "--since", "7d")["total"]["requests"] == 3
    assert told("report", "--until", "7d")["total"]["requests"] == 1
    assert told("report", "--since", "2024-01-01", "--feature", "mail")["total"]["requests"] == 2
    (line,) = told("report", "--by", "tag:project", "--until", "7d")["lines"]
    assert (line["tag:project"], line["cost_nanos"]) == ("canal", 5_000_000)
    assert len(told("report", "--by", "day")["lines"]) == 2


@pytest.mark.usefixtures("recorded")
def test_what_callers_wrote_harms_neither_terminal_nor_spreadsheet():
    """No escape sequence is printed, no cell is a formula."""
    assert "\x1b" not in run("report", "--by", "user").stdout
    users = [row["user"] for row in rows_of("report", "--by", "user")]
    assert "'=ann" in users and "=ann" not in users
    assert {row["purpose"] for row in rows_of("report", "--by", "user")} == {"", "shadow"}


@pytest.mark.usefixtures("recorded")
def test_whatif_prices_the_past_at_another_price():
    """Before and after, per feature; what cannot be compared is counted, not guessed."""
    found = told("whatif", "--model", "1:4/M")
    assert (found["total"]["before_usd"], found["total"]["after_usd"]) == ("0.035000000", "0.003500000")
    assert (found["total"]["unknown"], found["total"]["unknown_after_usd"]) == (1, "0.000100000")
    assert found["left_out"] == {"made besides what callers asked for (shadow)": 1}
    text = run("whatif", "--model", "1:4/M").stdout
    assert "of unknown cost  after USD" in text and "0.000100" in text and "on neither side" in text
    text = run("whatif", "--model", "1:4/M", "--feature", "chat").stdout
    assert "all at the price of 1:4/M" in text and "-90 %" in text and "1 attempts: made besides" in text
    assert [row["after_usd"] for row in rows_of("whatif", "-m", "dear", "--feature", "chat")] == [
        "0.060000000"
    ]


@pytest.mark.usefixtures("recorded")
def test_whatif_takes_models_of_the_configuration_and_of_the_list():
    """By their name there, by provider and model, by vendor and model."""
    assert told("whatif", "--model", "dear")["total"]["after_usd"] == "0.070000000"
    assert told("whatif", "--model", "openai/gpt-4o-mini")["total"]["after_usd"] == "0.000525000"
    assert told("whatif", "--model", "gpt-4o-mini")["total"]["after_usd"] == "0.000525000"
    assert float(told("whatif", "--model", "sim/sim-small")["total"]["after_usd"]) > 0


@pytest.mark.usefixtures("recorded")
def test_whatif_can_change_a_single_tier():
    """The rest stays as it was."""
    found = told("whatif", "--route", "simple=1/M", "--feature", "chat")
    assert (found["total"]["repriced"], found["total"]["after_usd"]) == (1, "0.021000000")
    assert "simple at the price of 1/M, the rest as it was" in run("whatif", "--route", "simple=1/M").stdout


@pytest.mark.usefixtures("recorded")
def test_the_error_of_the_estimate_is_told_per_model():
    """By text where the prompt is kept, by length of all; what cannot be judged is counted."""
    found = told("tokens")
    assert [(one["model"], one["counted_by"], one["requests"]) for one in found["groups"]] == [
        ("m-1", "text", 1),
        ("m-1", "length", 4),
    ]
    assert found["groups"][0]["reported_tokens"] == 1000 and found["groups"][0]["bias"] < -0.9
    assert found["unpriced"] == 1
    text = run("tokens", "--sample", "0").stdout
    assert "only the length" in text and "1 attempts are left out" in text
    assert [row["counted_by"] for row in rows_of("tokens")] == ["text", "length"]


@pytest.mark.parametrize("command", [("report",), ("whatif", "--model", "1/M"), ("tokens",)])
def test_an_empty_installation_is_no_failure(command):
    """It is told on standard error, and scripts get an empty answer."""
    result = run(*command)
    assert result.stdout == "" and "recorded in sqlite:///records.db" in result.stderr
    assert isinstance(told(*command), dict)
    assert rows_of(*command) == []


def test_a_moment_is_so_long_ago_or_a_date():
    """A date without a zone is meant in UTC, as days of reports are."""
    now = 1_700_000_000 * 10**9
    assert moment_ns("90m", now, "x") == now - 5400 * 10**9
    assert moment_ns("2024-10-04", now, "x") == 20_000 * DAY
    assert moment_ns("2024-10-04T02:00:00+02:00", now, "x") == 20_000 * DAY


def test_money_is_shown_to_the_cent_and_small_change_finer():
    """Half a cent goes to the even one, as banks round."""
    assert money(Decimal("1234.565")) == "1,234.56" and money(Decimal("0.0012345")) == "0.001234"
    assert money(Decimal(0)) == "0.00" and money(Decimal("-2.5")) == "-2.50"
    assert (percent(Decimal("0.3")), percent(Decimal("0.9095"))) == ("30 %", "91 %")


def test_a_table_is_aligned_and_its_cells_are_plain():
    """Words to the left, figures to the right; long words are cut."""
    assert aligned(("name", "n"), [("a", "1"), ("bb", "22")], last=("all", "23")).splitlines() == [
        "  name   n",
        "  --------",
        "  a      1",
        "  bb    22",
        "  --------",
        "  all   23",
    ]
    assert (plain(""), plain("a\nb"), plain("abcdef", 4)) == ("-", "a?b", "abc…")
    assert as_csv(("a", "b"), [("-1", -1)], words=1) == "a,b\n'-1,-1\n"
