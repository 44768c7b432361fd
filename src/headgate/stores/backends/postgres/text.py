"""Text that PostgreSQL cannot keep: a zero byte is legal in JSON, and so in what callers send, but not in its `text`."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["kept", "kept_column", "read"]

_MARK = "\x1a"
"""SUBSTITUTE: the control character that was made for this. Where it is meant itself, it stands doubled in a way."""


def kept(text: str) -> str:
    """As it is stored: without zero bytes, and nothing is lost."""
    if "\x00" in text or _MARK in text:
        return text.replace(_MARK, f"{_MARK}1").replace("\x00", f"{_MARK}0")
    return text


def kept_column(texts: Sequence[str]) -> Sequence[str]:
    """Many at once: one look at all of them, because hardly any has one."""
    joined = "".join(texts)
    return [kept(text) for text in texts] if "\x00" in joined or _MARK in joined else texts


def read(text: str) -> str:
    """As it was before it was stored."""
    return text.replace(f"{_MARK}0", "\x00").replace(f"{_MARK}1", _MARK) if _MARK in text else text
