"""A question taken apart: what kind of question, and the words that say about what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from headgate.cache.semantic.check.amounts import amount_at
from headgate.cache.semantic.check.lexicon import UNKNOWN, Lexicon
from headgate.cache.semantic.check.splitting import LONGEST, capitalised, split, words_of

__all__ = ["MOST_WORDS", "Reading", "Word", "read"]

MOST_WORDS = 80
"""Questions with more are the same only if they are written the same."""

_DROPPED = words_of("the a an some any be do have there here it its so um uh oh")
_LIGHT = words_of(
    "this that these those such own very more and or if then also too as both ever just really"
    " get go come make have give put let look available possible way way process method step person people someone somebody"
    " anyone anybody everyone one thing something anything currently now usually normally generally typically ever own correct"
    " proper exact specific certain particular need_to am being been please so much"
)
_SELF = words_of("i me my mine myself we us our ours you your yours yourself one oneself")
_OWNED = re.compile(
    r"(?<!\bwhat)(?<!\bwho)(?<!\bwhere)(?<!\bhow)(?<!\bwhen)(?<!\bit)(?<!\bthat)(?<!\bthere)['’]s\b"
)
_DOING = words_of("i we you one")
_OTHERS = words_of("he him his she her hers they them their theirs")
_PLACES = words_of(
    "of to in on at for with from by about as into onto over under between through per against around out up off down"
    " across along via near toward upon within inside than like during versus vs among while when where who which that"
)
_TURNING = words_of("to from into before after than over under by against until since versus vs instead when")
"""What follows one of these has a part in the question that the other word has not: from A to B is not from B to A."""
_ROLES = {"into": "to", "onto": "to", "versus": "vs"}
_PARTICLES = words_of("on off up down back out in away")
_NOT = words_of("not no never without none neither nor nothing nobody no_longer")
_EXCEPT = words_of("except instead unless")
_COUNTING = words_of(
    "all every each most only several many few more_than less_than at_least at_most always sometimes often rarely half"
    " double still already yet again anymore first last next previous entire whole per whether"
)
_PICKING = words_of(
    "new old other second third former original main best worst additional existing extra separate else used free"
)
_ABLE = words_of("can could may might able")
_OUGHT = words_of("should ought recommend advisable")
_MUST = words_of("must required need mandatory shall necessary")
_LATER = words_of("will shall would")
_PAST = words_of("did was were had has")
_ASKING = words_of("how what which when where who whom why")
_YES_NO = words_of("is are am do does did was were will has have had would can could may should must")


@dataclass(slots=True)
class Word:
    """One that matters."""

    text: str
    base: str
    weight: float
    """How much is lost if it is missing: from common (0.3) to rare (1)."""
    kind: str
    """content, place, count, light."""
    role: str = ""
    """The turning word before it: `from`, `to`, ..."""
    name: bool = False
    common: bool = True
    """Is it in the list of common words?"""
    denied: bool = False
    """Does it follow a `not`?"""


@dataclass(slots=True)
class Reading:
    """What the check compares."""

    plain: tuple[str, ...]
    """All words, spelled alike; nothing else is looked at if they are equal."""
    words: list[Word] = field(default_factory=list)
    asks: str = ""
    """how, what, when, ... ; yes_no; "" if nothing tells."""
    amounts: list[str] = field(default_factory=list)
    nots: int = 0
    excepts: int = 0
    able: bool = False
    ought: bool = False
    must: bool = False
    past: bool = False
    later: bool = False
    others: frozenset[str] = frozenset()
    """he, she, they: somebody else than who asks."""
    subject: bool = False
    """I, we, you: who asks is the one who does it."""
    owned: bool = False
    """Something is somebody's: `France's capital`, where others say `the capital of France`."""
    object: bool = False
    """me, us."""
    foreign: float = 0.0
    """Share of words that are not common English ones."""
    too_long: bool = False


def read(text: str, lexicon: Lexicon) -> Reading:
    """Never raises; `text` may be anything."""
    names = capitalised(text)
    raw = [word if word in names or word in lexicon.known else lexicon.slip(word) for word in split(text)]
    if len(raw) > MOST_WORDS:
        return Reading(tuple(raw), too_long=True)
    subject = not _DOING.isdisjoint(raw)
    start = raw[0] if raw else ""
    unknown = [
        word for word in raw if word.isalpha() and word not in names and lexicon.rarity(word) == UNKNOWN
    ]
    # The second time finds what the first has put together.
    terms = _rewritten(_gapped(_rewritten(raw, lexicon), lexicon), lexicon)
    reading = Reading(tuple(terms), foreign=len(unknown) / max(1, len(raw)))
    reading.subject = subject
    reading.owned = _OWNED.search(text[:LONGEST].lower()) is not None
    _fill(reading, terms, names, start, lexicon)
    return reading


def _rewritten(terms: Sequence[str], lexicon: Lexicon) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(terms):
        for rewrite in lexicon.rewrites.get(terms[at], ()):
            end = at + len(rewrite.left)
            if (not rewrite.begins or not found) and tuple(terms[at:end]) == rewrite.left:
                found.extend(rewrite.right)
                at = end
                break
        else:
            found.append(terms[at])
            at += 1
    return found


def _gapped(terms: list[str], lexicon: Lexicon) -> list[str]:
    """Questions like `how much does SOMETHING cost`."""
    if not terms:
        return terms
    for rewrite in lexicon.gaps.get(terms[0], ()):
        kept = _fits(terms, rewrite.left)
        if kept is not None:
            return [*rewrite.right[:-1], *kept]
    return terms


def _fits(terms: list[str], left: tuple[str, ...]) -> list[str] | None:
    """What stands in the gaps, or None. A last fixed word must end the question, but for two words (`... per year`)."""
    first = left.index("*")
    if tuple(terms[:first]) != left[:first]:
        return None
    rest = left[first + 1 :]
    if not rest:
        return terms[first:]
    fixed = tuple(one for one in rest if one != "*")
    for at in range(first + 1, len(terms) - len(fixed) + 1):
        if tuple(terms[at : at + len(fixed)]) == fixed:
            after = terms[at + len(fixed) :]
            if after and rest[-1] != "*" and len(after) > 4:
                return None
            return terms[first:at] + after
    return None


def _fill(reading: Reading, terms: list[str], names: frozenset[str], start: str, lexicon: Lexicon) -> None:
    bases = [lexicon.base(term) for term in terms]
    at = 0
    role = ""
    denied = 0
    while at < len(terms):
        term, base = terms[at], bases[at]
        amount = amount_at(terms, bases, at)
        if amount is not None:
            reading.amounts.append(amount.key)
            reading.words.append(Word(term, "#" + amount.key, 1.0, "amount", role, denied=denied > 0))
            at += amount.words
            role = ""
            continue
        if term.startswith("!"):
            reading.asks = reading.asks or term[1:]
            if term == "!cannot":
                reading.nots += 1
            at += 1
            continue
        phrase, apart_at = _phrase_at(bases, at, lexicon)
        if phrase:
            base, taken = "_".join(phrase), len(phrase)
            if apart_at:
                del terms[apart_at], bases[apart_at]
                taken = 1
        else:
            taken = 1
            if _grammar(reading, term, base):
                if term in _NOT:
                    denied = 3
                if term in _TURNING:
                    role = _ROLES.get(term, term)
                at += 1
                continue
        reading.words.append(_word(term, base, role, names, lexicon, denied > 0, taken))
        denied -= 1
        if term in _TURNING:
            role = _ROLES.get(term, term)
        elif reading.words[-1].kind != "place":
            role = ""
        at += taken
    if not reading.asks and start in _YES_NO:
        reading.asks = "yes_no"


def _phrase_at(bases: list[str], at: int, lexicon: Lexicon) -> tuple[tuple[str, ...], int]:
    """The phrase, and where its second word stands if that is apart: `turn notifications off`."""
    for phrase in lexicon.phrases.get(bases[at], ()):
        if tuple(bases[at : at + len(phrase)]) == phrase:
            return phrase, 0
        if len(phrase) == 2 and phrase[1] in _PARTICLES:
            for there in range(at + 2, min(at + 5, len(bases))):
                if bases[there] == phrase[1]:
                    return phrase, there
                if bases[there] in _PLACES:
                    break
    return (), 0


def _grammar(reading: Reading, term: str, base: str) -> bool:
    """Notes what a small word says; True if that is all it says."""
    if term in _NOT:
        reading.nots += 1
        return True
    if term in _ASKING:
        if not reading.asks:
            reading.asks = "who" if term == "whom" else term
            return True
        return term in ("which", "who", "what")
    if term in _OTHERS:
        reading.others |= {
            "he" if term in ("he", "him", "his") else "she" if term in ("she", "her", "hers") else "they"
        }
        return True
    if term in _SELF:
        reading.object |= term in ("me", "us")
        return True
    if term in _PAST:
        reading.past = True
    if term in _EXCEPT:
        reading.excepts += 1
        return True
    if term in _ABLE:
        reading.able = True
        return True
    if term in _OUGHT and term in ("should", "ought"):
        reading.ought = True
        return True
    if term in ("must", "shall"):
        reading.must = True
        return True
    if term in _LATER:
        reading.later = term != "would"
        return True
    return base in _DROPPED or term in _DROPPED


def _word(
    term: str, base: str, role: str, names: frozenset[str], lexicon: Lexicon, denied: bool, taken: int
) -> Word:
    rarity = min(lexicon.rarity(base), lexicon.rarity(term))
    whole = taken > 1 or "_" in base
    common = rarity < UNKNOWN or whole
    if base in _PLACES:
        return Word(term, base, 0.1, "place", role, denied=denied)
    if base in _COUNTING:
        return Word(term, base, 0.5, "count", role, denied=denied)
    if base in _PICKING:
        return Word(term, base, 0.8, "content", role, denied=denied)
    if base in _LIGHT:
        return Word(term, base, 0.15, "light", role, denied=denied)
    weight = 0.8 if whole else min(1.0, max(0.5, (rarity - 5) / 9))
    return Word(term, base, weight, "content", role, name=term in names, common=common, denied=denied)
