"""What all connections of one listener share."""

from __future__ import annotations

from headgate.edge.settings import ServerSettings

__all__ = ["Entrance"]


class Entrance:
    """`partial(Connection, entrance)` is what uvicorn is to make connections with."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.leaving = False
        """The process is about to stop: each reply is the last on its connection."""
        self.look_after = min(
            float(settings.request_time), float(settings.keep_alive), float(settings.write_stall)
        )
        """Seconds between two looks at the clock, at most: the shortest deadline there is."""
        self.paths: dict[bytes, tuple[str, bytes]] = {}
        """Targets that were asked for before: path, query."""
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._lines: list[bytes] = []

    def standing_headers(self, headers: list[tuple[bytes, bytes]]) -> list[bytes]:
        """Header lines of every reply, without their ends: the date, in a list which uvicorn renews each second."""
        if self._headers is not headers:
            self._headers = headers
            self._lines = [b"%b: %b" % pair for pair in headers]
        return self._lines
