"""Which calls an order is for, how many of them, and until when."""

from __future__ import annotations

import logging

import pytest

from headgate.providers.port import Call
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.testing.clock import FakeClock
from tests.support.rehearsing import order

__all__: list[str] = []


def call(model: str = "llama", feature: str = "") -> Call:
    return Call("chat", "openai.chat", model, b"", stream=False, feature=feature)


@pytest.mark.parametrize(
    ("target", "provider", "model", "meets"),
    [
        ("*", "anybody", "any", True),
        ("house", "house", "any", True),
        ("house", "hous", "any", False),
        ("house/llama", "house", "llama", True),
        ("house/llama", "house", "llama-3", False),
        ("house/llama", "other", "llama", False),
        ("router/meta/llama", "router", "meta/llama", True),
    ],
)
def test_an_order_is_for_its_target(target: str, provider: str, model: str, meets: bool) -> None:
    """A provider, one of its models, or everything."""
    rehearsals = Rehearsals()
    rehearsals.know([order("reset", at=target)])
    assert (rehearsals.draw(provider, call(model)) is not None) == meets


def test_an_order_for_a_feature_leaves_others_alone() -> None:
    """Probes have no feature, and are others."""
    rehearsals = Rehearsals()
    rehearsals.know([order("reset", feature="support-chat")])
    assert rehearsals.draw("house", call(feature="support-chat")) is not None
    assert rehearsals.draw("house", call(feature="search")) is None
    assert rehearsals.draw("house", None) is None


def test_probes_meet_what_a_whole_provider_suffers() -> None:
    """Else the breaker would think that it is back."""
    rehearsals = Rehearsals()
    rehearsals.know([order("reset"), order("reset", number=8, at="other/llama")])
    assert rehearsals.draw("house", None) is not None
    assert rehearsals.draw("other", None) is None


def test_a_share_is_about_kept_and_can_be_repeated() -> None:
    """The same order draws the same lots again."""

    def drawn() -> list[bool]:
        rehearsals = Rehearsals()
        rehearsals.know([order("reset", share=0.2)])
        return [rehearsals.draw("house", call()) is not None for _ in range(2000)]

    once = drawn()
    assert 340 < sum(once) < 460
    assert drawn() == once


def test_news_of_other_orders_do_not_begin_this_one_anew() -> None:
    """The command line's orders are read every second."""
    one, other = order("flapping:2/2"), order("reset", number=8, at="other")
    rehearsals = Rehearsals()
    met = []
    for known in ([one], [one, other], [one], [one]):
        rehearsals.know(known)
        met.append(rehearsals.draw("house", call()) is not None)
    assert met == [True, True, False, False]


def test_an_order_is_over_when_its_time_is_without_being_told() -> None:
    """The database may be away just then."""
    clock = FakeClock(wall_ns=1_000)
    rehearsals = Rehearsals(clock)
    rehearsals.know([order("reset", until_ns=1_000_001_000)])
    assert rehearsals.draw("house", call()) is not None
    clock.advance(1)
    assert rehearsals.draw("house", call()) is None
    rehearsals.know([order("reset", until_ns=1_000_001_000)])
    assert rehearsals.ordered == ()


def test_the_first_order_that_speaks_decides() -> None:
    """In the order in which they were given."""
    rehearsals = Rehearsals()
    rehearsals.know([order("reset", at="other"), order("silence", number=8), order("cut:1", number=9)])
    met = rehearsals.draw("house", call())
    assert met is not None and met.mark == "rehearsal 8: silence"


def test_begin_and_end_are_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is called at night sees at once that it is a rehearsal."""
    rehearsals = Rehearsals()
    with caplog.at_level(logging.WARNING, logger="headgate.rehearsal"):
        rehearsals.know([order("cut:5", share=0.25, feature="search", until_ns=2_000_000_000 * 10**9)])
        rehearsals.know([order("cut:5", share=0.25, feature="search", until_ns=2_000_000_000 * 10**9)])
        rehearsals.know([])
        rehearsals.know([])
    assert caplog.messages == [
        "rehearsal 7 begins: cut:5 on house, 25 % of calls of search, until 2033-05-18 03:33:20 UTC",
        "rehearsal 7 is over: cut:5 on house",
    ]


def test_a_fault_that_is_not_known_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A newer command line may order what this gateway has never heard of."""
    rehearsals = Rehearsals()
    rehearsals.know([order("earthquake"), order("reset", number=8)])
    met = rehearsals.draw("house", call())
    assert met is not None and met.rehearsal == 8
    assert "no fault is called `earthquake`" in caplog.text
