"""A gateway's memory from outside: looked at, removed, told wrong and filled, over HTTP, on the page, and by command."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from headgate.core.ids import parse_request_id
from tests.support.aio import aio
from tests.support.gateway import running_gateway
from tests.support.replaying import KEY, Playing, config, playing

__all__: list[str] = []

SHOP = """
[features.shop]
route = "small"
cache = { exact = "1h", scope = "feature" }
"""
QUESTION = "What is a weir?"
SERVED = """
[providers.sim]
kind = "simulated"
speed = 0
models.small = { error_rate = 0, quality = 1, price = { input = 1.0, output = 4.0 } }
[models.small]
endpoints = [{ provider = "sim", model = "small" }]
"""


async def chat(site: Playing, question: str = QUESTION, **more: Any) -> Any:
    """What came back."""
    body = {
        "model": "shop",
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        **more,
    }
    answered, _ = await site.ask(body)
    return answered


@aio
async def test_what_is_kept_is_seen_removed_and_asked_anew(tmp_path: Path) -> None:
    """A hit is counted at its entry; removed, the next one is a miss; a request may be named instead of a key."""
    async with playing(tmp_path, SHOP) as site:
        first = await chat(site)
        assert first.headers["x-cache"].startswith("MISS"), first.headers
        origin = first.headers["x-request-id"]
        second = await chat(site)
        assert second.headers["x-cache"] == "HIT (exact)"
        status, listed = await site.api("/api/cache/entries?feature=shop")
        assert status == 200
        [item] = listed["items"]
        assert (item["question"], item["origin"]) == (QUESTION, origin)
        while not item["hits"]:
            # They are written down now and then.
            await asyncio.sleep(0.1)
            [item] = (await site.api("/api/cache/entries?feature=shop"))[1]["items"]
        assert item["hits"] == 1
        shown = (await site.api(f"/api/cache/entries/{item['key']}"))[1]
        assert shown["answer"] == json.loads(first.body)["choices"][0]["message"]["content"]
        clear = {"feature": "shop", "dry_run": True}
        assert (await site.api("/api/cache/clear", clear))[1]["entries"] == 1
        assert (await chat(site)).headers["x-cache"] == "HIT (exact)"
        assert (await site.api("/api/cache/clear", clear | {"dry_run": False}))[1]["entries"] == 1
        again = await chat(site)
        assert again.headers["x-cache"].startswith("MISS")
        hit = await chat(site)
        assert hit.headers["x-headgate-cache-origin"] == again.headers["x-request-id"]
        name = hit.headers["x-request-id"]
        await site.row(parse_request_id(name))
        status, told = await site.api(f"/api/cache/entries/{name}/wrong", {})
        assert (status, told["removed"], told["learned"]) == (200, 1, False)
        assert (await chat(site)).headers["x-cache"].startswith("MISS")
        noted = (await site.api("/api/audit"))[1]["items"]
        assert {"cache.clear", "cache.wrong"} <= {each["action"] for each in noted}


@aio
async def test_figures_come_from_what_happened(tmp_path: Path) -> None:
    """Hits, money and time saved of the feature; the warmed are callers' own requests no more than copies are."""
    async with playing(tmp_path, SHOP) as site:
        for _ in range(4):
            await site.row(parse_request_id((await chat(site)).headers["x-request-id"]))
        warm = {"feature": "shop", "items": [{"question": "Another?"}], "max_usd": "1"}
        await site.api("/api/cache/warm", warm)
        status, report = await site.api("/api/cache/report?since=1h")
        assert status == 200
        total = report["total"]
        assert (total["asked"], total["hits"], total["exact"], total["hit_rate"]) == (4, 3, 3, 0.75)
        assert float(total["saved_usd"]) > 0 and report["features"][0]["feature"] == "shop"
        page = await site.client.ask("/cache", method="GET", headers={"authorization": f"Bearer {KEY}"})
        assert page.status == 200 and b"75 %" in page.body


@aio
async def test_a_warmed_question_is_a_hit(tmp_path: Path) -> None:
    """Whether it is asked whole or as a stream; asked once, paid for by the key that asked for it, and not asked again."""
    async with playing(tmp_path, SHOP) as site:
        warm = {"feature": "shop", "items": [{"question": QUESTION}], "max_usd": "0.10"}
        status, told = await site.api("/api/cache/warm", warm)
        assert status == 200, told
        [one] = told["items"]
        assert one["outcome"] == "stored", one
        assert 0 < float(told["spent_usd"]) <= float(one["most_usd"]) <= 0.10
        hit = await chat(site)
        assert hit.headers["x-cache"] == "HIT (exact)"
        assert hit.headers["x-headgate-cache-origin"] == one["request"]
        assert (await chat(site, stream=True)).headers["x-cache"] == "HIT (exact)"
        row = await site.row(parse_request_id(one["request"]))
        assert (row.purpose, row.replay_of, row.feature, row.cache) == ("warm", 0, "shop", "refreshed")
        assert row.cost_nanos is not None
        assert row.key_id and f"{row.cost_nanos / 1e9:.9f}" == told["spent_usd"]
        assert (await site.api("/api/cache/warm", warm))[1]["items"][0]["outcome"] == "fresh"
        rows = await site.rows()
        assert [each.purpose for each in rows].count("warm") == 1
        poor = warm | {"items": [{"question": "What is a lock?"}], "max_usd": "0.000001"}
        assert (await site.api("/api/cache/warm", poor))[1]["items"][0]["outcome"] == "capped"
        refused = warm | {"items": [{"question": "What day is it today?"}]}
        [outcome] = (await site.api("/api/cache/warm", refused))[1]["items"]
        assert outcome["outcome"] == "refused" and outcome["why"]


@aio
async def test_what_was_asked_most_is_asked_as_it_was(tmp_path: Path) -> None:
    """Also in another dialect, with a system prompt: letter for letter, so that the next one is a hit."""
    body = {
        "model": "shop",
        "max_tokens": 200,
        "temperature": 0,
        "system": "Be short.",
        "messages": [{"role": "user", "content": QUESTION}],
    }
    async with playing(tmp_path, SHOP) as site:
        for _ in range(3):
            answered, number = await site.ask(body, "/v1/messages", anthropic_version="2023-06-01")
            await site.row(number)
        await site.row(parse_request_id((await chat(site, "Once?")).headers["x-request-id"]))
        found = (await site.api("/api/cache/asked?feature=shop&since=1h"))[1]["items"]
        assert [each["times"] for each in found] == [3]
        await site.api("/api/cache/clear", {"everything": True, "dry_run": False})
        warm = {"feature": "shop", "items": [{"request": found[0]["request"]}], "max_usd": "0.10"}
        [one] = (await site.api("/api/cache/warm", warm))[1]["items"]
        assert one["outcome"] == "stored", one
        answered, _ = await site.ask(body, "/v1/messages", anthropic_version="2023-06-01")
        assert answered.headers["x-headgate-cache-origin"] == one["request"]


@aio
async def test_a_question_is_warmed_with_the_system_prompt_of_the_application(tmp_path: Path) -> None:
    """Else it would be another request, and its answer nobody's hit: in the dialect of the warming and in another."""
    async with playing(tmp_path, SHOP) as site:
        item = {"question": QUESTION, "system": "Be short.\nBe kind."}
        warm = {"feature": "shop", "items": [item], "max_usd": "0.10"}
        [one] = (await site.api("/api/cache/warm", warm))[1]["items"]
        assert one["outcome"] == "stored", one
        assert (await chat(site)).headers["x-cache"] == "MISS"
        asked = {
            "model": "shop",
            "temperature": 0,
            "messages": [
                {"role": "system", "content": "Be short.\nBe kind."},
                {"role": "user", "content": QUESTION},
            ],
        }
        answered, _ = await site.ask(asked, "/v1/chat/completions")
        assert answered.headers["x-headgate-cache-origin"] == one["request"]
        for wrong in (
            {"like": one["request"]},
            {"items": [{"request": one["request"], "system": "Be short."}]},
        ):
            assert (await site.api("/api/cache/warm", warm | wrong))[0] == 400


@aio
async def test_warming_keeps_answers_where_they_belong(tmp_path: Path) -> None:
    """Those of one user for that user, whoever pays for them."""
    own = SHOP.replace('"feature" }', '"user" }')
    async with playing(tmp_path, own) as site:
        warm = {"feature": "shop", "items": [{"question": QUESTION}], "max_usd": "0.10"}
        assert (await site.api("/api/cache/warm", warm))[0] == 400
        warm["items"] = [{"question": QUESTION, "user": "ann"}]
        assert (await site.api("/api/cache/warm", warm))[1]["items"][0]["outcome"] == "stored"
        assert (await chat(site)).headers["x-cache"].startswith("MISS")
        assert (await chat(site, user="bob")).headers["x-cache"].startswith("MISS")
        assert (await chat(site, user="ann")).headers["x-cache"] == "HIT (exact)"


def headgate(folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "cache", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def test_the_command_fills_shows_and_clears_without_a_gateway(tmp_path: Path) -> None:
    """What it fills is there when a gateway starts."""
    (tmp_path / "headgate.toml").write_text(config(tmp_path, SHOP))
    (tmp_path / "faq.txt").write_text(f"{QUESTION}\nHow deep is a lock?\n")
    told = json.loads(
        headgate(
            tmp_path, "warm", "-f", "shop", "--from", "faq.txt", "--max-usd", "1", "--rate", "100/s", "--json"
        )
    )
    assert told["outcomes"] == {"stored": 2} and float(told["spent_usd"]) > 0
    again = headgate(tmp_path, "warm", "-f", "shop", "--from", "faq.txt", "--max-usd", "1")
    assert "2  there already, and fresh" in again
    listed = json.loads(headgate(tmp_path, "top", "--json"))
    assert {each["question"] for each in listed} == {QUESTION, "How deep is a lock?"}
    key = listed[0]["key"]
    assert key in headgate(tmp_path, "show", key) and "answer" in headgate(
        tmp_path, "show", listed[0]["origin"]
    )
    assert "shop" in headgate(tmp_path, "stats") and "2 answers" in headgate(tmp_path, "stats")

    @aio
    async def served() -> None:
        async with playing(tmp_path, SHOP) as site:
            assert (await chat(site)).headers["x-cache"] == "HIT (exact)"

    served()
    assert "1 answer would go" in headgate(tmp_path, "clear", "--text", "lock", "--dry-run")
    assert "1 answer removed" in headgate(tmp_path, "clear", "--text", "LOCK", "--yes")
    assert "1 answer removed" in headgate(
        tmp_path,
        "wrong",
        listed[0]["origin"] if "lock" not in listed[0]["question"] else listed[1]["origin"],
        "--yes",
    )
    assert json.loads(headgate(tmp_path, "top", "--json")) == []
    headgate(tmp_path, "show", key, code=1)
    headgate(tmp_path, "show", "nonsense", code=2)
    headgate(tmp_path, "clear", "--yes", code=2)
    headgate(tmp_path, "clear", "--everything", "--feature", "shop", "--yes", code=2)
    near = headgate(tmp_path, "stats", "--feature", "shoop", code=2)
    assert "`shop`" in near


def test_the_command_has_a_running_gateway_ask_and_removals_are_seen_there(tmp_path: Path) -> None:
    """With --url; what the command removes from the database is gone from the gateway within a second or so."""
    with running_gateway(tmp_path, SERVED + SHOP) as site:
        (tmp_path / "faq.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n")
        arguments = ("warm", "-f", "shop", "--from", "faq.jsonl", "--max-usd", "1", "--url", site.url)
        headgate(tmp_path, *arguments, code=2)
        told = headgate(tmp_path, *arguments, HEADGATE_KEY=site.key)
        assert "1  fetched and kept" in told
        assert "1  there already" in headgate(tmp_path, *arguments, HEADGATE_KEY=site.key)
        (tmp_path / "prompt.txt").write_text("Be short.\n")
        prompted = (*arguments, "--system", "prompt.txt")
        assert "1  fetched and kept" in headgate(tmp_path, *prompted, HEADGATE_KEY=site.key)
        headgate(tmp_path, *prompted, "--like", "req_0akrzmj8b5g00", code=2)
        headgate(tmp_path, *arguments, HEADGATE_KEY="hg_nobody", code=1)
        poor = ("warm", "-f", "shop", "--from", "poor.txt", "--max-usd", "0.0000001", "--url", site.url)
        (tmp_path / "poor.txt").write_text("Who?\n")
        headgate(tmp_path, *poor, HEADGATE_KEY=site.key, code=3)
