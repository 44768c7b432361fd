"""Several keys of one provider: endpoints of their own that share connections."""

from __future__ import annotations

import pytest

from headgate.compose.places import endpoints_of
from headgate.compose.prices import blended_prices, expected_usd
from headgate.compose.providers import build_provider
from headgate.providers.adapters.anthropic import AnthropicSettings
from headgate.providers.adapters.azure_openai import AzureOpenAISettings
from headgate.providers.adapters.gemini import GeminiSettings
from headgate.providers.adapters.openai import OpenAISettings
from headgate.providers.catalog.book import PriceBook
from headgate.providers.health.health import Health
from headgate.providers.port import Call
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.routing.directory import Directory
from headgate.routing.settings import EndpointSettings

__all__: list[str] = []

AZURE = "https://r.openai.azure.com"


def sent_keys(settings, wire, operation="chat"):
    """The credentials that calls to each endpoint carry."""
    provider = build_provider(settings)
    endpoints = endpoints_of("p", provider, "m", health_of=lambda name, *_: Health(name))
    assert len({id(each.upstream) for each in endpoints}) == 1
    heads = [
        dict(each.adapter.request(Call(operation, wire, "m", b"{}", stream=False)).headers)
        for each in endpoints
    ]
    names = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
    return [next(head[name] for name in names if name in head).removeprefix(b"Bearer ") for head in heads]


@pytest.mark.parametrize(
    ("settings", "wire"),
    [
        (OpenAISettings(api_key="a", api_keys=["b", "c", "b"]), "openai.chat"),
        (AnthropicSettings(api_key="a", api_keys=["b", "c"]), "anthropic.messages"),
        (GeminiSettings(api_keys=["a", "b", "c"]), "gemini.generate"),
        (AzureOpenAISettings(endpoint=AZURE, api_key="a", api_keys=["b", "c"]), "openai.chat"),
    ],
)
def test_each_key_is_an_endpoint_of_its_own(settings, wire):
    """Each once, in order, over the same connections."""
    assert sent_keys(settings, wire) == [b"a", b"b", b"c"]


def test_keys_have_names_and_share_the_weight_and_each_its_health():
    """Names that reveal nothing; together they weigh what the place was given."""
    provider = build_provider(OpenAISettings(api_key="a", api_keys=["b"]))
    asked = []

    def health_of(name, *_):
        asked.append(name)
        return Health(name)

    written = EndpointSettings(provider="p", model="m", weight=3, region="eu", abilities=["tools"])
    one, other = endpoints_of("p", provider, "m", written=written, health_of=health_of)
    assert (one.credential, other.credential) == ("key 1", "key 2")
    assert one.weight + other.weight == 3 and one.health is not other.health
    assert len(set(asked)) == 2
    assert "images" in one.lacks and "tools" not in one.lacks


@pytest.mark.parametrize(
    "settings", [OpenAISettings(api_key="a"), OpenAISettings(api_keys=["a"]), SimulatedSettings()]
)
def test_a_provider_with_one_key_or_none_is_one_endpoint(settings):
    """Without a name for its key."""
    (only,) = endpoints_of("p", build_provider(settings), "m")
    assert only.credential == ""


def test_prices_are_told_for_the_order_of_endpoints_and_for_expected_cost():
    """Three parts prompt, one part answer; unknown stays unknown, and costs nothing where a sum is needed."""
    price_of = blended_prices(PriceBook())
    (known,) = endpoints_of("sim", build_provider(SimulatedSettings()), "sim-large")
    (unknown,) = endpoints_of("p", build_provider(OpenAISettings(self_hosted=True, api_key="a")), "m")
    assert price_of(known) == price_of(known) == 4.375 and price_of(unknown) is None
    directory = Directory(
        features={}, models={"large": [known], "house": [unknown]}, providers={}, make=lambda *_: ()
    )
    assert expected_usd(directory, price_of, "large", 700) == pytest.approx(0.004375)
    assert expected_usd(directory, price_of, "house", 700) == 0.0 == expected_usd(directory, price_of, "x", 1)
