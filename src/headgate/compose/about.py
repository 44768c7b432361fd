"""What a gateway tells of itself on the page Settings."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from headgate import __version__, is_compiled
from headgate.compose.stores import database_path, journal_directory
from headgate.config.fingerprint import fingerprint, redacted
from headgate.config.loader import load
from headgate.config.model import Configuration, Settings
from headgate.config.problems import ConfigurationRefused
from headgate.config.toml_text import toml_text
from headgate.control.installation import About, PlaceNow, text_differences
from headgate.core.clock import Clock
from headgate.core.ids import IdSource
from headgate.core.section import without_credentials
from headgate.providers.port import Endpoint
from headgate.stores.address import is_postgres

__all__ = ["Abouts"]


class Running(Protocol):
    """What is asked of a gateway."""

    @property
    def configuration(self) -> Configuration: ...

    @property
    def journal(self) -> Any: ...

    @property
    def writer(self) -> Any: ...


class Abouts:
    """Tells of one gateway, as it is now."""

    def __init__(
        self,
        gateway: Running,
        endpoints: Callable[[], Mapping[str, Sequence[Endpoint]]],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """endpoints: those that serve now, by model."""
        self._gateway = gateway
        self._endpoints = endpoints
        self._clock = clock
        self._ids = ids

    async def now(self) -> About:
        """Reads the file and measures the stores, away from the loop."""
        gateway, configuration = self._gateway, self._gateway.configuration
        shown = toml_text(redacted(configuration))
        state, words, changes = await asyncio.to_thread(_on_disk, configuration, shown)
        return About(
            hash=configuration.hash,
            source=str(configuration.path.absolute()) if configuration.path else "environment",
            text=shown,
            notes=configuration.notes,
            on_disk=state,  # type: ignore[arg-type]
            on_disk_words=words,
            changes=changes,
            places=self._places(),
            versions=[
                ("Headgate", f"{__version__}, {'compiled' if is_compiled() else 'plain Python'}"),
                ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
                ("System", f"{platform.system()} {platform.machine()}"),
                ("Database", _database(configuration.settings)),
            ],
            stores=await asyncio.to_thread(_sizes, configuration.settings),
            journal_bytes=gateway.writer.lag_bytes,
            drops=gateway.journal.drops,
            node=self._ids.node,
        )

    def _places(self) -> list[PlaceNow]:
        now = self._clock.monotonic()
        found: dict[str, PlaceNow] = {}
        for each in chain.from_iterable(self._endpoints().values()):
            health = each.health
            found[health.name] = PlaceNow(
                health.name, each.provider, each.model, each.region, health.state(now), health.why(now)
            )
        return list(found.values())


def _on_disk(configuration: Configuration, shown: str) -> tuple[str, str, list[tuple[str, str]]]:
    if configuration.path is None:
        return "none", "", []
    try:
        read = load(configuration.path, os.environ)
    except (ConfigurationRefused, OSError) as wrong:
        return "unreadable", str(wrong)[:2000], []
    # Where it listens may have been said on the command line.
    server = replace(read.settings.server, listen=configuration.settings.server.listen)
    settings = replace(read.settings, server=server)
    if fingerprint(settings) == configuration.hash:
        return "same", "", []
    read = dataclasses.replace(read, settings=settings)
    return "different", "", text_differences(shown, toml_text(redacted(read)))


def _database(settings: Settings) -> str:
    address = settings.server.database
    return without_credentials(address)


def _sizes(settings: Settings) -> list[tuple[str, int]]:
    journal = journal_directory(settings)
    sizes = [
        ("Journal on this machine", sum(_size(each) for each in journal.glob("*")) if journal.is_dir() else 0)
    ]
    if is_postgres(settings.server.database):
        return sizes
    path = database_path(settings)
    return [
        ("Database file", _size(path)),
        ("Its write-ahead log", _size(path.with_name(f"{path.name}-wal"))),
        *sizes,
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
