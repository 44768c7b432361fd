"""The cache put together with what stands beside it in a gateway."""

from __future__ import annotations

from pathlib import Path

from headgate.compose.gateway import Gateway
from headgate.config.loader import parse
from headgate.stores.answers import Selection
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
