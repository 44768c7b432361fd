"""One truth about memory: requests answered from it are counted alike by metrics, reports, page, rules and commands, and cost nobody."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.support.aio import aio
from tests.support.replaying import KEY, Playing, config, playing

__all__: list[str] = []

SHOP = """
[features.faq]
route = "small"
cache = { exact = "1h", scope = "feature" }

[features.held]
route = "late"
cache = { exact = "1h", scope = "feature" }

[providers.slow]
kind = "simulated"
self_hosted = false
models.slow = { like = "sim-small", error_rate = 0, quality = 1, first_token = { median = "500ms", p95 = "500ms" }, tokens_per_second = 1000, price = { input = 1.0, output = 4.0 } }

[models.late]
endpoints = [{ provider = "slow", model = "slow" }]
"""


def question(text: str, model: str = "faq", **more: Any) -> dict[str, Any]:
    return {"model": model, "temperature": 0, "messages": [{"role": "user", "content": text}], **more}


async def traffic(site: Playing) -> None:
    """Of each kind some: faq 2 misses, 3 exact, 1 bypass, 1 refreshed; held 1 miss, 4 joined. And what is nobody's own: warmed."""
    numbers = []
    for body, headers in (
        (question("When is the shop open?"), {}),
        (question("When is the shop open?"), {}),
        (question("When is the shop open?", stream=True), {}),
        (question("Is there a lift?"), {}),
        (question("Is there a lift?"), {}),
        (question("Is there a lift?"), {"cache_control": "no-cache"}),
        (question("What is the weather today?"), {}),
    ):
        numbers.append((await site.ask(body, **headers))[1])
    together = await asyncio.gather(
        *(site.ask(question("Who?", "held", stream=n % 2 == 0)) for n in range(5))
    )
    assert sorted(answered.headers["x-cache"] for answered, _ in together) == ["HIT (joined)"] * 4 + ["MISS"]
    numbers += [number for _, number in together]
    warm = {"feature": "faq", "items": [{"question": "Is there a garden?"}], "max_usd": "1"}
    _, told = await site.api("/api/cache/warm", warm)
    assert told["items"][0]["outcome"] == "stored", told
    for number in numbers:
        await site.row(number)
    while len(await site.rows()) < len(numbers) + 1:
        await asyncio.sleep(0.02)


def of_metrics(text: str) -> dict[str, tuple[int, int, float, float]]:
    """feature -> (asked, hits, USD, seconds)."""
    found: dict[str, tuple[int, int, float, float]] = {}
    for feature in ("faq", "held"):
        outcomes = {
            outcome: int(float(count))
            for outcome, count in re.findall(
                rf'headgate_cache_requests_total{{feature="{feature}",outcome="(\w+)"}} (\S+)', text
            )
        }
        hits = sum(
            count for name, count in outcomes.items() if name in ("exact", "semantic", "joined", "stale")
        )
        usd, seconds = (
            sum(
                map(
                    float,
                    re.findall(rf'headgate_cache_saved_{unit}_total{{feature="{feature}"}} (\S+)', text),
                )
            )
            for unit in ("usd", "seconds")
        )
        found[feature] = (hits + outcomes.get("miss", 0), hits, usd, seconds)
    return found


async def command(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", *arguments),
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    return said.decode()


@aio
async def test_everybody_tells_the_same_figures(tmp_path: Path) -> None:
    """/metrics, /api/cache, /api/cache/report, the page, `headgate cache stats`, `headgate cost report`, and the sum over the records: asked,
    hits, joined, money and time saved. What was passed over or fetched anew did not ask; what memory's own calls cost is told apart."""
    async with playing(tmp_path, SHOP) as site:
        await traffic(site)
        rows = [row for row in await site.rows() if not row.purpose]
        wanted = {}
        for feature in ("faq", "held"):
            of = [row for row in rows if row.feature == feature]
            given = [row for row in of if row.cache in ("exact", "joined")]
            wanted[feature] = (
                len([row for row in of if row.cache == "miss"]) + len(given),
                len(given),
                round(sum(row.avoided_nanos for row in given) / 1e9, 9),
                round(sum(row.avoided_us for row in given) / 1e6, 6),
            )
        assert [wanted["faq"][:2], wanted["held"][:2]] == [(5, 3), (5, 4)]
        assert wanted["held"][2] > 0 and all(row.avoided_nanos for row in rows if row.cache == "joined")

        headers = {"authorization": f"Bearer {KEY}"}
        metrics = (await site.client.ask("/metrics", method="GET", headers=headers)).body.decode()
        for feature, (asked, hits, usd, seconds) in of_metrics(metrics).items():
            assert (asked, hits, round(usd, 9), round(seconds, 6)) == wanted[feature]

        _, told = await site.api("/api/cache/report?since=1h")
        of_report = {
            each["feature"]: (
                each["hits"]["asked"],
                each["hits"]["hits"],
                float(each["hits"]["saved_usd"]),
                round(each["hits"]["saved_seconds"], 6),
            )
            for each in told["features"]
        }
        assert of_report == wanted
        total = told["total"]
        assert (total["asked"], total["hits"], total["exact"], total["joined"], total["semantic"]) == (
            10,
            7,
            3,
            4,
            0,
        )
        assert total["hit_rate"] == 0.7 and total["requests"] == 12
        [warmed] = [row for row in await site.rows() if row.purpose == "warm"]
        assert (told["own_requests"], told["own_usd"]) == (1, f"{(warmed.cost_nanos or 0) / 1e9:.9f}")
        assert (await site.api("/api/cache"))[1]["today"] == total

        page = (await site.client.ask("/cache", method="GET", headers=headers)).body.decode()
        assert "70 %" in page

        (tmp_path / "headgate.toml").write_text(config(tmp_path, SHOP))
        said = json.loads(await command(tmp_path, "cache", "stats", "--since", "1h", "--json"))
        assert said["total"] == total
        assert {each["feature"]: each["hits"] for each in said["features"]} == {
            each["feature"]: each["hits"] for each in told["features"]
        }
        cost = json.loads(
            await command(tmp_path, "cost", "report", "--since", "1h", "--by", "feature", "--json")
        )
        text = json.dumps(cost)
        assert f"{total['saved_usd']}" in text, text


POOR = """
[[budgets]]
name = "pocket"
per = "day"
usd = 0.0021
of = "key"

[[limits]]
name = "often"
of = "key"
requests = 6
per = "1d"

[features.faq]
route = "small"
cache = { exact = "1h", scope = "feature" }
answer_tokens = { most = 500 }
"""


@aio
async def test_money_that_is_spent_keeps_nobody_from_memory_but_a_limit_of_requests_does(
    tmp_path: Path,
) -> None:
    """Hits cost nothing, so no budget refuses them; they are requests all the same, and count for limits. The ledger adds up."""
    async with playing(tmp_path, POOR) as site:
        first, number = await site.ask(question("When is the shop open?"))
        assert (first.status, first.headers["x-cache"]) == (200, "MISS"), first.body
        await site.row(number)
        refused, _ = await site.ask(question("Is there a lift?"))
        assert refused.status == 429 and b"budget_spent" in refused.body, refused.body
        for stream in (False, True, False, True):
            hit, number = await site.ask(question("When is the shop open?", stream=stream))
            assert (hit.status, hit.headers.get("x-cache")) == (200, "HIT (exact)"), hit.body
            row = await site.row(number)
            assert (row.cost_nanos, row.attempts) == (0, 0)
        limited, _ = await site.ask(question("When is the shop open?"))
        assert limited.status == 429 and b"often" in limited.body, (limited.status, limited.body)
        (tmp_path / "headgate.toml").write_text(config(tmp_path, POOR))
        checked = json.loads(await command(tmp_path, "ledger", "check", "--json"))
        assert (checked["ok"], checked["requests"], checked["calls"]) == (True, 7, 1), checked
