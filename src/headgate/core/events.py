"""The canonical stream: what a provider's wire is decoded into, event by event, and a dialect is encoded from.

Order within one answer: Begin, then content deltas in the order they came, a Stop per choice, UsageReport anywhere
after Begin (the last one counts), End. A `Failure` ends everything. Kinds of content may alternate freely; whoever
needs explicit blocks (Anthropic) opens and closes them where the kind or the tool call changes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.errors import ProviderRefusal
from headgate.core.messages import Answer, Choice, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage

__all__ = [
    "AnswerBuilder",
    "Begin",
    "End",
    "Event",
    "Failure",
    "OpaqueDelta",
    "Stop",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallBegin",
    "ToolCallDelta",
    "UsageReport",
    "events_of",
    "is_content",
]


class _Event(msgspec.Struct, kw_only=True, gc=False):
    pass


class Begin(_Event):
    """The provider has begun. No content: until some comes, failing over is still possible."""

    id: str = ""
    model: str = ""
    created: int = 0
    extra: dict[str, msgspec.Raw] = {}
    extra_wire: str = ""
    """The wire whose names `extra` uses."""
    fingerprint: str = ""
    """See `Answer`."""


class TextDelta(_Event):
    text: str
    choice: int = 0
    kind: Literal["text", "refusal"] = "text"


class ThinkingDelta(_Event):
    """A piece of reasoning; `signature` and `redacted` come whole, not in pieces."""

    text: str = ""
    signature: str = ""
    redacted: str = ""
    choice: int = 0


class ToolCallBegin(_Event):
    """A tool call starts. `index` counts the calls of one choice from 0; deltas of parallel calls may interleave."""

    index: int
    id: str
    name: str
    choice: int = 0


class ToolCallDelta(_Event):
    """A piece of the arguments' JSON text."""

    index: int
    arguments: str
    choice: int = 0


class OpaqueDelta(_Event):
    """An event only its own wire knows; dropped when another dialect is spoken."""

    wire: str
    name: str
    raw: bytes
    part: msgspec.Raw | None = None
    """If the event carries a whole content part, that part's JSON, kept in the folded answer."""


class Stop(_Event):
    reason: StopReason
    sequence: str = ""
    choice: int = 0


class UsageReport(_Event):
    """Cumulative: replaces what was reported before."""

    usage: Usage


class End(_Event):
    """The provider's own terminal mark was seen. A stream without it was cut."""


class Failure(msgspec.Struct, kw_only=True):
    """The provider reported an error inside the stream."""

    error: ProviderRefusal


Event = (
    Begin
    | TextDelta
    | ThinkingDelta
    | ToolCallBegin
    | ToolCallDelta
    | OpaqueDelta
    | Stop
    | UsageReport
    | End
    | Failure
)

_CONTENT = frozenset({TextDelta, ThinkingDelta, ToolCallBegin, ToolCallDelta})


def is_content(event: Event) -> bool:
    """Does the caller see something of the answer in it? Role marks, pings, usage and empty pieces are not content."""
    if type(event) is TextDelta:
        return bool(event.text)
    return type(event) in _CONTENT or (type(event) is OpaqueDelta and event.part is not None)


_FOLD_AT = 64
"""Pieces kept before they are joined: a piece costs some 60 bytes more than its text."""


class _Pieces:
    """Text that grows: cheap to add to, compact to keep. What was joined once is not copied again before the end."""

    __slots__ = ("_blocks", "_pieces")

    def __init__(self, first: str = "") -> None:
        self._blocks: list[str] = []
        self._pieces = [first] if first else []

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        if len(self._pieces) >= _FOLD_AT:
            self._blocks.append("".join(self._pieces))
            self._pieces.clear()

    def __str__(self) -> str:
        return "".join([*self._blocks, *self._pieces])


class _Words:
    """A text part under way."""

    __slots__ = ("pieces",)

    def __init__(self, first: str) -> None:
        self.pieces = _Pieces(first)

    def part(self) -> Part:
        return Text(text=str(self.pieces))


class _Thoughts:
    """A thinking part under way."""

    __slots__ = ("pieces", "redacted", "signature")

    def __init__(self, redacted: str = "") -> None:
        self.pieces = _Pieces()
        self.signature = ""
        self.redacted = redacted

    def part(self) -> Part:
        return Thinking(text=str(self.pieces), signature=self.signature, redacted=self.redacted)


class _Call:
    """A tool call under way."""

    __slots__ = ("id", "name", "pieces")

    def __init__(self, begin: ToolCallBegin) -> None:
        self.id, self.name, self.pieces = begin.id, begin.name, _Pieces()

    def part(self) -> Part:
        return ToolCall(id=self.id, name=self.name, arguments=str(self.pieces))


class _Whole:
    """A part that came in one piece."""

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        self._part = part

    def part(self) -> Part:
        return self._part


_Growing = _Words | _Thoughts | _Call | _Whole


class AnswerBuilder:
    """Folds events into the answer they spell. `answer()` may be asked at any time, also of a broken-off stream."""

    __slots__ = (
        "_begin",
        "_calls",
        "_choices",
        "_last_text",
        "_stops",
        "_usage",
        "failure",
        "waiting",
        "words",
    )

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        """Events not taken in yet. Whoever has no time now may append here, and call `fold` now and then."""
        self.words: list[str] = []
        """In the same way, pieces of the first choice's text; all of them were said after what is in `waiting`."""
        self._begin: Begin | None = None
        self._choices: dict[int, list[_Growing]] = {}
        self._calls: dict[tuple[int, int], _Pieces] = {}
        self._stops: dict[int, Stop] = {}
        self._usage: Usage | None = None
        # Text following text of the same choice is by far the most common event and has a shortcut.
        self._last_text: dict[int, _Pieces] = {}
        self.failure: ProviderRefusal | None = None

    def add(self, event: Event) -> None:
        """Take in the next event."""
        if type(event) is TextDelta:
            last = self._last_text.get(event.choice)
            if last is not None:
                last.add(event.text)
                return
            words = _Words(event.text)
            self._parts(event.choice).append(words)
            self._last_text[event.choice] = words.pieces
        elif type(event) is ToolCallDelta:
            pieces = self._calls.get((event.choice, event.index))
            if pieces is not None:
                pieces.add(event.arguments)
        else:
            self._add_rare(event)

    def fold(self) -> None:
        """Take in what is waiting."""
        if not self.waiting and not self.words:
            return
        for event in self.waiting:
            self.add(event)
        self.waiting.clear()
        if self.words:
            self.add(TextDelta(text="".join(self.words)))
            self.words.clear()

    def _add_rare(self, event: Event) -> None:
        # Not `isinstance`, which for these classes costs some five times as much.
        if type(event) is ThinkingDelta:
            self._add_thinking(event)
        elif type(event) is ToolCallBegin:
            self._last_text.pop(event.choice, None)
            call = _Call(event)
            self._calls[event.choice, event.index] = call.pieces
            self._parts(event.choice).append(call)
        elif type(event) is OpaqueDelta:
            if event.part is not None:
                self._last_text.pop(0, None)
                self._parts(0).append(_Whole(Opaque(wire=event.wire, raw=event.part)))
        elif type(event) is Begin:
            self._begin = self._begin or event
        elif type(event) is Stop:
            self._stops[event.choice] = event
        elif type(event) is UsageReport:
            self._usage = event.usage
        elif type(event) is Failure:
            self.failure = event.error

    def _add_thinking(self, event: ThinkingDelta) -> None:
        self._last_text.pop(event.choice, None)
        parts = self._parts(event.choice)
        if event.redacted:
            parts.append(_Thoughts(event.redacted))
            return
        last = parts[-1] if parts else None
        # A signature closes its block: what follows is the next one, and each needs its own to be sent back.
        if not isinstance(last, _Thoughts) or last.redacted or last.signature:
            last = _Thoughts()
            parts.append(last)
        if event.text:
            last.pieces.add(event.text)
        if event.signature:
            last.signature = event.signature

    def _parts(self, choice: int) -> list[_Growing]:
        parts = self._choices.get(choice)
        if parts is None:
            parts = self._choices[choice] = []
        return parts

    @property
    def usage(self) -> Usage | None:
        """The last usage reported; None if there was none."""
        self.fold()
        return self._usage

    @property
    def stopped(self) -> bool:
        """Has at least one choice said why it stopped?"""
        self.fold()
        return bool(self._stops)

    def answer(self) -> Answer:
        """All that was said so far."""
        self.fold()
        begin = self._begin or Begin()
        choices = []
        for number in range(max([*self._choices, *self._stops, 0]) + 1):
            stop = self._stops.get(number)
            choices.append(
                Choice(
                    parts=[growing.part() for growing in self._choices.get(number, ())],
                    stop_reason=stop.reason if stop else None,
                    stop_sequence=stop.sequence if stop else "",
                )
            )
        return Answer(
            id=begin.id,
            model=begin.model,
            created=begin.created,
            fingerprint=begin.fingerprint,
            extra=begin.extra,
            extra_wire=begin.extra_wire,
            choices=choices,
            usage=self._usage,
        )


def events_of(answer: Answer) -> list[Event]:
    """The stream that spells `answer` in as few events as there can be: whole answers travel as streams of one frame."""
    events: list[Event] = [
        Begin(
            id=answer.id,
            model=answer.model,
            created=answer.created,
            extra=answer.extra,
            extra_wire=answer.extra_wire,
            fingerprint=answer.fingerprint,
        )
    ]
    for number, choice in enumerate(answer.choices):
        calls = 0
        for part in choice.parts:
            if isinstance(part, Text):
                events.append(TextDelta(text=part.text, choice=number))
            elif isinstance(part, Thinking):
                events.append(
                    ThinkingDelta(
                        text=part.text, signature=part.signature, redacted=part.redacted, choice=number
                    )
                )
            elif isinstance(part, ToolCall):
                events.append(ToolCallBegin(index=calls, id=part.id, name=part.name, choice=number))
                events.append(ToolCallDelta(index=calls, arguments=part.arguments, choice=number))
                calls += 1
            elif isinstance(part, Opaque):
                events.append(OpaqueDelta(wire=part.wire, name="", raw=b"", part=part.raw))
        if choice.stop_reason is not None:
            events.append(Stop(reason=choice.stop_reason, sequence=choice.stop_sequence, choice=number))
    if answer.usage is not None:
        events.append(UsageReport(usage=answer.usage))
    events.append(End())
    return events
