"""Pages that are followed from top to bottom beside a gateway with the configuration they begin with: what they show is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from headgate.config.loader import parse
from tests.support.following import as_it_is, at_once, beside_a_gateway, how_to
from tests.support.pages import blocks

__all__: list[str] = []


class Followed(NamedTuple):
    """How often a page shows something, so that nothing on it goes unnoticed, and how it is followed."""

    commands: int
    """Blocks of commands and programs."""
    configurations: int = 1
    adapted: Callable[[str], str] = at_once
    environment: Mapping[str, str] = MappingProxyType({})
    languages: tuple[str, ...] = ("console",)
    ids: int = 0
    """Requests that commands on it look at again."""


PAGES = {
    "budget": Followed(5, adapted=as_it_is),
    "cache": Followed(4, configurations=4),
    "degrade": Followed(6, configurations=2, adapted=as_it_is, languages=("console", "python")),
    "give-access": Followed(4, configurations=2, adapted=as_it_is, environment={"SUDO_USER": "ann"}),
    "keep-and-forget": Followed(3),
    "limit": Followed(4, configurations=2, adapted=as_it_is),
    "look-into-requests": Followed(2),
    "operate-over-http": Followed(6, adapted=as_it_is),
    "replay": Followed(4),
    "route": Followed(5, configurations=2),
    "timeouts-and-failover": Followed(5, configurations=3, adapted=as_it_is),
    "try-another-model": Followed(3, configurations=2, ids=2),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_can_be_followed_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    """Every command in order."""
    page, followed = how_to(name), PAGES[name]
    assert len(blocks(page, "toml")) == followed.configurations
    commands = blocks(page, *followed.languages)
    assert len(commands) == followed.commands
    with beside_a_gateway(page, tmp_path, adapted=followed.adapted, environment=followed.environment) as (
        _,
        reader,
    ):
        for block in commands:
            reader.do(block)
    assert not followed.ids or len(reader.ids) == followed.ids


def test_the_other_configurations_of_the_cache_are_taken() -> None:
    """Each is whole, and has a cache."""
    _, *others = blocks(how_to("cache"), "toml")
    for other in others:
        settings = parse(other.text, {}).settings
        assert settings.features["questions"].cache is not None


def test_the_limits_that_several_gateways_share_are_taken() -> None:
    """By three nodes."""
    _, shared = blocks(how_to("limit"), "toml")
    assert parse(shared.text, {}).settings.server.nodes == 3
