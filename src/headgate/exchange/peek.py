"""What every request is read for, also when its body passes untouched."""

from __future__ import annotations

from typing import Any

__all__ = ["Peek"]


class Peek:
    """The few fields of a body that everybody needs."""

    __slots__ = ("include_usage", "max_tokens", "metadata", "model", "stream", "user")

    def __init__(
        self,
        *,
        model: str = "",
        stream: bool = False,
        max_tokens: int | None = None,
        user: str = "",
        include_usage: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.stream = stream
        self.max_tokens = max_tokens
        """The most tokens the answer may have, if the caller said so."""
        self.user = user
        """The end user behind the caller, as the application names them."""
        self.include_usage = include_usage
        """The caller asked for usage inside the stream."""
        self.metadata: dict[str, Any] = metadata or {}

    def again(self, model: str = "") -> Peek:
        """The same once more, for a copy of the request. model: asked for instead."""
        return Peek(
            model=model or self.model,
            stream=self.stream,
            max_tokens=self.max_tokens,
            user=self.user,
            include_usage=self.include_usage,
            metadata=self.metadata,
        )
