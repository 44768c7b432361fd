"""One run at a time on a machine: two would measure each other and share a working directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from bench.places import BUILD

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AlreadyRunning", "alone"]


class AlreadyRunning(Exception):
    """Another run holds the lock; the message names its process."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of this checkout's bench directory. Raises AlreadyRunning.

    The kernel lets go of it when the process ends, however it ends."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(
                f"another run is measuring (process {lock.read().strip()}); wait for its end or stop it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
