"""Find the end of HTTP/1.1 answers in a byte stream, with as little work as a load client can do."""

from __future__ import annotations

__all__ = ["AnswerReader"]


class AnswerReader:
    """Feed it what arrives; it says when an answer is complete. One answer at a time, no pipelining."""

    __slots__ = ("_chunked", "_head", "_missing", "_tail", "closes", "status")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Expect the next answer."""
        self._head: bytes | None = b""
        self._missing = 0
        self._chunked = False
        self._tail = b""
        self.status = 0
        self.closes = False

    @property
    def in_body(self) -> bool:
        """Whether the head of the answer is complete."""
        return self._head is None

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What of `data` belongs to the body (chunk framing included), and whether the answer is complete."""
        if self._head is not None:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return b"", False
            self._read_head(data[:end].lower())
            data = data[end + 4 :]
        if self._chunked:
            last = self._tail + data[-7:]
            self._tail = last[-6:]
            return data, last.endswith(b"\r\n0\r\n\r\n") or last == b"0\r\n\r\n"
        self._missing -= len(data)
        return data, self._missing == 0

    def _read_head(self, head: bytes) -> None:
        self._head = None
        self.status = int(head[9:12])
        self.closes = b"\r\nconnection: close" in head
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            self._missing = int(head[at + 17 :].split(b"\r\n", 1)[0])
        else:
            # Neither length nor chunks: the body ends with the connection, and the count never reaches zero.
            self._missing = -1
            self._chunked = b"\r\ntransfer-encoding: chunked" in head
