"""What a gateway writes down of requests that it answered from memory, and what reports, replays and judgements make of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from headgate.control.costs.report import report
from headgate.control.costs.whatif import Comparison, Target, whatif
from headgate.control.exporting import exported
from headgate.control.replays import find, replay
from headgate.core.ids import request_id_text
from headgate.providers.catalog.rates import Rates, Step
from headgate.quality.replay.changing import Changes
from headgate.stores.backends.sqlite import SqliteRollups
from headgate.stores.rollups import Scope
from headgate.stores.spans import RequestRow
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.replaying import ME, Playing, playing

__all__: list[str] = []

MORE = """
[features.faq]
route = "small"
cache = { exact = "1h", scope = "feature" }

[features.tried]
route = "small"
cache = { exact = "1h", scope = "feature" }
shadow = { model = "large", share = 1.0 }
"""
DEAR = Rates((Step(*[10**12] * 6),))
QUESTION = "When is the shop open?"


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Playing]:
    async with playing(folder, MORE) as site:
        yield site


async def asked(site: Playing, text: str = QUESTION, **more: Any) -> RequestRow:
    return await site.chat(text, "faq", temperature=0, **more)


@aio
async def test_a_hit_names_whose_answer_it_was_and_what_that_saved(tmp_path: Path) -> None:
    """In the record, over the API, whole and streamed; the first one knows how often its answer was given again."""
    async with shop(tmp_path) as site:
        first = await asked(site)
        second, third = await asked(site), await asked(site, stream=True)
        assert (first.cache, first.origin_id, first.attempts) == ("miss", 0, 1)
        for row in (second, third):
            assert (row.cache, row.origin_id, row.attempts, row.outcome) == ("exact", first.id, 0, "ok")
            assert (row.cost_nanos, row.avoided_nanos, row.routed_model) == (0, first.cost_nanos, "small")
            assert row.avoided_us <= first.total_us
        assert third.first_content_us > 0 and third.overhead_us <= third.total_us
        status, told = await site.api(f"/api/requests/{request_id_text(second.id)}")
        assert status == 200
        assert (told["request"]["cache"], told["request"]["origin"]) == ("exact", request_id_text(first.id))
        assert Decimal(told["request"]["saved_usd"]) * 10**9 == first.cost_nanos
        assert [lane["name"] for lane in told["waterfall"]] == ["request", "memory"]
        assert told["reply_text"]
        _, origin = await site.api(f"/api/requests/{request_id_text(first.id)}")
        assert origin["given_again_count"] == 2
        assert {each["id"] for each in origin["given_again"]} == {
            request_id_text(r.id) for r in (second, third)
        }
        for query, wanted in (
            ("cache=exact", {second.id, third.id}),
            ("cached=yes", {second.id, third.id}),
            ("cached=no", {first.id}),
            (f"given_from={request_id_text(first.id)}", {second.id, third.id}),
            ("cache=bypass", set()),
        ):
            _, page = await site.api(f"/api/requests?{query}")
            assert {each["id"] for each in page["items"]} == {request_id_text(each) for each in wanted}, query


@aio
async def test_reports_count_hits_as_requests_that_cost_nothing(tmp_path: Path) -> None:
    """And what was avoided beside them; what another model would have cost does not price them."""
    async with shop(tmp_path) as site:
        first = await asked(site)
        await asked(site)
        await asked(site)
        found = await report(site.gateway.spans, ["feature"], Which())
        assert (found.total.requests, found.total.attempts) == (3, 1)
        assert (found.total.cost_nanos, found.total.avoided_nanos) == (
            first.cost_nanos,
            2 * (first.cost_nanos or 0),
        )
        target = Target("dear", lambda _: DEAR)
        compared = await whatif(site.gateway.spans, Comparison(target), Which())
        assert (compared.total.requests, compared.total.attempts) == (1, 1)
        assert not compared.left_out
        _, spending = await site.api("/api/costs?by=feature")
        assert spending["total"]["requests"] == 3
        rollups = SqliteRollups(site.gateway.database)  # type: ignore[arg-type]
        rows = await rollups.rolled(Scope(0, 2**40), by=("model", "provider"))
        counts = {row.group: (row.requests, row.cached, row.cacheable) for row in rows}
        assert counts == {("small", "sim"): (1, 0, 1), ("cache", "cache"): (2, 2, 2)}


@aio
async def test_a_replay_of_a_hit_asks_the_model_anew(tmp_path: Path) -> None:
    """It is made to learn what the model says; nothing of it is read from memory, and nothing kept."""
    async with shop(tmp_path) as site:
        await asked(site)
        hit = await asked(site)
        store, sending = site.gateway.spans, site.gateway.replaying
        done = await replay(store, sending, await find(store, hit.id), Changes(), ME)
        assert (hit.attempts, done.replay.attempts, done.replay.cache) == (0, 1, "")
        assert (done.replay.purpose, done.replay.replay_of) == ("replay", hit.id)
        changed = await replay(
            store, sending, await find(store, hit.id), Changes(system="Say it in rhyme."), ME
        )
        assert changed.replay.attempts == 1
        # What the replay was answered is nobody else's answer.
        again = await site.ask(
            {
                "model": "faq",
                "temperature": 0,
                "messages": [
                    {"role": "system", "content": "Say it in rhyme."},
                    {"role": "user", "content": QUESTION},
                ],
            }
        )
        assert (await site.row(again[1])).cache == "miss"


@aio
async def test_shadow_copies_are_never_answered_from_memory(tmp_path: Path) -> None:
    """They are made to compare models; and what they are answered is given to nobody."""
    async with shop(tmp_path) as site:
        first, second = [
            await site.chat(QUESTION, "tried", temperature=0, max_tokens=tokens) for tokens in (500, 600)
        ]
        hit = await site.chat(QUESTION, "tried", temperature=0, max_tokens=500)
        assert (first.cache, second.cache, hit.cache) == ("miss", "miss", "exact")
        copies: list[RequestRow] = []
        while len(copies) < 2:
            copies = [row for row in await site.rows() if row.purpose == "shadow"]
            await asyncio.sleep(0.02)
        assert [(row.cache, row.attempts, row.routed_model) for row in copies] == [("", 1, "large")] * 2
        again = await site.chat(QUESTION, "large", temperature=0, max_tokens=500)
        assert (again.cache, again.attempts) == ("", 1)


@aio
async def test_an_export_says_whose_answer_it_was(tmp_path: Path) -> None:
    """In the form that stays: ids as callers see them, money as decimal numbers; variables with contents alone."""
    async with shop(tmp_path) as site:
        body = {"model": "faq", "temperature": 0, "messages": [{"role": "user", "content": QUESTION}]}
        said = {"x_headgate_variables": json.dumps({"name": "Zoë"})}
        origin, hit = [await site.row((await site.ask(body, **said))[1]) for _ in range(2)]
        for content in (True, False):
            told = (await exported(site.gateway.spans, hit, content=content)).request
            assert (told["cache"], told["origin_id"]) == ("exact", request_id_text(origin.id))
            assert Decimal(told["avoided_usd"]) * 10**9 == origin.cost_nanos
            assert told["variables"] == ({"name": "Zoë"} if content else {})
        assert (await exported(site.gateway.spans, origin, content=False)).request["origin_id"] == ""


@aio
async def test_prompts_that_live_in_the_application_are_on_record(tmp_path: Path) -> None:
    """Their version and what they were filled with; another version has another answer. They are content."""
    async with shop(tmp_path) as site:
        body = {"model": "faq", "temperature": 0, "messages": [{"role": "user", "content": QUESTION}]}
        said = {"x_headgate_prompt": "greeting@7", "x_headgate_variables": json.dumps({"name": "Zoë"})}
        row = await site.row((await site.ask(body, **said))[1])
        assert (row.prompt, json.loads(row.variables)) == ("greeting@7", {"name": "Zoë"})
        other = await site.row((await site.ask(body, x_headgate_prompt="greeting@8"))[1])
        same = await site.row((await site.ask(body, x_headgate_prompt="greeting@7"))[1])
        assert (other.cache, other.prompt, other.variables) == ("miss", "greeting@8", "")
        assert same.prompt == "greeting@7" and same.cache in ("miss", "exact")
        _, told = await site.api(f"/api/requests/{request_id_text(row.id)}")
        assert told["variables"] == {"name": "Zoë"}
        _, page = await site.api("/api/requests?prompt=greeting@7")
        assert request_id_text(row.id) in {each["id"] for each in page["items"]}
        answered, _ = await site.ask(body, x_headgate_variables="{")
        assert answered.status == 400
        assert json.loads(answered.body)["error"]["param"] == "x-headgate-variables"
