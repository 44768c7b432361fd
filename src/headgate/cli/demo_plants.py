"""Regressions that the demonstration can be asked to plant, and the rules of its configuration that find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DEARER", "PLANTS", "SLOWER", "WORSE", "Plant"]

SLOWER, DEARER, WORSE = "support-chat-slow", "support-chat-dear", "support-chat-thumbs"


@dataclass(frozen=True, slots=True)
class Plant:
    """Something that somebody did, meaning well."""

    name: str
    rule: str
    """The rule that finds it."""
    told: str
    """What was done, for the one who asked for it."""
    look: str
    """Where it shows, a path of the dashboard."""
    old: str = ""
    """What is taken out of the configuration ..."""
    new: str = ""
    """... and what comes in its place."""
    prompt: str = ""
    """The version of the prompt that is in use from then on ..."""
    liked: float = 1.0
    """... and the part of users who like it."""

    def in_text(self, text: str) -> str:
        """The configuration with it. Raises ValueError if it has no place there."""
        if text.count(self.old) != 1:
            raise ValueError(f"the configuration does not say `{self.old}` once")
        return text.replace(self.old, self.new)


_ROUTE = '[features.support-chat]\nroute = "large"'

PLANTS: Mapping[str, Plant] = {
    each.name: each
    for each in (
        Plant(
            "worse-prompt",
            WORSE,
            "the assistant's prompt became `greeting@8`, which half of the users do not like",
            "/quality",
            prompt="greeting@8",
            liked=0.5,
        ),
        Plant(
            "slower-model",
            SLOWER,
            "the model behind `large` became `sim-large-next`, which takes four times as long",
            "/features/support-chat",
            old='model = "sim-large" }',
            new='model = "sim-large-next" }',
        ),
        Plant(
            "dearer-route",
            DEARER,
            "the route of `support-chat` became `premium`, which is six times as dear",
            "/cost",
            old=_ROUTE,
            new=_ROUTE.replace('"large"', '"premium"'),
        ),
    )
}
"""By name."""
