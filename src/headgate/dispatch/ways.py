"""The ways to have an answer finished that broke off: at which endpoint, and what is asked there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from headgate.core.errors import GatewayError
from headgate.core.messages import ChatRequest
from headgate.dispatch.beginning import can_be_begun, with_beginning
from headgate.dispatch.rejoin import Continued, ContinuedJson, Joint, Restarted
from headgate.dispatch.retelling import Told
from headgate.providers.port import Endpoint

__all__ = ["Way", "Ways"]

Kind = Literal["continuation", "restart"]


class Way(NamedTuple):
    """One way to get the rest."""

    endpoint: Endpoint
    kind: Kind
    request: ChatRequest | None
    """What to ask; None: the caller's own request."""
    joint: Joint


class Ways:
    """What was tried for one answer, and what is left to try."""

    def __init__(self, targets: Sequence[Endpoint], most: int) -> None:
        """targets: best first. most: streams that may be opened; as many calls may fail besides."""
        self._targets = targets
        self._streams, self._calls = most, 2 * most
        self._broken: dict[int, int] = {}
        """How often an endpoint (by identity) broke off."""
        self._given_up: set[tuple[int, Kind]] = set()

    def next(self, request: ChatRequest, told: Told) -> Way | None:
        """The best way that is left, and counts it as tried."""
        if not self._streams or not self._calls:
            return None
        # Whoever broke off once may have had bad luck, and goes on in its own words; but not before all others.
        targets = sorted(self._targets, key=lambda one: self._broken.get(id(one), 0))
        often = [one for one in targets if self._broken.get(id(one), 0) > 1]
        others = targets[: len(targets) - len(often)]
        way = self._among(others, request, told) or self._among(often, request, told)
        self._calls -= way is not None
        return way

    def opened(self) -> None:
        """The way led to a stream."""
        self._streams -= 1

    def broke_off(self, endpoint: Endpoint, error: GatewayError) -> None:
        """A stream of this endpoint did, with `error`."""
        self._broken[id(endpoint)] = self._broken.get(id(endpoint), 0) + 1
        if error.category == "upstream_timeout":
            # Whoever has fallen silent is not waited for a second time.
            self._leave(endpoint)

    def refused(self, way: Way, error: Exception) -> None:
        """The way led to no stream."""
        if isinstance(error, GatewayError) and error.fault == "caller":
            # For what was asked, such as going on with an answer: there may be another way at the same endpoint.
            self.did_not_fit(way)
        else:
            self._leave(way.endpoint)

    def did_not_fit(self, way: Way) -> None:
        """The way led to an answer that could not be joined."""
        self._given_up.add((id(way.endpoint), way.kind))

    def _leave(self, endpoint: Endpoint) -> None:
        self._given_up |= {(id(endpoint), "continuation"), (id(endpoint), "restart")}

    def _among(self, targets: Sequence[Endpoint], request: ChatRequest, told: Told) -> Way | None:
        text, json = told.text, request.response_format is not None
        if not told.calls and can_be_begun(text):
            for one in targets:
                if "prefill" not in one.lacks and (id(one), "continuation") not in self._given_up:
                    joint: Joint = ContinuedJson(text) if json else Continued(text)
                    return Way(one, "continuation", with_beginning(request, text), joint)
        for one in targets:
            if (id(one), "restart") not in self._given_up:
                exactly = json or bool(told.calls)
                return Way(one, "restart", None, Restarted(text, anchored=not exactly))
        return None
