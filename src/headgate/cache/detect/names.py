"""Does it name a person?

By a title before a name ("Mr Brook"), by words that give one ("my name is"), by a first name that is mostly nothing else, or
by a first name with another capitalised word behind it. The list of first names is our own, of about a thousand from Europe and
some from beyond. Blind to names that are not on it and stand without a title, and to names in small letters. Takes for
persons: people everybody knows, and things that are called like them. Capitals at the beginning of a sentence count for nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from headgate.cache.detect.patterns import expression, utf8, whole_words

__all__ = ["names_a_person"]

_MOST_CHARS = 20_000
"""Characters that are looked through for first names: of a longer text the beginning and the end."""
_UPPER = r"\p{Lu}[\p{Ll}'\x{2019}-]+"
_TITLES = (
    r"Mr|Mrs|Ms|Mx|Dr|Prof|Professor|Sir|Herrn?|Frau|Monsieur|Madame|Mme|Mlle|Señora?|Sra?|Signora?|Sig|Dhr|Mevrouw|Mevr|Meneer"
    r"|Senhora?|Doctor|Doktor"
)
_TITLED = whole_words((rf"(?:{_TITLES})\.? (?:\p{{Lu}}\. ?)*{_UPPER}",))
_GIVEN = whole_words(
    (
        rf"(?:[Mm]y|[Hh]is|[Hh]er|[Tt]heir) (?:full |last |first )?name(?: is|'s|:) {_UPPER}",
        rf"(?:[Ii]ch heiße|[Mm]ein Name ist|[Jj]e m'appelle|[Mm]e llamo|[Mm]i chiamo|[Ii]k heet|[Mm]eu nome é|[Mm]i nombre es) {_UPPER}",
        rf"(?:named|namens|nommée?|llamad[oa]|chiamat[oa]|genaamd) {_UPPER} {_UPPER}",
        rf"(?:Dear|Hi|Hello|Liebe|Lieber|Cher|Chère|Querid[oa]|Car[oa]|Beste|Estimad[oa]) {_UPPER} {_UPPER}",
    )
)
# A set of characters first: that is looked for quickly, and small letters of ASCII are passed over.
_WORD = re.compile(r"[A-Z\u00c0-\uffff][^\W\d_]*(?:['\u2019-][^\W\d_]+)*")


@lru_cache(maxsize=3)
def _words(name: str) -> frozenset[str]:
    text = files("headgate.cache.detect").joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def names_a_person(text: str) -> bool:
    """Is there one in `text`?"""
    if len(text) > 2 * _MOST_CHARS:
        text = f"{text[:_MOST_CHARS]}\n{text[-_MOST_CHARS:]}"
    data = utf8(text)
    if expression(_TITLED).search(data) is not None or expression(_GIVEN).search(data) is not None:
        return True
    return _has_first_name(text)


def _has_first_name(text: str) -> bool:
    names, ambiguous, no_surnames = _words("given_names"), _words("names_and_words"), _words("no_surnames")
    before, end = "", -2
    for match in _WORD.finditer(text):
        word, start = match.group(), match.start()
        if not word[0].isupper() or (start and text[start - 1].isalpha()):
            continue  # in the middle of a word
        low = word.casefold().removesuffix("'s").removesuffix("\u2019s")
        capital = not (word.isupper() and len(word) > 1)
        # A first name, and right behind it another word with a capital.
        if before and capital and start == end + 1 and text[end] == " " and low not in no_surnames:
            return True
        before = ""
        if capital:
            if low in names:
                return True
            # Also a word, a place, a product or a language: it takes a second name behind it.
            before = low if low in ambiguous else ""
        end = match.end()
    return False
