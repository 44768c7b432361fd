"""What a feature promises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from headgate.core.section import Duration, Section

__all__ = ["PERCENTILES", "ContractSettings", "Promise", "PromiseKind", "promises"]

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
PERCENTILES = (50, 95, 99)
PromiseKind = Literal["availability", "first_token", "latency", "cost", "quality"]
_UNIT = {"first_token": 1e6, "latency": 1e6, "cost": 1e9}
_DAY = 86_400.0
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that is promised: that of so many requests this part is good."""

    name: str
    """As it is written: `availability`, `latency_p95`, `quality.thumbs`."""
    kind: PromiseKind
    objective: float
    """The part that must be good, above 0 and below 1; of a score that is no part of 1: the least mean."""
    limit: float = 0.0
    """What a good one does not exceed: seconds, or USD."""
    score: str = ""
    """The score's name."""

    @property
    def sketch(self) -> str:
        """Of what it is measured; "" if of how requests ended."""
        return {"first_token": "first_content_us", "latency": "total_us", "cost": "cost_nanos"}.get(
            self.kind, ""
        )

    @property
    def sketch_limit(self) -> float:
        """`limit` in the sketch's unit."""
        return self.limit * _UNIT.get(self.kind, 1.0)

    @property
    def allowed(self) -> float:
        """The part that may be bad; 0: it has no budget of errors."""
        return 1 - self.objective if self.objective < 1 else 0.0


class ContractSettings(Section, frozen=True):
    """What a feature promises. It is measured all the time; somebody is told when a promise is at risk or broken."""

    availability: Share | None = None
    """The part of requests that is answered, such as 0.999. The caller's own mistakes, and callers who left, do not count."""
    degraded: Literal["bad", "good"] = "bad"
    """Is an answer of the degrade ladder one? bad: no, the feature did not do what it is for. good: yes."""
    first_token_p50: Duration | None = None
    """Half of the streams begin within this time."""
    first_token_p95: Duration | None = None
    """95 of 100 streams begin within this time."""
    first_token_p99: Duration | None = None
    """99 of 100 streams begin within this time."""
    latency_p50: Duration | None = None
    """Half of the answers are complete within this time."""
    latency_p95: Duration | None = None
    """95 of 100 answers are complete within this time."""
    latency_p99: Duration | None = None
    """99 of 100 answers are complete within this time."""
    cost_p50: Decimal | None = None
    """Half of the answers cost no more, in USD."""
    cost_p95: Decimal | None = None
    """95 of 100 answers cost no more, in USD."""
    cost_p99: Decimal | None = None
    """99 of 100 answers cost no more, in USD."""
    quality: dict[str, float] = msgspec.field(default_factory=dict)
    """Least means by the names of scores: `{ thumbs = 0.8 }`; yes is 1, no is 0."""
    window: Duration = Duration(30 * _DAY)
    """The time over which it is kept, `1h` to `90d`: the last so long, at any moment."""
    least: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = 100
    """Of fewer requests (or scores) than these in the window nothing is said: there is not enough data."""

    def __post_init__(self) -> None:
        if not promises(self):
            raise ValueError("promises nothing: set `availability`, `latency_p95`, `cost_p95`, `quality` ...")
        if not 3600 <= self.window <= 90 * _DAY or self.window % 3600:
            raise ValueError("`window` is whole hours, `1h` to `90d`")
        for kind in ("first_token", "latency", "cost"):
            _check_order(self, kind)
        for name, least in self.quality.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f'`quality`: "{name[:70]}" is no name of a score')
            if not 0 < least < 1e9:
                raise ValueError(f"`quality.{name}` is a mean that can be missed: above 0")


def promises(contract: ContractSettings) -> Sequence[Promise]:
    """One by one, in the order of the settings."""
    return list(_promises(contract))


def _promises(contract: ContractSettings) -> Iterator[Promise]:
    if contract.availability is not None:
        yield Promise("availability", "availability", contract.availability)
    kinds: tuple[PromiseKind, ...] = ("first_token", "latency", "cost")
    for kind in kinds:
        for percentile in PERCENTILES:
            name = f"{kind}_p{percentile}"
            if (limit := getattr(contract, name)) is not None:
                yield Promise(name, kind, percentile / 100, limit=float(limit))
    for score, least in contract.quality.items():
        yield Promise(f"quality.{score}", "quality", least, score=score)


def _check_order(contract: ContractSettings, kind: str) -> None:
    names = [f"{kind}_p{percentile}" for percentile in PERCENTILES]
    given = [(name, float(limit)) for name in names if (limit := getattr(contract, name)) is not None]
    for name, limit in given:
        if not 0 < limit < 1e9:
            raise ValueError(f"`{name}` must be more than 0: nothing takes or costs nothing")
    for (first, low), (second, high) in pairwise(given):
        if low > high:
            raise ValueError(f"`{first}` is more than `{second}`: the more requests, the longer it may take")
