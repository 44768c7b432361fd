"""`headgate replay` as it is typed: one side by side, many with a summary, a cap, an estimate, another configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from headgate.compose.stores import open_stores
from headgate.config.loader import parse
from headgate.core.ids import request_id_text
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.gateway import running_gateway
from tests.support.records import shown
from tests.support.replaying import config, playing

__all__: list[str] = []

QUESTIONS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with some traffic; nobody serves it now."""
    folder = tmp_path_factory.mktemp("replay")

    @aio
    async def traffic() -> None:
        async with playing(folder) as site:
            for number in range(QUESTIONS):
                await site.chat(f"Question {number}: how high is the water?", max_tokens=50)

    traffic()
    (folder / "headgate.toml").write_text(config(folder))
    (folder / "other.toml").write_text(
        config(folder).replace('route = "small"', 'route = "large"').replace("headgate.db", "elsewhere.db")
    )
    return folder


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "headgate", "replay", *arguments]


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(folder, *arguments),
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def rows(folder: Path, purpose: str) -> list[RequestRow]:
    found: list[RequestRow] = []

    @aio
    async def look() -> None:
        stores = open_stores(parse(config(folder), {}).settings)
        found.extend((await stores.spans.latest(10_000)).rows)
        await stores.aclose()

    look()
    return [row for row in found if row.purpose == purpose]


def first(folder: Path) -> str:
    return request_id_text(rows(folder, "")[0].id)


def test_one_is_shown_side_by_side(folder: Path) -> None:
    """What it will cost goes to standard error first, the comparison to standard output; differing words are marked."""
    done = run(folder, first(folder), "--model", "large")
    assert "Goes to sim/large; costs about" in done.stderr
    assert "answer tokens" in done.stdout and "cost USD" in done.stdout
    assert "[-" in done.stdout and "{+" in done.stdout
    told = json.loads(run(folder, first(folder), "--temperature", "0", "--json").stdout)
    assert told["original"]["id"] == first(folder) != told["replay"]["id"]
    assert told["identical"] is True and told["estimate"]["places"] == ["sim/small"]


def test_many_are_summed_up_and_written_out(folder: Path, tmp_path: Path) -> None:
    """A summary of pairs, and each comparison as a line; nobody is asked where nobody sits."""
    lines = tmp_path / "pairs.jsonl"
    done = run(folder, "--feature", "support", "--model", "large", "--yes", "--jsonl", str(lines), "--json")
    told = json.loads(done.stdout)
    assert told["summary"]["pairs"] == told["wanted"] == QUESTIONS and not told["capped"]
    pairs = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(pairs) == QUESTIONS and all(pair["replay"]["model"] == "large" for pair in pairs)
    assert sum(float(pair["replay"]["cost_usd"]) for pair in pairs) == pytest.approx(told["spent_usd"])
    assert lines.stat().st_mode & 0o777 == 0o600
    asked = run(folder, "--feature", "support", "--model", "large", code=2)
    assert "say --most-usd USD, or --yes" in asked.stderr
    table = run(folder, "--feature", "support", "--sample", "2", "--yes").stdout
    assert "Succeeded: 2 before, 2 now, of 2" in table and "100 % identical" in table


def test_the_cap_ends_it_with_a_code_of_its_own(folder: Path) -> None:
    """And is not passed."""
    whole = json.loads(run(folder, "--feature", "support", "--model", "large", "--estimate", "--json").stdout)
    assert whole["requests"] == QUESTIONS and whole["least_usd"] < whole["expected_usd"] < whole["most_usd"]
    most = whole["most_usd"] / QUESTIONS * 2.5
    before = len(rows(folder, "replay"))
    done = run(
        folder, "--feature", "support", "--model", "large", "--most-usd", f"{most:.9f}", "--json", code=3
    )
    told = json.loads(done.stdout)
    assert told["capped"] and 0 < told["summary"]["pairs"] < QUESTIONS and told["spent_usd"] <= most
    assert len(rows(folder, "replay")) - before == told["summary"]["pairs"]


def test_an_estimate_calls_nobody(folder: Path) -> None:
    """Where no price is known, it says so."""
    before = len(rows(folder, "replay"))
    done = run(folder, first(folder), "--model", "unpriced", "--estimate")
    assert "Goes to free/nobody-knows-it, of which no price is known." in done.stderr
    many = run(folder, "--since", "1d", "--model", "unpriced", "--estimate")
    assert "may go where no price is known: free/nobody-knows-it" in many.stderr
    assert len(rows(folder, "replay")) == before


def test_another_configuration_routes_and_ours_records(folder: Path) -> None:
    """Its features and models serve; the database stays ours."""
    told = json.loads(run(folder, first(folder), "--with", "other.toml", "--json").stdout)
    assert told["original"]["model"] == "small" and told["replay"]["model"] == "large"
    assert told["replay"]["requested_model"] == "support"
    assert told["original"]["config"] != told["replay"]["config"]
    assert not (folder / "elsewhere.db").exists()


def test_a_key_pays(folder: Path) -> None:
    """Named by --key; one that is not there is told with what is near."""
    done = run(folder, first(folder), "--key", "nobody", code=2)
    assert "there is no such key" in done.stderr
    told = json.loads(run(folder, first(folder), "--key", "bootstrap", "--json").stdout)
    row = next(row for row in rows(folder, "replay") if request_id_text(row.id) == told["replay"]["id"])
    assert row.key_id == rows(folder, "")[0].key_id != ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "which requests?"),
        (["req_0000000000000"], 1, "no request req_0000000000000 is stored"),
        (["nonsense"], 2, "is not a request id"),
        (["req_0000000000000", "--since", "1d"], 2, "--since says nothing"),
        (["--since", "1d", "--most-usd", "much"], 2, "write an amount of USD"),
        (["--since", "1d", "--set", "temperature"], 2, "write NAME=VALUE"),
        (["--feature", "nothing", "--yes"], 1, "no such requests are recorded"),
    ],
)
def test_what_makes_no_sense_is_told(folder: Path, arguments: list[str], code: int, words: str) -> None:
    """In words, with the code that says whose mistake it was."""
    assert words in run(folder, *arguments, code=code).stderr


def test_ctrl_c_ends_it_with_what_is_there(folder: Path) -> None:
    """What is under way ends, the summary is of what was done, the exit code says so."""
    slow = folder / "slow.toml"
    slow.write_text(config(folder).replace("speed = 0", "speed = 1"))
    arguments = command(
        folder, "--feature", "support", "--config", str(slow), "--yes", "--concurrency", "1", "--json"
    )
    before = len(rows(folder, "replay"))
    process = subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        due = time.monotonic() + 60
        while len(rows(folder, "replay")) == before:
            assert time.monotonic() < due and process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    told: dict[str, Any] = json.loads(out)
    assert process.returncode == 130, err
    assert told["interrupted"] and 0 < told["summary"]["pairs"] < QUESTIONS
    assert len(rows(folder, "replay")) - before == told["summary"]["pairs"]


def test_a_running_gateway_sends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own configuration; the key of whoever asks pays, and what it refuses is told in its words."""
    text = config(tmp_path).replace(f'database = "sqlite:///{tmp_path / "headgate.db"}"', "")
    with running_gateway(tmp_path, text) as gateway:
        sent = Request(
            f"{gateway.url}/v1/chat/completions",
            json.dumps({"model": "support", "messages": [{"role": "user", "content": "How deep?"}]}).encode(),
            {"authorization": f"Bearer {gateway.key}"},
        )
        with urlopen(sent) as reply:
            name = reply.headers["x-request-id"]
        shown(gateway, name)
        monkeypatch.setenv("HEADGATE_KEY", gateway.key)
        there = ("--url", gateway.url)
        assert "The answers are the same" in run(tmp_path, name, *there).stdout
        done = run(tmp_path, name, "--model", "large", *there)
        assert "Goes to sim/large; costs about" in done.stderr and "{+" in done.stdout
        told = json.loads(run(tmp_path, name, "--model", "large", "--json", *there).stdout)
        assert told["replay"]["model"] == "large"
        estimate = json.loads(run(tmp_path, name, "--estimate", "--json", *there).stdout)
        assert estimate["places"] == ["sim/small"]
        assert "does not allow" in run(tmp_path, name, "--most-usd", "0.000001", *there, code=3).stderr
        assert "it would be refused" in run(tmp_path, name, "--model", "nobody/knows", *there, code=2).stderr
        assert "is for one REQUEST" in run(tmp_path, "--since", "1d", *there, code=2).stderr
        monkeypatch.setenv("HEADGATE_KEY", "hg_wrong")
        assert "401" in run(tmp_path, name, *there, code=1).stderr
    assert "Connection refused" in run(tmp_path, name, *there, code=1).stderr
    monkeypatch.delenv("HEADGATE_KEY")
    assert "HEADGATE_KEY" in run(tmp_path, name, *there, code=2).stderr
