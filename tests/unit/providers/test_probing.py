"""Background probes: whether an endpoint is back, asked once for all that share a door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from headgate.core.errors import ConnectFailed, ProviderAuthFailed
from headgate.core.section import Duration
from headgate.providers.health.health import Health
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import Endpoint, UpstreamRequest, Url
from headgate.providers.probing import Prober
from headgate.testing.clock import FakeClock
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio

__all__: list[str] = []


class Door:
    """An adapter that can only be probed."""

    kind = "fake"

    def __init__(self, refuse: Exception | None = None) -> None:
        self.refuse = refuse

    def probe(self) -> UpstreamRequest:
        if self.refuse is not None:
            raise self.refuse
        return UpstreamRequest("GET", Url.parse("http://127.0.0.1/v1/models"), [])


class Slow(ScriptedUpstream):
    """Waits until it is let go."""

    async def send(self, request: UpstreamRequest, timeouts: Any) -> Any:
        self.requests.append(request)
        await asyncio.Event().wait()


def endpoint(
    upstream: ScriptedUpstream,
    health: Health,
    provider: str = "house",
    credential: str = "",
    door: Any = None,
) -> Endpoint:
    return Endpoint(
        provider, health.name, door or cast("Any", Door()), upstream, credential=credential, health=health
    )


def out(name: str, clock: FakeClock, **settings: Any) -> Health:
    """An endpoint that has just been taken out, for a second."""
    health = Health(name, HealthSettings(failures=1, **settings))
    health.end(clock.monotonic(), "failed", ticket=health.begin(clock.monotonic()))
    return health


def prober(clock: FakeClock, *endpoints: Endpoint) -> Prober:
    models: Mapping[str, Sequence[Endpoint]] = {str(at): [each] for at, each in enumerate(endpoints)}
    return Prober(lambda: models, clock)


async def finished(subject: Prober) -> None:
    """All probes under way are over."""
    await asyncio.gather(*subject._probes.values())
    await asyncio.sleep(0)


@aio
async def test_an_endpoint_is_asked_once_its_cooldown_is_over_and_comes_back() -> None:
    """Not before; and its reply is let go."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    health = out("a", clock)
    subject = prober(clock, endpoint(upstream, health))
    subject.look()
    assert not upstream.requests
    clock.advance(1)
    subject.look()
    subject.look()
    await finished(subject)
    assert len(upstream.requests) == 1, "one probe at a time"
    assert upstream.replies[0].closed
    assert health.state(clock.monotonic()) == "closed"
    assert health.in_flight == 0
    subject.look()
    assert len(upstream.requests) == 1, "what is well is not asked"


@pytest.mark.parametrize(
    ("script", "back"),
    [
        (Script(status=200), True),
        (Script(status=404), True),
        (Script(status=405), True),
        (Script(status=401), False),
        (Script(status=429), False),
        (Script(status=500), False),
        (Script(status=529), False),
        (Script(refuse=ConnectFailed(detail="refused")), False),
    ],
)
def test_who_answers_is_back(script: Script, back: bool) -> None:
    """Not every server lists its models, but who says 404 is there. Who fails, refuses or is full is not back."""

    @aio
    async def run() -> None:
        clock = FakeClock()
        health = out("a", clock)
        clock.advance(1)
        subject = prober(clock, endpoint(ScriptedUpstream([script]), health))
        subject.look()
        await finished(subject)
        assert health.state(clock.monotonic()) == ("closed" if back else "open")
        assert health.blocked(clock.monotonic()) == (0.0 if back else 2.0)
        assert health.in_flight == 0

    run()


@aio
async def test_endpoints_with_the_same_credentials_share_a_probe() -> None:
    """Five models of one provider cost one request; another key of it is another question."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    same = [out(name, clock) for name in "abc"]
    other = out("d", clock)
    clock.advance(1)
    endpoints = [endpoint(upstream, health) for health in same]
    # A model may be reachable under two names: one health, one place.
    twice = endpoint(upstream, same[0])
    subject = prober(clock, *endpoints, twice, endpoint(upstream, other, credential="key 2"))
    subject.look()
    await finished(subject)
    assert len(upstream.requests) == 2
    assert [each.state(clock.monotonic()) for each in [*same, other]] == ["closed"] * 4
    assert [each.in_flight for each in [*same, other]] == [0] * 4


@aio
async def test_a_call_that_is_trying_already_is_not_doubled() -> None:
    """The place of the trial is taken."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    health = out("a", clock)
    clock.advance(1)
    assert health.begin(clock.monotonic())
    subject = prober(clock, endpoint(upstream, health))
    subject.look()
    assert not subject._probes
    assert not upstream.requests


@aio
async def test_a_provider_is_asked_by_one_probe_at_a_time() -> None:
    """An endpoint that becomes due meanwhile waits for the next."""
    clock, upstream = FakeClock(), Slow([])
    first = out("a", clock)
    clock.advance(1)
    second = out("b", clock)
    subject = prober(clock, endpoint(upstream, first), endpoint(upstream, second))
    subject.look()
    await asyncio.sleep(0)
    clock.advance(1)
    subject.look()
    await asyncio.sleep(0)
    assert len(upstream.requests) == 1
    await subject.aclose()


@aio
async def test_who_does_not_want_probes_gets_none() -> None:
    """`probe = false`: calls alone bring it back."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    health = out("a", clock, probe=False)
    clock.advance(5)
    prober(clock, endpoint(upstream, health)).look()
    assert health.state(clock.monotonic()) == "half-open"
    assert health.in_flight == 0


@aio
async def test_a_well_endpoint_is_asked_as_often_as_the_operator_says() -> None:
    """Not at the start, then every minute; failures count as those of calls do."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script(status=503)])
    health = Health("a", HealthSettings(failures=2, probe_every=Duration(60)))
    subject = prober(clock, endpoint(upstream, health))
    asked = []
    for _ in range(121):
        subject.look()
        await finished(subject)
        asked.append(len(upstream.requests))
        clock.advance(1)
    assert (asked[0], asked[59], asked[60], asked[119], asked[120]) == (0, 0, 1, 1, 2)
    assert health.breaker.open_until


@aio
async def test_a_probe_that_cannot_be_made_is_a_failure() -> None:
    """No credentials: it would not answer a call either. A mistake of ours says nothing about it."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    bare, broken = out("a", clock), out("b", clock)
    clock.advance(1)
    subject = prober(
        clock,
        endpoint(upstream, bare, "one", door=Door(ProviderAuthFailed("no key"))),
        endpoint(upstream, broken, "two", door=Door(RuntimeError("ours"))),
    )
    subject.look()
    await finished(subject)
    assert bare.state(clock.monotonic()) == "open"
    assert broken.wants_probe(clock.monotonic())
    assert (bare.in_flight, broken.in_flight) == (0, 0)


@aio
async def test_only_so_many_probes_are_under_way() -> None:
    """Twenty providers come back one after another, not all in one second."""
    clock, upstream = FakeClock(), Slow([])
    healths = [out(str(number), clock) for number in range(20)]
    clock.advance(1)
    subject = prober(clock, *(endpoint(upstream, health, health.name) for health in healths))
    for _ in range(3):
        subject.look()
        await asyncio.sleep(0)
    assert len(upstream.requests) == 8
    await subject.aclose()
    assert not any(health.in_flight for health in healths), "a stop frees what was taken"


@aio
async def test_outliers_are_ejected_once_a_second() -> None:
    """Among the endpoints of one model."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    healths = [Health(name, HealthSettings(failures=1000, least_calls=1000)) for name in "abc"]
    endpoints = [endpoint(upstream, health) for health in healths]
    subject = Prober(lambda: {"model": endpoints}, clock)
    subject.look()
    for number, health in enumerate(healths):
        for _ in range(10):
            health.end(clock.monotonic(), "failed" if number == 2 else "ok")
    subject.look()
    assert not healths[2].ejected(clock.monotonic()), "not every look"
    clock.advance(1)
    subject.look()
    assert [health.ejected(clock.monotonic()) for health in healths] == [False, False, True]


@aio
async def test_it_runs_by_itself_and_survives_a_mistake() -> None:
    """The background task goes on after an error of whoever hands out the endpoints."""
    clock, upstream = FakeClock(), ScriptedUpstream([Script()])
    health = out("a", clock)
    clock.advance(1)
    calls = 0

    def models() -> Mapping[str, Sequence[Endpoint]]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("not yet")
        return {"a": [endpoint(upstream, health)]}

    subject = Prober(models, clock)
    subject.start()
    while health.state(clock.monotonic()) != "closed":
        await asyncio.sleep(0.01)
    await subject.aclose()
    await subject.aclose()
    assert calls >= 2
