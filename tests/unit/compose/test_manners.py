"""What a configuration says of how requests are dispatched."""

from __future__ import annotations

from headgate.compose.manners import kept_prefixes
from headgate.config.loader import parse

__all__: list[str] = []

FEATURES = """
[providers.sim]
kind = "simulated"
[features.a]
route = "sim/sim-small"
[features.b]
route = "sim/sim-small"
prompt_caching = "1h"
[features.c]
route = "sim/sim-small"
prompt_caching = "off"
"""


def test_providers_are_told_nothing_unless_somebody_says_so() -> None:
    """Bodies pass untouched by default."""
    assert kept_prefixes(parse(FEATURES, {}).settings) == {"": "off", "a": "off", "b": "1h", "c": "off"}


def test_a_feature_goes_by_the_default_unless_it_says_otherwise() -> None:
    """So do models that are asked for directly."""
    text = f'[defaults]\nprompt_caching = "5m"\n{FEATURES}'
    assert kept_prefixes(parse(text, {}).settings) == {"": "5m", "a": "5m", "b": "1h", "c": "off"}
