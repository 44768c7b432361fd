"""Rules of alerts and contracts over /api: who may what, and what is told."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.alerts.rules.settings import AlertRuleSettings, WatchSettings
from headgate.config.model import FeatureSettings, Settings
from headgate.core.section import Duration
from headgate.quality.contracts.settings import ContractSettings
from headgate.stores.rules import Standing, seen
from tests.support.aio import aio
from tests.support.operating import Operating
from tests.support.rolled import FakeScores

__all__: list[str] = []

OWN = AlertRuleSettings(name="own", metric="error_rate", alert="10 %")
SLOW = {"name": "slow", "metric": "latency_p95", "alert": "2s", "warning": 1.5, "of": {"feature": "shop"}}


def there() -> Operating:
    contract = ContractSettings(availability=0.99, latency_p95=Duration(2), quality={"thumbs": 0.8}, least=10)
    settings = Settings(
        features={
            "shop": FeatureSettings(route="small", contract=contract),
            "free": FeatureSettings(route="small"),
        },
        watch=WatchSettings(rules=[OWN], without=["worse"]),
    )
    return Operating(configuration=lambda: SimpleNamespace(settings=settings), scores=FakeScores())


@aio
async def test_a_rule_is_added_paused_and_removed_and_the_log_knows_by_whom() -> None:
    """One of its name is in the way; what stands in the configuration is paused, not removed."""
    desk = there()
    added = await desk.ask("POST", "/api/rules", SLOW, key="operator")
    assert added.status == 201 and "latency_p95 of feature shop in 5m: alert above 2 s" in added.json["says"]
    assert (await desk.ask("POST", "/api/rules", SLOW)).code == "conflict"
    for taken in ("own", "errors"):
        assert (await desk.ask("POST", "/api/rules", {**SLOW, "name": taken})).code == "conflict"
    paused = await desk.ask("POST", "/api/rules/own/pause", {"paused": True})
    assert paused.json == {"name": "own", "paused": True, "says": "error_rate in 5m: alert above 10 %"}
    items = (await desk.ask("GET", "/api/rules", key="viewer")).json["items"]
    states = {each["name"]: (each["source"], each["state"]) for each in items}
    assert states["own"] == ("configuration", "paused") and states["slow"] == ("added", "unknown")
    assert states["errors"] == ("standard", "unknown") and "worse" not in states
    refused = await desk.ask("DELETE", "/api/rules/own")
    assert refused.code == "not_found" and "take it out there" in refused.json["detail"]
    missing = await desk.ask("DELETE", "/api/rules/slwo")
    assert "did you mean `slow`?" in missing.json["detail"]
    assert (await desk.ask("DELETE", "/api/rules/slow")).status == 200
    log = await desk.audit.since(0, 9)
    assert [(each.action, each.subject, each.actor) for each in log] == [
        ("rule.add", "slow", "api:key_operator"),
        ("rule.pause", "own", "api:key_owner"),
        ("rule.remove", "slow", "api:key_owner"),
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"metric": "latency_p59"}, "did you mean"),
        ({"alert": "fast"}, "not a duration"),
        ({"window": "90s"}, "whole minutes"),
        ({"windw": "5m"}, "windw"),
        ({"looks": 0}, "looks"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(wrong: dict[str, Any], words: str) -> None:
    """And nothing is kept."""

    @aio
    async def run() -> None:
        desk = there()
        answer = await desk.ask("POST", "/api/rules", {**SLOW, **wrong})
        assert answer.code == "invalid_request" and words in answer.json["detail"]
        assert await desk.rules.rules() == []

    run()


@aio
async def test_how_everything_stands_that_a_rule_watches() -> None:
    """The worst of it is the rule's own state."""
    desk = there()
    for subject, state in (("feature:a", "ok"), ("feature:b", "alert")):
        new = Standing(rule="rule:errors", subject=subject)
        await desk.rules.stand([(new, seen(new, state, 0.3, 10**18))])
    items = (await desk.ask("GET", "/api/rules")).json["items"]
    errors = next(each for each in items if each["name"] == "errors")
    assert errors["state"] == "alert" and errors["unit"] == "share"
    assert [each["state"] for each in errors["standings"]] == ["ok", "alert"]
    metrics = (await desk.ask("GET", "/api/rule-metrics")).json["items"]
    assert {"metric": "spend", "says": "spent", "unit": "USD", "bad": "above"} in metrics


@aio
async def test_a_preview_tells_when_somebody_would_have_been_told() -> None:
    """From what happened, before anything is kept; a viewer may look."""
    desk, now = there(), int(time.time())
    for minute in range(24 * 60):
        slow = 600 <= minute < 660
        desk.rollups.happen(now - minute * 60, 10, {"total_us": 5e6 if slow else 1e6})
    answer = await desk.ask("POST", "/api/rule-previews", {"rule": SLOW, "days": 1}, key="viewer")
    assert answer.status == 200 and answer.json["times"] == 1
    [fired] = answer.json["fired"]
    assert fired["state"] == "alert" and fired["until"] is not None
    [series] = answer.json["series"]
    assert series["state"] == "ok" and max(value for value in series["values"] if value) > 4
    assert await desk.rules.rules() == []


@aio
async def test_contracts_tell_what_was_kept() -> None:
    """By feature, over their own time or another; a feature that promises nothing is not there."""
    desk, now = there(), int(time.time())
    desk.rollups.happen(now - 3600, 95, {"total_us": 1e6})
    desk.rollups.happen(now - 3600, 5, outcome="failed")
    desk.scores.judge(now - 3600, 0.9, 40)
    [shop] = (await desk.ask("GET", "/api/contracts", key="viewer")).json["items"]
    assert shop["state"] == "broken" and shop["window_seconds"] == 30 * 86_400
    states = {each["promise"]: each["state"] for each in shop["promises"]}
    assert states == {"availability": "broken", "latency_p95": "kept", "quality.thumbs": "kept"}
    [day] = (await desk.ask("GET", "/api/contracts?feature=shop&window=1d")).json["items"]
    assert day["window_seconds"] == 86_400
    missing = await desk.ask("GET", "/api/contracts?feature=free")
    assert missing.code == "not_found" and "shop" in missing.json["detail"]
    for window in ("5m", "soon", "99d"):
        assert (await desk.ask("GET", f"/api/contracts?window={window}")).code == "invalid_request"


@aio
async def test_who_may_only_look_changes_nothing() -> None:
    """As the table of rights has it."""
    desk = there()
    assert (await desk.ask("POST", "/api/rules", SLOW, key="viewer")).code == "not_allowed"
    assert (
        await desk.ask("POST", "/api/rules/own/pause", {"paused": True}, key="developer")
    ).code == "not_allowed"
    assert (await desk.ask("GET", "/api/contracts", key="service")).code == "not_allowed"
