"""The few things the simulated model can really do: sums, repeating, choosing a letter, lists, quoting what it was given."""

from __future__ import annotations

import re
from fractions import Fraction

from headgate.providers.simulated.chance import Chance
from headgate.providers.simulated.prompt import Prompt

__all__ = ["known_answer"]

_REPEAT = re.compile(
    r"\b(?:reply|respond|answer|say|write|output|return)\b(?: me)?(?: with)?(?: only| exactly| just)?(?: the words?)?:?"
    r"\s+(?:[\"“'«]([^\"”'»]{1,200})[\"”'»]|(?:exactly|only|just) ([^\n.]{1,80}))",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"(-?\d{1,12}(?:\.\d{1,6})?)\s*(\+|-|−|\*|×|x|/|÷|plus|minus|times)\s*(-?\d{1,12}(?:\.\d{1,6})?)"
)
_LETTERS = re.compile(r"(?:^|[\s(])([A-F])[).:]\s+\S")
_COUNTED = re.compile(
    r"\b(\d{1,2}|two|three|four|five|six|seven)\s+(?:\w+\s+){0,2}?(\w*[a-z]s)\b", re.IGNORECASE
)
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_GIVEN = re.compile(
    r"\b(?:context|passages?|documents?|sources?|excerpts?|article|knowledge)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"[^.!?。！？\n]{12,400}[.!?。！？]?")
_WORD = re.compile(r"\w{4,}")


def known_answer(prompt: Prompt, chance: Chance, *, right: bool) -> str | None:
    """The answer, where the question is of a kind that is understood; None otherwise. right: False spoils it."""
    question = prompt.question[-4000:]
    if found := _REPEAT.search(question):
        said: str = found[1] or found[2]
        return said if right else said[::-1]
    if found := _SUM.search(question):
        return _sum(found[1], found[2], found[3], 0 if right else 1 + chance.below(9))
    letters = _LETTERS.findall(question) if "\n" in question or ")" in question else []
    if len(letters) >= 2 and letters[0] == "A":
        return f"{chance.pick(letters)}. That option fits the question best."
    if (given := _given_text(prompt)) and (quoted := _quote(given, prompt.question)):
        return f"According to what you gave me: “{quoted}”" if right else None
    if found := _COUNTED.search(question):
        return _list(found[1].lower(), found[2].lower())
    return None


def _sum(left: str, sign: str, right: str, off: int) -> str:
    one, two = Fraction(left), Fraction(right)
    if sign in "/÷" and not two:
        return "Dividing by zero has no result."
    made = {"+": one + two, "plus": one + two, "-": one - two, "−": one - two, "minus": one - two}.get(sign)
    if made is None:
        made = one / two if sign in "/÷" else one * two
    made += off
    text = str(made.numerator) if made.denominator == 1 else f"{float(made):.6g}"
    return f"{left} {sign} {right} = {text}"


_POINTS = (
    "keep it simple enough to explain in one breath",
    "try it on a real case first",
    "write down what you expect before you look",
    "leave a way back",
    "ask somebody who will have to live with it",
    "set a date to look at it again",
    "count what it costs, time included",
    "finish one thing before starting the next",
    "stop when it is good enough",
)


def _list(count: str, noun: str) -> str | None:
    number = _NUMBERS.get(count) or int(count if count.isdigit() else 0)
    if not 2 <= number <= len(_POINTS):
        return None
    lines = [f"{index}. {point[0].upper()}{point[1:]}." for index, point in enumerate(_POINTS[:number], 1)]
    return f"Here are {count} {noun}:\n\n" + "\n".join(lines)


def _given_text(prompt: Prompt) -> str:
    """Text the answer should come from, up to 16 kB; "" if the prompt brings none."""
    parts = [passage.text for passage in prompt.passages if passage.role != "assistant"]
    text = "\n".join(parts)[:16_384]
    return text if len(text) > 200 and _GIVEN.search(text) else ""


def _quote(text: str, question: str) -> str:
    """The sentence of `text` that shares most words with the question, itself excepted; "" if none shares two."""
    asked = (question[-1000:].strip().splitlines() or [""])[-1]
    wanted = {word.lower() for word in _WORD.findall(asked)}
    best, most = "", 1
    for sentence in _SENTENCE.findall(text):
        shared = len(wanted & {word.lower() for word in _WORD.findall(sentence)})
        if shared > most and sentence.strip() not in asked and "?" not in sentence:
            best, most = sentence.strip(), shared
    return best
