"""The fields of a chat's body that everybody needs, as they stand there."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.edge.dialects.reading import TokenLimit

__all__ = ["Peeked", "StreamOptions"]


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class Peeked(msgspec.Struct, gc=False):
    """In this order they are taken out."""

    model: str = ""
    stream: bool | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = None
