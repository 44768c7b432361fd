"""What a configuration says of how requests are dispatched, degraded, copied and limited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headgate.admission.limits.rules import Plan, plan_of
from headgate.config.model import Settings
from headgate.dispatch.ladder.plan import NO_LADDER, LadderPlan, ladders_of
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import TimeoutSettings
from headgate.dispatch.shadow import ShadowSettings
from headgate.providers.prefixes import Keep

__all__ = [
    "kept_prefixes",
    "ladders",
    "limits_of",
    "longest_use",
    "manners_of",
    "shadow_settings_of",
]


def ladders(settings: Settings) -> dict[str, LadderPlan]:
    """Feature -> what answers when every model fails. Loads the operator's functions. Raises ValueError."""
    features = settings.features
    return ladders_of(
        {name: feature.degrade for name, feature in features.items()},
        settings.rules,
        settings.callbacks,
        # Whoever wants other models asked after a content filter's refusal wants no refusal after the last of them.
        filtered=frozenset(name for name, each in features.items() if each.on_content_filter == "failover"),
    )


def manners_of(settings: Settings, planned: Mapping[str, LadderPlan]) -> dict[str, Manner]:
    """How each feature's requests are dispatched. planned: their ladders."""
    manners = {
        name: Manner(
            timeouts=feature.timeouts or settings.defaults.timeouts,
            retry=feature.retry or settings.defaults.retry,
            hedge=feature.hedge,
            resume=feature.resume,
            on_content_filter=feature.on_content_filter,
            ladder=planned.get(name, NO_LADDER),
            shadow=feature.shadow,
        )
        for name, feature in settings.features.items()
    }
    # Models that callers ask for directly.
    manners[""] = Manner(timeouts=settings.defaults.timeouts, retry=settings.defaults.retry)
    return manners


def longest_use(manners: Iterable[Manner]) -> float:
    """Seconds that a request which begins now, and a copy made of it after its end, may go on."""
    return max(
        TimeoutSettings().total,
        *(manner.total + (manner.shadow.total if manner.shadow is not None else 0.0) for manner in manners),
    )


def shadow_settings_of(settings: Settings) -> dict[str, ShadowSettings]:
    """Of the features that have copies made."""
    return {name: each.shadow for name, each in settings.features.items() if each.shadow is not None}


def kept_prefixes(settings: Settings) -> dict[str, Keep]:
    """Feature -> for how long providers shall keep how its prompts begin; "" for what belongs to no feature."""
    default = settings.defaults.prompt_caching
    kept = {name: each.prompt_caching or default for name, each in settings.features.items()}
    return {**kept, "": default}


def limits_of(settings: Settings) -> Plan:
    """Its limits, and how long whom they hold back may wait."""
    queues = {name: each.queue for name, each in settings.features.items() if each.queue is not None}
    return plan_of(settings.limits, queues)
