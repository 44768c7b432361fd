"""What an operator can set about the connections to one provider."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.core.section import Section

__all__ = ["TransportSettings"]


class TransportSettings(Section, frozen=True):
    """How connections to one provider are made, kept and bounded."""

    ca_file: str | None = None
    """PEM file of the authorities that may sign the provider's certificate; none: those of the system."""
    client_cert: str | None = None
    """PEM file of our own certificate, for providers that ask for one."""
    client_key: str | None = None
    """PEM file of its key; none: the key is in `client_cert`."""
    proxy: str | None = "env"
    """`env` follows HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; `none` goes direct; else the proxy's URL."""
    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """Connections to one host and port at a time; the next request waits, up to `timeouts.connect`."""
    keepalive_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How long an unused connection is kept. A shorter `keep-alive: timeout=` of the provider wins."""
    accept_encoding: str = "gzip, deflate, br"
    """Compressions offered to the provider; `identity` asks for none."""
    max_header_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 65_536
    """A reply head over this is refused."""
    max_line_bytes: Annotated[int, msgspec.Meta(ge=256)] = 16_384
    """A single header line over this is refused."""
    max_header_count: Annotated[int, msgspec.Meta(ge=8)] = 200
    """More header lines than this are refused."""
