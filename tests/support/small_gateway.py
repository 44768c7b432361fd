"""A gate over scripted providers, in this process: the real edge, journey and dispatch, without keys and records."""

from __future__ import annotations

import json
from typing import Any

from headgate.core.ids import IdSource
from headgate.dispatch.manner import Manner
from headgate.dispatch.settings import RetrySettings, TimeoutSettings
from headgate.dispatch.stage import Dispatch
from headgate.edge.accept import accept
from headgate.edge.gate import Gate
from headgate.edge.paths import Paths
from headgate.edge.settings import ServerSettings
from headgate.exchange.stage import Stage
from headgate.journey import journey
from headgate.providers.adapters.anthropic import AnthropicAdapter, AnthropicSettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Adapter, Endpoint
from headgate.routing.directory import Directory
from headgate.routing.stage import Router
from headgate.testing.scripted import Script, ScriptedUpstream

__all__ = ["ASK", "answer", "endpoint", "small_gateway", "stream"]

ASK = json.dumps({"model": "small", "messages": [{"role": "user", "content": "hello"}]}).encode()
_HEADERS = [(b"content-type", b"application/json")]


def endpoint(upstream: ScriptedUpstream, provider: str = "house", *, kind: str = "openai") -> Endpoint:
    """A place where `upstream` answers."""
    adapter: Adapter = OpenAIAdapter(OpenAISettings(api_key="k", base_url="http://upstream.test/v1"))
    if kind == "anthropic":
        adapter = AnthropicAdapter(AnthropicSettings(api_key="k", base_url="http://upstream.test"))
    return Endpoint(provider=provider, model="llama", adapter=adapter, upstream=upstream)


def small_gateway(
    *endpoints: Endpoint,
    timeouts: TimeoutSettings | None = None,
    manner: Manner | None = None,
    stages: dict[str, Stage] | None = None,
    **server: Any,
) -> Gate:
    """`small` is served by `endpoints`, in this order."""
    directory = Directory(
        features={},
        models={"small": list(endpoints)},
        providers={one.provider: "openai" for one in endpoints},
        make=lambda _provider, _model: endpoints[0],
    )
    ids = IdSource()
    how = manner or Manner(timeouts=timeouts, retry=RetrySettings(attempts=1))
    proceed = journey(
        {
            "accept": accept,
            "route": Router(directory),
            "dispatch": Dispatch(ids=ids, manner=lambda _feature: how),
            **(stages or {}),
        }
    )
    return Gate(proceed=proceed, paths=Paths(), settings=ServerSettings(**server), ids=ids)


def answer(text: str = "hello") -> Script:
    """A whole answer on OpenAI's wire."""
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "llama",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    return Script(pieces=[json.dumps(body).encode()], headers=_HEADERS)


def stream(*pieces: Any, **settings: Any) -> Script:
    """A stream of these pieces."""
    return Script(pieces=list(pieces), headers=[(b"content-type", b"text/event-stream")], **settings)
