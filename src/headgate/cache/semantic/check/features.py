"""What a pair of questions looks like, as numbers, and what forbids to take one for the other."""

from __future__ import annotations

from collections import Counter

from headgate.cache.semantic.check.aligning import Alignment, Pair, align
from headgate.cache.semantic.check.lexicon import Lexicon
from headgate.cache.semantic.check.reading import Reading, Word
from headgate.cache.semantic.check.splitting import words_of

__all__ = ["FEATURES", "Seen", "look"]

FEATURES = (
    "cosine",
    "far",
    "over_sum",
    "over_most",
    "swapped",
    "added",
    "same",
    "near",
    "spelling",
    "family",
    "few_words",
    "asks_close",
    "asks_differ",
    "modal",
    "tense",
    "places",
    "counts",
    "light",
    "inverted",
    "weakly_apart",
    "names",
    "somebody",
    "over_words",
)
"""In the order of the weights."""

_CLOSE = frozenset(
    frozenset(pair.split())
    for pair in [
        "how_to where",
        "how_to how",
        "how how_works",
        "how what",
        "do can",
        "do yes_no",
        "how_to can",
        "how_to want",
        "how_to do",
        "want do",
        "what some",
        "what do",
        "what which",
        "what_kind what",
        "what_kind which",
        "what how_works",
        "yes_no can",
        "cannot why",
        "cannot how_to",
        "what want",
        "some do",
        "some want",
        "how_to what_if",
        "what_if what_happens",
        "must yes_no",
        "should yes_no",
        "how_much what",
        "how_many what",
        "why cannot",
        "which who",
        "where which",
        "how_to how_works",
        "what where",
        "what who",
        "what when",
        "why what",
        "how_to what",
    ]
)
_STRICT = words_of(
    "do how_to how when where who why how_long how_often how_many how_much yes_no can must should cannot how_works what_happens"
)
"""Kinds of question that have different answers, whatever they are about."""
_SUBJECT = 0.5
"""Weight from which a word says what a question is about."""
_OPPOSED = frozenset(
    frozenset(pair.split())
    for pair in ["to from", "into from", "before after", "until after", "over under", "since until"]
)
_ALIKE = frozenset(
    frozenset(pair.split()) for pair in ["what which", "how_to want", "how_to do", "want do", "what do"]
)


class Seen:
    """A pair, looked at."""

    __slots__ = ("values", "why")

    def __init__(self, values: list[float], why: str) -> None:
        self.values = values
        self.why = why
        """What forbids it, in words; "" if nothing does."""


def look(asked: Reading, kept: Reading, cosine: float, lexicon: Lexicon) -> Seen:
    """Reads both ways alike: look(a, b) is look(b, a)."""
    found = align(asked, kept, lexicon)
    why = _forbidden(asked, kept, found, lexicon)
    left = sum(_loss(word) for word in found.left_over)
    right = sum(_loss(word) for word in found.right_over)
    over = [*found.left_over, *found.right_over]
    how = Counter(pair.how for pair in found.pairs)
    words = max(1, min(len(_content(asked)), len(_content(kept))))
    close, differ = _asks(asked.asks, kept.asks)
    values = {
        "cosine": cosine,
        "far": max(0.0, 0.85 - cosine),
        "over_sum": min(3.0, left + right),
        "over_most": max((_loss(word) for word in over), default=0.0),
        "swapped": min(2.0, left, right),
        "added": min(2.0, abs(left - right)),
        "same": how["same"] / words,
        "near": how["near"] / words,
        "spelling": how["spelling"] / words,
        "family": (how["family"] + how["joined"]) / words,
        "few_words": 1.0 / words,
        "asks_close": close,
        "asks_differ": differ,
        "modal": float((asked.ought != kept.ought) + (asked.must != kept.must))
        + 0.5 * (asked.able != kept.able),
        "tense": float((asked.past != kept.past) + (asked.later != kept.later)),
        "places": min(3.0, float(sum(word.kind == "place" for word in over))),
        "counts": min(2.0, float(sum(word.kind == "count" for word in over))),
        "light": min(3.0, float(sum(word.kind == "light" for word in over))),
        "inverted": _inverted(found),
        "weakly_apart": float(_families(found, lexicon, weakly=True) is not None),
        "names": float(any(word.name or not word.common for word in over)),
        "somebody": float(asked.others != kept.others),
        "over_words": min(3.0, float(sum(word.kind == "content" for word in over))),
    }
    return Seen([values[name] for name in FEATURES], why)


def _content(reading: Reading) -> list[Word]:
    return [word for word in reading.words if word.kind in ("content", "amount")]


def _loss(word: Word) -> float:
    return word.weight if word.kind in ("content", "count") else 0.0


def _asks(left: str, right: str) -> tuple[float, float]:
    pair = frozenset((left, right))
    if left == right or pair in _ALIKE:
        return 0.0, 0.0
    if pair in _CLOSE or not left or not right:
        return 1.0, 0.0
    return 0.0, 1.0


def _forbidden(asked: Reading, kept: Reading, found: Alignment, lexicon: Lexicon) -> str:
    numbers, others = Counter(asked.amounts), Counter(kept.amounts)
    if numbers != others:
        differ = [*(numbers - others), *(others - numbers)]
        return f"numbers differ: {', '.join(differ[:4])}"
    if asked.nots != kept.nots:
        return "one says not"
    if asked.others and kept.others and asked.others != kept.others:
        return f"{', '.join(sorted(asked.others))} is not {', '.join(sorted(kept.others))}"
    if (asked.past and kept.later) or (asked.later and kept.past):
        return "one is about what was, the other about what will be"
    if asked.excepts != kept.excepts:
        return "one makes an exception"
    if (
        asked.asks in _STRICT
        and kept.asks in _STRICT
        and asked.asks != kept.asks
        and frozenset((asked.asks, kept.asks)) not in _CLOSE
    ):
        return f"one asks {asked.asks.replace('_', ' ')}, the other {kept.asks.replace('_', ' ')}"
    if not any(
        min(asked.words[pair.left].weight, kept.words[pair.right].weight) >= _SUBJECT for pair in found.pairs
    ):
        return "no word of weight in common"
    turned = _families(found, lexicon)
    if turned:
        return f"{turned[0]} is not {turned[1]}"
    for word in (*found.left_over, *found.right_over):
        if word.kind == "content" and (word.name or any(letter.isdigit() for letter in word.text)):
            return f"only one names {word.text}"
    return _turned(asked, kept, found) or _denied(asked, kept, found)


def _families(found: Alignment, lexicon: Lexicon, *, weakly: bool = False) -> tuple[str, str] | None:
    for left in found.left_over:
        for right in found.right_over:
            if lexicon.differ(left.base, right.base, weakly=weakly):
                return left.text, right.text
    return None


def _turned(asked: Reading, kept: Reading, found: Alignment) -> str:
    """Two words have changed their parts: from A to B against from B to A, A before B against B before A."""
    pairs = [pair for pair in found.pairs if asked.words[pair.left].kind in ("content", "amount")]
    for one in pairs:
        role, back = asked.words[one.left].role, kept.words[one.right].role
        if frozenset((role, back)) in _OPPOSED or (role != back and "instead" in (role, back)):
            return f"{role} {asked.words[one.left].text} is not {back} {kept.words[one.right].text}"
    alike = _same_words(asked, found)
    if alike and asked.object != kept.object:
        return "one asks what is done to me"
    for number, one in enumerate(pairs):
        for other in pairs[number + 1 :]:
            if (one.left < other.left) != (one.right < other.right) and _parts_changed(
                asked, kept, one, other, alike=alike
            ):
                return f"{asked.words[one.left].text} and {asked.words[other.left].text} have changed places"
    return ""


def _same_words(asked: Reading, found: Alignment) -> bool:
    """Is nothing left over that says something, and nothing put in other words? Then the order alone tells the two apart."""
    over = (*found.left_over, *found.right_over)
    return not any(word.kind in ("content", "amount") for word in over) and all(
        pair.how in ("equal", "family") for pair in found.pairs if asked.words[pair.left].kind == "content"
    )


def _parts_changed(asked: Reading, kept: Reading, one: Pair, other: Pair, *, alike: bool) -> bool:
    """Of two words that stand the other way round: is that another question? alike: all other words are the same."""
    if _listed(asked, one.left, other.left) and _listed(kept, one.right, other.right):
        return False
    roles = asked.words[one.left].role, asked.words[other.left].role
    back = kept.words[one.right].role, kept.words[other.right].role
    if roles != back and any(roles) and any(back):
        return True
    if not alike:
        return False
    does = _who_asks_does(asked), _who_asks_does(kept)
    if does[0] != does[1]:
        return True
    cases = _case(asked, one.left), _case(asked, other.left)
    turned = _case(kept, one.right), _case(kept, other.right)
    if cases != turned:
        small = {*cases, *turned} & {"as", "by", "with", "about", "than", "like"}
        return cases == turned[::-1] or bool(small and cases[0] + cases[1] != turned[0] + turned[1])
    # `My password, how do I reset it?` is no other question: who asks is the one who does it. `What eats rabbits?` is.
    return cases[0] == cases[1] and not does[0] and not asked.owned and not kept.owned


def _who_asks_does(reading: Reading) -> bool:
    return reading.subject or reading.asks in ("how_to", "want", "do")


def _case(reading: Reading, at: int) -> str:
    """The small word right before it."""
    return reading.words[at - 1].base if at and reading.words[at - 1].kind == "place" else ""


def _listed(reading: Reading, one: int, other: int) -> bool:
    """Are they named side by side, as `A and B`?"""
    return any(word.base in ("and", "or", "vs") for word in reading.words[min(one, other) : max(one, other)])


def _denied(asked: Reading, kept: Reading, found: Alignment) -> str:
    for pair in found.pairs:
        left, right = asked.words[pair.left], kept.words[pair.right]
        if left.denied != right.denied and left.kind == "content" and asked.nots:
            others = [
                one
                for one in found.pairs
                if asked.words[one.left].denied and not kept.words[one.right].denied
            ]
            backs = [
                one
                for one in found.pairs
                if kept.words[one.right].denied and not asked.words[one.left].denied
            ]
            if others and backs:
                return f"not {asked.words[others[0].left].text} is not the same as not {kept.words[backs[0].right].text}"
    return ""


def _inverted(found: Alignment) -> float:
    """Share of the pairs of words that stand the other way round."""
    order = sorted((pair.left, pair.right) for pair in found.pairs)
    total = len(order) * (len(order) - 1) // 2
    if not total:
        return 0.0
    turned = sum(one[1] > other[1] for at, one in enumerate(order) for other in order[at + 1 :])
    return turned / total
