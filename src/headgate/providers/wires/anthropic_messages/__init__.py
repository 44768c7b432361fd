"""Anthropic's Messages API as an upstream: `/v1/messages` and `/v1/messages/count_tokens`."""

from headgate.providers.wires.anthropic_messages.count import AnthropicCountTokens
from headgate.providers.wires.anthropic_messages.wire import AnthropicMessages

__all__ = ["AnthropicCountTokens", "AnthropicMessages"]
