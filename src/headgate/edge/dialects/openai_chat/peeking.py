"""The first look into a chat's body."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from headgate.core.errors import InvalidRequest
from headgate.edge.dialects.openai_chat.peeked import Peeked, StreamOptions
from headgate.edge.dialects.reading import check_text, read_json
from headgate.exchange.peek import Peek

__all__ = ["peek_chat"]

_PEEKED: Final = msgspec.json.Decoder(Peeked)
_astuple: Final = astuple


def peek_chat(body: bytes) -> Peek:
    """The few fields everybody needs. Raises MalformedBody, InvalidRequest."""
    check_text(body)
    # All at once: each would be looked up by its name.
    fields: tuple[Any, ...] = _astuple(read_json(_PEEKED, body))
    model: str = fields[0]
    limit: int | None = fields[2]
    newer: int | None = fields[3]
    options: StreamOptions | None = fields[6]
    if not model:
        raise InvalidRequest("`model` is missing: name a feature or a model.", param="model")
    if limit is None:
        limit = newer
    elif newer is not None:
        # Servers differ in which of them counts.
        limit = max(limit, newer) if min(limit, newer) >= 0 else None
    return Peek(
        model=model,
        stream=fields[1] is True,
        # Local servers take -1 for "no limit".
        max_tokens=limit if limit is not None and limit >= 0 else None,
        user=fields[4] or fields[5] or "",
        include_usage=options is not None and options.include_usage is True,
        metadata=fields[7],
    )
