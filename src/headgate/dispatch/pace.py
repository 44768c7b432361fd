"""Is a stream fast enough? Counts only time spent waiting for the provider: a caller who reads slowly is not its fault."""

from __future__ import annotations

from headgate.core.errors import RateTooLow
from headgate.core.events import TextDelta, ThinkingDelta, ToolCallDelta
from headgate.core.frame import Frame

__all__ = ["WINDOW_SECONDS", "Pace"]

WINDOW_SECONDS = 10.0
"""The rate is judged over so much waiting; silence inside it is judged by `timeouts.between_tokens`."""
CHARACTERS_PER_TOKEN = 4.0


class Pace:
    """The rate of one stream. Pure: moments are given."""

    __slots__ = ("_characters", "_last", "_least", "_seconds", "_window")

    def __init__(self, least_rate: float, window: float = WINDOW_SECONDS) -> None:
        """least_rate: tokens per second. window: seconds."""
        self._least = least_rate
        self._window = window
        self._characters = 0
        self._seconds = 0.0
        self._last = 0.0

    def begin(self, now: float) -> None:
        """From now on every moment is one of waiting, until `came`."""
        self._last = now

    def came(self, frame: Frame, now: float) -> None:
        """As `waited`, for a reader that waits all the time."""
        seconds, self._last = now - self._last, now
        self.waited(frame, seconds)

    def waited(self, frame: Frame, seconds: float) -> None:
        """A frame came after so much waiting. Raises RateTooLow at the end of a window with too little in it."""
        self._seconds += seconds
        if frame.words is not None:
            self._characters += len(frame.words)
        else:
            for event in frame.events:
                if isinstance(event, TextDelta | ThinkingDelta):
                    self._characters += len(event.text)
                elif isinstance(event, ToolCallDelta):
                    self._characters += len(event.arguments)
        if self._seconds < self._window:
            return
        rate = self._characters / CHARACTERS_PER_TOKEN / self._seconds
        self._characters, self._seconds = 0, 0.0
        if rate < self._least:
            raise RateTooLow(detail=f"{rate:.2f} tokens a second where {self._least:g} are asked for")
