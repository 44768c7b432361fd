"""A provider whose credentials are not there, or must not be sent where it is: it calls nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, cast

from headgate.core.errors import ProviderAuthFailed
from headgate.core.messages import Operation
from headgate.providers.port import Adapter, Call, UpstreamRequest, Wire

__all__ = ["Withheld", "withheld"]


class Withheld:
    """In the place of an adapter: as it in all but that no call is addressed."""

    def __init__(self, adapter: Adapter, secrets: Iterable[str]) -> None:
        """secrets: the names of those in question."""
        self.kind = adapter.kind
        self._adapter = adapter
        self._secrets = ", ".join(f"`{name}`" for name in sorted(secrets))

    def wire_for(self, operation: Operation, caller_wire: str) -> Wire | None:
        """As the adapter it stands for."""
        return self._adapter.wire_for(operation, caller_wire)

    def request(self, call: Call) -> UpstreamRequest:  # noqa: ARG002 - whatever is to be called
        """Raises ProviderAuthFailed."""
        self._refuse()

    def probe(self) -> UpstreamRequest:
        """Raises ProviderAuthFailed."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ProviderAuthFailed(
            f"The provider was not called: secret {self._secrets} is not there, or not for its host; `headgate check` says "
            "what to do"
        )


def withheld(adapter: Adapter, secrets: Iterable[str]) -> Adapter:
    """`adapter`, calling nobody."""
    return cast("Adapter", Withheld(adapter, secrets))
