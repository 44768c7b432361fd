"""The Cache page: figures, entries, one entry with the questions near it, and what goes, shown before it goes."""

from __future__ import annotations

import json
import time
from typing import Any

from headgate.cache.settings import CacheSettings, FeatureCacheSettings
from headgate.core.ids import request_id_text
from headgate.core.section import Duration
from headgate.stores.answers import Judgement
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from tests.support.aio import aio
from tests.support.looking import Browser, Looked
from tests.support.remembering import Remembers, cached_configuration, entry_about

__all__: list[str] = []

SHARED = FeatureCacheSettings(exact=Duration(3600), semantic=0.9, scope="feature")


def looked(*entries: Any, cache: CacheSettings | None = None) -> Looked:
    features = {"chat": SHARED, "strict": FeatureCacheSettings(exact=Duration(60)), "plain": None}
    return Looked(
        memory=Remembers(*entries), configuration=cached_configuration(features, cache), local=False
    )


def as_(at: Looked, role: str) -> Browser:
    return Browser(at, headers={"authorization": f"Bearer {role}"})


@aio
async def test_an_installation_without_a_cache_is_told_how_to_turn_it_on() -> None:
    """In words that can be copied; and that it was turned off, if it was."""
    bare = Looked(local=False)
    got = await as_(bare, "viewer").get("/cache")
    assert got.status == 200 and "No feature has a cache" in got.text and "exact = " in got.text
    off = await as_(looked(cache=CacheSettings(enabled=False)), "viewer").get("/cache")
    assert "The cache is off" in off.text
    assert (await as_(bare, "viewer").get("/cache/entries")).status == 200
    assert (await as_(bare, "operator").get("/cache/clear?everything=yes")).status == 409


@aio
async def test_the_page_tells_what_is_saved_and_how_often_it_is_wrong() -> None:
    """By kind and by feature, with how sure that is."""
    at = looked(entry_about("What is <b>a weir</b>?"))
    now = int(time.time())
    sums = {"cacheable": 60, "cached": 30, "reworded": 8, "joined": 2, "avoided_nanos": 5_250_000_000}
    at.rollups.happen(now - 600, 80, feature="chat", sums=sums | {"avoided_us": 90_000_000})
    kept = at.desk.memory.answers
    assert kept is not None
    ns = time.time_ns()
    await kept.judge([Judgement(b"k" * 16, 0.95, True, ns, "sample", feature="chat") for _ in range(20)])
    await kept.judge([Judgement(b"k" * 16, 0.95, False, ns, "sample", feature="chat")])
    text = (await as_(at, "owner").get("/cache?range=24h")).text
    for words in ("50 %", "30 of 60", "$5.25", "90 s", "4.8 %", "1 of 21 samples", "strict"):
        assert words in text, words
    assert "<b>a weir" not in text and "a weir" in text
    assert "a weir" not in (await as_(at, "viewer").get("/cache")).text
    assert (await as_(at, "viewer").get("/cache?feature=nothing")).status == 404
    drawn = json.loads((await as_(at, "viewer").get("/plots/cache/hits?range=24h&feature=chat")).text)
    told = {each["name"]: sum(each["y"]) for each in drawn["series"]}
    assert told == {"exact": 20, "similar": 8, "joined": 2, "asked a model": 30}
    assert "feature=chat" in drawn["drill"]
    assert (await as_(at, "viewer").get("/plots/cache/other")).status == 404


@aio
async def test_entries_are_found_by_filters() -> None:
    """A text only by whoever may read contents."""
    at = looked(entry_about("one fish", prompt="p@1"), entry_about("two fish", prompt="p@2"))
    owner = as_(at, "owner")
    assert "one fish" in (await owner.get("/cache/entries?text=ONE")).text
    found = (await owner.get("/cache/entries?prompt=p@2&order=newest")).text
    assert "two fish" in found and "one fish" not in found
    assert (await as_(at, "viewer").get("/cache/entries?text=fish")).status == 400
    assert "No answer is kept that fits" in (await owner.get("/cache/entries?text=bird")).text


@aio
async def test_one_click_removes_a_wrong_answer_and_teaches() -> None:
    """From the question that it was wrong for; from the answer itself nothing is taught."""
    first, second = (
        entry_about("Open on Sunday?", origin_id=7 << 22),
        entry_about("How deep?", origin_id=8 << 22),
    )
    at = looked(first, second)
    body = b'{"messages": [{"role": "user", "content": "Open on <i>Monday</i>?"}]}'
    row = RequestRow(
        9 << 22,
        time.time_ns(),
        "t",
        cache="semantic",
        origin_id=7 << 22,
        similarity=930_000,
        request_content="h",
    )
    content = Content(hash="h", kind="openai.chat", data=body, size=len(body))
    at.spans.write(
        Batch(journal="j", position=Position(1, 1), requests=[row], attempts=(), contents=[content])
    )
    kept = at.desk.memory.answers
    assert kept is not None
    await kept.judge([Judgement(first.key, 0.91, True, time.time_ns(), "sample", "Shut on Sunday?", 5 << 22)])
    page, owner = f"/cache/entries/{first.key.hex()}", as_(at, "owner")
    text = (await owner.get(page)).text
    for words in ("Monday", "93 %", "Shut on Sunday?", "91 %", "right", request_id_text(7 << 22), "Yes."):
        assert words in text, words
    assert "<i>Monday" not in text
    seen = (await as_(at, "viewer").get(page)).text
    assert "Monday" not in seen and "Sunday" not in seen and "This was wrong" not in seen
    form = {"csrf": await owner.csrf(page), "request": request_id_text(row.id)}
    assert (await owner.post(f"{page}/wrong", form | {"csrf": "x"})).status == 403
    done = await owner.post(f"{page}/wrong", form)
    assert (done.status, done.header("location")) == (303, "/cache") and kept.at_hand(first.key) is None
    [lesson] = [each for each in await kept.judged(None, 0, 9) if each.source == "person"]
    assert (lesson.score, lesson.question) == (0.93, "Open on <i>Monday</i>?")
    other = f"/cache/entries/{second.key.hex()}"
    done = await owner.post(f"{other}/wrong", {"csrf": await owner.csrf(other)})
    assert done.status == 303 and kept.at_hand(second.key) is None
    assert (await owner.get(other)).status == 404
    assert [each.action for each in await at.audit.since(0, 9)] == ["cache.wrong", "cache.wrong"]


@aio
async def test_what_would_go_is_shown_before_it_goes() -> None:
    """Looking removes nothing; who may not remove sees no form."""
    at = looked(entry_about("a"), entry_about("b"), entry_about("c", feature="strict"))
    kept = at.desk.memory.answers
    assert kept is not None
    operator = as_(at, "operator")
    shown = (await operator.get("/cache/clear?feature=chat")).text
    assert "2 answers" in shown and "Remove 2" in shown and (await kept.sizes()).entries == 3
    assert (await operator.get("/cache/clear?before=soon")).status == 400
    assert (await as_(at, "viewer").get("/cache/clear")).status == 403
    csrf = await operator.csrf("/cache/clear?feature=chat")
    done = await operator.post("/cache/clear", {"csrf": csrf, "feature": "chat"})
    assert done.status == 303 and (await kept.sizes()).entries == 1
    assert (await operator.post("/cache/clear", {"csrf": csrf})).status == 400
    everything = await operator.post("/cache/clear", {"csrf": csrf, "everything": "yes"})
    assert everything.status == 303 and (await kept.sizes()).entries == 0
