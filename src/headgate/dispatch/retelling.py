"""An answer that broke off: what the caller has been told of it, and what of another attempt's events is still news."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.events import (
    Begin,
    End,
    Event,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.dispatch.rejoin import SLACK, Diverged, Joint

__all__ = ["Retelling", "Told"]


class _ToldCall:
    """A tool call, as far as its arguments were told."""

    __slots__ = ("name", "pieces")

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: list[str] = []


class Told:
    """What the caller has been told of the answer."""

    __slots__ = ("_text", "_thinking", "calls", "ended", "stopped", "strange", "thought", "thought_open")

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thinking: list[str] = []
        self.calls: list[_ToldCall] = []
        self.thought = False
        """Was any reasoning told?"""
        self.thought_open = False
        """Was reasoning the last thing that was told, so that it may be incomplete?"""
        self.strange = ""
        """What no other attempt could go on with, in words; "" if there is nothing of that kind."""
        self.stopped = False
        """Was it said why the answer stopped? Then nothing of it is missing."""
        self.ended = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def thinking(self) -> str:
        return "".join(self._thinking)

    @property
    def everything(self) -> str:
        """Reasoning, text and tool arguments."""
        return "".join([*self._thinking, *self._text, *(one for call in self.calls for one in call.pieces)])

    def note(self, events: Sequence[Event]) -> None:
        """These have been told."""
        for event in events:
            if type(event) is TextDelta and event.choice == 0 and event.kind == "text":
                if event.text:
                    self._text.append(event.text)
                    self.thought_open = False
                    if self.calls:
                        self.strange = "text after a tool call"
            else:
                self._note_rare(event)

    def _note_rare(self, event: Event) -> None:
        if getattr(event, "choice", 0) != 0:
            self.strange = "several answers at once"
        elif isinstance(event, TextDelta):
            self.strange = self.strange or ("a refusal" if event.text else "")
        elif isinstance(event, ThinkingDelta):
            if event.text:
                self._thinking.append(event.text)
            self.thought = True
            self.thought_open = not (event.signature or event.redacted)
            if self.thought_open and (self._text or self.calls):
                self.strange = "reasoning in the middle of the answer"
        elif isinstance(event, ToolCallBegin):
            self.thought_open = False
            if event.index != len(self.calls):
                self.strange = "tool calls out of order"
            self.calls.append(_ToldCall(event.name))
        elif isinstance(event, ToolCallDelta):
            if event.index < len(self.calls):
                self.calls[event.index].pieces.append(event.arguments)
        elif isinstance(event, OpaqueDelta):
            if event.part is not None:
                self.strange = "a part that only its own vendor knows"
        elif isinstance(event, Stop):
            self.stopped = True
        elif isinstance(event, End):
            self.ended = True


class Retelling:
    """Takes the events of an attempt that tells the answer again, or tells the rest of it, and lets through what is news.

    Nothing is let through before the place is found where the answer broke off, so that another attempt can still be
    made; from then on everything is. Reasoning that was told to its end is not told again; if the answer broke off inside
    of it, the rest comes if it is the same word for word, else none does."""

    def __init__(self, told: Told, joint: Joint) -> None:
        self._joint = joint
        self._calls = [(call.name, "".join(call.pieces)) for call in told.calls]
        self._retold: dict[int, int] = {}
        """Of each told call whose beginning came again: so many characters of its arguments."""
        self._held: list[Event] = []
        self._held_size = 0
        self._thinking = told.thinking if told.thought_open else ""
        self._thought = 0
        self._thought_through = told.thought and not told.thought_open
        """Was reasoning told to its end, so that it is no news?"""
        self._thought_differs = False
        self._finished = False
        self.joined = False
        """Is the place found?"""

    def feed(self, event: Event) -> Sequence[Event]:
        """What the caller is to be told after `event`. Raises Diverged, never once something was let through."""
        if isinstance(event, Begin | UsageReport):
            return ()
        if getattr(event, "choice", 0) != 0:
            if self.joined:
                return ()
            raise Diverged("there are several new answers")
        if self.joined and not isinstance(event, TextDelta | Stop | End):
            return (event,)
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, ThinkingDelta):
            return self._think(event)
        if isinstance(event, ToolCallBegin):
            return self._begin_call(event)
        if isinstance(event, ToolCallDelta):
            return self._arguments(event)
        if isinstance(event, OpaqueDelta):
            if event.part is not None:
                raise Diverged("the new answer has a part that only its own vendor knows")
            return ()
        return (*self._finish(), event)

    def _text(self, event: TextDelta) -> Sequence[Event]:
        if event.kind != "text":
            if self.joined:
                return (event,)
            raise Diverged("the new answer is a refusal")
        rest = self._joint.feed(event.text)
        if not rest:
            return ()
        if self._calls and not self.joined:
            # After this text came a tool call, which the new answer does not make at this place.
            if rest.strip():
                raise Diverged("the new answer says more before its tool call")
            return ()
        self.joined = True
        return (TextDelta(text=rest),)

    def _think(self, event: ThinkingDelta) -> Sequence[Event]:
        if self._thought_through or not self._joint.joined or self._calls:
            return ()
        if self._thought_differs:
            return self._differs(event)
        due = self._thinking[self._thought : self._thought + len(event.text)]
        self._thought += len(due)
        complete = self._thought == len(self._thinking)
        if not event.text.startswith(due) or ((event.signature or event.redacted) and not complete):
            return self._differs(event)
        rest = event.text[len(due) :]
        if not rest and not event.signature and not event.redacted:
            return ()
        self.joined = True
        return (ThinkingDelta(text=rest, signature=event.signature, redacted=event.redacted),)

    def _differs(self, event: ThinkingDelta) -> Sequence[Event]:
        if event.signature or event.redacted:
            raise Diverged("the new answer's reasoning is signed, and differs from what was told")
        self._thought_differs = True
        return ()

    def _begin_call(self, event: ToolCallBegin) -> Sequence[Event]:
        if event.index < len(self._calls):
            if event.name != self._calls[event.index][0]:
                raise Diverged(f"the new answer calls `{event.name}` instead")
            self._retold[event.index] = 0
            return ()
        return (*self._finish(), event)

    def _arguments(self, event: ToolCallDelta) -> Sequence[Event]:
        come = self._retold.get(event.index)
        if come is None:
            raise Diverged("the new answer's tool calls cannot be followed")
        told = self._calls[event.index][1]
        due = told[come : come + len(event.arguments)]
        if not event.arguments.startswith(due):
            raise Diverged("the new answer calls the tool with other arguments")
        self._retold[event.index] = come + len(due)
        rest = event.arguments[len(due) :]
        if rest:
            # A call that is whole as told has no rest; of those that are not, each gets its own.
            self._held.append(ToolCallDelta(index=event.index, arguments=rest))
            self._held_size += len(rest)
            if self._held_size > SLACK:
                raise Diverged(f"the new answer did not come to the place within {SLACK} characters")
        return self._finish() if self._calls_retold() else ()

    def _calls_retold(self) -> bool:
        return all(self._retold.get(index, -1) >= len(call[1]) for index, call in enumerate(self._calls))

    def _finish(self) -> Sequence[Event]:
        """Its text is over, or the tool calls have come to the place: whatever was held. Raises Diverged."""
        if self._finished:
            return ()
        if not self._calls_retold():
            raise Diverged("the new answer does not make the tool calls that were begun")
        rest = self._joint.finish()
        out: list[Event] = [TextDelta(text=rest)] if rest and not self._calls else []
        out += self._held
        self._held = []
        self._finished = self.joined = True
        return out
