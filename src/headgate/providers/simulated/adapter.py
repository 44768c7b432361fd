"""Addresses calls to the simulated provider: no key, no network, both vendors' wires."""

from __future__ import annotations

from typing import ClassVar

from headgate.core.messages import Operation
from headgate.providers.port import Call, UpstreamRequest, Url, Wire
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.simulation import FAULT_HEADER, PATHS
from headgate.providers.wires.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__ = ["SimulatedAdapter"]

_HOST = "http://simulated.invalid"
_PASSED_ON = frozenset({FAULT_HEADER, b"anthropic-version", b"anthropic-beta"})
_JSON_TYPE = (b"content-type", b"application/json")


class SimulatedAdapter:
    """Fulfils `headgate.providers.port.Adapter`. Speaks every wire of OpenAI's and Anthropic's that it has, so that
    callers of both families have their bytes passed."""

    kind: ClassVar[str] = "simulated"

    def __init__(self, settings: SimulatedSettings) -> None:
        del settings  # they are the upstream's business
        self._urls = {wire: Url.parse(_HOST + path) for wire, path in PATHS.items()}
        self._models = Url.parse(f"{_HOST}/v1/models")
        chat: Wire = OpenAIChat(cache_key=True)
        talks: tuple[Wire, ...] = (chat, OpenAIResponses(cache_key=True), AnthropicMessages())
        self._chat = {wire.name: wire for wire in talks}
        self._best: dict[Operation, Wire] = {
            "chat": chat,
            "embeddings": OpenAIEmbeddings(),
            "count_tokens": AnthropicCountTokens(),
        }

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:
        """The caller's own wire where it is spoken; else chat completions."""
        if operation == "chat":
            return self._chat.get(caller_wire, self._best["chat"])
        return self._best.get(operation)

    def request(self, call: Call) -> UpstreamRequest:
        """Address the call; of the caller's headers only an ordered fault and Anthropic's own two go along."""
        headers = [_JSON_TYPE]
        headers += [header for header in call.headers if header[0].lower() in _PASSED_ON]
        return UpstreamRequest("POST", self._urls[call.wire], headers, call.body)

    def probe(self) -> UpstreamRequest:
        """List the models."""
        return UpstreamRequest("GET", self._models, [])
