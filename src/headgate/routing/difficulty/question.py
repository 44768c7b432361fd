"""A request as graders and rules see it: measured once, from the canonical form."""

from __future__ import annotations

from headgate.core.messages import ChatRequest, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from headgate.core.tokens import estimate_tokens
from headgate.routing.difficulty.port import Question

__all__ = ["LONGEST_TEXT", "abilities_of", "question_of"]

LONGEST_TEXT = 8_000
"""Characters of the last user message that graders get."""

_SAMPLE = 65_536
_PER_PICTURE = 800
"""Tokens; vendors charge from 85 to some 1,600 for a picture, by its size in pixels, which its bytes do not tell."""
_PER_DOCUMENT = 3_000
_PER_MESSAGE = 4
_NO_REASONING = frozenset({"", "none", "minimal"})


def question_of(request: ChatRequest) -> Question:
    """Never raises; texts that are missing count as empty."""
    tally = _Tally()
    for message in request.messages:
        tally.add(message)
    system = sum(_tokens(part.text) for part in request.system if isinstance(part, Text))
    tools = sum(
        _tokens(each.description) + (len(each.schema) + len(each.opaque)) // 4 for each in request.tools
    )
    return Question(
        text=_last_words(request.messages)[:LONGEST_TEXT],
        tokens=system + tools + tally.tokens,
        system_tokens=system,
        turns=tally.turns or 1,
        tools=len(request.tools),
        images=tally.images,
        files=tally.files,
        json_schema=request.response_format is not None,
        thinking=_wants_reasoning(request),
    )


def abilities_of(question: Question) -> tuple[str, ...]:
    """Which of `ABILITIES` the request cannot do without.

    Never `prefill`: a conversation that ends in the model's own words is answered by everyone, if only some go on with them.
    Whether one does is a question for whoever resumes an answer."""
    wanted = {
        "tools": question.tools > 0,
        "images": question.images > 0,
        "files": question.files > 0,
        "json": question.json_schema,
        "thinking": question.thinking,
    }
    return tuple(ability for ability, needed in wanted.items() if needed)


class _Tally:
    """What is in the messages."""

    __slots__ = ("files", "images", "tokens", "turns")

    def __init__(self) -> None:
        self.tokens = self.turns = self.images = self.files = 0

    def add(self, message: Message) -> None:
        self.tokens += _PER_MESSAGE
        said = False
        for part in message.parts:
            said = self._part(part) or said
        # A tool's answer is no turn of the user's.
        self.turns += message.role == "user" and said

    def _part(self, part: object) -> bool:
        if isinstance(part, Text | Thinking):
            self.tokens += _tokens(part.text)
        elif isinstance(part, Image):
            self.images += 1
            self.tokens += _PER_PICTURE
        elif isinstance(part, File):
            self.files += 1
            self.tokens += _PER_DOCUMENT
        elif isinstance(part, ToolCall):
            self.tokens += len(part.arguments) // 3
        elif isinstance(part, ToolResult):
            for each in part.content:
                self._part(each)
            return False
        return True


def _last_words(messages: list[Message]) -> str:
    for message in reversed(messages):
        if message.role == "user":
            texts = [part.text for part in message.parts if isinstance(part, Text)]
            if texts:
                return texts[0] if len(texts) == 1 else "\n".join(texts)
    return ""


def _tokens(text: str) -> int:
    data = text[:_SAMPLE].encode("utf-8", "surrogatepass")
    tokens = estimate_tokens(data)
    return tokens if len(text) <= _SAMPLE else round(tokens * len(text) / _SAMPLE)


def _wants_reasoning(request: ChatRequest) -> bool:
    return bool(request.thinking_budget) or request.effort not in _NO_REASONING
