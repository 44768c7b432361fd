"""A refusal as raw HTTP bytes, for requests so broken that no app ever sees them."""
from __future__ import annotations

from http import HTTPStatus

from headgate.core.errors import GatewayError
from headgate.edge.problems import openai_problem

__all__ = ["plain_response"]


def plain_response(error: GatewayError) -> bytes:
    """A whole HTTP/1.1 reply that closes the connection. In OpenAI's words: whose dialect was meant cannot be known."""
    status, headers, body = openai_problem(error, "", "")
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in headers if value]
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    return b"\r\n".join(lines)
