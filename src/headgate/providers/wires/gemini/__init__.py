"""Google's Gemini API as an upstream: generateContent, batchEmbedContents and countTokens."""

from headgate.providers.wires.gemini.count import GeminiCountTokens
from headgate.providers.wires.gemini.embeddings import GeminiEmbeddings
from headgate.providers.wires.gemini.wire import GeminiGenerate

__all__ = ["GeminiCountTokens", "GeminiEmbeddings", "GeminiGenerate"]
