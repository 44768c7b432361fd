"""Numbers and times as people read them."""

from __future__ import annotations

import time

import pytest

from headgate.dashboard.stretch import stretch_of
from headgate.dashboard.wording import ago, bytes_, duration, marked, number, percent, plain, seconds, usd

__all__: list[str] = []


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0"), (1234, "1,234"), (0.12345, "0.123"), (123.45, "123.5"), (12_345_678, "12.3 M")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [
        (None, "–"),
        (0, "$0"),
        (1_337_000, "$0.00134"),
        (12_000_000, "$0.012"),
        (1_234_560_000_000, "$1,234.56"),
        (98_765_000_000_000, "$98,765"),
        (1, "$0.000000001"),
        (580, "$0.00000058"),
    ],
)
def test_money(nanos: int | None, shown: str) -> None:
    assert usd(nanos) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00042, "420 µs"),
        (0.83, "830 ms"),
        (1.5, "1.5 s"),
        (119, "119 s"),
        (300, "5 m"),
        (3600, "1 h"),
        (9000, "2.5 h"),
        (864_000, "10 d"),
    ],
)
def test_durations(value: float, shown: str) -> None:
    assert seconds(value) == shown and duration(0) == "–"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.1234, "12.3 %"), (0.9996, "99.96 %"), (0.0004, "0.04 %")],
)
def test_shares_are_not_rounded_to_nothing_or_everything(share: float | None, shown: str) -> None:
    assert percent(share) == shown


def test_sizes() -> None:
    assert [bytes_(size) for size in (12, 1234, 5_600_000, None)] == ["12 B", "1.2 kB", "5.6 MB", "–"]


def test_the_time_that_is_looked_at() -> None:
    """By name, by its ends, and nonsense is the usual."""
    now = 1_800_000_000
    assert stretch_of({"range": "1h"}, now).seconds == 3600
    own = stretch_of({"from": "2026-01-31T08:00", "to": "2026-01-31T09:00"}, now)
    assert (own.seconds, own.name, own.words) == (3600, "", "2026-01-31 08:00 to 2026-01-31 09:00 UTC")
    assert (
        own.query == {"from": str(own.since), "to": str(own.until)} and own.since_text == "2026-01-31T08:00"
    )
    assert stretch_of({"from": str(now - 60)}, now).until == now
    for nonsense in ({"range": "9y"}, {"from": "x"}, {"from": "5", "to": "4"}, {"from": "9" * 13}):
        assert stretch_of(nonsense, now, "6h").name == "6h"
    assert stretch_of({"range": "30d"}, now).step % 3600 == 0 and stretch_of({"range": "1h"}, now).step == 60
    assert stretch_of({"from": "0"}, now).seconds <= 366 * 86_400


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (0, "now"),
        (90, "90 s ago"),
        (150, "2 min ago"),
        (31 * 3600 + 5, "31 h ago"),
        (3 * 86_400 + 5, "3 d ago"),
    ],
)
def test_how_long_ago(passed: int, shown: str) -> None:
    """In whole units, and never longer ago than it was."""
    assert ago(time.time_ns() - passed * 1_000_000_000 - 1000) == shown


def test_values_and_names_in_sentences() -> None:
    """Values of JSON as words; what stands between backticks is a name, and nothing else is markup."""
    assert [plain(each) for each in (None, True, False, ["a", "b"], [], 5)] == [
        "none",
        "yes",
        "no",
        "a, b",
        "none",
        "5",
    ]
    assert str(marked("`a<b` is < 5 `x")) == "<code>a&lt;b</code> is &lt; 5 `x"
