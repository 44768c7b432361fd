"""What is done with the table of judgements, step by step, the same on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headgate.stores.answer_backing import JUDGED_SECONDS, WORDS_SECONDS
from headgate.stores.answers import MOST_JUDGEMENTS, Judgement
from headgate.stores.steps import Ask, AskEach, Steps

__all__ = ["judge", "judged", "judgements_of", "tidy_judgements", "unlearn"]

_MOST_JUDGED = 200_000
"""Judgements in all; the oldest go."""

_FIELDS = Judgement.__struct_fields__
_NAMES = ", ".join(f'"{name}"' for name in _FIELDS)
# Only names of our own fields go into these texts.
_ADD = f"INSERT INTO answer_judgement ({_NAMES}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608
_TRIM = (
    "DELETE FROM answer_judgement WHERE key = ? AND id < "
    "(SELECT id FROM answer_judgement WHERE key = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
)
_OF_KEYS = f"SELECT {_NAMES} FROM answer_judgement WHERE key IN ? ORDER BY id"  # noqa: S608
_JUDGED = (
    f"SELECT {_NAMES} FROM answer_judgement WHERE at_ns >= ?{{where}} ORDER BY at_ns DESC, id DESC LIMIT ?"  # noqa: S608
)
_UNLEARN = "DELETE FROM answer_judgement WHERE request_id = ? AND request_id <> 0"
_FORGET_WORDS = "UPDATE answer_judgement SET question = '' WHERE at_ns < ? AND question <> ''"
_DELETE_OLD = (
    "DELETE FROM answer_judgement WHERE at_ns < ? OR id <= (SELECT max(id) FROM answer_judgement) - ?"
)


def judge(judgements: Sequence[Judgement]) -> Steps[None]:
    """See `Backing`."""
    rows = [[getattr(each, name) for name in _FIELDS] for each in judgements]
    yield AskEach(_ADD, rows)
    # In one order on every node: two that change the same rows must not wait for each other.
    keys = sorted({each.key for each in judgements})
    yield AskEach(_TRIM, [(key, key, MOST_JUDGEMENTS - 1) for key in keys])


def judgements_of(keys: Sequence[bytes]) -> Steps[dict[bytes, list[Judgement]]]:
    """See `Backing.judgements`."""
    rows = yield Ask(_OF_KEYS, keys=keys)
    found: dict[bytes, list[Judgement]] = {}
    for row in rows:
        judgement = _judgement(row)
        found.setdefault(judgement.key, []).append(judgement)
    return found


def judged(feature: str | None, since_ns: int, limit: int) -> Steps[list[Judgement]]:
    """See `Backing`."""
    text = _JUDGED.format(where="" if feature is None else " AND feature = ?")
    rows = yield Ask(text, [since_ns, *([] if feature is None else [feature]), limit])
    return [_judgement(row) for row in rows]


def unlearn(request_ids: Sequence[int]) -> Steps[None]:
    """See `Backing`."""
    yield AskEach(_UNLEARN, [(each,) for each in request_ids])


def tidy_judgements(now_ns: int) -> Steps[None]:
    """Blank what is quoted for too long, and delete what is too old."""
    yield Ask(_FORGET_WORDS, [now_ns - WORDS_SECONDS * 10**9])
    yield Ask(_DELETE_OLD, [now_ns - JUDGED_SECONDS * 10**9, _MOST_JUDGED])


def _judgement(row: Sequence[Any]) -> Judgement:
    values = dict(zip(_FIELDS, row, strict=True))
    return Judgement(**{**values, "right": bool(values["right"])})
