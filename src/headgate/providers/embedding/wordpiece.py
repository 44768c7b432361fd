"""Text -> token ids, as uncased BERT models were trained on them.

Source: the rules of BERT's basic and WordPiece tokenizers; tests compare with an independent implementation's ids.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

__all__ = ["WordPiece", "words"]

_ASCII_WORD = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_ASCII_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])
"""Removed, not turned into a blank: tab, line feed and carriage return alone are blanks."""
_LONGEST_WORD = 100
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Written without blanks between words, so each sign is a word."""


class WordPiece:
    """Greedy longest-match pieces of a vocabulary."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """vocabulary: tokens in order of their ids. Raises ValueError without the special tokens."""
        self._ids = {token: number for number, token in enumerate(vocabulary)}
        missing = [token for token in ("[CLS]", "[SEP]", "[UNK]") if token not in self._ids]
        if missing:
            raise ValueError(f"the vocabulary has no {', '.join(missing)}")
        self._start, self._end, self._unknown = (self._ids[token] for token in ("[CLS]", "[SEP]", "[UNK]"))

    def encode(self, text: str, limit: int = 256) -> list[int]:
        """Ids of at most `limit` tokens, start and end marks included; what is beyond is not looked at."""
        found = [self._start]
        for word in words(text):
            found += self._pieces(word)
            if len(found) >= limit - 1:
                del found[limit - 1 :]
                break
        found.append(self._end)
        return found

    def _pieces(self, word: str) -> list[int]:
        whole = self._ids.get(word)
        if whole is not None:
            return [whole]
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found, start, size = [], 0, len(word)
        while start < size:
            for end in range(size, start, -1):
                piece = self._ids.get(f"##{word[start:end]}" if start else word[:end])
                if piece is not None:
                    break
            else:
                return [self._unknown]
            found.append(piece)
            start = end
        return found


def words(text: str) -> Iterator[str]:
    """Lower-case words without accents; each punctuation mark and each CJK sign is a word of its own."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text.translate(_ASCII_CONTROL).lower()):
            yield match[0]
        return
    for chunk in _cleaned(text).split():
        start = 0
        for at, sign in enumerate(chunk):
            if _is_punctuation(sign):
                if start < at:
                    yield chunk[start:at]
                yield sign
                start = at + 1
        if start < len(chunk):
            yield chunk[start:]


def _cleaned(text: str) -> str:
    spaced = []
    for sign in text:
        if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
            spaced.append(" ")
        elif sign == "\ufffd" or unicodedata.category(sign)[0] == "C":
            continue
        elif any(low <= ord(sign) <= high for low, high in _CJK):
            spaced.append(f" {sign} ")
        else:
            spaced.append(sign)
    plain = (c for c in unicodedata.normalize("NFD", "".join(spaced)) if unicodedata.category(c) != "Mn")
    # Sign by sign: `str.lower` looks at neighbours (Greek sigma), the vocabulary was made without.
    return "".join(sign.lower() for sign in plain)


def _is_punctuation(sign: str) -> bool:
    if sign.isascii():
        return sign.isprintable() and not sign.isalnum() and sign != " "
    return unicodedata.category(sign)[0] == "P"
