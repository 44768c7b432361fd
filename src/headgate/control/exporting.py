"""Requests written out, one JSON object each, in a form that stays: whoever reads it may rely on it.

`schema` names the form; fields are added to it, never renamed or taken away, as long as the name stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

import msgspec

from headgate.control.traces import object_of, reply_text
from headgate.core.ids import request_id_text
from headgate.core.money import usd
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import AttemptRow, Content, RequestRow, SpanStore

__all__ = ["SCHEMA", "Exported", "ExportedContent", "Exporting", "export", "exported", "fields_of"]

_PAGE = 200
_SECONDS = 5.0
"""How long a page looks for text: nobody waits for it but the file."""

Schema = Literal["headgate.request.v1"]
SCHEMA: Schema = "headgate.request.v1"


class Exporting(SpanStore, Searching, Protocol):
    """What is written out of."""


class ExportedContent(msgspec.Struct, kw_only=True):
    """A prompt or an answer, as it was sent."""

    kind: str
    """How to read it: the name of a vendor's format, or `canonical` for an answer folded from a stream."""
    text: str
    size: int
    """Bytes it had; `text` has fewer if its end was cut off when it was recorded."""
    truncated: bool


class Exported(msgspec.Struct, kw_only=True):
    """One request with all that belongs to it."""

    schema: Schema = SCHEMA
    request: dict[str, Any]
    """Its columns by name. `id`: as callers see it. `started_ns`: nanoseconds since 1970 UTC; `…_us`: microseconds, since then where it is
    a moment; 0: did not happen. `cost_nanos`: nano-dollars, null if no price is known; `cost_usd`: the same as a decimal number.
    `tags`, `notes`, `variables`: objects. `origin_id`: the request whose answer it was given; `avoided_nanos`, `avoided_us`: what that
    answer had cost, and how much longer it took; `similarity`: in millionths."""
    attempts: list[dict[str, Any]]
    """Calls to endpoints, in order; named and measured alike."""
    prompt: ExportedContent | None = None
    """What the caller sent; null: not kept any more, or not asked for."""
    reply: ExportedContent | None = None
    reply_text: str = ""
    """The text of the answer."""


async def export(
    store: Exporting, search: Search, *, content: bool, limit: int = 0
) -> AsyncIterator[Exported]:
    """Those that are found, newest first, page by page; never more than a page is in memory.

    content: prompts and answers too. limit: so many at most; 0: all. Raises StoreUnavailable."""
    before, left = 0, limit or -1
    while True:
        page = await store.search(search, before=before, limit=_PAGE, seconds=_SECONDS)
        for row in page.rows:
            yield await exported(store, row, content=content)
            left -= 1
            if left == 0:
                return
        if not page.next:
            return
        before = page.next


async def exported(store: SpanStore, row: RequestRow, *, content: bool) -> Exported:
    """One of them. Raises StoreUnavailable."""
    prompt = await _kept(store, row.request_content) if content else None
    reply = await _kept(store, row.reply_content) if content else None
    return Exported(
        request=fields_of(row, content=content),
        attempts=[fields_of(each, content=content) for each in await store.attempts(row.id)],
        prompt=_content(prompt),
        reply=_content(reply),
        reply_text=reply_text(reply) if reply is not None else "",
    )


def fields_of(row: RequestRow | AttemptRow, *, content: bool) -> dict[str, Any]:
    """All columns by name. content: else the words of errors are left out, in which a part of the prompt may stand."""
    told: dict[str, Any] = {name: getattr(row, name) for name in row.__struct_fields__}
    told["cost_usd"] = None if row.cost_nanos is None else f"{usd(row.cost_nanos):f}"
    if not content:
        told["error_detail"] = ""
        if "variables" in told:
            told["variables"] = ""
    if isinstance(row, RequestRow):
        told |= {
            "id": request_id_text(row.id),
            "replay_of": request_id_text(row.replay_of) if row.replay_of else "",
            "origin_id": request_id_text(row.origin_id) if row.origin_id else "",
            "avoided_usd": f"{usd(row.avoided_nanos):f}",
            "variables": object_of(told["variables"]),
            "tags": object_of(row.tags),
            "notes": object_of(row.notes),
        }
    else:
        # The number is a span id as it goes out over OTLP.
        told |= {"id": f"{row.id:016x}", "request_id": request_id_text(row.request_id)}
    return told


async def _kept(store: SpanStore, content_hash: str) -> Content | None:
    return await store.content(content_hash) if content_hash else None


def _content(kept: Content | None) -> ExportedContent | None:
    if kept is None:
        return None
    text = kept.data.decode("utf-8", "replace")
    return ExportedContent(kind=kept.kind, text=text, size=kept.size, truncated=kept.truncated)
