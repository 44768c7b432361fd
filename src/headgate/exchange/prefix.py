"""How the prompt of an exchange begins, as providers' own prompt caches know it."""

from __future__ import annotations

import msgspec

from headgate.core.errors import GatewayError
from headgate.exchange.exchange import Exchange
from headgate.providers.prefixes import Prefix, beginnings_of

__all__ = ["prefix_of"]

_encode = msgspec.json.encode


def prefix_of(exchange: Exchange) -> Prefix | None:
    """Found out when first asked for, and kept on the exchange; None for what is no chat, or cannot be read."""
    if exchange.prefix is None and exchange.dialect.operation == "chat":
        try:
            body = _encode(exchange.request) if exchange.edited else exchange.body
        except GatewayError:
            return None
        caller = exchange.caller
        tenant = caller.tenant if caller is not None else ""
        found = beginnings_of(body, tenant=tenant, feature=exchange.feature)
        exchange.prefix = Prefix(found) if found is not None else None
    return exchange.prefix
