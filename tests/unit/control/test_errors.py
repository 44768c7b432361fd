"""What went wrong, added up for people."""

from __future__ import annotations

import time

import pytest

from headgate.control.errors import ErrorLine, errors_of, parts
from headgate.stores.rollups import HOUR
from tests.support.aio import aio
from tests.support.operating import Operating
from tests.support.rolled import FakeRollups

__all__: list[str] = []

NOON = 1_795_262_400


def happened() -> FakeRollups:
    rollups = FakeRollups()
    rollups.happen(NOON, 5, outcome="failed", error="provider_overloaded")
    rollups.happen(NOON + HOUR, 2, outcome="failed", error="headers_timeout", feature="chat")
    rollups.happen(NOON, 9, outcome="refused", error="made_up_by_a_newer_one", model="")
    rollups.happen(NOON, 100)
    return rollups


@aio
async def test_errors_stand_under_their_groups() -> None:
    """With feature and model, whom it hit most first; answers are none of them, and no class is left out."""
    found = await errors_of(happened(), NOON + 1800, NOON + 2 * HOUR)
    assert found.since == NOON, "a whole hour"
    assert found.requests == 16
    assert found.groups == {"other": 9, "provider_error": 5, "timeout": 2}
    assert ErrorLine("headers_timeout", "timeout", "chat", "small", 2, found.lines[-1].users) in found.lines
    assert [line.users for line in found.lines] == sorted((line.users for line in found.lines), reverse=True)


@aio
async def test_only_what_is_asked_for_is_told_apart() -> None:
    """The error always is; what is not asked for is empty."""
    found = await errors_of(happened(), NOON, NOON + 2 * HOUR, by=["feature"], only={"feature": "chat"})
    (line,) = found.lines
    assert (line.error, line.feature, line.model, line.requests) == ("headers_timeout", "chat", "", 2)


def test_words_that_mean_nothing_are_refused() -> None:
    """With those that do."""
    assert parts(" error, model") == ["error_class", "model"]
    with pytest.raises(ValueError, match="`user` is none of error, feature, model"):
        parts("error,user")
    with pytest.raises(ValueError, match="twice"):
        parts("model,model")


@aio
async def test_whoever_sees_the_dashboard_is_told() -> None:
    """Over /api, with bounds; a service is not."""
    there = Operating()
    there.rollups.happen(int(time.time()), 4, outcome="failed", error="headers_timeout")
    told = await there.ask("GET", "/api/errors?by=error&since=1h", key="viewer")
    assert told.status == 200 and told.json["requests"] == 4
    (item,) = told.json["items"]
    assert (item["error"], item["group"], item["feature"]) == ("headers_timeout", "timeout", "")
    assert told.json["groups"] == {"timeout": 4} and told.json["left_out"] == 0
    assert (await there.ask("GET", "/api/errors?error=other", key="viewer")).json["items"] == []
    for wrong in ("by=user", "since=1h&until=2h", "since=soon", "limit=0"):
        assert (await there.ask("GET", f"/api/errors?{wrong}", key="viewer")).status == 400, wrong
    assert (await there.ask("GET", "/api/errors", key="service")).status == 403
