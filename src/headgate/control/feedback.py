"""Take in what somebody says of answers: over the API, from a browser, from the command line."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.core.ids import request_id_text
from headgate.quality.feedback import Given, Giver, Refused, rows_of
from headgate.stores.scores import Fate, ScoreRow, ScoreStore

__all__ = ["Kept", "give", "score_facts"]


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


async def give(store: ScoreStore, said: Sequence[Given], giver: Giver) -> list[Kept]:
    """Keep all of it, or raise Refused for the first that cannot be, with its place, before anything is kept; a request that is not
    known is found out last, and what came before it stays."""
    now = time.time_ns()
    prepared: list[tuple[list[ScoreRow], list[str]]] = []
    for place, each in enumerate(said):
        try:
            prepared.append(rows_of(each, giver, at_ns=now, fallback=secrets.token_hex(12)))
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
