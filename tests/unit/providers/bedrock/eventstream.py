"""Messages of `application/vnd.amazon.eventstream` written as AWS documents them."""

from __future__ import annotations

import json
import struct
from binascii import crc32
from typing import Any

__all__ = ["event", "message"]


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """Length, length of headers, checksum of both; headers; payload; checksum of all."""
    head = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + b"\x07"
        + struct.pack("!H", len(value))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    prelude += struct.pack("!I", crc32(prelude))
    whole = prelude + head + payload
    return whole + struct.pack("!I", crc32(whole))


def event(name: str, body: Any, *, kind: str = "event") -> bytes:
    """An event, or with kind="exception" an exception."""
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    return message(headers, json.dumps(body, ensure_ascii=False).encode())
