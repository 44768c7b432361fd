"""From what is on record back to a request, or an honest word on why that cannot be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headgate.core.ids import request_id_text
from headgate.quality.replay.changing import DIALECTS
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__ = ["NotReplayable", "Original", "original_of", "tags_of_row"]

_MASKS = ("masked", "redacted", "placeholders")
"""Notes of whoever keeps something else than what was sent."""


class NotReplayable(ValueError):
    """This request cannot be sent again; the text says why, `reason` in a word."""

    def __init__(self, reason: str, message: str) -> None:
        """reason: operation, not_kept, deleted, truncated or masked."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Original:
    """A recorded request with all that is needed to send it again, and to compare what comes of it."""

    row: RequestRow
    body: bytes
    """Byte for byte as the caller sent it."""
    reply: Content | None
    attempts: Sequence[AttemptRow] = ()
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    """Of the prompt, as far as they were kept."""


def original_of(
    row: RequestRow, prompt: Content | None, reply: Content | None, attempts: Sequence[AttemptRow] = ()
) -> Original:
    """Raises NotReplayable."""
    name = request_id_text(row.id)
    if row.dialect not in DIALECTS:
        kinds = ", ".join(DIALECTS)
        raise NotReplayable(
            "operation", f"{name} is a request of {row.dialect or 'no dialect'}; only {kinds} can be replayed"
        )
    if not row.request_content:
        raise NotReplayable(
            "not_kept",
            f"the prompt of {name} was not kept (`records.content`), so there is nothing to send again",
        )
    if prompt is None:
        raise NotReplayable(
            "deleted", f"the prompt of {name} has been deleted, so there is nothing to send again"
        )
    if prompt.truncated:
        raise NotReplayable(
            "truncated",
            f"the prompt of {name} was cut when it was recorded: {len(prompt.data):,} of {prompt.size:,} bytes are kept "
            "(`records.content_limit`), and half a prompt is another question",
        )
    if prompt.kind != row.dialect or any(note in _object(row.notes) for note in _MASKS):
        raise NotReplayable("masked", f"of the prompt of {name} something else was kept than what was sent")
    return Original(row, prompt.data, reply, attempts, tags_of_row(row), _texts(row.variables))


def tags_of_row(row: RequestRow) -> dict[str, str]:
    """The tags of a recorded request."""
    return _texts(row.tags)


def _texts(text: str) -> dict[str, str]:
    return {name: str(value) for name, value in _object(text).items()}


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError:
        return {}
