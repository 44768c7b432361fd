"""Which rows of rollups and of spending cover a stretch of time: the widest that fit, narrower ones at its ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headgate.stores.rollups import DAY, HOUR, LEVELS, MINUTE, WEEK, Kept

__all__ = ["Piece", "cover", "down", "pieces", "spend_pieces"]


class Piece(NamedTuple):
    """Rows of one level that cover a stretch of time."""

    seconds: int
    since: int
    until: int
    less: bool = False
    """To be taken away from the others."""


def cover(since: int, until: int, levels: Sequence[int]) -> list[Piece]:
    """The widest rows that fit between these moments, and narrower ones at the ends; rounded out to the narrowest. In order
    of time."""
    narrowest, widest = levels[0], levels[-1]
    if len(levels) == 1:
        begin, end = down(since, narrowest), _up(until, narrowest)
        return [Piece(narrowest, begin, end)] if begin < end else []
    begin, end = _up(since, widest), down(until, widest)
    if begin >= end:
        return cover(since, until, levels[:-1])
    middle = Piece(widest, begin, end)
    return [*cover(since, begin, levels[:-1]), middle, *cover(end, until, levels[:-1])]


def pieces(since: int, until: int, step: int, kept: Kept, levels: Sequence[int] = LEVELS) -> list[Piece]:
    """What to read. step: 0, or a multiple of the narrowest level."""
    if until <= since:
        return []
    if kept.ends and until >= kept.ends:
        # Nothing is behind it: the last day can be read as a whole, without its hours and minutes.
        until = _up(until, DAY)
    # A day of which some hours are gone can only be read whole, and an hour of which some minutes are.
    coarse = _up(kept.hours_from, DAY) if since < kept.hours_from else since
    fine = max(_up(kept.minutes_from, HOUR) if since < kept.minutes_from else since, coarse)
    found: list[Piece] = []
    for begin, end, narrowest in ((since, coarse, DAY), (coarse, fine, HOUR), (fine, until, MINUTE)):
        begin, end = max(begin, since), min(end, until)
        if begin < end:
            possible = [level for level in levels if level >= narrowest]
            fitting = [level for level in possible if step % level == 0]
            found += cover(begin, end, fitting or possible[:1])
    return _without_overlap(found)


def _without_overlap(some: Sequence[Piece]) -> list[Piece]:
    """An end that was rounded out reaches into nothing that is read already."""
    found: list[Piece] = []
    for piece in some:
        if found and piece.since < found[-1].until:
            piece = piece._replace(since=max(piece.since, found[-1].until))
        if piece.since < piece.until:
            found.append(piece)
    return found


def spend_pieces(since: int, until: int, step: int, kept: Kept) -> list[Piece]:
    """What to read of spending. step: 0, or a multiple of an hour."""
    found = _by_weeks(pieces(since, until, step, kept, levels=(HOUR, DAY)), step, kept.weeks_until)
    if step:
        return found
    return [part for piece in found for part in _as_whole(piece, kept)]


def _as_whole(piece: Piece, kept: Kept) -> list[Piece]:
    """Most of a day, or of a week, as the whole of it without what came before: fewer rows."""
    wide = {HOUR: DAY, DAY: WEEK}.get(piece.seconds, 0)
    begin = piece.until - wide
    if not wide or piece.until % wide or begin >= piece.since:
        return [piece]
    there = begin >= kept.hours_from if wide == DAY else piece.until <= kept.weeks_until
    before, inside = piece.since - begin, piece.until - piece.since
    if not there or before + piece.seconds >= inside:
        return [piece]
    return [Piece(wide, begin, piece.until), Piece(piece.seconds, begin, piece.since, less=True)]


def _by_weeks(found: Sequence[Piece], step: int, weeks_until: int) -> list[Piece]:
    """The same, with weeks in place of days where they are there."""
    if step % WEEK:
        return list(found)
    wider: list[Piece] = []
    for piece in found:
        until = min(piece.until, weeks_until)
        if piece.seconds == DAY and piece.since < until:
            wider += cover(piece.since, until, (DAY, WEEK))
            piece = piece._replace(since=until)
        if piece.since < piece.until:
            wider.append(piece)
    return wider


def down(moment: int, step: int) -> int:
    """The last multiple of `step` that is not after it."""
    return moment - moment % step


def _up(moment: int, step: int) -> int:
    """The first multiple of `step` that is not before it."""
    return -(-moment // step) * step
