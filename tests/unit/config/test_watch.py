"""A changed file: taken over when it is sound, reported when it is not, and what cannot change is said."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from headgate.config.loader import load
from headgate.config.watch import Watcher, keep_fixed
from tests.support.aio import aio

__all__: list[str] = []

FIRST = "[providers.sim]\nkind = 'simulated'\n"
SECOND = FIRST + "[features.chat]\nroute = 'sim/sim-small'\n"


class Gateway:
    """Takes configurations over and can be waited for."""

    def __init__(self):
        self.taken: asyncio.Queue[Any] = asyncio.Queue()
        self.fails = False

    async def apply(self, configuration):
        if self.fails:
            raise RuntimeError("cannot")
        await self.taken.put(configuration)


def watcher(path, gateway):
    return Watcher(load(path, {}), read=lambda: load(path, {}), swap=gateway.apply, seconds=0.01)


async def stop(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "headgate.toml"
    path.write_text(FIRST)
    return path


def replace(path, text):
    """As editors and deployment tools do it: write another file, then put it in the place of the old one."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


@aio
async def test_a_changed_file_is_taken_over(path):
    """Whether it was replaced or written in place."""
    gateway = Gateway()
    looking = watcher(path, gateway)
    task = asyncio.create_task(looking.run())
    replace(path, SECOND)
    assert "chat" in (await gateway.taken.get()).settings.features
    path.write_text(FIRST)
    assert (await gateway.taken.get()).settings.features == {}
    await stop(task)


@aio
async def test_a_swapped_link_is_a_changed_file(tmp_path):
    """How Kubernetes changes a mounted configuration."""
    for name, text in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "headgate.toml").write_text(text)
    (tmp_path / "..data").symlink_to("one")
    path = tmp_path / "headgate.toml"
    path.symlink_to("..data/headgate.toml")
    gateway = Gateway()
    task = asyncio.create_task(watcher(path, gateway).run())
    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert "chat" in (await gateway.taken.get()).settings.features
    await stop(task)


@aio
async def test_a_bad_file_is_reported_and_the_running_one_kept(path, caplog):
    """With every problem and its line."""
    gateway = Gateway()
    looking = watcher(path, gateway)
    before = looking.current
    path.write_text(FIRST + "[features.chat]\nroute = 'nowhere/x'\nretries = 2\n")
    await looking.reload()
    assert looking.current is before and gateway.taken.empty()
    assert "headgate.toml:4" in caplog.text and "headgate.toml:5" in caplog.text


@aio
async def test_a_file_that_is_gone_changes_nothing(path, caplog):
    """Half a deployment is no new configuration."""
    gateway = Gateway()
    looking = watcher(path, gateway)
    path.unlink()
    looking.ask()
    task = asyncio.create_task(looking.run())
    while "cannot be read" not in caplog.text:
        await asyncio.sleep(0.005)
    replace(path, SECOND)
    assert "chat" in (await gateway.taken.get()).settings.features
    await stop(task)


@aio
async def test_a_swap_that_fails_keeps_the_running_one(path, caplog):
    """The next change is compared with what runs, not with what was wanted."""
    gateway = Gateway()
    looking = watcher(path, gateway)
    gateway.fails = True
    replace(path, SECOND)
    await looking.reload()
    assert "could not be put to use" in caplog.text and looking.current.settings.features == {}
    gateway.fails = False
    await looking.reload()
    assert "chat" in looking.current.settings.features


@aio
async def test_asking_reads_again_at_once(path):
    """SIGHUP: without waiting for the next look."""
    gateway = Gateway()
    looking = Watcher(load(path, {}), read=lambda: load(path, {}), swap=gateway.apply, seconds=3600)
    task = asyncio.create_task(looking.run())
    replace(path, SECOND)
    looking.ask()
    assert "chat" in (await gateway.taken.get()).settings.features
    await stop(task)


@aio
async def test_the_same_words_again_are_no_change(path, caplog):
    """A touched file does not disturb a gateway."""
    caplog.set_level(logging.INFO)
    gateway = Gateway()
    looking = watcher(path, gateway)
    path.write_text(FIRST + "# a comment\n")
    await looking.reload()
    assert gateway.taken.empty() and "says the same" in caplog.text


def test_what_cannot_change_while_running_is_kept_and_named(path):
    """The hash on the records then tells what served them, not what the file wishes."""
    running = load(path, {})
    path.write_text(SECOND + "[server]\nlisten = '127.0.0.1:9'\n[records]\ncontent = false\n")
    wanted, fixed = keep_fixed(running, load(path, {}))
    assert fixed == ["server.listen", "records.content"]
    assert wanted.settings.server == running.settings.server and "chat" in wanted.settings.features
    path.write_text(SECOND)
    assert wanted.hash == load(path, {}).hash


def test_where_answers_are_kept_holds_from_start_to_stop(path):
    """What is kept is not carried elsewhere; the rest of the section may change."""
    running = load(path, {})
    path.write_text(SECOND + "[cache]\nengine = 'memory'\ndisk = '2GB'\nlongest = '1d'\n")
    wanted, fixed = keep_fixed(running, load(path, {}))
    assert fixed == ["cache.engine", "cache.disk"]
    assert (
        wanted.settings.cache.engine == "auto" and wanted.settings.cache.disk == running.settings.cache.disk
    )
    assert float(wanted.settings.cache.longest) == 86_400
