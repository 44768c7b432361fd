"""A configuration that is taken over is in the audit log, by its hash; serving does not wait for that."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from headgate.compose.noting import note_configuration, note_start
from headgate.config.model import Configuration, LogSettings, Settings
from headgate.providers.adapters.openai import OpenAISettings
from headgate.stores.audit import AuditEntry
from headgate.stores.errors import StoreUnavailable
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

OLD = Configuration(Settings(), "0123456789ab", Path("headgate.toml"))
NEW = Configuration(Settings(), "ba9876543210", Path("headgate.toml"))


class Log:
    """An audit log that may be away."""

    def __init__(self, *, gone: bool = False) -> None:
        self.entries: list[AuditEntry] = []
        self._gone = gone
        self.noted: bytes | None = None

    async def add(self, entry: AuditEntry) -> None:
        if self._gone:
            raise StoreUnavailable("no database")
        self.entries.append(entry)

    async def serves(self, configuration: bytes) -> bytes | None:
        if self._gone:
            raise StoreUnavailable("no database")
        before, self.noted = self.noted, configuration
        return before

    async def since(self, at_ns: int, limit: int) -> list[AuditEntry]:
        return self.entries

    async def before(self, entry_id: int, at_ns: int, limit: int) -> list[AuditEntry]:
        return self.entries


@aio
async def test_a_changed_configuration_is_noted_by_its_hashes() -> None:
    """Which file, what it was, what it is: no setting, so no secret."""
    log = Log()
    await note_configuration(log, OLD, NEW, FakeClock())
    (entry,) = log.entries
    assert (entry.action, entry.subject) == ("config.change", "headgate.toml")
    assert (json.loads(entry.before), json.loads(entry.after)) == ({"hash": OLD.hash}, {"hash": NEW.hash})
    assert entry.actor.startswith("gateway:")


@aio
async def test_the_same_configuration_read_again_is_no_change() -> None:
    log = Log()
    await note_configuration(log, OLD, OLD, FakeClock())
    assert log.entries == []


@aio
async def test_serving_goes_on_when_it_cannot_be_noted(caplog: pytest.LogCaptureFixture) -> None:
    """The log of the process says so instead."""
    with caplog.at_level(logging.WARNING, "headgate"):
        await note_configuration(Log(gone=True), OLD, NEW, FakeClock())
    assert NEW.hash in caplog.text


@aio
async def test_what_a_restart_changes_is_noted_with_what_differs() -> None:
    """The gateway that served before is gone: what it served is in the database."""
    log = Log()
    await note_start(log, OLD, FakeClock())
    assert log.entries == []
    changed = Settings(log=LogSettings(level="debug"))
    await note_start(log, Configuration(changed, NEW.hash, NEW.path), FakeClock())
    (entry,) = log.entries
    assert json.loads(entry.before) == {"hash": OLD.hash, "log.level": "info"}
    assert json.loads(entry.after) == {"hash": NEW.hash, "log.level": "debug"}


@aio
async def test_a_restart_with_the_same_configuration_is_no_change() -> None:
    """Also after it was changed while running."""
    log = Log()
    await note_start(log, OLD, FakeClock())
    await note_configuration(log, OLD, NEW, FakeClock())
    await note_start(log, NEW, FakeClock())
    assert len(log.entries) == 1


@aio
async def test_what_another_version_noted_or_a_database_that_is_away_keeps_nobody_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log of the process says so."""
    log = Log()
    log.noted = b'{"something": "else"}'
    with caplog.at_level(logging.INFO, "headgate"):
        await note_start(log, OLD, FakeClock())
        await note_start(Log(gone=True), OLD, FakeClock())
    assert log.entries == []
    assert "another version" in caplog.text
    assert "no database" in caplog.text


@aio
async def test_no_secret_is_noted() -> None:
    """Where it came from is."""
    log = Log()
    provider = OpenAISettings(api_key="sk-very-secret")
    await note_start(log, Configuration(Settings(providers={"p": provider}), "c0ffee"), FakeClock())
    assert log.noted is not None
    assert b"very-secret" not in log.noted
