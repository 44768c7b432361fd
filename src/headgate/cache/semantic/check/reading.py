"""A question taken apart: what kind of question, and the words that say about what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headgate.cache.semantic.check.amounts import amount_at
from headgate.cache.semantic.check.lexicon import UNKNOWN, Lexicon
from headgate.cache.semantic.check.splitting import capitalised, split

__all__ = ["MOST_WORDS", "Reading", "Word", "read"]

MOST_WORDS = 120
"""Questions with more are the same only if they are written the same."""

_DROPPED = frozenset("the a an some any be do have there here it its so um uh oh".split())
_LIGHT = frozenset(
    "this that these those such own very more and or if then also too as both else ever yet still just really"
    " get go come make".split()
)
_SELF = frozenset("i me my mine myself we us our ours you your yours yourself one oneself".split())
_OTHERS = frozenset("he him his she her hers they them their theirs".split())
_PLACES = frozenset(
    "of to in on at for with from by about as into onto over under between through per against around out up off down"
    " across along via near toward upon within inside than like during versus vs among while when where who which that".split()
)
_TURNING = frozenset("to from into before after than over under by against until since versus vs instead when".split())
"""What follows one of these has a part in the question that the other word has not: from A to B is not from B to A."""
_PARTICLES = frozenset("on off up down back out in away".split())
_NOT = frozenset("not no never without none neither nor nothing nobody no_longer".split())
_EXCEPT = frozenset("except instead unless".split())
_COUNTING = frozenset(
    "all every each most only several many few more_than less_than at_least at_most always sometimes often rarely half"
    " double first last next previous entire whole per whether".split()
)
_ABLE = frozenset("can could may might able possible".split())
_OUGHT = frozenset("should ought recommend advisable".split())
_MUST = frozenset("must required need mandatory shall necessary".split())
_LATER = frozenset("will shall would".split())
_PAST = frozenset("did was were had".split())
_ASKING = frozenset("how what which when where who whom why".split())
_YES_NO = frozenset("is are am do does did was were will has have had would can could may should must".split())


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
    own: bool = False
    foreign: float = 0.0
    """Share of words that are not common English ones."""
    too_long: bool = False


def read(text: str, lexicon: Lexicon) -> Reading:
    """Never raises; `text` may be anything."""
    names = capitalised(text)
    raw = [word if word in names or word in lexicon.known else lexicon.slip(word) for word in split(text)]
    if len(raw) > MOST_WORDS:
        return Reading(tuple(raw), too_long=True)
    start = raw[0] if raw else ""
    unknown = [word for word in raw if word.isalpha() and word not in names and lexicon.rarity(word) == UNKNOWN]
    # The second time finds what the first has put together.
    tokens = _rewritten(_gapped(_rewritten(raw, lexicon), lexicon), lexicon)
    reading = Reading(tuple(tokens), foreign=len(unknown) / max(1, len(raw)))
    _fill(reading, tokens, names, start, lexicon)
    return reading


def _rewritten(tokens: Sequence[str], lexicon: Lexicon) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(tokens):
        for rewrite in lexicon.rewrites.get(tokens[at], ()):
            end = at + len(rewrite.left)
            if (not rewrite.begins or not found) and tuple(tokens[at:end]) == rewrite.left:
                found.extend(rewrite.right)
                at = end
                break
        else:
            found.append(tokens[at])
            at += 1
    return found


def _gapped(tokens: list[str], lexicon: Lexicon) -> list[str]:
    """Questions like `how much does SOMETHING cost`."""
    if not tokens:
        return tokens
    for rewrite in lexicon.gaps.get(tokens[0], ()):
        kept = _fits(tokens, rewrite.left)
        if kept is not None:
            return [*rewrite.right[:-1], *kept]
    return tokens


def _fits(tokens: list[str], left: tuple[str, ...]) -> list[str] | None:
    """What stands in the gaps, or None. A last fixed word must end the question, but for two words (`... per year`)."""
    first = left.index("*")
    if tuple(tokens[:first]) != left[:first]:
        return None
    rest = left[first + 1 :]
    if not rest:
        return tokens[first:]
    fixed = tuple(one for one in rest if one != "*")
    for at in range(first + 1, len(tokens) - len(fixed) + 1):
        if tuple(tokens[at : at + len(fixed)]) == fixed:
            after = tokens[at + len(fixed) :]
            if after and rest[-1] != "*" and len(after) > 4:
                return None
            return tokens[first:at] + after
    return None


def _fill(reading: Reading, tokens: list[str], names: frozenset[str], start: str, lexicon: Lexicon) -> None:
    bases = [lexicon.base(token) for token in tokens]
    at = 0
    role = ""
    denied = 0
    while at < len(tokens):
        token, base = tokens[at], bases[at]
        amount = amount_at(tokens, bases, at)
        if amount is not None:
            reading.amounts.append(amount.key)
            reading.words.append(Word(token, "#" + amount.key, 1.0, "amount", role, denied=denied > 0))
            at += amount.words
            role = ""
            continue
        if token.startswith("!"):
            reading.asks = reading.asks or token[1:]
            if token == "!cannot":
                reading.nots += 1
            at += 1
            continue
        phrase, apart_at = _phrase_at(bases, at, lexicon)
        if phrase:
            base, taken = "_".join(phrase), len(phrase)
            if apart_at:
                del tokens[apart_at], bases[apart_at]
                taken = 1
        else:
            taken = 1
            if _grammar(reading, token, base):
                if token in _NOT:
                    denied = 3
                if token in _TURNING:
                    role = token
                at += 1
                continue
        reading.words.append(_word(token, base, role, names, lexicon, denied > 0, taken))
        denied -= 1
        role = token if token in _TURNING else ""
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


def _grammar(reading: Reading, token: str, base: str) -> bool:
    """Notes what a small word says; True if that is all it says."""
    if token in _NOT:
        reading.nots += 1
        return True
    if token in _ASKING:
        if not reading.asks:
            reading.asks = token
            return True
        return token in ("which", "who", "what")
    if token in _OTHERS:
        reading.others |= {"he" if token in ("he", "him", "his") else "she" if token in ("she", "her", "hers") else "they"}
        return True
    if token in _SELF:
        reading.own = True
        return True
    if token in _PAST:
        reading.past = True
    if token in _EXCEPT:
        reading.excepts += 1
        return True
    if token in _ABLE:
        reading.able = True
        return True
    if token in _OUGHT and token in ("should", "ought"):
        reading.ought = True
        return True
    if token in ("must", "shall"):
        reading.must = True
        return True
    if token in _LATER:
        reading.later = token != "would"
        return True
    return base in _DROPPED or token in _DROPPED


def _word(
    token: str, base: str, role: str, names: frozenset[str], lexicon: Lexicon, denied: bool, taken: int
) -> Word:
    rarity = min(lexicon.rarity(base), lexicon.rarity(token))
    whole = taken > 1 or "_" in base
    common = rarity < UNKNOWN or whole
    if base in _PLACES:
        return Word(token, base, 0.1, "place", role, denied=denied)
    if base in _COUNTING:
        return Word(token, base, 0.5, "count", role, denied=denied)
    if base in _LIGHT:
        return Word(token, base, 0.15, "light", role, denied=denied)
    weight = 0.8 if whole else min(1.0, max(0.5, (rarity - 5) / 9))
    return Word(token, base, weight, "content", role, name=token in names, common=common, denied=denied)
