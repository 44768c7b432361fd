"""How full the cache is and how often it is wrong, as metrics and alerts have it."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.compose.cache_watching import CacheWatch
from headgate.stores.answers import Judgement, Sizes
from headgate.stores.errors import StoreUnavailable
from headgate.telemetry.metrics import Metrics
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []


def judged(*, right: bool, source: str = "sample", weight: float = 1.0) -> Judgement:
    return Judgement(b"k" * 16, 0.9, right, 1, source, weight=weight)  # type: ignore[arg-type]


class Store:
    def __init__(self) -> None:
        self.away = False

    async def sizes(self) -> Sizes:
        if self.away:
            raise StoreUnavailable("gone")
        return Sizes(entries=3, bytes=500, most_bytes=1000, evicted=7)

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]:
        return [judged(right=feature == "chat")] if feature != "new" else []


@aio
async def test_what_it_saw_is_shown_until_it_sees_something_else() -> None:
    """A store that is away makes no figure 0."""
    metrics, store = Metrics(), Store()
    watch = CacheWatch(
        store, FakeClock(), metrics, any_feature=lambda: True, semantic=lambda: ("chat", "faq", "new")
    )
    await watch.look()
    store.away = True
    await watch.look()
    text = metrics.text().decode()
    for line in (
        "headgate_cache_entries 3",
        "headgate_cache_bytes 500",
        "headgate_cache_evicted_total 7",
        'headgate_cache_wrong_share{feature="chat"} 0.0',
        'headgate_cache_wrong_share{feature="faq"} 1.0',
    ):
        assert line in text
    assert 'feature="new"' not in text
    assert watch.most_wrong == 1.0


@aio
async def test_nobody_is_asked_where_no_feature_has_a_cache() -> None:
    """Who configures none pays nothing."""
    watch = CacheWatch(Store(), FakeClock(), Metrics(), any_feature=dict, semantic=lambda: ("chat",))
    await watch.look()
    assert watch.sizes.entries == 0 and watch.wrong == {}
