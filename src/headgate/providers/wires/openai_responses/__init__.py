"""OpenAI's responses as an upstream: `/v1/responses`, where the provider speaks it."""

from headgate.providers.wires.openai_responses.wire import OpenAIResponses

__all__ = ["OpenAIResponses"]
