"""Certificates for tests, made on the spot: an authority, a server it vouches for, a client it vouches for."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Authority", "authority"]


@dataclass(frozen=True, slots=True)
class Authority:
    """One certificate authority and what it has signed."""

    ca_file: str
    """PEM of the authority itself."""
    server: ssl.SSLContext
    """Presents a certificate for `server_name`."""
    strict_server: ssl.SSLContext
    """As `server`, and demands a certificate of this authority from its clients."""
    client_cert: str
    """PEM of a client's certificate."""
    client_key: str


def authority(folder: Path, server_name: str = "127.0.0.1") -> Authority:
    """Write the files into `folder`, which must exist."""
    ca = trustme.CA()
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    issued = ca.issue_cert(server_name)
    contexts = []
    for demand in (False, True):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issued.configure_cert(context)
        if demand:
            ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        contexts.append(context)
    client = ca.issue_cert("client@example.org")
    cert, key = folder / "client.pem", folder / "client.key"
    client.cert_chain_pems[0].write_to_path(str(cert))
    client.private_key_pem.write_to_path(str(key))
    return Authority(str(ca_file), contexts[0], contexts[1], str(cert), str(key))
