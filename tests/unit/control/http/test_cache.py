"""`/api/cache`: figures for whoever sees the dashboard, contents for whoever may read them, changes for whoever runs the gateway."""

from __future__ import annotations

import time
from typing import Any

from headgate.cache.settings import FeatureCacheSettings
from headgate.core.ids import request_id_text
from headgate.core.section import Duration
from headgate.stores.answers import Judgement
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from tests.support.aio import aio
from tests.support.operating import Operating
from tests.support.remembering import Remembers, cached_configuration, entry_about, key_for

__all__: list[str] = []

SHARED = FeatureCacheSettings(exact=Duration(3600), semantic=0.9, scope="feature")
NOW = time.time()


def operating(*entries: Any, settings: FeatureCacheSettings = SHARED, **instead: Any) -> Operating:
    return Operating(
        memory=Remembers(*entries),
        configuration=cached_configuration({"chat": settings, "plain": None}),
        **instead,
    )


def recorded(at: Operating, row: RequestRow, *contents: Content) -> None:
    batch = Batch(journal="j", position=Position(1, row.id), requests=[row], attempts=(), contents=contents)
    at.spans.write(batch)


@aio
async def test_an_installation_without_a_cache_says_so() -> None:
    """Looking is no error; changing what is not there is told, with what to do."""
    at = Operating()
    shown = (await at.ask("GET", "/api/cache")).json
    assert shown["entries"] == 0 and shown["features"] == [] and shown["today"]["hit_rate"] is None
    assert (await at.ask("GET", "/api/cache/entries")).json["items"] == []
    assert (await at.ask("GET", "/api/cache/report")).json["features"] == []
    refused = await at.ask("POST", "/api/cache/clear", {"dry_run": True, "everything": True})
    assert (refused.status, refused.code) == (409, "conflict") and "exact" in refused.json["detail"]
    warm = {"feature": "chat", "items": [{"question": "a"}], "max_usd": "1"}
    assert (await at.ask("POST", "/api/cache/warm", warm)).status == 409
    near = await at.ask("POST", "/api/cache/warm", warm | {"feature": "chta"})
    assert near.status == 404 and "`chat`" in near.json["detail"]


@aio
async def test_figures_add_up_by_kind_and_by_feature() -> None:
    """The rate is of requests that memory was asked for; what memory's own calls cost is told apart."""
    at = operating(entry_about("a"))
    happened = {"cacheable": 60, "cached": 30, "reworded": 8, "joined": 2, "avoided_nanos": 5_000_000_000}
    at.rollups.happen(int(NOW) - 60, 80, feature="chat", sums=happened | {"avoided_us": 90_000_000})
    at.rollups.happen(int(NOW) - 60, 9, feature="plain")
    at.rollups.happen(int(NOW) - 60, 3, feature="chat", purpose="warm", sums={"cost_nanos": 7_000_000})
    report = (await at.ask("GET", "/api/cache/report?since=1d", key="viewer")).json
    total = report["total"]
    assert (total["requests"], total["asked"], total["hits"]) == (89, 60, 30)
    assert (total["exact"], total["semantic"], total["joined"]) == (20, 8, 2)
    assert (total["hit_rate"], total["saved_usd"], total["saved_seconds"]) == (0.5, "5.000000000", 90.0)
    assert (report["own_usd"], report["own_requests"]) == ("0.007000000", 3)
    assert [each["feature"] for each in report["features"]] == ["chat"]
    assert (await at.ask("GET", "/api/cache/report?feature=chaat")).status == 404
    today = (await at.ask("GET", "/api/cache")).json
    assert today["entries"] == 1 and today["today"]["hits"] == 30
    assert today["features"][0]["semantic"] == 0.9 and today["features"][0]["exact_seconds"] == 3600


@aio
async def test_how_often_it_is_wrong_rests_on_samples_of_what_was_given() -> None:
    """A sample of one in twenty speaks for twenty; what people tell is counted beside it, for nobody tells of what was right."""
    at = operating()
    kept = at.desk.memory.answers
    assert kept is not None
    now = time.time_ns()

    def judged(score: float, *, right: bool, source: Any = "sample", weight: float = 20.0) -> Judgement:
        return Judgement(b"k" * 16, score, right, now, source, feature="chat", weight=weight)

    await kept.judge([judged(0.95, right=True) for _ in range(49)])
    await kept.judge([judged(0.95, right=False), judged(0.5, right=False, source="near", weight=1.0)])
    await kept.judge([judged(0.99, right=False, source="person", weight=1.0)])
    [chat] = (await at.ask("GET", "/api/cache/report")).json["features"]
    assert (chat["wrong"]["sampled"], chat["wrong"]["wrong"], chat["wrong"]["told"]) == (50, 1, 1)
    assert chat["wrong"]["share"] == 0.02 and 0 < chat["wrong"]["low"] < 0.02 < chat["wrong"]["high"] < 0.12
    assert chat["near"]["sampled"] == 51


@aio
async def test_in_shadow_mode_it_is_told_how_often_it_would_have_been_wrong() -> None:
    """What would have been given counts, what was not sure enough does not; and no hit was wrong, for there was none."""
    shadow = FeatureCacheSettings(exact=Duration(3600), semantic="adaptive", shadow=True, scope="feature")
    at = operating(settings=shadow)
    kept = at.desk.memory.answers
    assert kept is not None
    now = time.time_ns()
    sources: tuple[Any, ...] = ("shadow", "shadow", "shadow", "shadow", "near", "near")
    await kept.judge(
        [
            Judgement(b"k" * 16, 0.9, place > 0, now, source, feature="chat")
            for place, source in enumerate(sources)
        ]
    )
    report = (await at.ask("GET", "/api/cache/report")).json
    [chat] = report["features"]
    assert (chat["shadow"], chat["wrong"]["sampled"], chat["wrong"]["share"]) == (True, 4, 0.25)
    assert (chat["near"]["sampled"], chat["wrong"]["told"]) == (6, 0)
    assert (report["wrong"]["sampled"], report["wrong"]["share"]) == (0, None)


@aio
async def test_questions_and_answers_are_told_to_whoever_may_read_them() -> None:
    """As traces tell them; also looking for a text would tell what stands there."""
    at = operating(entry_about("What is a weir?", "A low dam."))
    key = key_for("What is a weir?").hex()
    for role, may in (("owner", True), ("reviewer", True), ("operator", False), ("viewer", False)):
        [item] = (await at.ask("GET", "/api/cache/entries", key=role)).json["items"]
        assert item["question"] == ("What is a weir?" if may else "") and item["key"] == key
        shown = (await at.ask("GET", f"/api/cache/entries/{key}", key=role)).json
        assert shown["answer"] == ("A low dam." if may else "")
        assert (await at.ask("GET", "/api/cache/entries?text=weir", key=role)).status == (200 if may else 403)
    assert (await at.ask("GET", "/api/cache/entries", key="service")).status == 403
    clear = {"dry_run": True, "text": "weir"}
    assert (await at.ask("POST", "/api/cache/clear", clear, key="operator")).status == 403
    assert (await at.ask("POST", "/api/cache/clear", clear, key="owner")).json["entries"] == 1


@aio
async def test_entries_are_looked_through_page_by_page() -> None:
    """Each is told once; a key that is none, or of nothing, is not found."""
    at = operating(*(entry_about(f"question {number}", prompt=f"p@{number % 2}") for number in range(7)))
    seen, cursor = [], ""
    while True:
        told = (await at.ask("GET", f"/api/cache/entries?limit=3&order=newest&cursor={cursor}")).json
        seen += [each["question"] for each in told["items"]]
        cursor = told["next"]
        if cursor is None:
            break
    assert sorted(seen) == [f"question {number}" for number in range(7)]
    assert len((await at.ask("GET", "/api/cache/entries?prompt=p@1")).json["items"]) == 3
    assert (await at.ask("GET", "/api/cache/entries?cursor=xyz")).status == 400
    for missing in ("zz", "0" * 32):
        assert (await at.ask("GET", f"/api/cache/entries/{missing}")).status == 404


@aio
async def test_clearing_is_tried_out_first_and_noted() -> None:
    """What is not said removes nothing, `everything` has to be said; the log has the deed without the words that were looked for."""
    at = operating(*(entry_about(f"q{number}", feature="chat" if number else "plain") for number in range(4)))
    kept = at.desk.memory.answers
    assert kept is not None
    for body in (
        {"dry_run": False},
        {"dry_run": False, "everything": True, "feature": "chat"},
        {"feature": "chat"},
    ):
        assert (await at.ask("POST", "/api/cache/clear", body)).status == 400
    tried = (await at.ask("POST", "/api/cache/clear", {"dry_run": True, "feature": "chat"})).json
    assert (tried["entries"], tried["dry_run"], len(tried["some"])) == (3, True, 3)
    assert (await kept.sizes()).entries == 4 and await at.audit.since(0, 9) == []
    done = (
        await at.ask("POST", "/api/cache/clear", {"dry_run": False, "feature": "chat"}, key="operator")
    ).json
    assert done["entries"] == 3 and (await kept.sizes()).entries == 1
    gone = await at.ask("POST", "/api/cache/clear", {"dry_run": False, "user": "u-4711"})
    assert gone.json["entries"] == 0
    first, second = await at.audit.since(0, 9)
    assert (first.action, first.subject, first.actor) == ("cache.clear", "chat", "api:key_operator")
    assert '"entries":3' in first.after and "u-4711" not in second.before
    everything = (await at.ask("POST", "/api/cache/clear", {"dry_run": False, "everything": True})).json
    assert everything["entries"] == 1
    assert (
        await at.ask("POST", "/api/cache/clear", {"dry_run": True, "everything": True}, key="viewer")
    ).status == 403


@aio
async def test_a_wrong_answer_to_other_words_is_removed_and_taught() -> None:
    """How similar it was counted as is learned, with the question; the entry is gone."""
    entry = entry_about("Is the lock open on Sunday?", "Yes.")
    at = operating(entry)
    row = RequestRow(
        9 << 22,
        time.time_ns(),
        "t",
        feature="chat",
        cache="semantic",
        origin_id=entry.origin_id,
        similarity=930_000,
        request_content="h",
    )
    body = b'{"messages": [{"role": "user", "content": "Is the lock open on Monday?"}]}'
    recorded(at, row, Content(hash="h", kind="openai.chat", data=body, size=len(body)))
    key, name = entry.key.hex(), request_id_text(row.id)
    refused = await at.ask("POST", f"/api/cache/entries/{key}/wrong", {"request": name}, key="viewer")
    assert refused.status == 403
    told = (await at.ask("POST", f"/api/cache/entries/{key}/wrong", {"request": name}, key="reviewer")).json
    assert told == {"removed": 1, "keys": [key], "learned": True}
    kept = at.desk.memory.answers
    assert kept is not None and kept.at_hand(entry.key) is None
    [lesson] = await kept.judged("chat", 0, 10)
    assert (lesson.score, lesson.right, lesson.source) == (0.93, False, "person")
    assert lesson.question == "Is the lock open on Monday?" and lesson.request_id == row.id
    [noted] = await at.audit.since(0, 9)
    assert noted.action == "cache.wrong" and noted.subject == key and "Monday" not in noted.after
    again = await at.ask("POST", f"/api/cache/entries/{key}/wrong", {"request": name})
    assert again.status == 404


@aio
async def test_a_wrong_answer_to_the_same_words_is_only_removed() -> None:
    """Then the answer is wrong, and nothing is wrong with how similar is similar enough. A request may be named instead of a key."""
    entry = entry_about("How deep?", "3 m")
    at = operating(entry)
    hit = RequestRow(9 << 22, time.time_ns(), "t", feature="chat", cache="exact", origin_id=entry.origin_id)
    other = RequestRow(11 << 22, time.time_ns(), "t", feature="chat", cache="exact", origin_id=5 << 22)
    recorded(at, hit)
    recorded(at, other)
    key = entry.key.hex()
    strange = {"request": request_id_text(other.id)}
    assert (await at.ask("POST", f"/api/cache/entries/{key}/wrong", strange)).status == 404
    told = (await at.ask("POST", f"/api/cache/entries/{request_id_text(hit.id)}/wrong", {})).json
    assert told == {"removed": 1, "keys": [key], "learned": False}
    kept = at.desk.memory.answers
    assert kept is not None and await kept.judged(None, 0, 10) == []
    assert (await at.ask("POST", "/api/cache/entries/req_0000000000000/wrong", {})).status == 404
