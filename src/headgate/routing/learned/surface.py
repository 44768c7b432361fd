"""What a question looks like, in numbers that need no model: length, digits, code, words that call for reasoning."""

from __future__ import annotations

import math
import re

__all__ = ["SURFACE", "excerpt", "surface"]

SURFACE = (
    "characters",
    "words",
    "word_length",
    "long_words",
    "numbers",
    "digits",
    "distinct_numbers",
    "operators",
    "reasoning",
    "reasoning_share",
    "negations",
    "question_words",
    "question_marks",
    "lines",
    "marks",
    "capitals",
    "sentences",
    "sentence_length",
    "distinct_words",
    "code_marks",
    "other_scripts",
    "blanks",
    "commas",
)
"""Names of what `surface` returns, in order. A change here makes trained models unreadable, which their version says."""

_LOOKED_AT = 8000
_ENDS = 200
_WORD = re.compile(r"[A-Za-z']+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"[^.!?\n]*[^.!?\s][^.!?\n]*")
_ASKING = frozenset(["what", "which", "who", "when", "where", "why", "how"])
_NEGATING = frozenset(["not", "no", "never", "except", "none", "neither", "without", "false"])
_REASONING = frozenset(
    [
        "if",
        "then",
        "therefore",
        "because",
        "suppose",
        "assume",
        "prove",
        "show",
        "derive",
        "calculate",
        "compute",
        "determine",
        "find",
        "each",
        "total",
        "every",
        "per",
        "twice",
        "half",
        "times",
        "percent",
        "remaining",
        "altogether",
        "more",
        "less",
        "than",
        "least",
        "most",
        "average",
        "ratio",
        "rate",
    ]
)
_DIGITS = b"0123456789"
_CAPITALS = bytes(range(ord("A"), ord("Z") + 1))
_MARKS = bytes(byte for byte in range(33, 127) if not chr(byte).isalnum())
_OPERATORS = b"+-*/=^<>%$\\"
_CODE = b"{}();[]_"
_BEYOND_ASCII = bytes(range(0x80, 0x100))


def excerpt(text: str) -> str:
    """The first and the last 200 characters: what is embedded, so that a long text costs no more than a short one.

    Measured on 5,544 questions: as good as the first 256 tokens, in half the time (docs/decisions/0013)."""
    return text if len(text) <= 2 * _ENDS else f"{text[:_ENDS]}\n{text[-_ENDS:]}"


def surface(text: str) -> list[float]:
    """The numbers named in SURFACE, of the first 8,000 characters; counts as logarithms, the rest as shares.

    Words are English: in another language those features are silent and the embedding has to do."""
    text = text[:_LOOKED_AT]
    data = text.encode(errors="replace")
    size = max(len(data), 1)
    words = _WORD.findall(text)
    lower = [word.lower() for word in words]
    numbers = _NUMBER.findall(text)
    sentences = max(sum(1 for _ in _SENTENCE.finditer(text)), 1)
    count = max(len(words), 1)
    reasoning = sum(word in _REASONING for word in lower)
    log = math.log1p
    return [
        log(len(text)),
        log(len(words)),
        sum(map(len, words)) / count,
        sum(len(word) > 8 for word in words) / count,
        log(len(numbers)),
        _count(data, _DIGITS) / size,
        log(len(set(numbers))),
        log(_count(data, _OPERATORS)),
        log(reasoning),
        reasoning / count,
        log(sum(word in _NEGATING for word in lower)),
        log(sum(word in _ASKING for word in lower)),
        log(data.count(b"?")),
        log(data.count(b"\n")),
        _count(data, _MARKS) / size,
        _count(data, _CAPITALS) / size,
        log(sentences),
        log(len(words) / sentences),
        len(set(lower)) / count,
        log(_count(data, _CODE)),
        _count(data, _BEYOND_ASCII) / size,
        log(data.count(b"_")),
        log(data.count(b",")),
    ]


def _count(data: bytes, kinds: bytes) -> int:
    return len(data) - len(data.translate(None, kinds))
