"""What the configuration says of one feature's answers, put together for whoever looks at a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

from headgate.cache.settings import FeatureCacheSettings

__all__ = ["CachePolicy"]


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Of a feature that has a cache. Made with the configuration, shared by all its requests."""

    feature: str
    model: str
    """The model, or route, that would answer."""
    route: bytes
    """Hash of how the feature is answered: another route gives other answers."""
    settings: FeatureCacheSettings
    longest: float
    """Seconds beyond which nothing is kept."""
    durable: bool = True
    """May its contents be written to disk, or told to Redis?"""
    sensitive: bool = False
    """The feature's data is sensitive: answers are never shared beyond their user."""

    def answered_by(self, model: str) -> CachePolicy:
        """The same where rules of use have another model answer: another model, other answers."""
        route = blake2b(self.route + model.encode(), digest_size=16).digest()
        return replace(self, model=model, route=route)
