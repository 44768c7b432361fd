"""Identify: key -> caller; may this key come here and ask for this?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from headgate.admission.rights import SERVICE, allowed_roles, routes_of
from headgate.admission.ring import KeyRing
from headgate.core.errors import NotAllowed, NotAuthenticated
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.labels import tags_of, variables_of
from headgate.exchange.reply import Reply
from headgate.exchange.stage import Proceed

__all__ = ["Identify"]

_LONGEST_LABEL: Final = 256
"""Characters of what callers say of users, sessions and features. Indexes of databases take no names without end."""
# W3C trace context, version 00: ids of zeros alone are invalid.
_TRACE_PARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NOBODY: Final = Caller(key_id="", key_name="anonymous", roles=(SERVICE,), routes=routes_of((SERVICE,)))
_MISSING: Final = (
    "no API key came with the request; send `Authorization: Bearer <key>` or `x-api-key: <key>` with a Headgate key "
    "(`headgate keys create` makes one)"
)
_UNKNOWN: Final = "the API key is not valid here; use a Headgate key, not the provider's own (`headgate keys list` shows which exist)"


def _no_tokens(token: bytes) -> Caller | None:  # noqa: ARG001 - of the shape
    return None


class Identify:
    """Resolve the caller, once, for the whole journey, and read what the caller says of the end user and the session."""

    def __init__(
        self,
        ring: KeyRing,
        *,
        keys_required: bool,
        token_caller: Callable[[bytes], Caller | None] = _no_tokens,
    ) -> None:
        """token_caller: whose a key is that the ring does not know; it may be a token of somebody else's."""
        self._ring = ring
        self._token_caller = token_caller
        self._required = keys_required

    async def __call__(self, exchange: Exchange, proceed: Proceed, /) -> Reply:
        """See `Stage`."""
        self.check(exchange)
        return await proceed(exchange)

    def check(self, exchange: Exchange, /) -> None:
        """See `Check`."""
        caller = self._caller(exchange.heard.key)
        exchange.caller = caller
        route = exchange.dialect.name
        if route not in caller.routes:
            raise NotAllowed(
                f"key `{caller.key_name}` has {_named(caller.roles)} and may not ask models; "
                f"use a key with one of these: {', '.join(allowed_roles(route)) or 'none'}"
            )
        _read_labels(exchange, caller)
        if caller.features and exchange.feature and exchange.feature not in caller.features:
            raise NotAllowed(
                f"key `{caller.key_name}` may not ask for feature `{exchange.feature}`; "
                f"it may ask for {', '.join(caller.features)}",
                param="x-headgate-feature",
            )
        model = exchange.peek.model
        if caller.models and model and model not in caller.models:
            allowed = ", ".join(caller.models)
            raise NotAllowed(
                f"key `{caller.key_name}` may not ask for `{model}`; it may ask for {allowed}", param="model"
            )

    def _caller(self, key: bytes) -> Caller:
        if key:
            caller = self._ring.caller(key) or self._token_caller(key)
            if caller is not None:
                return caller
            if self._required:
                raise NotAuthenticated(_UNKNOWN)
        elif self._required:
            raise NotAuthenticated(_MISSING)
        return _NOBODY


def _named(roles: Sequence[str]) -> str:
    if not roles:
        return "no role"
    return f"{'role' if len(roles) == 1 else 'roles'} {', '.join(roles)}"


def _read_labels(exchange: Exchange, caller: Caller) -> None:
    # Nobody named: whoever the key belongs to uses it.
    exchange.user = exchange.peek.user[:_LONGEST_LABEL] or caller.user
    tagged = False
    for name, value in exchange.heard.labels:
        if name == b"traceparent":
            if _TRACE_PARENT.fullmatch(value):
                exchange.trace_parent = value.decode("ascii")
            continue
        text = value.decode("utf-8", "replace")[:_LONGEST_LABEL]
        if name == b"x-headgate-user":
            exchange.user = text
        elif name == b"x-headgate-session":
            exchange.session = text
        elif name == b"x-headgate-feature":
            exchange.feature = text
        elif name == b"x-headgate-tags":
            tagged = True
        elif name == b"x-headgate-prompt":
            exchange.prompt = text.strip()
        elif name == b"x-headgate-variables":
            exchange.variables = variables_of(value)
        elif name == b"x-headgate-data" and "sensitive" in map(str.strip, text.lower().split(",")):
            # As the tag of that name says it; a tag is on record, and whoever sends this again must know.
            exchange.tags["data"] = "sensitive"
    if tagged:
        exchange.tags = tags_of(exchange.headers, exchange.tags)
