"""The cache put together with what stands beside it in a gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.compose.gateway import Gateway
from headgate.config.loader import parse
from headgate.stores.answers import Selection
from headgate.testing.asgi import Caller
from tests.support.aio import aio

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///{folder}/h.db"
auth = "none"
[cache]
engine = "memory"
[providers.sim]
kind = "simulated"
[models.small]
endpoints = [{{ provider = "sim", model = "one" }}]
[features.faq]
route = "small"
cache = {{ exact = "1h" }}
timeouts = {{ total = "40s" }}
degrade = ["stale:1h"]
"""


@aio
async def test_what_is_removed_is_not_given_by_the_degrade_ladder_either(tmp_path: Path) -> None:
    """It keeps last good answers of its own: they go with the cache's."""
    gateway = Gateway(parse(CONFIG.format(folder=tmp_path), {}))
    gateway._stale.keep(b"k", b"wrong", seconds=60)
    await gateway.caching.store.remove(Selection(), dry_run=True)
    assert await gateway._stale.last(b"k") is not None
    await gateway.caching.store.remove(Selection())
    assert await gateway._stale.last(b"k") is None
    await gateway.database.close()


@aio
async def test_who_waits_for_anothers_answer_knows_how_long_the_feature_has(tmp_path: Path) -> None:
    """As the configuration says it now."""
    text = CONFIG.format(folder=tmp_path)
    gateway = Gateway(parse(text, {}))
    await gateway.apply(parse(text.replace("40s", "30s"), {}))
    total_of = gateway.caching.recall.ground.total_of
    assert total_of is not None and total_of("faq") == 30
    await gateway.database.close()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@aio
async def test_without_any_cache_only_if_cached_asks_no_model(tmp_path: Path, path: str) -> None:
    """A configuration in which no feature keeps answers has no stage for it, but the words of RFC 9111 hold all the same."""
    text = CONFIG.format(folder=tmp_path).replace('cache = { exact = "1h" }\n', "")
    gateway = Gateway(parse(text, {}))
    await gateway.start()
    asked: dict[str, Any] = {
        "model": "faq",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hello"}],
    }
    if path == "/v1/responses":
        asked = {"model": "faq", "input": "hello"}
    caller = Caller(gateway.gate)
    alone = {"cache-control": "max-stale, only-if-cached"}
    told = await caller.ask(path, json.dumps(asked).encode(), headers=alone)
    assert told.status == 504 and b"not_in_cache" in told.body and b"features.NAME.cache" in told.body
    assert (b'"type":"error"' in told.body) == (path == "/v1/messages")
    unknown = await caller.ask(path, json.dumps({**asked, "model": "nobody"}).encode(), headers=alone)
    assert unknown.status == 404
    answered = await caller.ask(path, json.dumps(asked).encode(), headers={"cache-control": "max-age=0"})
    assert answered.status == 200 and "x-cache" not in answered.headers
    await gateway.stop()
