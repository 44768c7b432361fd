"""The Quality page: over judgements of a shop, over none, and for whoever may not read what people wrote."""

from __future__ import annotations

import json
import time
from typing import Any

from headgate.core.ids import IdSource
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.scores import MemoryScores
from headgate.stores.scores import ScoreRow
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []

IDS = IdSource(node=2)


async def judged() -> Looked:
    """Forty thumbs on two prompts, a rating, and a comment."""
    spans = MemorySpans()
    scores = MemoryScores(spans)
    now = time.time_ns()
    rows: list[ScoreRow] = []
    for number in range(40):
        request, prompt = IDS.next(), "good@1" if number % 2 else "bad@2"
        span = RequestRow(
            request, now, "t", feature="<b>mail</b>", prompt=prompt, routed_model="small", session="s 1"
        )
        spans.write(Batch(journal="j", position=Position(), requests=[span], attempts=(), contents=()))
        up = number % 2 == 1 or number % 8 == 0
        usual: dict[str, Any] = {"at_ns": now, "request_id": request, "source": "user"}
        rows.append(ScoreRow(event=f"t{number}", name="thumbs", kind="boolean", number=float(up), **usual))
        if number == 3:
            rows.append(ScoreRow(event="r", name="rating", kind="number", number=2.0, **usual))
            rows.append(ScoreRow(event="c", name="comment", kind="text", text="<i>Wrong city</i>", **usual))
    await scores.add(rows, now)
    return Looked(records=spans, scores=scores)


@aio
async def test_the_page_tells_how_answers_are_judged() -> None:
    """With how many and how sure; what callers wrote is text; requests lead to their traces."""
    browser = Browser(await judged())
    got = await browser.get("/quality?range=7d")
    assert got.status == 200, got.text
    assert "62.5 %" in got.text and "40 judgements" in got.text and "below the others" in got.text
    assert got.text.index("bad@2") > 0 and "/traces/req_" in got.text.replace("&#x2f;", "/")
    assert "<b>mail" not in got.text and "<i>Wrong" not in got.text
    by_model = await browser.get("/quality?range=7d&by=model&name=rating")
    assert by_model.status == 200 and "small" in by_model.text
    assert (await browser.get("/quality?by=colour")).status == 400


@aio
async def test_plots_have_intervals_and_counts() -> None:
    """The same times for all of them; hours without judgements are gaps."""
    browser = Browser(await judged())
    mean = json.loads((await browser.get("/plots/quality/mean?name=thumbs&range=24h")).text)
    assert [each["name"] for each in mean["series"]] == ["mean", "at least", "at most"]
    assert mean["unit"] == "share"
    found = [
        each for each in zip(*(each["y"] for each in mean["series"]), strict=True) if each[0] is not None
    ]
    assert found and all(low <= middle <= high for middle, low, high in found)
    count = json.loads((await browser.get("/plots/quality/count?name=thumbs&range=24h")).text)
    assert sum(count["series"][0]["y"]) == 40 and len(count["x"]) == len(count["series"][0]["y"])
    drift = json.loads((await browser.get("/plots/quality/latency?feature=chat")).text)
    assert drift["series"][0]["y"] == []
    assert (await browser.get("/plots/quality/beauty")).status == 404


@aio
async def test_an_installation_without_judgements_says_how_to_give_one() -> None:
    """And what changes need before they can be seen."""
    browser = Browser(Looked())
    got = await browser.get("/quality")
    assert got.status == 200 and "headgate feedback add" in got.text
    changed = await browser.get("/quality/changes")
    assert changed.status == 200 and "Three weeks" in changed.text


@aio
async def test_who_may_not_read_contents_does_not_read_comments() -> None:
    """Here neither."""
    looked = await judged()
    seen = {}
    for role in ("viewer", "reviewer"):
        got = await Browser(looked, headers={"authorization": f"Bearer {role}"}).get("/quality?range=7d")
        assert got.status == 200
        seen[role] = "Wrong city" in got.text
    assert seen == {"viewer": False, "reviewer": True}
