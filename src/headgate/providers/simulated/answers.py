"""From a prompt to what the model says: reasoning, text or tool calls, cut where the caller's limits cut it."""

from __future__ import annotations

import msgspec

from headgate.providers.simulated.calls import planned_calls
from headgate.providers.simulated.chance import Chance
from headgate.providers.simulated.plan import PlannedChoice
from headgate.providers.simulated.profiles import Profile
from headgate.providers.simulated.prompt import Prompt
from headgate.providers.simulated.schemas import Hints, instance_of
from headgate.providers.simulated.skills import known_answer
from headgate.providers.simulated.words import LANGUAGES, Language, cut, cut_language, language_of, topic_of

__all__ = ["Mood", "planned_choice"]

Mood = str
"""How good the answer is: `right`, `wrong`, `garbled` or `empty`."""

_STOCK = {code: cut_language(language) for code, language in LANGUAGES.items()}
_DEBRIS = (
    "\\u00",
    "lorem",
    "###",
    " the the",
    " qzx",
    "}{",
    " 0x7f",
    "…",
    " NaN",
    " vel",
    "]]",
    " undefined",
    "��",
    " of of",
)


def planned_choice(prompt: Prompt, profile: Profile, chance: Chance, name: str, mood: Mood) -> PlannedChoice:
    """One answer. The same prompt, chance and mood give the same one."""
    if mood == "empty":
        return PlannedChoice()
    language = language_of(prompt.question)
    choice = PlannedChoice(thinking=_thinking(prompt, profile, language))
    if mood != "garbled":
        choice.calls = planned_calls(prompt, chance, name)
    if choice.calls:
        choice.stop = "tool_use"
    else:
        choice.text = _text(prompt, profile, language, chance, mood)
        _stop_at(choice, prompt.stop)
    if begun := prompt.begun:
        _go_on(choice, begun)
    _limit(choice, prompt.max_tokens)
    return choice


def _text(prompt: Prompt, profile: Profile, language: Language, chance: Chance, mood: Mood) -> list[str]:
    target = max(4, int(profile.answer_tokens * (0.5 + chance.uniform())))
    if mood == "garbled":
        return [chance.pick(_DEBRIS) for _ in range(min(target, 200))]
    if prompt.json_only:
        return cut(_json(prompt, chance, wrong=mood == "wrong"))
    if prompt.tool_results:
        said = language.tool_said.format(result="; ".join(one[:400] for one in prompt.tool_results))
        return cut(said + language.space + language.closing)
    if (known := known_answer(prompt, chance, right=mood == "right")) is not None:
        return cut(known)
    return _prose(prompt, language, chance, target, wrong=mood == "wrong")


def _json(prompt: Prompt, chance: Chance, *, wrong: bool) -> str:
    if prompt.json_schema is None:
        made: object = {"answer": topic_of(prompt.question), "confidence": round(chance.uniform(), 2)}
    else:
        made = instance_of(prompt.json_schema, Hints("" if wrong else prompt.question), chance)
    return msgspec.json.encode(made).decode()


def _prose(prompt: Prompt, language: Language, chance: Chance, target: int, *, wrong: bool) -> list[str]:
    stock = _STOCK[language.code]
    pieces = [*stock.before_topic, *cut(topic_of(prompt.question)), *stock.after_topic]
    if prompt.images or prompt.files:
        pieces += cut(language.space + language.picture.format(count=prompt.images + prompt.files))
    if wrong:
        pieces += cut(language.space + language.wrong)
    bank = stock.sentences
    place, step, said = chance.below(len(bank)), _stride(len(bank), chance), 0
    while len(pieces) < target:
        # Repeating is what a model does that is asked for more than it knows.
        sentence = bank[place]
        pieces += sentence if said % 4 else ("\n\n", sentence[0].lstrip(), *sentence[1:])
        place, said = (place + step) % len(bank), said + 1
    pieces += stock.closing
    return pieces


def _stride(length: int, chance: Chance) -> int:
    """A step that visits all of `length` places before it comes round."""
    return chance.pick((1, length - 1)) if length < 12 else chance.pick((1, 5, 7, 11))


def _thinking(prompt: Prompt, profile: Profile, language: Language) -> list[str]:
    wanted = profile.thinking_tokens if prompt.thinking is None else prompt.thinking
    if not wanted or "thinking" not in profile.capabilities:
        return []
    # Nobody uses up a large budget on a small question.
    most = min(wanted, max(60, 3 * profile.thinking_tokens))
    bank, place = _STOCK[language.code].thinking, 0
    pieces: list[str] = []
    while len(pieces) < most:
        pieces += bank[place % len(bank)]
        place += 1
    return pieces[:most]


def _stop_at(choice: PlannedChoice, stops: list[str]) -> None:
    """Cut the text before the first of the caller's stop sequences."""
    if not stops:
        return
    text = "".join(choice.text)
    found = [(place, stop) for stop in stops if stop and (place := text.find(stop)) >= 0]
    if found:
        place, choice.stop_sequence = min(found)
        choice.text, choice.stop = cut(text[:place]), "stop_sequence"


def _go_on(choice: PlannedChoice, begun: str) -> None:
    """Say only what comes after `begun`: the rest, if the answer begins so; else what it says from about there on."""
    choice.thinking = []
    text = "".join(choice.text)
    if text.startswith(begun):
        choice.text = cut(text[len(begun) :])
        return
    said = len(cut(begun))
    if said < len(choice.text):
        choice.text = choice.text[said:]


def _limit(choice: PlannedChoice, most: int | None) -> None:
    """Cut at the caller's limit; reasoning counts, and comes first. A call whose arguments are cut stays cut."""
    if most is None or len(choice.thinking) + choice.output_tokens <= most:
        return
    choice.stop, choice.stop_sequence = "max_tokens", ""
    choice.thinking = choice.thinking[:most]
    left = most - len(choice.thinking)
    choice.text = choice.text[:left]
    kept = []
    for call in choice.calls:
        left -= 5
        if left > 0:
            call.pieces = call.pieces[:left]
            kept.append(call)
            left -= len(call.pieces)
    choice.calls = kept
