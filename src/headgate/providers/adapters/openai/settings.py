"""What the operator says of OpenAI, or of a server that speaks its format."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.providers.settings import ProviderSettings

__all__ = ["OpenAISettings"]


class OpenAISettings(ProviderSettings, frozen=True):
    """OpenAI's API, or any server that speaks it."""

    api_key: str = ""
    """Sent as `Authorization: Bearer`. May stay empty for a server that asks for none."""
    api_keys: list[str] = msgspec.field(default_factory=list)
    """More keys. Each is an endpoint of its own, with its own health: requests go round, a key at its limit rests until
    there is room again, and one that is refused comes after the others for a minute."""
    base_url: str = "https://api.openai.com/v1"
    """Address up to and with `/v1`."""
    organization: str = ""
    """Sent as `OpenAI-Organization`."""
    project: str = ""
    """Sent as `OpenAI-Project`."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent with every request."""
    responses: bool | None = None
    """Does the server speak the responses API? Not said: only api.openai.com does. If not, responses become chats."""
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    """How a limit on the answer is said. auto: `max_completion_tokens` to api.openai.com, `max_tokens` elsewhere."""
    stream_usage: bool = True
    """Ask for usage at the end of streams. Off for servers that refuse `stream_options`; usage is then estimated."""
    prompt_cache_key: bool | None = None
    """Does the server take `prompt_cache_key`, which a feature's `prompt_caching` has sent? Not said: only api.openai.com does."""
    send_reasoning: bool = False
    """Send the model's earlier reasoning back as `reasoning_content`, where the server reads it."""
    send_top_k: bool = False
    """Send `top_k` of callers of other dialects, where the server takes it (vLLM, llama.cpp; not OpenAI)."""

    def __repr__(self) -> str:
        """Without the key and the headers, which may hold one."""
        return f"<OpenAISettings {self.base_url}>"
