"""Conditions of rules of use, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headgate.core.errors import InvalidRequest
from headgate.routing.facts import Facts
from headgate.routing.policies import parse_hours, policy
from headgate.routing.settings import PolicySettings, WhenSettings
from headgate.routing.volume import DayVolume
from tests.support.routes import request

__all__: list[str] = []

PICTURE = [
    {"type": "text", "text": "look"},
    {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
]
PAPER = [{"type": "file", "file": {"file_id": "f"}}]
TOOLS = [{"type": "function", "function": {"name": "t", "parameters": {}}}]


def holds(when, *, feature="", sensitive=False, volume=None, **asked):
    rule = policy(PolicySettings(name="p", when=WhenSettings(**when)), (volume or DayVolume()).so_far)
    return rule.holds(Facts(request(feature=feature, **asked), feature, sensitive=sensitive))


def at(text):
    return {"wall_ns": int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e9)}


@pytest.mark.parametrize(
    ("when", "asked", "other"),
    [
        ({"feature": "chat"}, {"feature": "chat"}, {"feature": "search"}),
        ({"feature": ["a", "b"]}, {"feature": "b"}, {"feature": "c"}),
        ({"model": "small"}, {"model": "small"}, {"model": "large"}),
        ({"team": "canal"}, {}, None),
        ({"user": "ann"}, {"user": "ann"}, {"user": "bob"}),
        ({"tags": {"task": "sort"}}, {"tags": {"task": "sort", "x": "y"}}, {"tags": {"task": "write"}}),
        ({"tags": {"task": "*"}}, {"tags": {"task": "any"}}, {"tags": {}}),
        ({"tokens_over": 100}, {"text": "word " * 300}, {"text": "word"}),
        ({"tokens_under": 100}, {"text": "word"}, {"text": "word " * 300}),
        ({"tools": True}, {"tools": TOOLS}, {}),
        ({"tools": False}, {}, {"tools": TOOLS}),
        ({"modality": "image"}, {"text": PICTURE}, {}),
        ({"modality": "file"}, {"text": PAPER}, {"text": PICTURE}),
        ({"modality": "text"}, {}, {"text": PAPER}),
        ({"data": "sensitive"}, {"headers": {"x-headgate-data": "Sensitive"}}, {}),
        ({"data": "sensitive"}, {"tags": {"data": "sensitive"}}, {"tags": {"data": "open"}}),
        ({"data": "normal"}, {}, {"sensitive": True}),
        ({"days": ["mon"]}, {}, at("2026-01-06T12:00")),
        ({"hours": "08:00-18:00"}, {}, at("2026-01-05T18:00")),
        ({"hours": "22:00-06:00"}, at("2026-01-05T05:59"), {}),
        ({"hours": "22:00-06:00"}, at("2026-01-05T22:00"), at("2026-01-05T06:00")),
        ({"hours": "18:00-24:00"}, at("2026-01-05T23:59"), {}),
        ({"hours": "13:00-14:00", "zone": "Europe/Berlin"}, {}, at("2026-01-05T13:00")),
        ({"feature": "a", "tools": True}, {"feature": "a", "tools": TOOLS}, {"feature": "a"}),
        ({}, {}, None),
    ],
)
def test_a_condition_holds_where_it_should_and_nowhere_else(when, asked, other):
    """`asked` fulfils it, `other` does not."""
    assert holds(when, **asked)
    assert other is None or not holds(when, **other)


def test_nobodys_word_makes_sensitive_data_normal():
    """A feature's own setting is not undone by a header."""
    assert holds({"data": "sensitive"}, sensitive=True, headers={"x-headgate-data": "normal"})


@pytest.mark.parametrize("values", [["normal", "sensitive"], ["sensitive", "normal"], ["normal, Sensitive"]])
def test_one_header_that_says_sensitive_is_enough(values):
    """There may be several, and several words in one."""
    asked = request()
    asked.headers = [(b"x-headgate-data", value.encode()) for value in values]
    assert Facts(asked, "").sensitive


def test_every_word_about_data_is_looked_at():
    """A misspelt one behind a sound one is refused too."""
    asked = request()
    asked.headers = [(b"x-headgate-data", b"normal"), (b"x-headgate-data", b"sensitve")]
    with pytest.raises(InvalidRequest, match="sensitve"):
        assert Facts(asked, "").sensitive


def test_a_misspelt_word_about_data_is_refused():
    """Taken for normal, it could send data where it must not go."""
    with pytest.raises(InvalidRequest, match="sensitve"):
        holds({"data": "sensitive"}, headers={"x-headgate-data": "sensitve"})


def test_volume_counts_the_day_of_its_zone():
    """After so many calls the rule applies, and no longer on the next day."""
    volume = DayVolume()
    berlin = datetime(2026, 1, 5, tzinfo=UTC).toordinal()
    volume.restore("Europe/Berlin", berlin, {"chat": 99})
    when = {"calls_over": 100, "zone": "Europe/Berlin"}
    assert not holds(when, feature="chat", volume=volume)
    volume.count("chat", "Europe/Berlin", berlin)
    assert holds(when, feature="chat", volume=volume)
    assert not holds(when, feature="other", volume=volume)
    assert not holds(when, feature="chat", volume=volume, **at("2026-01-05T23:30"))


def test_yesterdays_calls_are_forgotten():
    """A day's table is dropped when another begins; a late call of yesterday does not bring it back."""
    volume = DayVolume()
    volume.count("chat", "UTC", 10)
    volume.count("chat", "UTC", 11)
    volume.count("chat", "UTC", 10)
    assert (volume.so_far("chat", "UTC", 10), volume.so_far("chat", "UTC", 11)) == (0, 1)


@pytest.mark.parametrize(
    "text", ["08:00-18:00Z", "08:00Z-18:00", "08:00+02:00-18:00+02:00", "08:00+02:00-24:00"]
)
def test_hours_name_no_zone_of_their_own(text):
    """They would be compared with hours that have none."""
    with pytest.raises(ValueError, match=r"`zone`|08:00-18:00"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["8-18", "08:00", "08:00-25:00", "", "a-b"])
def test_hours_that_are_none_are_refused_with_an_example(text):
    """When the configuration is read."""
    with pytest.raises(ValueError, match="08:00-18:00"):
        parse_hours(text)
