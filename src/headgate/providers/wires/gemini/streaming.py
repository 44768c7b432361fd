"""A streamed answer of streamGenerateContent."""

from __future__ import annotations

from contextlib import suppress

from headgate.core.errors import UpstreamCut, UpstreamMalformed
from headgate.core.events import End, Event, Failure
from headgate.core.frame import Frame
from headgate.providers.wires.gemini.content import WIRE
from headgate.providers.wires.gemini.errors import is_refusal, refusal_of
from headgate.providers.wires.gemini.reading import ChunkReader
from headgate.providers.wires.refusals import plain_detail
from headgate.providers.wires.sse import SseSplitter, sse_event

__all__ = ["GenerateDecoder"]


class GenerateDecoder:
    """Reads one stream. It has no mark of its end: it is complete when it ends after every choice gave its reason."""

    __slots__ = ("_failed", "_reader", "_splitter")

    def __init__(self) -> None:
        self._splitter = SseSplitter()
        self._reader = ChunkReader()
        self._failed = False

    def feed(self, data: bytes) -> Frame | None:
        """Raises UpstreamMalformed for bytes that are no such stream."""
        splitter = self._splitter
        found = splitter.feed(data)
        if not splitter.taken:
            return None
        events: list[Event] = []
        for _, line in found:
            self._read(line, events)
        return Frame(splitter.taken, events)

    def finish(self) -> Frame | None:
        """Raises UpstreamCut unless every choice has stopped."""
        rest = self._splitter.rest()
        if self._splitter.plain:
            if not is_refusal(rest):
                raise UpstreamMalformed(detail=f"JSON instead of an event stream: {plain_detail(rest)}")
            return Frame(rest, [Failure(error=refusal_of(WIRE, 200, rest))])
        events: list[Event] = []
        last = sse_event(rest)
        if last is not None:
            # The last event may lack its blank line. Half an event is a cut, not nonsense.
            with suppress(UpstreamMalformed):
                self._read(last[1], events)
        if self._failed:
            return Frame(rest, events) if events else None
        if not self._reader.complete:
            raise UpstreamCut(detail="the stream ended without a finishReason")
        events.append(End())
        return Frame(rest, events)

    def _read(self, line: bytes, events: list[Event]) -> None:
        if not line or self._failed:
            return
        refused = self._reader.read(line, events)
        if refused is not None:
            self._failed = True
            events.append(Failure(error=refused))
