"""Amazon Bedrock's Converse API as an upstream: converse, converse-stream and count-tokens."""

from headgate.providers.wires.bedrock_converse.count import BedrockCountTokens
from headgate.providers.wires.bedrock_converse.wire import BedrockConverse

__all__ = ["BedrockConverse", "BedrockCountTokens"]
