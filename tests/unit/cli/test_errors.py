"""`headgate errors` on an installation that is not running."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.compose.stores import open_stores
from headgate.config.loader import load
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[features.f]
route = "sim/sim-small"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, ["errors", *arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def happened(folder: Path) -> None:
    """Six requests of three users: four failed at a provider, one was refused."""
    rows = [
        RequestRow(
            id=number,
            started_ns=time.time_ns(),
            trace_id="",
            user=user,
            feature="f",
            routed_model="small",
            outcome=outcome,  # type: ignore[arg-type]
            error_class=error,
        )
        for number, (user, outcome, error) in enumerate(
            [
                ("ann", "failed", "provider_overloaded"),
                ("ann", "failed", "provider_overloaded"),
                ("bob", "failed", "provider_overloaded"),
                ("bob", "failed", "headers_timeout"),
                ("eve", "refused", "invalid_request"),
                ("eve", "ok", ""),
            ],
            1,
        )
    ]

    async def write() -> None:
        stores = open_stores(load(folder / "headgate.toml").settings)
        batch = Batch(journal="j", position=Position(1, 0), requests=rows)
        await asyncio.to_thread(stores.sink.write, batch)
        stores.sink.close()
        await stores.aclose()

    asyncio.run(write())


def test_errors_are_told_with_the_users_they_hit(folder: Path) -> None:
    """Each user once in a line; for scripts too."""
    happened(folder)
    lines = run("--since", "1h").stdout.splitlines()
    assert lines[2].split() == ["provider_overloaded", "provider", "error", "f", "small", "3", "2", "60", "%"]
    assert any("1  caller mistake: the request itself is at fault" in line for line in lines)
    told = json.loads(run("--by", "error", "--json").stdout)
    assert told["requests"] == 5 and told["groups"] == {
        "provider_error": 3,
        "timeout": 1,
        "caller_mistake": 1,
    }
    assert told["items"][0] == {
        "error": "provider_overloaded",
        "group": "provider_error",
        "feature": "",
        "model": "",
        "requests": 3,
        "users": 2,
    }
    assert "4 more" not in run("--error", "headers_timeout").stdout
    assert "more: --top 3" in run("--top", "1").stdout


def test_nothing_failed_is_no_failure(folder: Path) -> None:
    """Said in words; what cannot be meant is refused."""
    assert "nothing failed since 24h" in run("--since", "24h").stderr
    assert "none of error, feature, model" in run("--by", "user", code=2).stderr
    assert "not before" in run("--since", "1h", "--until", "2h", code=2).stderr
