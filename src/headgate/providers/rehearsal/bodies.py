"""What a provider would say: errors as a whole body or as an event of a stream, in the wire that was spoken, and a page."""

from __future__ import annotations

import struct
from binascii import crc32

import msgspec

from headgate.providers.port import Headers

__all__ = ["PAGE", "error_event", "error_reply", "page_headers"]

PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Rehearsal</title></head>"
    b"<body><h1>One moment, please</h1><p>This page is part of a fault rehearsal.</p></body></html>\n"
)
_JSON = (b"content-type", b"application/json")

_OPENAI = {
    400: ("invalid_request_error", None),
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "server_overloaded"),
    529: ("server_error", "server_overloaded"),
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
_GEMINI = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_BEDROCK = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}


def error_reply(wire: str, status: int, message: str) -> tuple[Headers, bytes]:
    """Headers and body of a refusal. wire: as `Wire.name`; "" as OpenAI says it."""
    headers = Headers([_JSON])
    if wire.startswith("bedrock."):
        headers.append((b"x-amzn-errortype", _bedrock(status).encode()))
    return headers, msgspec.json.encode(_error(wire, status, message))


def error_event(wire: str, message: str) -> bytes:
    """The bytes of an error inside a stream: the provider failed on its side."""
    if wire.startswith("bedrock."):
        return _exception("modelStreamErrorException", msgspec.json.encode({"message": message}))
    if wire == "openai.responses":
        said = {"type": "error", "code": "server_error", "message": message, "param": None}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode(said)
    name = b"event: error\n" if wire.startswith("anthropic.") else b""
    return name + b"data: %b\n\n" % msgspec.json.encode(_error(wire, 500, message))


def page_headers() -> Headers:
    """Of `PAGE`."""
    return Headers([(b"content-type", b"text/html; charset=utf-8")])


def _error(wire: str, status: int, message: str) -> object:
    if wire.startswith("anthropic."):
        return {"type": "error", "error": {"type": _ANTHROPIC.get(status, "api_error"), "message": message}}
    if wire.startswith("gemini."):
        kind = _GEMINI.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": kind}}
    if wire.startswith("bedrock."):
        return {"message": message}
    kind, code = _OPENAI.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _bedrock(status: int) -> str:
    return _BEDROCK.get(status, "InternalServerException")


def _exception(name: str, payload: bytes) -> bytes:
    """One message of `application/vnd.amazon.eventstream`: lengths, their checksum, headers, payload, checksum of all."""
    headers = b"".join(
        struct.pack("!B", len(key)) + key + b"\x07" + struct.pack("!H", len(value)) + value
        for key, value in (
            (b":exception-type", name.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", b"exception"),
        )
    )
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack("!I", crc32(lengths)) + headers + payload
    return message + struct.pack("!I", crc32(message))
