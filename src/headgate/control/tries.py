"""How often somebody may try to sign in: after a few failures each next try waits twice as long. Pure but for its memory."""

from __future__ import annotations

from collections import OrderedDict

from headgate.core.clock import Clock

__all__ = ["FREE", "Tries"]

FREE = 5
"""Failures of one address, or at one account, before anybody has to wait."""
_FIRST_WAIT = 2.0
_LONGEST_WAIT = 900.0
_FORGOTTEN_AFTER = 3600.0
_MOST_KNOWN = 10_000


class Tries:
    """Failures by name, such as `from:10.0.0.1` and `at:ann@example.com`; of this process, and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, *names: str) -> float:
        """Seconds until somebody with these names may try; 0: now."""
        now = self._clock.monotonic()
        return max((self._until(name) - now for name in names), default=0.0) if names else 0.0

    def failed(self, *names: str) -> None:
        """A try was wrong."""
        now = self._clock.monotonic()
        for name in names:
            count, last = self._known.pop(name, (0, now))
            self._known[name] = ((count if now - last < _FORGOTTEN_AFTER else 0) + 1, now)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def worked(self, *names: str) -> None:
        """A try was right: what was wrong before is forgotten."""
        for name in names:
            self._known.pop(name, None)

    def took_back(self, name: str) -> None:
        """This one try does not count; what was wrong before does. For addresses: who has one account could else try others' for ever."""
        count, last = self._known.get(name, (0, 0.0))
        if count > 1:
            self._known[name] = (count - 1, last)
        else:
            self._known.pop(name, None)

    def _until(self, name: str) -> float:
        count, last = self._known.get(name, (0, 0.0))
        if count < FREE:
            return 0.0
        return last + min(_FIRST_WAIT * 2.0 ** min(count - FREE, 20), _LONGEST_WAIT)
