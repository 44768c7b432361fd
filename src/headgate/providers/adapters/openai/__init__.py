"""OpenAI, and every server that speaks its format."""

from headgate.providers.adapters.openai.adapter import OpenAIAdapter
from headgate.providers.adapters.openai.settings import OpenAISettings

__all__ = ["OpenAIAdapter", "OpenAISettings"]
