"""Rules: keywords and expressions over what the user wrote last, answered by words with gaps. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.core.messages import ChatRequest, Text
from headgate.dispatch.ladder.template import FEATURE, fill

__all__ = ["Pattern", "Rule", "RuleBook", "any_of", "compiled", "folded", "last_words"]

_MOST = 8000
"""Characters of a message that are looked at: of a longer one, the beginning and the end."""

_MOST_OF_ONE = 1 << 20
"""Bytes that an expression may be compiled to; a large count in braces would take more."""
_MOST_OF_KEYWORDS = 16 << 20

_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x9FFF),  # Chinese characters
    (0xAC00, 0xD7AF),  # Hangul: written with spaces, but particles are joined to the word
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_RANGES = "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in _WITHOUT_SPACES)
_BORDER = rf"(?:[^\pL\pN\pM_]|[{_RANGES}])"
"""A character that no word goes on with."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression. RE2 takes time in proportion to the text, whatever the expression and the text are."""

    regexp: Any

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups."""
        return tuple(self.regexp.groupindex)

    def found(self, text: str) -> dict[str, str | None] | None:
        """What its groups hold where it is found first; None if it is not found."""
        match = self.regexp.search(text)
        return None if match is None else dict(match.groupdict())


def compiled(expression: str) -> Pattern:
    """Raises ValueError for what is no expression, or one of those that only slow engines have (look-around, `\\1`)."""
    return Pattern(_re2(expression, _MOST_OF_ONE))


def _re2(expression: str, most_bytes: int) -> Any:
    import re2  # noqa: PLC0415 - 5 MB and 15 ms that only those pay who have rules

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = most_bytes
    try:
        return re2.compile(expression, options)
    except re2.error as wrong:
        why = wrong.args[0] if wrong.args else ""
        text = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"`regex` is not an expression that RE2 knows: {text}") from None


@dataclass(frozen=True, slots=True)
class Rule:
    """Ready for use; see `settings.RuleSettings`."""

    keywords: Pattern | None
    """What `any_of` made; None if the rule has none."""
    pattern: Pattern | None
    answer: str

    def groups(self, text: str, plain: str) -> Mapping[str, str | None] | None:
        """What the gaps of the answer are filled with; None if the rule does not hold. plain: `text`, folded."""
        if self.keywords is not None and self.keywords.found(plain) is None:
            return None
        return {} if self.pattern is None else self.pattern.found(text)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of one name, in order."""

    rules: Sequence[Rule]
    otherwise: str = ""

    def answer(self, text: str, feature: str, *, in_json: bool = False) -> str | None:
        """The answer of the first rule that holds for what the user wrote, else `otherwise`; None: there is none.

        in_json: answers are JSON, and what the user wrote is put into their strings."""
        text = _bounded(text)
        plain = folded(text)
        for rule in self.rules:
            found = rule.groups(text, plain)
            if found is not None:
                return fill(rule.answer, {**found, FEATURE: feature}, in_json=in_json)
        return fill(self.otherwise, {FEATURE: feature}, in_json=in_json) if self.otherwise else None


def last_words(request: ChatRequest) -> str:
    """The text of the user's last message that has any: a tool's results are no words of the user's."""
    for message in reversed(request.messages):
        if message.role == "user":
            texts = [part.text for part in message.parts if isinstance(part, Text) and part.text.strip()]
            if texts:
                return "\n".join(texts)
    return ""


def folded(text: str) -> str:
    """`text` as keywords are compared: without case, without kinds of the same letter, one space between words."""
    once = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", once).split())


def any_of(keywords: Sequence[str]) -> Pattern:
    """Found in a folded text where one of `keywords` stands as a word or words of its own.

    One expression for all: a search by hand took 4 ms for one keyword and a message that somebody had made to be slow."""
    return Pattern(_re2("|".join(_apart(folded(word)) for word in keywords), _MOST_OF_KEYWORDS))


def _apart(word: str) -> str:
    before = f"(?:^|{_BORDER})" if _joins(word[0]) else ""
    after = f"(?:{_BORDER}|$)" if _joins(word[-1]) else ""
    return f"{before}{''.join(map(_literal, word))}{after}"


def _literal(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"


def _joins(character: str) -> bool:
    """Does it make one word with its neighbours? In scripts without spaces nothing tells where a word ends."""
    if character.isascii():
        return character.isalnum() or character == "_"
    code = ord(character)
    if any(first <= code <= last for first, last in _WITHOUT_SPACES):
        return False
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _bounded(text: str) -> str:
    if len(text) > _MOST:
        text = f"{text[: _MOST // 2]}\n{text[-_MOST // 2 :]}"
    # Half of a surrogate pair cannot be searched.
    return text.encode("utf-8", "replace").decode("utf-8")
