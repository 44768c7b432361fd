"""What a record says of an endpoint, read from it once: compiled code pays dearly for each look at what is not compiled."""

from __future__ import annotations

from typing import Final

import msgspec

from headgate.exchange.attempt import Attempt
from headgate.providers.catalog.rates import Rates
from headgate.providers.port import Endpoint
from headgate.records.entries import Plain

__all__ = ["Place", "Places"]

_MOST: Final = 1_000
"""Endpoints that are remembered; those of earlier configurations are forgotten by and by."""
_encode: Final = msgspec.msgpack.Encoder().encode


class Place:
    """One endpoint, as records name it."""

    __slots__ = ("_bill", "credential", "endpoint", "model", "own", "price_key", "provider", "region")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.provider = endpoint.provider
        self.model = endpoint.model
        self.region = endpoint.region
        self.credential = endpoint.credential
        self.price_key = endpoint.price_key
        own = endpoint.own_price
        self.own = own if isinstance(own, Rates) else None
        """The operator's price."""
        # Nothing of it changes from call to call: encoded once.
        self._bill = msgspec.Raw(
            _encode([self.price_key] if self.own is None else [self.price_key, self.own])
        )

    def bill(self, attempt: Attempt) -> object:
        """A `Bill` as it stands in the journal: by which prices the attempt is billed, and from which sums it is paid."""
        if not attempt.pots:
            return self._bill
        bill: Plain = [self.price_key, self.own, attempt.reserved_nanos, attempt.pots]
        return bill


class Places:
    """Those that calls have lately gone to."""

    def __init__(self) -> None:
        self._known: dict[int, Place] = {}

    def of(self, endpoint: Endpoint) -> Place:
        """What is to be said of it."""
        # An endpoint that is remembered lives, so no other one has its number.
        known = self._known.get(id(endpoint))
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[id(endpoint)] = Place(endpoint)
        return known
