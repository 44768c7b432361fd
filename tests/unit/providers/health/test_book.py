"""Healths are kept while configurations come and go, and changes are told to other nodes."""

from __future__ import annotations

from headgate.providers.health.book import HealthBook
from headgate.providers.health.health import Health
from headgate.providers.health.rates import Limits
from headgate.providers.health.settings import HealthSettings
from headgate.stores.health import HealthNews
from headgate.testing.clock import FakeClock

__all__: list[str] = []


def fail(health: Health, clock: FakeClock) -> None:
    for _ in range(health.settings.failures):
        health.end(clock.monotonic(), "failed", ticket=health.begin(clock.monotonic()))


def test_the_same_key_is_the_same_health_under_new_settings() -> None:
    """A reload forgets nothing."""
    book = HealthBook(FakeClock())
    health = book.of("openai/gpt|eu")
    assert book.of("openai/gpt|eu", HealthSettings(failures=2), Limits(concurrency=3)) is health
    assert health.settings.failures == 2
    assert health.rates is not None
    assert book.of("openai/gpt|us") is not health


def test_who_says_nothing_of_an_endpoint_changes_nothing_of_it() -> None:
    """A caller may ask for the provider's model by its own name: its limits hold for them too."""
    book = HealthBook(FakeClock())
    health = book.of("one", HealthSettings(failures=2), Limits(concurrency=1))
    book.of("one")
    assert health.settings.failures == 2
    assert health.begin(1.0)
    assert health.begin(1.0) == 0
    book.of("one", limits=Limits())
    assert health.begin(1.0)
    book.settings = HealthSettings(failures=9)
    assert book.of("another").settings.failures == 9


def test_changes_are_published() -> None:
    """That it is left alone, how long and why; and that it is back."""
    clock, said = FakeClock(), list[HealthNews]()
    book = HealthBook(clock, publish=said.append)
    health = book.of("one")
    fail(health, clock)
    assert said == [HealthNews("one", 1.0, "5 failures in a row")]
    clock.advance(1)
    health.end(clock.monotonic(), "ok", ticket=health.begin(clock.monotonic()))
    assert said[1:] == [HealthNews("one", 0.0, "")]


def test_what_others_say_is_applied_and_not_told_on() -> None:
    """Open for as long as they say, counted from now; closed by their word."""
    clock, said = FakeClock(), list[HealthNews]()
    book = HealthBook(clock, publish=said.append)
    health = book.of("one")
    book.apply(HealthNews("one", 4.0, "5 failures in a row"))
    assert health.blocked(clock.monotonic()) == 4.0
    assert health.why(clock.monotonic()) == "left alone after 5 failures in a row"
    book.apply(HealthNews("one", 0.0))
    assert health.blocked(clock.monotonic()) == 0.0
    assert said == []


def test_news_of_an_endpoint_not_known_yet_wait_for_it() -> None:
    """A model that a caller names later; what is over or taken back is not applied."""
    clock = FakeClock()
    book = HealthBook(clock)
    for key in ("late", "over", "back"):
        book.apply(HealthNews(key, 2.0 if key == "over" else 20.0, "elsewhere"))
    book.apply(HealthNews("back", 0.0))
    clock.advance(5)
    assert [book.of(key).blocked(clock.monotonic()) for key in ("late", "over", "back")] == [15.0, 0.0, 0.0]


def test_the_book_is_bounded() -> None:
    """The endpoint asked for longest ago goes first, but not one with a call under way."""
    book = HealthBook(FakeClock(), most=3)
    busy, idle, kept = (book.of(key) for key in ("busy", "idle", "kept"))
    busy.begin(1.0)
    book.of("new")
    assert len(book) == 3
    assert book.of("busy") is busy
    assert book.of("kept") is kept
    assert book.of("idle") is not idle
    for number in range(5000):
        book.apply(HealthNews(f"nobody {number}", 5.0, "elsewhere"))
        assert len(book) == 3


def test_callers_cannot_push_out_what_the_configuration_names() -> None:
    """They may ask for any model of a provider; the limits of the configured ones must not go with them."""
    book = HealthBook(FakeClock(), most=10)
    book.claim(
        {"openai/gpt": (HealthSettings(), Limits(concurrency=4)), "openai/o": (HealthSettings(), Limits())}
    )
    mine, other = book.of("openai/gpt"), book.of("openai/o")
    for number in range(50):
        book.of(f"openai/x{number}")
    assert len(book) == 10
    assert book.of("openai/gpt") is mine and mine.rates is not None
    assert book.of("openai/o") is other


def test_a_book_of_claimed_endpoints_only_grows() -> None:
    """The configuration is the operator's: it is never too large."""
    book = HealthBook(FakeClock(), most=2)
    book.claim({f"a/{number}": (HealthSettings(), Limits()) for number in range(5)})
    book.of("a/x")
    assert len(book) == 6
    book.of("a/y")
    assert len(book) == 6


def test_what_a_configuration_no_longer_names_goes_by_what_holds_for_all() -> None:
    """Limits that were taken out of the file are gone."""
    book = HealthBook(FakeClock())
    book.claim({"a/one": (HealthSettings(failures=2), Limits(concurrency=1))})
    health = book.of("a/one")
    book.claim({})
    assert health.rates is None and health.settings == book.settings


def test_of_a_replaced_provider_the_old_word_is_void() -> None:
    """Of all its endpoints, and of no other provider's."""
    book, now = HealthBook(FakeClock()), 1.0
    for name in ("a/one", "a/two eu key 2", "ab/one"):
        book.of(name).rest(now + 60, "spent")
    book.renew("a")
    assert [bool(book.of(name).blocked(now)) for name in ("a/one", "a/two eu key 2", "ab/one")] == [
        False,
        False,
        True,
    ]
