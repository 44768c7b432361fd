"""A memory with answers in it, for whoever looks at it from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import msgspec

from headgate.cache.settings import CacheSettings, FeatureCacheSettings
from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.exchange import Exchange
from headgate.stores.answers import AnswerStore, CacheEntry
from headgate.stores.backends.memory.answers import MemoryAnswers
from tests.support.operating import configuration

__all__ = ["Remembers", "answer", "cached_configuration", "entry_about", "key_for"]

_HOUR = 3_600_000_000_000


def answer(text: str) -> bytes:
    """As it is kept."""
    return msgspec.json.encode(Answer(model="small-1", choices=[Choice(parts=[Text(text)])]))


def key_for(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def entry_about(question: str, says: str = "Yes.", **instead: Any) -> CacheEntry:
    """An answer that is an hour fresh, two hours kept. instead: other fields."""
    now = time.time_ns()
    fields: dict[str, Any] = {
        "key": key_for(question),
        "compat": b"c" * 16,
        "tenant": "",
        "feature": "chat",
        "scope": "feature",
        "owner": "",
        "user": "",
        "operation": "chat",
        "model": "small",
        "reported_model": "small-1",
        "prompt": "",
        "tags": {},
        "question": question,
        "answer": answer(says),
        "origin_id": 7 << 22,
        "made_ns": now,
        "fresh_ns": now + _HOUR,
        "until_ns": now + 2 * _HOUR,
        "cost_nanos": 2_000_000,
        "took_us": 1_500_000,
    }
    return CacheEntry(**(fields | instead))


class Remembers:
    """Fulfils `control.cache.warming.Memory`."""

    def __init__(
        self, *entries: CacheEntry, key: Callable[[Exchange], tuple[bytes, str]] | None = None
    ) -> None:
        self.kept = MemoryAnswers(10_000_000)
        for entry in entries:
            self.kept.put(entry)
        self._key = key

    @property
    def answers(self) -> AnswerStore:
        return self.kept

    async def key_of(self, exchange: Exchange) -> tuple[bytes, str]:
        """That of the body, unless something else was said."""
        return self._key(exchange) if self._key is not None else (key_for(exchange.body.decode()), "")


def cached_configuration(
    features: Mapping[str, FeatureCacheSettings | None], cache: CacheSettings | None = None
) -> Callable[[], Any]:
    """For a desk: these features have these caches."""
    found = configuration()
    usual = found.settings.features["chat"]
    found.settings.features = {
        name: SimpleNamespace(**{**vars(usual), "cache": settings}) for name, settings in features.items()
    }
    found.settings.cache = cache or CacheSettings()
    return lambda: found
