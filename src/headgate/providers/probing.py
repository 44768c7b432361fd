"""Ask in the background: whether an endpoint that was left alone is back, and which ones do far worse than their peers."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from headgate.core.clock import Clock
from headgate.core.errors import GatewayError
from headgate.core.tasks import ended
from headgate.providers.health.ejection import eject_outliers
from headgate.providers.health.health import Health, Verdict
from headgate.providers.port import Endpoint, Timeouts

__all__ = ["Prober"]

log = logging.getLogger("headgate.health")

LOOK_SECONDS = 0.25
"""How often we look whether an endpoint's cooldown is over."""
EJECT_SECONDS = 1.0
PROBE_SECONDS = 10.0
"""The longest that a probe may take."""
MOST_PROBES = 8
"""Under way at a time; the others wait for the next look."""

_TIMEOUTS = Timeouts(
    connect=PROBE_SECONDS,
    headers=PROBE_SECONDS,
    first_content=PROBE_SECONDS,
    between=PROBE_SECONDS,
    total=PROBE_SECONDS,
)
_NO_ANSWER = frozenset({401, 403, 408, 425, 429})
"""Statuses below 500 that say: a call would not be answered either. Others, 404 too, come from somebody who is there:
not every server that speaks a vendor's format can list its models."""

_Group = tuple[str, str]
"""Provider and credential: the cheapest request is the same for all their models, so one stands for all."""


class Prober:
    """A background task. `models` is asked anew at every look, so a changed configuration counts at once."""

    def __init__(self, models: Callable[[], Mapping[str, Sequence[Endpoint]]], clock: Clock) -> None:
        """models: name -> the endpoints that serve it."""
        self._models = models
        self._clock = clock
        self._loop: asyncio.Task[None] | None = None
        self._probes: dict[_Group, asyncio.Task[None]] = {}
        self._probed_at: dict[_Group, float] = {}
        self._eject_at = 0.0

    def start(self) -> None:
        """Begin to look. Needs a running event loop."""
        self._loop = asyncio.create_task(self._run(), name="probe")

    async def aclose(self) -> None:
        """Stop, also what is under way. Idempotent."""
        tasks = [*self._probes.values(), *([self._loop] if self._loop is not None else [])]
        await ended(*tasks)
        self._loop = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("endpoints could not be looked after; trying again")

    def look(self) -> None:
        """Begin the probes that are due, and eject outliers once a second. Does not wait for the probes."""
        now = self._clock.monotonic()
        models = self._models()
        if now >= self._eject_at:
            self._eject_at = now + EJECT_SECONDS
            _eject(models, now)
        for group, endpoints in _groups(models).items():
            if group in self._probes or len(self._probes) >= MOST_PROBES:
                continue
            chosen = self._due(group, endpoints, now)
            tickets = [(health, ticket) for health in _healths(chosen) if (ticket := health.begin(now))]
            if tickets:
                self._probed_at[group] = now
                task = asyncio.create_task(self._probe(chosen[0], tickets), name="probe one")
                self._probes[group] = task
                task.add_done_callback(functools.partial(self._done, group))

    def _due(self, group: _Group, endpoints: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Endpoints of one group that the next probe shall speak for."""
        due = [each for each in endpoints if each.health.settings.probe and each.health.wants_probe(now)]
        if due:
            return due
        regular = [
            each for each in endpoints if each.health.settings.probe_every and not each.health.blocked(now)
        ]
        if not regular:
            return []
        # From the first look on, not at it: a start shall not ask every provider at once.
        before = self._probed_at.setdefault(group, now)
        return regular if now - before >= min(each.health.settings.probe_every for each in regular) else []

    def _done(self, group: _Group, _task: asyncio.Task[None]) -> None:
        self._probes.pop(group, None)

    async def _probe(self, endpoint: Endpoint, tickets: Sequence[tuple[Health, int]]) -> None:
        said: Verdict = "ignored"
        try:
            said = await _ask(endpoint)
        except Exception:
            log.exception("%s could not be probed", endpoint.name)
        finally:
            now = self._clock.monotonic()
            for health, ticket in tickets:
                health.probed(now, said, ticket=ticket)


async def _ask(endpoint: Endpoint) -> Verdict:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reply = await endpoint.upstream.send(endpoint.adapter.probe(), _TIMEOUTS)
    except (GatewayError, TimeoutError):
        return "failed"
    # Its body, a list of models perhaps of megabytes, says nothing more.
    reply.close()
    return "ok" if reply.status < 500 and reply.status not in _NO_ANSWER else "failed"


def _groups(models: Mapping[str, Sequence[Endpoint]]) -> dict[_Group, list[Endpoint]]:
    found: dict[_Group, list[Endpoint]] = {}
    for endpoints in models.values():
        for endpoint in endpoints:
            found.setdefault((endpoint.provider, endpoint.credential), []).append(endpoint)
    return found


def _healths(endpoints: Sequence[Endpoint]) -> Iterator[Health]:
    """Each once: a model may serve under several names."""
    return iter({id(endpoint.health): endpoint.health for endpoint in endpoints}.values())


def _eject(models: Mapping[str, Sequence[Endpoint]], now: float) -> None:
    for name, endpoints in models.items():
        healths = list(_healths(endpoints))
        for health, why in eject_outliers(healths, now) if len(healths) > 2 else ():
            log.warning(
                "%s is asked last for `%s` for %.0f s: %s", health.name, name, health.ejected_until - now, why
            )
