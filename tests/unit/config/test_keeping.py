"""How long things are kept: what may be said, and how it is told."""

from __future__ import annotations

import pytest

from headgate.config.keeping import keeping, length
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused
from headgate.records.retention import kept

__all__: list[str] = []

BASE = '[providers.sim]\nkind = "simulated"\n[features.chat]\nroute = "sim/sim-small"\n[features.mail]\nroute = "sim/sim-small"\n'


def settings(text: str = ""):
    return parse(BASE + text, {}).settings


def test_what_nobody_configured_is_told_too():
    """The usual lengths, so that nobody is surprised when something is gone."""
    assert keeping(settings()) == [
        (
            "Kept are prompts and answers for 30 days, requests for 365 days, sums per minute for 14 days, per hour for 400 days, "
            "per day for ever, alerts for 365 days"
        )
    ]


def test_a_feature_with_lengths_of_its_own_is_told_by_itself():
    """What it does not say is as everywhere."""
    found = settings('keep = { content = "7d" }\n[records]\nkeep = { content = "36h", spans = "90d" }\n')
    told = keeping(found)
    assert (
        "answers for 1.5 days" in told[0]
        and told[1] == "Of mail: prompts and answers for 7 days, requests for 90 days"
    )
    everybody, mail = kept(found.records.keep, {name: each.keep for name, each in found.features.items()})
    assert (everybody.scope.features, everybody.scope.but, everybody.content) == (
        ("mail",),
        True,
        1.5 * 86_400,
    )
    assert (mail.scope.features, mail.scope.but, mail.content, mail.spans) == (
        ("mail",),
        False,
        7 * 86_400,
        90 * 86_400,
    )


def test_where_contents_are_off_none_are_told():
    """They stand nowhere, for however long."""
    assert "prompts" not in keeping(settings("[records]\ncontent = false\n"))[0]


@pytest.mark.parametrize(
    "text",
    [
        '[records]\nkeep = { content = "400d" }\n',
        '[records]\nkeep = { content = "10m" }\n',
        '[records]\nkeep = { minutes = "500d" }\n',
        '[records]\nkeep = { spans = "1d" }\n',
        'keep = { spans = "1m" }\n',
    ],
)
def test_what_makes_no_sense_is_refused(text):
    """Contents longer than what leads to them, or nothing at all by way of a short time."""
    with pytest.raises(ConfigurationRefused, match=r"kept|keep"):
        settings(text)


def test_lengths_are_told_in_units_people_use():
    """Days, hours, minutes."""
    assert [length(each) for each in (30, 60, 3600, 7200, 86_400)] == [
        "30 seconds",
        "1 minute",
        "1 hour",
        "2 hours",
        "1 day",
    ]
