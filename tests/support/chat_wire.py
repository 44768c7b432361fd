"""What an upstream of OpenAI's chat wire puts on the line, good and bad, for scripts of `fault_server`."""

from __future__ import annotations

import json

__all__ = ["DONE", "STREAM_HEAD", "WHOLE", "chunk", "content", "finish", "framed", "usage"]

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
_ID = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "one two"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
).encode()
"""A whole answer, 11 + 7 tokens."""


def framed(data: bytes) -> bytes:
    """One HTTP chunk; of nothing, the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk(**fields: object) -> bytes:
    """One event."""
    return b"data: " + json.dumps({**_ID, **fields}).encode() + b"\n\n"


def content(text: str) -> bytes:
    """A piece of text."""
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def finish() -> bytes:
    """The reason to stop."""
    return chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


def usage(prompt: int = 11, completion: int = 7) -> bytes:
    """What it took."""
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return chunk(choices=[], usage=tokens)
