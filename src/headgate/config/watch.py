"""A changed configuration file is read, checked whole, and only then swapped in; a bad one changes nothing.

The file is looked at every half second instead of being watched: by default the database lies in the same directory,
so that a watcher of it would wake up for every batch of records (docs/decisions/0006-configuration.md has the figures).
Looking follows symbolic links, so an atomic replace, a Kubernetes swap and a bind mount are all seen the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from headgate.config.fingerprint import plain
from headgate.config.loader import replaced
from headgate.config.model import Configuration
from headgate.config.problems import ConfigurationRefused

__all__ = ["FIXED", "FIXED_KEYS", "Watcher", "keep_fixed"]

log = logging.getLogger("headgate.config")

FIXED = ("server", "records", "log", "environment")
"""Sections that hold from start to stop: sockets, files and the threads on them are made of these."""
FIXED_KEYS = {"cache": ("engine", "memory", "disk")}
"""Of sections that may change otherwise: what is kept is not carried from one place to another."""

_Signature = tuple[int, int, int, int]


class Watcher:
    """Keeps a running gateway on the newest sound configuration of one file."""

    def __init__(
        self,
        current: Configuration,
        *,
        read: Callable[[], Configuration],
        swap: Callable[[Configuration], Awaitable[None]],
        seconds: float = 0.5,
    ) -> None:
        """read: makes the configuration anew. swap: puts it to use. seconds: between two looks at the file."""
        self.current = current
        self._read = read
        self._swap = swap
        self._seconds = seconds
        self._asked = asyncio.Event()
        self._looked_at = _signatures(current)

    def ask(self) -> None:
        """Read the file again, changed or not: what SIGHUP means. To be called on the event loop."""
        self._asked.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._wait_for_change()
            self._looked_at = _signatures(self.current)
            await self.reload()

    async def reload(self) -> None:
        """Read, check and swap now. Whatever goes wrong is logged, and what runs keeps running."""
        try:
            wanted = self._read()
        except ConfigurationRefused as refused:
            lines = "\n  ".join(refused.lines())
            log.error(  # noqa: TRY400 - what is wrong with the file is in the lines, not in our stack
                "the changed configuration is not used, the one before stays (%s):\n  %s",
                self.current.hash,
                lines,
            )
            return
        configuration, fixed = keep_fixed(self.current, wanted)
        for key in fixed:
            log.warning("%s has changed: it needs a restart, until then it stays as it was", key)
        if configuration.hash == self.current.hash:
            if not fixed:
                log.info("the configuration says the same as before (%s)", configuration.hash)
            return
        try:
            await self._swap(configuration)
        except Exception:
            log.exception(
                "the changed configuration could not be put to use, the one before stays (%s)",
                self.current.hash,
            )
            return
        log.info("configuration %s replaces %s", configuration.hash, self.current.hash)
        self.current = configuration

    async def _wait_for_change(self) -> None:
        """Return when the file has changed and stayed the same for one look, so that half a file is not read."""
        before = self._looked_at
        while not self._asked.is_set():
            try:
                await asyncio.wait_for(self._asked.wait(), self._seconds)
            except TimeoutError:
                now = _signatures(self.current)
                if now[0] is not None and now == before and now != self._looked_at:
                    return
                before = now
        self._asked.clear()


def keep_fixed(running: Configuration, wanted: Configuration) -> tuple[Configuration, list[str]]:
    """`wanted` with what cannot change while running as it is, and the keys that differ there."""
    before, after = plain(running.settings), plain(wanted.settings)
    fixed = [
        f"{section}.{key}"
        for section in FIXED
        for key, value in after[section].items()
        if value != before[section][key]
    ]
    kept = {section: getattr(running.settings, section) for section in FIXED}
    for section, keys in FIXED_KEYS.items():
        fixed += [f"{section}.{key}" for key in keys if after[section][key] != before[section][key]]
        runs = getattr(running.settings, section)
        same = {key: getattr(runs, key) for key in keys}
        kept[section] = msgspec.structs.replace(getattr(wanted.settings, section), **same)
    return replaced(wanted, msgspec.structs.replace(wanted.settings, **kept)), fixed


def _signatures(configuration: Configuration) -> Sequence[_Signature | None]:
    """Of the file, then of those it names."""
    return [_signature(each) for each in (configuration.path, *configuration.files)]


def _signature(path: Path | None) -> _Signature | None:
    """Changes when the file's content does; None while there is no file."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
