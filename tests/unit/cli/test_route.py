"""`headgate route`: where a request would go, and why, without a gateway and without a call."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from headgate.cli import main

__all__: list[str] = []

CONFIG = """
[providers.house]
kind = "simulated"
region = "eu"
[providers.cloud]
kind = "openai"
api_key = "k"
base_url = "http://127.0.0.1:9/v1"
region = "us"
[models.small]
endpoints = [{ provider = "house", model = "sim-small", abilities = ["tools"] }]
[models.large]
endpoints = [{ provider = "cloud", model = "gpt-4o" }, { provider = "house", model = "sim-large" }]
strategy = "cheapest"
[features.chat]
route = { simple = "small", complex = "large" }
degrade = ["model:small"]
[features.plain]
route = "large"
[require.sensitive]
self_hosted = true
[[policies]]
name = "busy"
when = { calls_over = 100, feature = "plain" }
use = "small"
[[policies]]
name = "sorting"
when = { tags = { task = "sort" }, user = "ann", team = "canal" }
use = "small"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["route", *arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def test_an_easy_request_goes_to_the_small_model():
    """With the difficulty and the order, in words."""
    text = run("Where is my parcel?", "--feature", "chat").stdout
    assert text.startswith("feature chat -> small") and "Difficulty: simple" in text
    assert "1. house/sim-small in eu" in text and "its only endpoint" in text
    assert "If all fail, small: house/sim-small" in text


def test_a_hard_request_goes_to_the_large_model_and_each_signal_is_shown():
    """Strength, weight, and what was seen."""
    found = told("Prove it step by step, and compare.", "--feature", "chat", "--tools", "3")
    assert (found["model"], found["tier"]) == ("large", "complex")
    assert {"reasoning", "tools"} <= {each["name"] for each in found["signals"]}
    assert [each["provider"] for each in found["candidates"]] == ["cloud", "house"]
    assert all(
        each["usd_per_mtok"] and each["why"].startswith("large, cheapest") for each in found["candidates"]
    )
    assert "reasoning" in run("Prove it.", "--feature", "chat").stdout


def test_the_explanation_command_may_be_written_out():
    """`headgate route explain` is what `headgate route` does."""
    assert told("explain", "hi", "--feature", "chat")["model"] == "small"


def test_what_a_request_carries_counts():
    """Headers, tags, user, team, session, length, pictures."""
    assert told("hi", "--feature", "chat", "--header", "x-headgate-tier=complex")["model"] == "large"
    sorting = told("hi", "--feature", "plain", "--tag", "task=sort", "--user", "ann", "--team", "canal")
    assert (sorting["policy"], sorting["model"]) == ("sorting", "small")
    private = told("hi", "--model", "large", "--header", "x-headgate-data=sensitive")
    assert [each["provider"] for each in private["candidates"]] == ["house"] and private["sensitive"]
    assert private["dropped"][0]["provider"] == "cloud"
    long = told("hi", "--feature", "chat", "--tokens", "6000")
    assert 5000 < long["tokens"] < 7000 and long["tier"] == "medium"
    named = told("hi", "--model", "small", "--feature", "chat")
    assert (named["asked"], named["feature"]) == ("small", "chat")


def test_so_many_calls_may_be_pretended():
    """What a rule about volume would do later today."""
    assert told("hi", "--feature", "plain", "--calls", "99")["model"] == "large"
    assert told("hi", "--feature", "plain", "--calls", "100")["policy"] == "busy"


def test_calls_are_pretended_of_what_the_gateway_would_count():
    """A label that is no feature's name is not counted by."""
    asked = ("hi", "--model", "large", "--header", "x-headgate-feature=a label", "--calls", "100")
    assert told(*asked)["feature"] == ""
    beside = told("hi", "--model", "large", "--feature", "plain", "--calls", "100")
    assert (beside["policy"], beside["model"]) == ("busy", "small")


def test_tags_in_a_header_are_read_as_the_gateway_reads_them():
    """Beside those of --tag."""
    private = told(
        "hi", "--model", "large", "--header", "x-headgate-tags=app=web,data=sensitive", "--tag", "a=b"
    )
    assert private["sensitive"] and [each["provider"] for each in private["candidates"]] == ["house"]


def test_a_request_that_would_be_refused_ends_with_the_refusal():
    """As the caller would read it."""
    result = run("look", "--model", "small", "--image", code=1)
    assert "cannot do pictures" in result.stderr and "unsupported_request" in result.stderr
    refused = json.loads(run("look", "--model", "small", "--image", "--json", code=1).stdout)
    assert refused["error"] == "unsupported_request" and not refused["ok"]
    assert "did you mean `small`" in run("hi", "--model", "smal", code=1).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("hi",),
        ("hi", "--model", "small", "--header", "x"),
        ("hi", "--nothing"),
        ("learn",),
        ("learn", "none.jsonl"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    """With code 2."""
    run(*arguments, code=2)


def test_learning_needs_a_place_to_write_to_and_rows_to_read(folder):
    """And a feature that exists."""
    (folder / "rows.jsonl").write_text('{"prompt": "x", "model": "small"}\n')
    assert "--out" in run("learn", "rows.jsonl", code=2).stderr
    assert "no feature `x`" in run("learn", "rows.jsonl", "--out", "r", "--feature", "x", code=2).stderr
    assert "score" in run("learn", "rows.jsonl", "--out", "r", code=2).stderr
    assert not (folder / "r").exists()
