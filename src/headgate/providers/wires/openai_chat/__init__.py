"""OpenAI's chat completions as an upstream: `/v1/chat/completions`, and every server that speaks the same."""

from headgate.providers.wires.openai_chat.wire import OpenAIChat

__all__ = ["OpenAIChat"]
