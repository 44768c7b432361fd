"""What may be answered from memory, to whom, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from headgate.core.section import Duration, Section, Size

__all__ = ["CacheSettings", "FeatureCacheSettings", "Reason", "Sharing"]

Sharing = Literal["user", "team", "feature"]
Reason = Literal["time", "dates", "prices", "names", "ids", "personal", "tools"]
"""Why a request is not answered from memory: it asks about now, names a date, a price, a person or a number of something, is about
somebody's personal data, or may call tools."""


class FeatureCacheSettings(Section, frozen=True):
    """Which of a feature's answers are given again. A tenant's answers never leave the tenant, whatever is said here, and system
    prompt, earlier messages, tools, format and sampling always have to be equal."""

    exact: Duration | None = None
    """How long an answer is given again to the same request. Left out: not at all."""
    semantic: Annotated[float, msgspec.Meta(gt=0, le=1)] | Literal["adaptive"] | None = None
    """How sure it must be (0 to 1) that a question in other words asks the same, for its answer to be given. `adaptive`: each entry learns it
    from answers that are asked for again, so that at most `most_wrong` of the hits are wrong. Left out: words must be equal.
    Needs `exact`, which says for how long."""
    most_wrong: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.01
    """The share of semantic hits that may be wrong, which `adaptive` keeps to."""
    shadow: bool = False
    """Give no semantic answers yet; only measure which would have been given, and by a sample how many were wrong."""
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    """The share of semantic hits whose question is asked all the same, to learn whether the hit was right. Costs what those calls cost."""
    scope: Sharing = "user"
    """Who shares answers: one end user (without one, one key), one team, or all callers of the feature within a tenant. Answers with
    personal data are never shared beyond their user."""
    when: Literal["deterministic", "always"] = "deterministic"
    """deterministic: only requests with temperature 0. always: others too, which then get one and the same answer."""
    let: list[Reason] = msgspec.field(default_factory=list)
    """Requests that are otherwise not answered from memory: `time` (now, today, latest), `dates`, `prices`, `names` (of persons), `ids` (of orders, accounts),
    `personal` (addresses, cards), `tools`. Name those that do no harm here."""
    stale: Duration = Duration(0)
    """How long after its time an answer is still given, while a new one is fetched in the background."""
    if_error: Duration = Duration(0)
    """How long after its time an answer is still given if no model answers."""
    refresh: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """An answer that is asked for often is fetched anew when this share of its time is left, before anybody has to wait. 0: never."""
    pace: Literal["instant", "natural"] = "instant"
    """How an answer from memory is streamed: at once, or as fast as a model writes."""
    join: bool = True
    """Identical requests under way share one call."""


class CacheSettings(Section, frozen=True):
    """Where answers are kept that may be given again. Which ones, each feature says: `features.NAME.cache`."""

    enabled: bool = True
    """Off: nothing is read from memory and nothing kept, whatever features say."""
    engine: Literal["auto", "memory", "database", "redis"] = "auto"
    """auto: Redis if there is one, else the database. memory: this process alone, gone when it ends."""
    memory: Size = Size(64_000_000)
    """The most that one process keeps at hand."""
    disk: Size = Size(1_000_000_000)
    """The most that the database or Redis keeps for all: who was not asked for longest goes first."""
    longest: Duration = Duration(7 * 86_400)
    """The longest any answer is kept, whatever features or callers say."""
    slow: Duration = Duration(0.020)
    """A cache that takes longer to answer is passed over for that request."""
    embed: str = "local"
    """What tells similar questions: `local` (the extra `[embed]`), or an embeddings model as `provider/model` or a name of `[models]`."""
