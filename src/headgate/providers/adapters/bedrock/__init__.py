"""Amazon Bedrock: the Converse API, signed or with an API key. Needs the extra `bedrock`."""

from headgate.providers.adapters.bedrock.adapter import BedrockAdapter
from headgate.providers.adapters.bedrock.settings import BedrockSettings

__all__ = ["BedrockAdapter", "BedrockSettings"]
