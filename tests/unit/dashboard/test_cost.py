"""The Cost page: over the rollups of a day, over none, and for whoever may not see it."""

from __future__ import annotations

import json
import time

from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []


def spent() -> Looked:
    looked = Looked()
    now = int(time.time())
    for day in range(1, 6):
        costs = {"cost_nanos": 2_000_000_000 + day, "estimated_nanos": 500_000_000}
        looked.rollups.happen(now - day * 86_400, 4, feature="chat", sums=costs)
    looked.rollups.happen(now - 3600, 2, feature="<b>mail</b>", sums={"cost_nanos": 1_000_000, "unpriced": 1})
    return looked


@aio
async def test_the_page_tells_where_the_money_goes() -> None:
    """Each line leads to its requests; what callers wrote is text."""
    browser = Browser(spent())
    got = await browser.get("/cost?range=7d")
    assert got.status == 200, got.text
    assert "$10.00" in got.text and "four times out of five" in got.text
    assert 'href="/traces?range=7d&amp;feature=chat"' in got.text.replace("&#x2f;", "/")
    assert "&lt;b&gt;mail&lt;&#x2f;b&gt;" in got.text and "<b>mail" not in got.text
    assert "monthly" in got.text and "<meter" in got.text
    by_user = await browser.get("/cost?range=7d&by=user")
    assert by_user.status == 200 and "whole hours" in by_user.text
    wrong = await browser.get("/cost?by=colour")
    assert wrong.status == 400 and "none of feature, model" in wrong.text


@aio
async def test_plots_and_the_table_are_data_too() -> None:
    """For the drawing, and for spreadsheets."""
    browser = Browser(spent())
    drawn = json.loads((await browser.get("/plots/cost/spending?range=7d&by=model")).text)
    assert drawn["unit"] == "nanos" and [each["name"] for each in drawn["series"]] == ["small"]
    assert sum(drawn["series"][0]["y"]) == 10_001_000_015
    month = json.loads((await browser.get("/plots/cost/month")).text)
    assert {"spent", "likely", "low", "high"} == {each["name"] for each in month["series"]}
    assert all(len(each["y"]) == len(month["x"]) for each in month["series"])
    kept = await browser.get("/cost/spending.csv?range=7d")
    assert kept.header("content-type").startswith("text/csv")
    assert kept.text.splitlines()[1].startswith("chat,20,0,0,0,10.000000015,2.500000000,0,")
    for missing in ("/cost/other.csv", "/plots/cost/other"):
        assert (await browser.get(missing)).status == 404


@aio
async def test_an_installation_without_requests_says_what_to_do() -> None:
    """And invents no figure."""
    got = await Browser(Looked()).get("/cost")
    assert got.status == 200 and "make a call" in got.text and "known after the first whole day" in got.text


@aio
async def test_a_service_sees_no_cost() -> None:
    """As it is told none by /api."""
    browser = Browser(spent(), client="10.0.0.9", headers={"authorization": "Bearer service"})
    assert (await browser.get("/cost")).status in (401, 403)


@aio
async def test_what_providers_caches_saved_stands_by_feature_and_model() -> None:
    """Less what was paid for writing, and only where there is something to tell."""
    looked = spent()
    sums = {
        "input_tokens": 1_000,
        "cache_read_tokens": 8_000,
        "cache_write_tokens": 1_000,
        "cache_read_saved_nanos": 7_000_000_000,
        "cache_write_extra_nanos": 2_000_000_000,
    }
    looked.rollups.happen(int(time.time()) - 3600, 3, feature="desk", model="claude", sums=sums)
    got = (await Browser(looked).get("/cost?range=7d")).text
    part = got[got.index("prompt caches") : got.index("Budgets")]
    assert "desk" in part and "claude" in part and "80" in part
    assert "$7.00" in part and "$2.00" in part and "$5.00" in part
    assert "chat" not in part
    assert "prompt caches" not in (await Browser(spent()).get("/cost?range=7d")).text
