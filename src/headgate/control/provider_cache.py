"""What providers' own prompt caches were used for, and what that saved, by feature and model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.stores.rollups import RollupStore, Scope

__all__ = ["ProviderCache", "provider_cache"]


class ProviderCache(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one feature and model."""

    feature: str = ""
    model: str = ""
    prompt_tokens: int = 0
    """All that went in, from the cache or not."""
    read_tokens: int = 0
    written_tokens: int = 0
    saved_nanos: int = 0
    """By reading."""
    extra_nanos: int = 0
    """By writing, on top."""

    @property
    def net_nanos(self) -> int:
        """Saved, all in all; less than 0 where more was written than came back."""
        return self.saved_nanos - self.extra_nanos

    @property
    def share(self) -> float | None:
        """How much of what went in came from the cache."""
        return self.read_tokens / self.prompt_tokens if self.prompt_tokens else None


async def provider_cache(rollups: RollupStore, since: int, until: int) -> Sequence[ProviderCache]:
    """Where anything was read or written, what saved most first; copies of our own are in it, for they were paid for too. Seconds since
    1970 UTC. Raises StoreUnavailable."""
    rows = await rollups.rolled(Scope(since, until, purpose=None), by=("feature", "model"))
    found = [
        ProviderCache(
            feature=row.group[0],
            model=row.group[1],
            prompt_tokens=row.input_tokens + row.cache_read_tokens + row.cache_write_tokens,
            read_tokens=row.cache_read_tokens,
            written_tokens=row.cache_write_tokens,
            saved_nanos=row.cache_read_saved_nanos,
            extra_nanos=row.cache_write_extra_nanos,
        )
        for row in rows
        if row.cache_read_tokens or row.cache_write_tokens
    ]
    return sorted(found, key=lambda one: (-one.net_nanos, -one.read_tokens, one.feature, one.model))
