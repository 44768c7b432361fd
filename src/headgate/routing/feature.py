"""What a feature says about where its requests go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.routing.constraints import Requirement
from headgate.routing.difficulty.port import Grader, Tier
from headgate.routing.outcomes import Learner

__all__ = ["Feature"]


@dataclass(frozen=True, slots=True)
class Feature:
    """As written in the configuration, names of models still as names."""

    models: tuple[str, ...]
    """The route's model (by difficulty: the one for requests in between), then the fallbacks."""
    tiers: Mapping[Tier, str] = field(default_factory=dict)
    """The model of each tier, all three; empty: the route does not go by difficulty."""
    grader: Grader | None = None
    learner: Learner | None = None
    """Who learns from what became of its answers."""
    confidence: float = 0.0
    reserves: tuple[str, ...] = ()
    """Models of the degrade ladder."""
    rule: Requirement | None = None
    sensitive: bool = False
