"""Spending by weeks, which the writer folds days into once a week is over, in the transaction of the batch that shows it is.

Thousands of users a day are too much to read for a month or a year. What comes late for a week that was folded already is added
to it with the day's row, so that weeks and days always say the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headgate.stores.adding_up import SpendKey
from headgate.stores.rolled_spend import SPENT_SUMS
from headgate.stores.rolled_sql import Question
from headgate.stores.rollups import DAY, WEEK, Kept

__all__ = [
    "EARLIEST",
    "WEEKS",
    "encoded_weeks",
    "fold_question",
    "folded_until",
    "is_over",
    "week_of",
    "with_weeks",
    "with_weeks_until",
]

WEEKS = "rollups.weeks"
"""Under what name `installation` has up to when days were folded into weeks."""
EARLIEST = f'SELECT min("at") FROM spend WHERE seconds = {DAY}'  # noqa: S608 - a number of our own


def folded_until(data: bytes | None) -> int | None:
    """Days before this moment, seconds since 1970 UTC, are in weeks; None: nobody has begun."""
    return msgspec.msgpack.decode(data, type=int) if data else None


def encoded_weeks(until: int) -> bytes:
    """As it is kept."""
    return msgspec.msgpack.encode(until)


def week_of(at: int) -> int:
    """Where the week begins that this moment is in: a Thursday, as 1970 did."""
    return at - at % WEEK


def is_over(until: int, latest: int) -> bool:
    """Now that something ended at `latest`: is the week over that begins at `until`?"""
    return latest >= until + WEEK


def with_weeks(spend: Mapping[SpendKey, list[int]], until: int) -> Mapping[SpendKey, list[int]]:
    """These rows, and for days before `until` those of their weeks."""
    found = dict(spend)
    for (seconds, at, dimension, value), sums in spend.items():
        if seconds == DAY and at < until:
            place = (WEEK, week_of(at), dimension, value)
            known = found.get(place)
            found[place] = sums if known is None else [a + b for a, b in zip(known, sums, strict=True)]
    return found


def with_weeks_until(kept: Kept, data: bytes | None) -> Kept:
    """This, and what `installation` says under WEEKS."""
    return msgspec.structs.replace(kept, weeks_until=folded_until(data) or 0)


def fold_question(dimension: str, since: int) -> Question:
    """Makes rows of the week that begins there, of its days."""
    columns = ", ".join(SPENT_SUMS)
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in SPENT_SUMS)
    again = ", ".join(f"{name} = excluded.{name}" for name in SPENT_SUMS)
    text = (
        f'INSERT INTO spend (seconds, dimension, "at", value, {columns}) '  # noqa: S608 - our own names
        f"SELECT {WEEK}, dimension, {since}, value, {sums} FROM spend "
        'WHERE seconds = ? AND dimension = ? AND "at" >= ? AND "at" < ? GROUP BY dimension, value '
        f'ON CONFLICT (seconds, dimension, "at", value) DO UPDATE SET {again}'
    )
    return text, [DAY, dimension, since, since + WEEK]
