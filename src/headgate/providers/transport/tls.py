"""Who we believe a provider to be, and who it may believe us to be."""

from __future__ import annotations

import ssl

__all__ = ["client_context"]


def client_context(ca_file: str | None, client_cert: str | None, client_key: str | None) -> ssl.SSLContext:
    """A context that verifies name and chain, TLS 1.2 or newer, HTTP/1.1 only.

    ca_file:  PEM; it replaces the system's authorities, it does not add to them.
    Raises: ValueError, naming the file, when one cannot be read or is not what it should be."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ValueError(f"cannot use `{ca_file}` as certificate authorities: {error}") from error
    if client_cert is not None:
        try:
            # A key under a passphrase would make OpenSSL ask on the terminal and stop the whole process.
            context.load_cert_chain(client_cert, client_key, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot use `{client_cert}` as client certificate: {error}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_passphrase() -> str:
    raise ValueError("its key has a passphrase; store it without one")
