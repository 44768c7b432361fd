"""What an endpoint must be, or be able to do, to take a request: rules on places, and what the request needs.

Rules on places (region, own machines, providers) are the operator's and never bent: if they leave nothing, the request is
refused. So is one that no endpoint is able to serve; a length is an estimate, so it is bent a little before that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from headgate.core.errors import ContextTooLong, GatewayError, NoEndpointAllowed, UnsupportedRequest
from headgate.providers.port import Endpoint
from headgate.routing.settings import RequireSettings
from headgate.routing.strategies import in_region

__all__ = ["Dropped", "Kind", "Needs", "Requirement", "not_asked", "refusal", "requirement", "sieve"]

Kind = Literal["place", "ability", "context"]

_ABILITY_WORDS = {
    "tools": "tools",
    "images": "pictures",
    "files": "documents",
    "json": "JSON output",
    "thinking": "reasoning",
    "prefill": "going on with an answer that was begun",
    "embeddings": "embeddings",
}
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Requirement:
    """A rule on places, and whose it is."""

    source: str
    """As messages name it, such as "feature `support`" or "policy `night`"."""
    region: tuple[str, ...] = ()
    self_hosted: bool = False
    providers: tuple[str, ...] = ()
    not_providers: tuple[str, ...] = ()

    @property
    def confines(self) -> bool:
        """Does it keep requests to certain places, and not just from some?"""
        return self.self_hosted or bool(self.region or self.providers)

    def against(self, endpoint: Endpoint) -> str:
        """Why the rule keeps the request from this endpoint, in words; "" if it does not."""
        if self.self_hosted and not endpoint.self_hosted:
            return f"{self.source} wants own machines"
        if self.region and not any(in_region(endpoint.region, wanted) for wanted in self.region):
            where = f"it is in {endpoint.region}" if endpoint.region else "its region is not said"
            return f"{self.source} wants region {' or '.join(self.region)}, {where}"
        if self.providers and endpoint.provider not in self.providers:
            return f"{self.source} wants provider {' or '.join(self.providers)}"
        if endpoint.provider in self.not_providers:
            return f"{self.source} excludes provider {endpoint.provider}"
        return ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What one request asks of whoever serves it."""

    abilities: tuple[str, ...] = ()
    tokens: int = 0
    """Prompt and answer together, estimated; 0: short enough for all."""

    def against(self, endpoint: Endpoint) -> tuple[Kind, str]:
        """What the endpoint lacks, in words; "" if nothing."""
        for ability in self.abilities:
            if ability in endpoint.lacks:
                return "ability", f"cannot do {_ABILITY_WORDS[ability]}"
        if endpoint.context and self.tokens > endpoint.context:
            return "context", f"takes {endpoint.context:,} tokens, this is about {self.tokens:,}"
        return "context", ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An endpoint that was taken off the list."""

    endpoint: Endpoint
    kind: Kind
    why: str

    def text(self) -> str:
        """Without the key: what keeps a request from an endpoint keeps it from all its keys."""
        return f"{self.endpoint.name}: {self.why}"


def requirement(source: str, settings: RequireSettings) -> Requirement | None:
    """The rule that settings describe; None if they say nothing."""
    found = Requirement(
        source,
        tuple(settings.region),
        settings.self_hosted,
        tuple(settings.providers),
        tuple(settings.not_providers),
    )
    return None if found == Requirement(source) else found


def sieve(rules: Sequence[Requirement], dropped: list[Dropped]) -> Callable[[Endpoint], bool]:
    """Lets through what no rule is against; the others are added to `dropped`, each with the first rule that is."""

    def may(endpoint: Endpoint) -> bool:
        for rule in rules:
            if why := rule.against(endpoint):
                dropped.append(Dropped(endpoint, "place", why))
                return False
        return True

    return may


def not_asked(dropped: Sequence[Dropped]) -> str:
    """For the record: `not asked: house/llama: cannot do pictures`."""
    told = list(dict.fromkeys(each.text() for each in dropped))
    more = f", {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return f"not asked: {', '.join(told[:_MOST_TOLD])}{more}"


def refusal(name: str, dropped: Sequence[Dropped]) -> GatewayError:
    """The error for a request that nothing is left for. name: what the caller asked for.

    If a rule on places took part, it is the rule's doing; else what the request needs."""
    told = list(dict.fromkeys(each.text() for each in dropped))
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    list_ = "; ".join(told[:_MOST_TOLD]) + more
    kinds = {each.kind for each in dropped}
    if "place" in kinds:
        return NoEndpointAllowed(
            f"no endpoint of `{name}` may take this request: {list_}. Ask for another model, or have the rule or the "
            "endpoints changed"
        )
    if "ability" in kinds or not kinds:
        return UnsupportedRequest(
            f"no endpoint of `{name}` can do what this request needs: {list_}. Leave it out, or ask for another model"
        )
    return ContextTooLong(
        f"the request is too long for every endpoint of `{name}`: {list_}. Shorten the conversation, or ask for a model "
        "with a larger context",
        param="messages",
    )
