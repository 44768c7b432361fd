"""What is read from a running gateway when somebody looks at its metrics."""

from __future__ import annotations

from types import SimpleNamespace

from headgate.control.metrics import breakers, learn_names, watch
from headgate.providers.health.health import Health
from headgate.telemetry.metrics import MOST_UNKNOWN, Metrics
from tests.support.routes import place

__all__: list[str] = []


def endpoint(name: str, *, broken: bool = False):
    made = place(name, health=Health(name))
    made.health.breaker.open_until = 5.0 if broken else 0.0
    return made


class Places:
    """As much of a directory as is asked."""

    def __init__(self, configured, asked=()):
        self._configured, self._asked = configured, asked

    def endpoints(self):
        return self._configured

    def models(self):
        return {each.health.name: [each] for each in (*self._configured, *self._asked)}


def test_breakers_are_told_of_whatever_is_configured_and_of_the_rest_when_open() -> None:
    """A caller who tries names adds nothing to the page, unless calls fail; and then only so many."""
    configured = [endpoint("a/m"), endpoint("b/m", broken=True)]
    asked = [endpoint("a/well"), *(endpoint(f"a/{number}", broken=True) for number in range(300))]
    found = dict(breakers(Places(configured, asked)))
    assert found["a/m",] == 0 and found["b/m",] == 1 == found["a/0",]
    assert ("a/well",) not in found and len(found) == 2 + MOST_UNKNOWN


def test_everything_is_read_at_the_moment_of_looking() -> None:
    """Not before: the numbers may change after `watch`."""
    counters = SimpleNamespace(wordless=5, set_aside=6)
    state = SimpleNamespace(sent=0, dropped=1, drops=2, in_flight=3, lag_bytes=4, counters=counters)
    configuration = SimpleNamespace(hash="c0ffee")
    gateway = SimpleNamespace(
        shadows=state, journal=state, gate=state, writer=state, configuration=configuration
    )
    metrics = Metrics()
    watch(metrics, gateway, lambda: Places([endpoint("a/m")]))
    learn_names(metrics, ["chat"], [endpoint("a/m")], {"chat": ["say"]})
    state.sent = 9
    said = metrics.text().decode().splitlines()
    for line in (
        "headgate_shadows_total 9",
        "headgate_shadows_dropped_total 1",
        "headgate_records_dropped_total 2",
        "headgate_records_refused_total 11",
        "headgate_in_flight 3",
        "headgate_journal_bytes 4",
        'headgate_endpoint_open{endpoint="a/m"} 0',
        'headgate_degraded_total{feature="chat",rung="say"} 0',
    ):
        assert line in said
