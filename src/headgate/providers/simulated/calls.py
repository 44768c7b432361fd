"""When the simulated model calls tools, which ones, and with what arguments."""

from __future__ import annotations

import re

import msgspec

from headgate.providers.simulated.chance import Chance
from headgate.providers.simulated.plan import PlannedCall
from headgate.providers.simulated.prompt import Prompt, ToolOffer
from headgate.providers.simulated.schemas import Hints, instance_of
from headgate.providers.simulated.words import cut

__all__ = ["planned_calls"]

_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_AND = re.compile(r"\s(?:and|und|et|y|и)\s|、|和", re.IGNORECASE)
_MOST = 8
_SMALL_WORDS = "the and for get set with from this that tool function call what use you are can"
_EMPTY = frozenset(_SMALL_WORDS.split())


def planned_calls(prompt: Prompt, chance: Chance, name: str) -> list[PlannedCall]:
    """The calls to make; none if the model would rather talk.

    A tool is called when the caller demands it, or when the user's words name it or what it is for. Once it has
    answered the model talks. Several at once only if that is allowed and the user asks for one thing `and` another."""
    if not prompt.tools or prompt.tool_mode == "none":
        return []
    demanded = prompt.tool_mode in {"any", "one"}
    if prompt.tool_results and not demanded:
        return []
    question = prompt.question[-2000:]
    chosen = [tool for tool in prompt.tools if prompt.tool_mode != "one" or tool.name == prompt.tool_name]
    clauses = (
        [clause for clause in _AND.split(question, _MOST) if clause.strip()]
        if prompt.parallel
        else [question]
    )
    wanted = _matches(chosen, clauses, question)
    if not wanted and demanded and chosen:
        wanted = [(chosen[0], question)]
    return [
        PlannedCall(f"call_{name}{number}", tool.name, cut(_arguments(tool, clause, chance)))
        for number, (tool, clause) in enumerate(wanted[:_MOST] if prompt.parallel else wanted[:1])
    ]


def _matches(tools: list[ToolOffer], clauses: list[str], question: str) -> list[tuple[ToolOffer, str]]:
    """Tool and the clause it is for, in the order of the clauses."""
    best = _best(tools, question)
    if best is None:
        return []
    found = [(_best(tools, clause) or best, clause) for clause in clauses]
    # "Paris and Rome" are two calls of one tool; "the weather in Paris and be brief" is one: it names nothing new.
    kept = [
        pair
        for number, pair in enumerate(found)
        if number == 0 or _names_something(pair[1]) or _best(tools, pair[1])
    ]
    return kept if len(kept) > 1 else [(best, question)]


def _names_something(clause: str) -> bool:
    return bool(re.search(r"[A-ZÀ-Þ]\w+|\d|[\"“「]", clause))


def _best(tools: list[ToolOffer], text: str) -> ToolOffer | None:
    said = {_stem(word) for word in _WORD.findall(text.lower())}
    best, most = None, 0
    for tool in tools:
        named = {_stem(word.lower()) for word in _NAME_WORD.findall(tool.name)} - _EMPTY
        described = {_stem(word) for word in _WORD.findall(tool.description[:1000].lower())} - _EMPTY
        score = 3 * len(said & named) + len(said & described) + 10 * (tool.name in text)
        if score > most:
            best, most = tool, score
    return best if most >= 2 else None


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _arguments(tool: ToolOffer, clause: str, chance: Chance) -> str:
    made = instance_of(tool.schema or {"type": "object"}, Hints(clause), chance)
    return msgspec.json.encode(made if isinstance(made, dict) else {}).decode()
