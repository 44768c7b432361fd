"""Routes by difficulty, policies, rules on places: read from a file, refused where they make no sense, told in words."""

from __future__ import annotations

import pytest

from headgate.config.explain import explain, policies
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused
from headgate.routing.settings import RouteSettings

__all__: list[str] = []

SOUND = """
[providers.house]
kind = "simulated"
region = "eu"
[providers.cloud]
kind = "openai"
api_key = "k"
api_keys = ["l", "m"]
region = "us"
[models.small]
endpoints = [{ provider = "house", model = "sim-small", weight = 3, context = 8000, abilities = ["tools"] },
             { provider = "cloud", model = "gpt-4o-mini", priority = 1 }]
strategy = "fastest"
sticky = true
spill = { in_flight = 4, first_token = "2s" }
[models.large]
endpoints = [{ provider = "cloud", model = "gpt-4o" }]
[features.chat]
route = { simple = "small", complex = "large", confidence = 0.6 }
fallback = ["small"]
"""
RULES = """
[features.letters]
route = "small"
require = { region = ["eu"] }
data = "sensitive"
[require]
not_providers = ["cloud"]
sensitive = { self_hosted = true }
[[policies]]
name = "sorting"
when = { tags = { task = "sort" }, feature = ["chat", "letters"], tools = false }
use = "small"
[[policies]]
name = "nights"
when = { hours = "22:00-06:00", zone = "Europe/Berlin", calls_over = 1000 }
require = { self_hosted = true }
"""


def told(text):
    with pytest.raises(ConfigurationRefused) as raised:
        parse(text, {})
    return [line.split(": ", 1)[1] for line in raised.value.lines()]


def test_everything_about_routing_can_be_written_in_a_file():
    """And comes out as it was meant."""
    settings = parse(SOUND + RULES, {}).settings
    assert settings.models["small"].endpoints[0].abilities == ["tools"]
    assert settings.features["chat"].route == RouteSettings(simple="small", complex="large", confidence=0.6)
    assert [each.name for each in settings.policies] == ["sorting", "nights"]
    assert settings.require.sensitive.self_hosted and settings.require.not_providers == ["cloud"]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("[features.f]\nroute = {}", "features.f.route: names no model"),
        (
            "[features.f]\nroute = { simple = 'smal' }",
            "features.f.route.simple: no model `smal`; did you mean `small`?",
        ),
        (
            "[features.f]\nroute = { simpel = 'small', complex = 'large' }",
            "features.f.route.simpel: no such key; did you mean `simple`?",
        ),
        ("[features.f]\nroute = 7", "features.f.route: must be text in quotes or a section, not 7"),
        (
            "[features.f]\nroute = ['small']",
            "features.f.route: must be text in quotes or a section, not a list",
        ),
        (
            "[features.f]\nroute = { simple = 'small', complex = 'large', grader = 'learned' }",
            "features.f.route.grader: needs `routing.learned`",
        ),
        (
            "[features.f]\nroute = 'large'\nrequire = { region = ['eu'] }",
            "features.f.require: leaves no endpoint",
        ),
        (
            "[features.f]\nroute = 'large'\ndata = 'sensitive'\n[require.sensitive]\nself_hosted = true",
            "features.f.data: leaves no endpoint",
        ),
        (
            "[require]\nproviders = ['hous']",
            "require.providers[0]: no provider `hous`; did you mean `house`?",
        ),
        ("[[policies]]\nname = 'p'", "policies[0]: does nothing"),
        ("[[policies]]\nname = 'p'\nuse = 'smal'", "policies[0].use: no model `smal`; did you mean `small`?"),
        ("[[policies]]\nname = ''\nuse = 'small'", "policies[0].name: every policy has a name of its own"),
        (
            "[[policies]]\nname = 'p'\nuse = 'small'\nwhen = { feature = 'chatt' }",
            "policies[0].when.feature: no feature `chatt`; did you mean `chat`?",
        ),
        (
            "[[policies]]\nname = 'p'\nuse = 'small'\nwhen = { hours = '22-6' }",
            'policies[0].when.hours: "22-6" is not a span of hours',
        ),
        (
            "[[policies]]\nname = 'p'\nuse = 'small'\nwhen = { zone = 'Europe/Berln' }",
            'policies[0].when.zone: no time zone "Europe/Berln"',
        ),
        (
            "[[policies]]\nname = 'p'\nuse = 'small'\nwhen = { days = ['monday'] }",
            'policies[0].when.days[0]: must be "mon" or "tue"',
        ),
        (
            "[models.m]\nendpoints = [{ provider = 'cloud', model = 'x' }]\nspill = { in_flight = 2 }",
            "models.m.spill: needs endpoints of both kinds",
        ),
        (
            "[models.m]\nendpoints = [{ provider = 'cloud', model = 'x', weight = 0 }]",
            "must be a number, more than 0",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_what_would(more, problem):
    """One problem, with its key."""
    found = told(SOUND + more)
    assert len(found) == 1 and problem in found[0], found


def test_keys_of_a_pool_are_never_shown():
    """Like the one key of a provider."""
    settings = parse(SOUND, {}).settings
    assert "'m'" not in repr(settings) and '"m"' not in repr(settings)


def test_routing_is_told_in_words():
    """Where each kind of request goes, what holds, and every policy."""
    configuration = parse(SOUND + RULES, {})
    stories = {each.name: each.text() for each in explain(configuration, lambda provider, model: "")}
    assert (
        "for simple requests, cloud/gpt-4o" not in stories["chat"]
        and "large (cloud/gpt-4o in us) for medium and complex requests, judged by signals in the request "
        "(under 0.6 sure, the next stronger)"
        in stories["chat"]
    )
    assert "the quicker of two first; own machines first, until one has 4 calls under way" in stories["small"]
    assert "a session stays at one" in stories["small"]
    assert "only in eu; its data is sensitive, only to own machines" in stories["letters"]
    assert policies(configuration) == [
        "sorting: if feature chat or letters and tags task=sort and tools no, uses small",
        "nights: if hours 22:00-06:00 and calls over 1000, only to own machines",
    ]


SHARED = """
[models.other]
endpoints = [{ provider = "cloud", model = "gpt-4o", %s }]
"""


def test_a_place_has_one_set_of_limits():
    """Two models may name it; if they differ, one of them would silently not count."""
    first = SOUND.replace('model = "gpt-4o" }', 'model = "gpt-4o", concurrency = 4 }')
    parse(first + SHARED % "concurrency = 4", {})
    parse(first + SHARED % 'region = "eu"', {})
    for other in ("concurrency = 5", "weight = 2", 'concurrency = 4, tokens_per_minute = 9, region = "us"'):
        (line,) = told(first + SHARED % other)
        assert line.startswith("models.other.endpoints[0]: `concurrency`") and "`cloud/gpt-4o` in us" in line
        assert "`large`" in line


def test_sensitive_data_that_no_rule_is_about_is_told():
    """The operator believes that it changes something."""
    marked = SOUND + '[features.letters]\nroute = "small"\ndata = "sensitive"\n'
    (line,) = told(marked)
    assert line.startswith("features.letters.data: changes nothing") and "[require.sensitive]" in line
    parse(marked + "[require.sensitive]\nself_hosted = true\n", {})
    parse(
        marked + '[[policies]]\nname = "p"\nwhen = { data = "sensitive" }\nrequire = { region = ["eu"] }\n',
        {},
    )


def test_hours_with_a_zone_are_refused():
    """Here, not at every request."""
    (line,) = told(SOUND + '[[policies]]\nname = "p"\nwhen = { hours = "08:00-18:00Z" }\nuse = "small"\n')
    assert "policies[0].when.hours" in line and "`zone`" in line
