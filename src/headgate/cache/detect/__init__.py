"""When a request is not answered from memory, and what of an answer is nobody else's business."""

from __future__ import annotations

from headgate.cache.policy import CachePolicy
from headgate.core.messages import Answer, ChatRequest, EmbeddingsRequest

__all__ = ["is_personal", "personal_in", "why_not"]


def why_not(request: ChatRequest | EmbeddingsRequest, policy: CachePolicy) -> str:
    """Why the request is not answered from memory, in words and without contents; "" if it may be."""
    if isinstance(request, ChatRequest) and policy.settings.when != "always" and request.temperature != 0:
        return "its temperature is not 0"
    return ""


def is_personal(request: ChatRequest | EmbeddingsRequest) -> bool:
    """Does the request hold personal data?"""
    return False


def personal_in(answer: Answer) -> str:
    """What personal data an answer holds, in words and without contents; "" if none was found."""
    return ""
