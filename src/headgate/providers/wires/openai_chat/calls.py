"""The tool calls of a streamed chat completion: which call a delta continues, and when a call has begun."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.events import Event, ToolCallBegin, ToolCallDelta
from headgate.providers.wires.openai_chat.reply import arguments_text

__all__ = ["CallDelta", "CallTracker", "FunctionDelta"]


class FunctionDelta(msgspec.Struct, gc=False):
    """A piece of a call's name and arguments."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallDelta(msgspec.Struct, gc=False):
    """One entry of `delta.tool_calls`. Servers disagree on which of the fields are repeated."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class _Call:
    """A tool call being streamed. Until its name has come it has not begun for anybody else."""

    __slots__ = ("begun", "held", "id", "index", "name")

    def __init__(self, index: int, call_id: str) -> None:
        self.index = index
        self.id = call_id
        self.name = ""
        self.begun = False
        self.held = ""


class CallTracker:
    """The tool calls of one choice: finds out which one a delta continues."""

    __slots__ = ("_by_wire_index", "_calls", "_choice")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: list[_Call] = []
        self._by_wire_index: dict[int, _Call] = {}

    def add(self, delta: CallDelta, events: list[Event]) -> None:
        """Say what `delta` says."""
        function = delta.function or FunctionDelta()
        call = self._call_of(delta, function)
        arguments = arguments_text(function.arguments) if function.arguments else ""
        if call.begun:
            if arguments:
                events.append(ToolCallDelta(index=call.index, arguments=arguments, choice=self._choice))
            return
        call.name = function.name or call.name
        call.held += arguments
        if call.name:
            self._begin(call, events)

    def close(self, events: list[Event]) -> None:
        """The choice has stopped: a call that never got a name is told all the same."""
        for call in self._calls:
            if not call.begun:
                self._begin(call, events)

    def __bool__(self) -> bool:
        return bool(self._calls)

    def _begin(self, call: _Call, events: list[Event]) -> None:
        call.begun = True
        events.append(ToolCallBegin(index=call.index, id=call.id, name=call.name, choice=self._choice))
        if call.held:
            events.append(ToolCallDelta(index=call.index, arguments=call.held, choice=self._choice))
            call.held = ""

    def _call_of(self, delta: CallDelta, function: FunctionDelta) -> _Call:
        if delta.index is not None:
            known = self._by_wire_index.get(delta.index)
            # Some servers give every parallel call index 0: another id with a name is another call.
            if known is None or (delta.id and delta.id != known.id and function.name and known.begun):
                known = self._by_wire_index[delta.index] = self._new(delta.id)
            return known
        if delta.id:
            same = next((call for call in self._calls if call.id == delta.id), None)
            return same or self._new(delta.id)
        if not self._calls or (function.name and self._calls[-1].begun):
            return self._new(None)
        return self._calls[-1]

    def _new(self, call_id: str | None) -> _Call:
        index = len(self._calls)
        call = _Call(index, call_id or f"call_{self._choice}_{index}")
        self._calls.append(call)
        return call
