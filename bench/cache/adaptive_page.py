"""The page's section on the judge of answers and on what `adaptive` keeps with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.cache.judging import Mistakes, table
from headgate.cache.semantic.bounds import OVERLOOKED

if TYPE_CHECKING:
    from bench.cache.adaptive import Cell

__all__ = ["adaptive_section", "judge_section"]

_TOO_BLIND = 3
"""Of `adaptive.judges`: the one that overlooks more than is assumed."""


def judge_section(found: Sequence[Mistakes]) -> str:
    """What it is measured on, how often it errs, and what follows."""
    named = {(one.name, one.same): one for one in found}
    alarmed, overlooked = named["written", True], named["written", False]
    claims, direction = named["claims, one true and one not", False], named["written, direction", False]
    return f"""## How often the judge of answers is mistaken

Whether an answer from memory would have been right is found out by asking all the same and comparing the two answers (`same_answer` in
`src/headgate/cache/semantic/comparing.py`). The judge is quick and knows no meaning: equal words, numbers and signs, yes against no, one word for another where
all else is the same, and else nearness of vectors. Shadow mode, `sample` and `adaptive` rest on it. Here it is asked about pairs of answers of which it is known
whether they say the same (`python -m bench.cache.adaptive`). Intervals are 95 %, by bootstrap over groups: pairs of one question, conversation or paper are not
independent.

{table(found)}

**Where the pairs are from.** *Written*: to {alarmed.groups} questions two answers that say the same and answers to questions that look alike, written for this project before the judge was
measured on them (`bench/cache/answers.txt`), by one hand that knew the judge's first rules; its kinds are parts of it, with few groups each. *Conversations*: what the assistant says at the same place of two
conversations of fow-cache (CC BY 4.0, © 2026 Mabon ap Gwyn); labels are of conversations, so a turn may be labelled wrongly. *Claims*: two claims of SciFact
(CC BY 4.0, Allen Institute for AI) of which one paper supports the one and contradicts the other, so that they cannot say the same. *True and made up*: HaluEval (MIT; its text
of HotpotQA, CC BY-SA 4.0), the true answer against a made-up one; the true ones are far shorter, which makes it easy. *Questions*: fow-cache's pairs, read as if they were answers; the hardest, and no answers.
Of the published parts for development some rows of the conversations, claims and HaluEval were read to see what their columns mean. Nothing of them is shipped or learned from.

**What was changed with these figures in view.** The judge first passed over numbers of one digit and numbers in words, currencies, and single words exchanged (`debit` for `credit`,
`increases` for `decreases`): it overlooked 17 % of the written pairs that differ, 61 % of the claims and all of those that are a word or two apart. Now it is {overlooked.share:.0%}, {claims.share:.0%} and
{named["claims, of these a word or two apart", False].share:.0%}. It takes hardly more of the written pairs that say the same for different (40 % before, {alarmed.share:.0%} now), more of the questions (31 %, {named["questions, read as if they were answers", True].share:.0%}). Rules were
made with these rows in view, so expect a little more on others.

**What that means.**

- *Taken for different though it says the same* ({alarmed.share:.0%}, where an answer is put in other words) makes the share of wrong hits look larger than it is. `adaptive` then gives less, or nothing, and never too much; the shares of `headgate cache stats`
  and of shadow mode are too high by as much. How large it is for a model is not known from here: one that words its answers alike (temperature 0, short answers, a fixed form)
  is hardly touched by it; one that writes freely is as bad as the table. Where answers are fetched anew (`refresh`, `stale`) the gateway counts it itself and takes off what is sure.
- *Taken for the same though it is not* ({overlooked.share:.0%}; {direction.share:.0%} where only the direction differs) makes it look smaller, and nothing in a running gateway can tell. So the bound takes {OVERLOOKED:.0%} for granted, near the upper end of the
  worst set's interval: what is seen has to be at most {1 - OVERLOOKED:.0%} of `most_wrong`. Where more is overlooked, the promise does not hold: at one half, one and a half times `most_wrong` may be wrong.
"""


def adaptive_section(cells: Sequence[Cell], *, seeds: int, asked: int) -> str:
    """What is served and wrong, by kind of stream, bound and judge."""
    judges = list(dict.fromkeys(one.judge for one in cells))
    nears = list(dict.fromkeys(one.near for one in cells))
    bounds = sorted({one.most_wrong for one in cells})
    by = {(one.near, one.judge, one.most_wrong): one for one in cells}
    steady = judges[1]
    streams = "\n".join(
        _stream_row(by[near, steady, most], seeds, asked) for most in bounds for near in nears
    )
    erring = "\n".join(
        _judge_row([by[near, judge, most] for near in (nears[0], nears[-2], nears[-1])])
        for most in bounds
        for judge in judges
    )
    kept = [one for one in cells if one.judge != judges[_TOO_BLIND]]
    return f"""## What `adaptive` keeps

Streams of {asked:,} near questions whose truth is known, {seeds} seeds each, with the rules of `src/headgate/cache/semantic/bounds.py` as they are: near misses are all judged, of the hits
{0.05:.0%}. A tenth of the questions is also asked anew, which shows how often the judge takes the same for different. Whatever comes out is written down. *Generated pairs* are those above, of intents that the check
never learned, each with its own score: 36 % of them ask the same, 22 % at a score of 0.95 or more, so more than that can hardly be served. In the other streams only the score is drawn and how
likely the answer is right: *the surer the righter* (1 - 0.9 (1 - score)^1.5), *a cliff* (0.999 above 0.9, 0.7 below), or the same at every score: half of what may be wrong, and a fifth more than may be, where nothing must be given.

*Served*: of the near questions, mean (least to most over streams). *Wrong*: of what was served (95 %, by bootstrap over streams; where none was wrong, or fewer than five streams gave anything, Clopper and Pearson's of all hits). *Over*: streams of {seeds} in which more was wrong than may be, by more
than two standard errors. *First*: near questions before the first that was given an answer, median. *Looks*: how often the threshold was looked for anew.

With a judge that {steady.replace(", as measured", "")} and takes nothing that says the same for different:

| may be wrong | near questions | served | wrong | over | first | looks |
| --- | --- | --- | --- | --- | --- | --- |
{streams}

With judges that err in other ways:

| may be wrong | judge | generated pairs: served | half as many wrong as may be: served, wrong | a fifth more wrong than may be: served, wrong |
| --- | --- | --- | --- | --- |
{erring}

Where no more is overlooked than is assumed, {sum(one.over for one in kept)} of the {sum(one.gave for one in kept)} streams that gave anything (of {len(kept) * seeds}) were over by more than two standard errors; where half is
overlooked, {sum(one.over for one in cells) - sum(one.over for one in kept)} of {sum(one.gave for one in cells) - sum(one.gave for one in kept)}.

**What it shows.** Where the judge overlooks no more than is assumed the bound is kept, and it is kept by giving nothing in doubt. It is slow: at 1 % it takes thousands of near questions, at 5 % hundreds, and where half of
what may be wrong is wrong little is given for long. It needs a model that words its answers to like questions alike: 2 % of false alarms leave nothing at 1 %, next to nothing at 2 % and about two thirds at
5 %; a tenth leaves next to nothing at any of the three, though the gateway knows the share. With the share that was measured on answers put in other words `adaptive` gives nothing at all. Then a fixed threshold, after a look at shadow
mode with the sampled answers read by people, is the better choice. Where half of what is wrong is overlooked, twice what is assumed, some streams give what must not be given. Before the judge's mistakes were measured nothing was assumed to be overlooked: then of eight streams at 5 %
in which a fifth more was wrong than may be, three gave answers at 25 % overlooked, and all eight at 50 %.

**What it does not show.** Real traffic: how often near questions are traps there, and whether next month's are like this month's, nobody knows but the operator. Judgements of the streams are independent; of a real trap that is
asked a hundred times all hundred are wrong, and the judge errs on them alike. Of the generated traps none has a score of 0.95; that says of the next ones only that at most some 0.3 % have, if they are like these. Questions asked anew
are taken to show as many false alarms as near ones; a model at temperature 0 that repeats itself word for word shows fewer, and then too little is taken off: less is given than could be. Several nodes, judgements that are lost, and models that change are left out.
"""


def _stream_row(one: Cell, seeds: int, asked: int) -> str:
    low, high = one.served_range
    first = (
        "-"
        if one.first is None
        else f"{one.first:,.0f}" + (f" ({one.gave} of {seeds} streams)" if one.gave < seeds else "")
    )
    return (
        f"| {one.most_wrong:.0%} | {one.near} | {one.served:.1%} ({low:.1%} to {high:.1%}) | {_wrong(one)} | "
        f"{one.over} | {first} | {one.looks:,.0f} |"
    )


def _judge_row(cells: Sequence[Cell]) -> str:
    rows, *others = cells
    return (
        f"| {rows.most_wrong:.0%} | {rows.judge} | {rows.served:.1%} | "
        + " | ".join(f"{one.served:.1%}, {_wrong(one)}" for one in others)
        + " |"
    )


def _wrong(one: Cell) -> str:
    if one.wrong is None or one.wrong_interval is None:
        return "-"
    low, high = one.wrong_interval
    return f"{one.wrong:.2%} ({low:.2%} to {high:.2%})"
