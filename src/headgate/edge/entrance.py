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
        self.request_time = float(settings.request_time)
        self.keep_alive = float(settings.keep_alive)
        self.write_stall = float(settings.write_stall)
        self.max_headers = int(settings.max_headers)
        self.look_after = min(self.request_time, self.keep_alive, self.write_stall)
        """Seconds between two looks at the clock, at most: the shortest deadline there is."""
        self.paths: dict[bytes, tuple[str, bytes]] = {}
        """Targets that were asked for before: path, query."""
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._lines = b""

    def standing_lines(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Header lines of every reply, each with its end: the date, in a list which uvicorn renews each second."""
        if self._headers is not headers:
            self._headers = headers
            self._lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        return self._lines
