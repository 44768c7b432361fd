"""A question's words, numbers and signs, in small letters, contractions spelled out."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["LONGEST", "capitalised", "split", "words_of"]

LONGEST = 4000
"""Characters beyond which a question is not looked at closely."""

_TOKEN = re.compile(
    r"""
    c\+\+ | \b[cf]\# | \.net\b | \b[upa]\.[skm]\.(?:a\.)?   # names that are made of signs, and p.m.
    | (?<![\w.])-\d+(?:\.\d+)?                        # below zero
    | \d{1,4}[/-]\d{1,2}[/-]\d{1,4} | \d{1,2}:\d{2} | \d+(?:\.\d+){2,}     # dates, times, versions
    | \d{1,3}(?:,\d{3})+(?:\.\d+)? | \d+(?:\.\d+)?
    | [^\W\d_]+(?:'[^\W\d_]+)* (?:\d[^\W_]*)?                # words, and b12, mp3
    | [-+*/=<>^](?=\s*\d) | [%$€£¥&]
    | _+ | [^\w\s.,;:!?'"()\[\]{}\-–—…¿¡«»„“”‘’`/*+=<>^#@|~\\]   # any other sign is a word of its own
    """,
    re.VERBOSE,
)


def words_of(text: str) -> frozenset[str]:
    """A set of words, written as a line."""
    return frozenset(text.split())


_IS = words_of("what where who when how why that it he she there here which")
_SMALL = words_of(
    "is are do does did can could my your was were will would should the a an to for in on of and or not it with have has"
)
_TAILS = {"re": "are", "ve": "have", "ll": "will", "d": "would", "m": "am"}
_BARE = {
    "dont": ("do", "not"),
    "doesnt": ("does", "not"),
    "didnt": ("did", "not"),
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "wont": ("will", "not"),
    "isnt": ("is", "not"),
    "arent": ("are", "not"),
    "wasnt": ("was", "not"),
    "werent": ("were", "not"),
    "couldnt": ("could", "not"),
    "wouldnt": ("would", "not"),
    "shouldnt": ("should", "not"),
    "havent": ("have", "not"),
    "hasnt": ("has", "not"),
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "whos": ("who", "is"),
    "hows": ("how", "is"),
    "whens": ("when", "is"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "youre": ("you", "are"),
    "u": ("you",),
    "ur": ("your",),
    "&": ("and",),
    "%": ("percent",),
    "$": ("dollar",),
    "€": ("euro",),
    "£": ("pound",),
    "¥": ("yen",),
    "p.m.": ("pm",),
    "a.m.": ("am",),
}
_FIXED = {
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "shan't": ("shall", "not"),
    "let's": ("let", "us"),
}


def split(text: str) -> list[str]:
    """Everything that tells questions apart; spaces, dashes within words and marks between them do not."""
    found: list[str] = []
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).replace("’", "'").replace("`", "'").lower()
    for match in _TOKEN.finditer(plain):
        found.extend(_spelled(match.group()))
    return found


def capitalised(text: str) -> frozenset[str]:
    """Words written with a capital where none is due: names, mostly. None if small words are, too: then it is a title, or shouted."""
    if text.isupper():
        return frozenset()
    names: set[str] = set()
    begins = True
    for word in text[:LONGEST].split():
        bare = word.strip(".,;:!?'\"()[]{}…").removesuffix("'s").removesuffix("’s")
        if bare:
            if not begins and bare[0].isupper() and bare.lower().partition("'")[0].partition("’")[0] != "i":
                if bare.lower() in _SMALL:
                    return frozenset()
                names.update(split(bare))
            begins = word[-1] in ".!?:"
    return frozenset(names)


def _spelled(word: str) -> tuple[str, ...]:
    if word in _BARE:
        return _BARE[word]
    if "'" not in word:
        return (word,)
    if word in _FIXED:
        return _FIXED[word]
    head, _, tail = word.rpartition("'")
    if tail == "t" and head.endswith("n"):
        return (head[:-1], "not")
    if tail == "s":
        return (head, "is") if head in _IS else (head,)
    if tail in _TAILS:
        return (head, _TAILS[tail])
    return (word.replace("'", ""),)
