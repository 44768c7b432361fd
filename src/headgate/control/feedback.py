"""Take in what somebody says of answers: over the API, from a browser, from the command line."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from headgate.core.ids import parse_request_id, request_id_text
from headgate.quality.feedback import Given, Giver, Refused, rows_of
from headgate.stores.scores import Fate, ScoreRow, ScoreStore
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import RequestRow

__all__ = ["Kept", "Requests", "give", "keeps_words", "score_facts", "unkept_features"]

_LOOKS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks for a request that is not stored yet; it is within a second, nearly always."""
_TURNS = 50


class Requests(Searching, Protocol):
    """What is asked of the requests that judgements are about."""

    async def request(self, request_id: int) -> RequestRow | None:
        """See `SpanStore`."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one judgement."""

    about: str
    """`req_…`, or the name of the conversation."""
    names: tuple[str, ...]
    """Of the values that are kept."""
    state: Fate
    """joined, waiting or repeated."""
    left_out: tuple[str, ...]
    """Values that are not kept, because this installation keeps no texts."""


def unkept_features(features: Mapping[str, Any]) -> frozenset[str]:
    """The features whose contents are not kept, of those that are configured."""
    return frozenset(name for name, each in features.items() if not getattr(each, "content", True))


async def keeps_words(requests: Requests, unkept: Collection[str], given: Given) -> bool:
    """Are texts about this request or conversation kept? Not where it is a feature's that keeps no contents, nor where nobody can
    tell whose it is. Raises StoreUnavailable."""
    if not unkept or not (given.comment or given.correction):
        return True
    rows = await _about(requests, given)
    return bool(rows) and not any(row.feature in unkept or row.requested_model in unkept for row in rows)


async def _about(requests: Requests, given: Given) -> Sequence[RequestRow]:
    if not given.request:
        found = await requests.search(Search(only={"session": given.session}), limit=_TURNS)
        return found.rows
    try:
        request_id = parse_request_id(given.request)
    except ValueError:
        return ()
    for pause in (*_LOOKS, 0.0):
        if (row := await requests.request(request_id)) is not None:
            return (row,)
        await asyncio.sleep(pause)
    return ()


async def give(
    store: ScoreStore,
    said: Sequence[Given],
    giver: Giver,
    keeps: Callable[[Given], Awaitable[bool]] | None = None,
) -> list[Kept]:
    """Keep all of it, or raise Refused for the first that cannot be, with its place, before anything is kept; a request that is not
    known is found out last, and what came before it stays. keeps: are texts about this one kept? None: as `giver` says."""
    now = time.time_ns()
    prepared: list[tuple[list[ScoreRow], list[str]]] = []
    for place, each in enumerate(said):
        words = giver.content and (keeps is None or await keeps(each))
        try:
            who = giver if words == giver.content else replace(giver, content=words)
            prepared.append(rows_of(each, who, at_ns=now, fallback=secrets.token_hex(12)))
        except Refused as wrong:
            raise _at(wrong, place, len(said)) from None
    rows = [row for some, _ in prepared for row in some]
    fates = iter(await store.add(rows, now))
    kept = []
    for place, (some, left_out) in enumerate(prepared):
        told = [next(fates) for _ in some]
        if "unknown" in told or "foreign" in told:
            # Whose request it is is nobody else's business.
            raise _at(_unknown(some[0]), place, len(said))
        about = request_id_text(some[0].request_id) if some[0].request_id else some[0].session
        state: Fate = next((fate for fate in told if fate != "repeated"), "repeated")
        kept.append(Kept(about, tuple(row.name for row in some), state, tuple(left_out)))
    return kept


def score_facts(row: ScoreRow, *, content: bool) -> dict[str, object]:
    """A judgement, for programs. content: texts too."""
    return {
        "id": row.id,
        "at_ns": row.at_ns,
        "request": request_id_text(row.request_id) if row.request_id else "",
        "session": row.session,
        "name": row.name,
        "kind": row.kind,
        "number": row.number,
        "label": row.label,
        "text": row.text if content else "",
        "source": row.source,
        "author": row.author,
        "evaluator": row.evaluator,
        "feature": row.feature,
        "model": row.model,
        "provider": row.provider,
        "prompt": row.prompt,
        "user": row.user,
        "joined": row.joined,
    }


def _unknown(row: ScoreRow) -> Refused:
    return Refused(
        f"there is no request {request_id_text(row.request_id)} of yours: it is the header `x-request-id` of the answer, "
        "and requests are known from the moment they come until they are deleted",
        param="request",
    )


def _at(wrong: Refused, place: int, count: int) -> Refused:
    param = f"items[{place}].{wrong.param}".rstrip(".") if count > 1 else wrong.param
    return Refused(str(wrong), param=param)
