"""Whose a piece of reasoning is: marks on `encrypted_content` and on `Thinking.signature`.

Every vendor refuses reasoning that another has signed. In the conversation a bare signature is Anthropic's and others
carry their owner's name; at this dialect's face OpenAI's own is bare, as the SDKs know it.
"""

from __future__ import annotations

from headgate.core.messages import Thinking

__all__ = ["encrypted_content", "thinking_of"]

_OPENAI = "openai:"
_SIGNED = "anthropic:"
_REDACTED = "anthropic-redacted:"


def encrypted_content(signature: str, redacted: str) -> str:
    """What the caller is to send back with this reasoning; "" for nothing."""
    if redacted:
        return _REDACTED + redacted
    if signature.startswith(_OPENAI):
        return signature.removeprefix(_OPENAI)
    return signature if ":" in signature or not signature else _SIGNED + signature


def thinking_of(summary: str, content: str) -> Thinking:
    """The reasoning behind an item with this summary and `encrypted_content`."""
    if content.startswith(_REDACTED):
        return Thinking(text=summary, redacted=content.removeprefix(_REDACTED))
    if content.startswith(_SIGNED):
        return Thinking(text=summary, signature=content.removeprefix(_SIGNED))
    bare = content and ":" not in content
    return Thinking(text=summary, signature=_OPENAI + content if bare else content)
