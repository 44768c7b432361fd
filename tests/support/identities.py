"""Requests as the cache meets them: let in by the real admission, with a dialect that reads them, and a policy of their feature."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.cache.policy import CachePolicy
from headgate.cache.settings import FeatureCacheSettings
from headgate.core.section import Duration
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.caller import Caller
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply

__all__ = ["APP", "CHAT", "COUNT", "EMBEDDINGS", "MESSAGES", "RESPONSES", "asks", "chat", "policy", "turn"]

CHAT, MESSAGES, RESPONSES = OpenAIChat(), AnthropicMessages(), OpenAIResponses()
EMBEDDINGS, COUNT = OpenAIEmbeddings(), AnthropicCountTokens()
APP = Caller("key_app", "app", team="canal", tenant="acme", roles=("service",))

Headers = list[tuple[bytes, bytes]]


async def _on(exchange: Exchange) -> Reply:
    return Reply()


def asks(
    body: dict[str, Any] | bytes,
    dialect: Dialect = CHAT,
    *,
    caller: Caller = APP,
    headers: Headers | None = None,
) -> Exchange:
    """A request that has passed admission."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    exchange = Exchange(
        id=1,
        dialect=dialect,
        body=data,
        headers=[(b"authorization", b"Bearer k"), *(headers or [])],
        received_at=0.0,
        started_ns=0,
    )
    exchange.peek = dialect.peek(data)
    known = replace(caller, routes=frozenset({dialect.name}))
    coming = Identify(KeyRing([], b""), keys_required=True, token_caller=lambda _token: known)(exchange, _on)
    try:
        coming.send(None)
    except StopIteration:
        return exchange
    raise AssertionError("admission waits for nothing")


def turn(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


def chat(text: str = "How does a sluice work?", **instead: Any) -> dict[str, Any]:
    """A body of OpenAI's chat that may be cached. instead: other fields; None: without that field."""
    body = {"model": "faq", "temperature": 0, "messages": [turn(text)], **instead}
    return {name: value for name, value in body.items() if value is not None}


def policy(**settings: Any) -> CachePolicy:
    """settings: of the feature's cache, and `feature`, `route`, `sensitive` of the policy itself."""
    own: dict[str, Any] = {}
    for name in ("feature", "route", "sensitive", "model"):
        if name in settings:
            own[name] = settings.pop(name)
    chosen: dict[str, Any] = {"exact": Duration(3600), **settings}
    usual: dict[str, Any] = {
        "feature": "faq",
        "model": "small",
        "route": b"r" * 16,
        "longest": 86_400.0,
        **own,
    }
    return CachePolicy(settings=FeatureCacheSettings(**chosen), **usual)
