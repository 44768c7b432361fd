"""`headgate traces` and `headgate forget` on an installation that is not running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.core.ids import IdSource, request_id_text
from headgate.stores.backends.sqlite import Database, SqliteSink
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[features.chat]
route = "sim/sim-small"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0, typed: str | None = None) -> Any:
    result = CliRunner().invoke(main, [*arguments], input=typed)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def store(folder: Path, *given: dict[str, Any]) -> list[str]:
    """Requests, the newest last; their ids."""
    ids, rows, contents, attempts = IdSource(node=1), [], [], []
    for number, each in enumerate(given):
        words = each.pop("said", "Hello")
        data = msgspec.json.encode({"messages": [{"role": "user", "content": words}]})
        contents.append(Content(hash=f"{number:032x}", kind="openai.chat", data=data, size=len(data)))
        row = RequestRow(ids.next(), time.time_ns(), "t", request_content=f"{number:032x}", **each)
        rows.append(row)
        attempts.append(AttemptRow(ids.next(), row.id, 1, "sim", "m"))
    sink = SqliteSink(Database(folder / "records.db"))
    sink.write(
        Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, contents=contents)
    )
    sink.close()
    return [request_id_text(row.id) for row in rows]


def found(*arguments: str) -> list[str]:
    return [json.loads(line)["id"] for line in run("traces", *arguments, "--json").stdout.splitlines()]


def test_requests_are_looked_for_by_what_is_known_of_them(folder: Path) -> None:
    """Newest first; everything that is asked for must be true."""
    one, two, three = store(
        folder,
        {"feature": "chat", "total_us": 3_000_000, "tags": '{"task":"sum","mail":"a@x"}'},
        {"feature": "chat", "outcome": "failed", "status": 503, "stream": True, "said": "the blue whale"},
        {"user": "ann", "cost_nanos": 60_000_000, "attempts": 2},
    )
    assert found() == [three, two, one]
    assert found("--feature", "chat") == [two, one]
    assert found("--slower", "2s", "--feature", "chat") == [one]
    assert found("--tag", "task=sum", "--tag", "mail=a@x") == [one]
    assert (
        found("--status", "5xx") == found("--failed") == found("--stream") == found("--text", "BLUE") == [two]
    )
    assert found("--whole") == [three, one]
    assert found("--costlier", "0.05") == found("--retried") == found("--user", "ann") == [three]
    assert found("--limit", "1") == [three]
    told = run("traces", "--feature", "chat")
    assert two in told.stdout and "failed" in told.stdout and "request" in told.stderr
    assert "no such requests" in run("traces", "--user", "nobody").stderr


def test_what_makes_no_sense_ends_with_code_2() -> None:
    """And with what would make sense."""
    assert "--slower: `slower` is a duration like" in run("traces", "--slower", "soon", code=2).stderr
    assert "refused" in run("traces", "--outcome", "refusd", code=2).stderr


def test_an_export_holds_whole_requests_line_by_line(folder: Path) -> None:
    """In a form that has a name; prompts only for whoever asks for them; the file is the owner's alone."""
    store(
        folder,
        {"feature": "chat", "said": "words of theirs", "tags": '{"a":"b"}', "error_detail": "words"},
        {"user": "ann"},
    )
    plain = run("traces", "export", "--feature", "chat", "--out", "out.jsonl")
    assert "1 requests written to out.jsonl" in plain.stderr
    (line,) = (folder / "out.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (
        told["schema"] == "headgate.request.v1"
        and told["request"]["tags"] == {"a": "b"}
        and told["prompt"] is None
    )
    assert told["attempts"][0]["provider"] == "sim" and "words" not in line
    assert (folder / "out.jsonl").stat().st_mode & 0o077 == 0
    lines = run("traces", "export", "--content", "--limit", "5").stdout.splitlines()
    assert "words of theirs" in json.loads(lines[1])["prompt"]["text"] and len(lines) == 2


def test_a_user_is_forgotten_when_that_is_said_twice(folder: Path) -> None:
    """It cannot be undone, so it is asked; the audit log has it without the name."""
    store(folder, {"user": "ann", "session": "s", "said": "Ann's words"}, {"user": "bob"})
    run("forget", "--user", "ann", code=1, typed="n\n")
    assert len(found("--user", "ann")) == 1
    told = run("forget", "--user", "ann", typed="y\n")
    assert "1  prompts and answers" in told.stdout
    assert found("--user", "ann") == [] and len(found()) == 2
    again = run("forget", "--user", "ann", "--yes")
    assert "nothing was kept of this user" in again.stderr
    assert json.loads(run("forget", "--user", "bob", "-y", "--vacuum", "--json").stdout)["requests"] == 1
    entries = json.loads(run("audit", "list", "--json").stdout)
    assert [entry["action"] for entry in entries] == ["user.forget"] * 3 and "ann" not in json.dumps(
        [entry["subject"] for entry in entries]
    )
    assert b"Ann's words" not in b"".join(path.read_bytes() for path in folder.glob("records*"))


def test_a_user_with_a_valid_key_is_not_forgotten_yet(folder: Path) -> None:
    """What is deleted now would come again."""
    run("keys", "create", "hers", "--user", "ann")
    assert "revoke first" in run("forget", "--user", "ann", "-y", code=1).stderr
    run("forget", "--user", "", "-y", code=2)
