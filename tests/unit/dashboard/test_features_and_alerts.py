"""The pages about features and about alerts: what they tell, and what may be done there."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from types import SimpleNamespace

from headgate.alerts.rules.settings import WatchSettings
from headgate.budgets.settings import FeatureBudgetSettings
from headgate.config.model import FeatureSettings, Settings
from headgate.core.section import Duration
from headgate.providers.health.health import Health
from headgate.quality.contracts.settings import ContractSettings
from headgate.stores.alerts import Alert
from headgate.stores.rules import Standing, seen
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []


def looked() -> Looked:
    contract = ContractSettings(availability=0.99, latency_p95=Duration(2), quality={"thumbs": 0.8}, least=10)
    shop = FeatureSettings(
        route="small",
        fallback=["large"],
        contract=contract,
        degrade=["say:Resting."],
        budget=FeatureBudgetSettings(month=Decimal(5)),
    )
    settings = Settings(
        features={"shop": shop, "free": FeatureSettings(route="small")}, watch=WatchSettings()
    )
    well, resting = Health("house/a"), Health("house/b")
    resting.breaker.open_until, resting.breaker.why, resting.calm = (
        time.monotonic() + 60,
        "5 of 5 failed",
        False,
    )
    places = [
        SimpleNamespace(name="house/a", region="eu", credential="", health=well),
        SimpleNamespace(name="house/b", region="", credential="key 2", health=resting),
    ]
    return Looked(
        configuration=lambda: SimpleNamespace(settings=settings, hash="c0ffee", path=None),
        endpoints=lambda: {"small": places},
    )


def owner(there: Looked) -> Browser:
    return Browser(there, headers={"authorization": "Bearer owner"})


def happened(there: Looked) -> None:
    now = int(time.time())
    for hour in range(1, 20):
        there.rollups.happen(
            now - hour * 3600, 50, {"total_us": 1e6, "first_content_us": 2e5, "cost_nanos": 1e6}
        )
    there.rollups.happen(now - 3600, 200, outcome="failed")


@aio
async def test_features_show_contract_traffic_and_health() -> None:
    """Of all, and of one; what a feature has not is said."""
    there = looked()
    happened(there)
    browser = owner(there)
    every = await browser.get("/features")
    assert every.status == 200, every.text
    assert "1 of 2 well" in every.text and "broken" in every.text and "promises nothing" in every.text
    shop = await browser.get("/features/shop")
    assert shop.status == 200, shop.text
    assert "left alone" in shop.text and "5 of 5 failed" in shop.text and "b key 2" in shop.text
    assert "say:Resting." in shop.text and "data-plot=" in shop.text and "<meter" in shop.text
    free = await browser.get("/features/free")
    assert (
        free.status == 200 and "It promises nothing" in free.text and "it has no degrade ladder" in free.text
    )
    missing = await browser.get("/features/shpo")
    assert missing.status == 404 and "did you mean" in missing.text


@aio
async def test_plots_of_a_contract_are_numbers() -> None:
    """The budget's burn and the times reached, each beside what was promised."""
    there = looked()
    happened(there)
    browser = owner(there)
    burn = json.loads((await browser.get("/plots/features/shop/burn?range=24h")).text)
    assert [each["name"] for each in burn["series"]] == ["availability", "latency_p95"]
    assert all(len(each["y"]) == len(burn["x"]) for each in burn["series"])
    assert max(value for value in burn["series"][0]["y"] if value is not None) > 50
    reached = json.loads((await browser.get("/plots/features/shop/reached?range=24h")).text)
    assert [each["name"] for each in reached["series"]] == ["latency_p95", "latency_p95 promised"]
    assert set(reached["series"][1]["y"]) == {2.0} and "feature=shop" in reached["drill"]
    assert (await browser.get("/plots/features/free/burn")).status == 404


@aio
async def test_without_features_the_page_says_what_to_do() -> None:
    """No empty table."""
    there = Looked(configuration=lambda: SimpleNamespace(settings=Settings(), hash="c", path=None))
    assert "[features.NAME]" in (await owner(there).get("/features")).text


@aio
async def test_alerts_show_what_stands_and_what_was_told() -> None:
    """With what became of each delivery; what others wrote is text."""
    there = looked()
    new = Standing(rule="rule:errors", subject="feature:<b>shop")
    await there.rules.stand([(new, seen(new, "alert", 0.5, time.time_ns()))])
    alert = Alert(
        event="rule/errors/1",
        kind="rule",
        subject="feature:shop",
        severity="critical",
        at_ns=time.time_ns(),
        text="Too many <i>errors</i>.",
    )
    await there.alerts.add(alert, ["file:ops"], time.time_ns())
    got = await owner(there).get("/alerts")
    assert got.status == 200, got.text
    assert "Too many &lt;i&gt;errors" in got.text and "<b>shop" not in got.text
    assert "ops: waiting" in got.text and "records-dropped" in got.text and "Pause" in got.text
    viewer = await Browser(there, headers={"authorization": "Bearer viewer"}).get("/alerts")
    assert (
        viewer.status == 200
        and "Pause errors" not in viewer.text
        and "operators see who was added" in viewer.text
    )


@aio
async def test_a_rule_is_tried_out_before_it_is_kept() -> None:
    """The page tells what it would have done and offers to keep it; nonsense is said in words."""
    there = looked()
    happened(there)
    browser = owner(there)
    query = "name=slow&metric=error_rate&alert=5+%25&each=feature&days=1"
    assert "What to watch" in (await browser.get("/alerts/new")).text
    tried = await browser.get(f"/alerts/new?{query}")
    assert tried.status == 200, tried.text
    assert "would have been told once" in tried.text and "Watch it from now on" in tried.text
    assert "metric=error_rate" in tried.text.replace("&amp;", "&")
    drawn = json.loads((await browser.get(f"/plots/alerts/preview?{query}")).text)
    assert [each["name"] for each in drawn["series"]] == ["feature:shop", "alert"] and drawn[
        "unit"
    ] == "share"
    wrong = await browser.get("/alerts/new?name=slow&metric=latency_p95&alert=fast")
    assert wrong.status == 200 and "not a duration" in wrong.text
    assert (await there.rules.rules()) == []
    token = await browser.csrf(f"/alerts/new?{query}")
    form = {"csrf": token, "name": "slow", "metric": "error_rate", "alert": "5 %", "each": "feature"}
    kept = await browser.post("/alerts/rules", form)
    assert kept.status == 303 and kept.header("location").startswith("/alerts")
    assert (await browser.post("/alerts/rules/slow/pause", {"csrf": token, "paused": "yes"})).status == 303
    [rule] = await there.rules.rules()
    assert rule.paused and '"alert":"5 %"' in rule.definition
    assert (await browser.post("/alerts/rules/slow/remove", {"csrf": token})).status == 303
    assert (await there.rules.rules()) == []
    assert [each.action for each in await there.audit.since(0, 9)] == [
        "rule.add",
        "rule.pause",
        "rule.remove",
    ]
    assert (await browser.post("/alerts/rules", {**form, "csrf": "wrong"})).status in (400, 403)
