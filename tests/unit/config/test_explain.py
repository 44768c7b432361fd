"""What a configuration will do, told in words that an operator can compare with what was meant."""

from __future__ import annotations

import pytest

from headgate.config.explain import dashboard, explain, seconds
from headgate.config.loader import parse

__all__: list[str] = []

TEXT = """
[providers.openai]
kind = "openai"
region = "us"
[providers.house]
kind = "openai"
base_url = "http://10.0.0.5/v1"
self_hosted = true
[models.small]
endpoints = [{ provider = "openai", model = "gpt-4o-mini", region = "eu" }, { provider = "house", model = "llama" }]
[models.cheap]
price = { input = 0.05, output = 0.10 }
endpoints = [{ provider = "house", model = "llama" }]
[features.support-chat]
route = "small"
fallback = ["openai/gpt-4o"]
timeouts = { first_token = "8s", total = "60s" }
"""


def list_price(provider, model):
    return "0.15/0.6 USD per million tokens (list)" if provider == "openai" else ""


def stories():
    return {story.name: story for story in explain(parse(TEXT, {}), list_price)}


def test_a_feature_is_told_from_the_first_place_to_the_price():
    """Where it goes, and then where, how long it may take, what it costs."""
    assert stories()["support-chat"].text() == (
        "support-chat: asks small (openai/gpt-4o-mini in eu, then house/llama); "
        "if that fails, openai/gpt-4o in us; "
        "first token within 8 s, whole answer within 60 s; "
        "openai/gpt-4o-mini in eu and openai/gpt-4o in us: 0.15/0.6 USD per million tokens (list); "
        "house/llama: no price is known: requests are recorded, their cost as unknown; set `price` to change that"
    )


def test_an_own_price_goes_before_the_list():
    """For every endpoint of the model that has none itself."""
    assert (
        stories()["cheap"].text()
        == "cheap: is house/llama; price 0.05/0.10 USD per million tokens (your price)"
    )


def test_features_come_before_models():
    """What the product asks for is what its people want to read first."""
    assert [story.kind for story in explain(parse(TEXT, {}), list_price)] == ["feature", "model", "model"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "250 ms"), (8, "8 s"), (1.5, "1.5 s"), (60, "60 s"), (600, "10 min"), (90, "90 s")],
)
def test_times_are_told_in_units_people_use(value, text):
    """Not 0.25 s, not 600 s."""
    assert seconds(value) == text


def test_who_sees_the_dashboard_is_told_where_something_is_said_of_it() -> None:
    """The ways in; and whether this machine's own browser needs any."""
    assert dashboard(parse(TEXT, {})) == []
    own = '[dashboard]\nlocal = false\n[dashboard.oidc]\nissuer = "https://id.example.com"\nclient_id = "gate"\nname = "Example"'
    [told] = dashboard(parse(f"{TEXT}\n{own}", {}))
    assert told == "People sign in to the dashboard by password or key or at Example"
    [told] = dashboard(parse(f"{TEXT}\n[dashboard]\nidle = '1h'", {}))
    assert told.endswith("by password or key; this machine's own browser sees it without, as a viewer")


def test_what_providers_are_to_keep_is_told():
    """Where it is asked for, of a feature or of all."""
    kept = "has providers keep beginnings of prompts that come again, for "
    everybody = {
        story.name: story
        for story in explain(parse(f'{TEXT}[defaults]\nprompt_caching = "1h"\n', {}), list_price)
    }
    assert f"{kept}an hour" in everybody["support-chat"].text()
    own = explain(parse(f'{TEXT}prompt_caching = "5m"\n', {}), list_price)
    assert any(f"{kept}5 min" in story.text() for story in own)
    assert kept not in stories()["support-chat"].text()
