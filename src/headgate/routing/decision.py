"""What was decided for one request, and why: the stage acts on it, the record keeps it, `headgate route` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headgate.providers.port import Endpoint
from headgate.routing.constraints import Dropped, Requirement, not_asked
from headgate.routing.difficulty.port import Grade, Question, Tier
from headgate.routing.pool import Pool

__all__ = ["Decision"]

_LONGEST_NOTE = 500
_MOST_NAMED = 4


@dataclass(slots=True)
class Decision:
    """Filled by `deciding.decide`, step by step."""

    asked: str
    """The requested name."""
    feature: str = ""
    model: str = ""
    """The model of our configuration that serves."""
    tier: Tier | None = None
    tier_by: str = ""
    """Why this tier, in words."""
    grade: Grade | None = None
    """What the grader said, if it was asked."""
    question: Question | None = None
    """What it was asked about."""
    policy: str = ""
    """The rule of use that applied."""
    rules: Sequence[Requirement] = ()
    sensitive: bool | None = None
    """None: no rule wanted to know."""
    pools: Sequence[Pool] = ()
    """Whose endpoints were put in order."""
    candidates: Sequence[Endpoint] = ()
    reserves: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    dropped: Sequence[Dropped] = ()
    """What must not, or cannot, take the request."""
    waiting: Sequence[tuple[float, Endpoint]] = ()
    """What is behind, because it is out of order or at its limit, with the seconds that lasts."""

    def note(self) -> str:
        """One sentence for the record; "" if nothing but the written order was at work."""
        parts = []
        if self.policy:
            parts.append(f"policy `{self.policy}`")
        if self.tier is not None and self.tier_by:
            parts.append(f"{self.tier} ({self.tier_by})")
        if parts and self.model:
            parts[-1] += f" -> {self.model}"
        if self.dropped:
            parts.append(not_asked(self.dropped))
        if self.waiting:
            told = [f"{each.name} ({wait:.1f} s)" for wait, each in self.waiting[:_MOST_NAMED]]
            parts.append(f"behind: {', '.join(told)}")
        return "; ".join(parts)[:_LONGEST_NOTE]
