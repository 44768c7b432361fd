"""A gateway from its start to the last stored record: what `serve` and `demo` both run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

from headgate.cli.announcement import first_call, standing
from headgate.cli.listening import Listener, url_of
from headgate.cli.output import fail, say
from headgate.compose.gateway import Gateway
from headgate.compose.secrets import SecretsRefused
from headgate.config.model import Configuration
from headgate.config.watch import Watcher
from headgate.edge.connection import Connection
from headgate.edge.entrance import Entrance

__all__ = ["listener", "running", "serve"]


async def serve(
    configuration: Configuration,
    bound: socket.socket,
    *,
    bootstrap_key: str | None,
    read: Callable[[], Configuration],
) -> None:
    """Serve on a bound socket until told to stop, following changes of the file. Raises StoreError, OSError."""
    async with running(configuration, bootstrap_key=bootstrap_key, writer_apart=True) as gateway:
        url = url_of(bound)
        say("\n".join(standing(configuration, url)))
        if gateway.first_key:
            say("\n".join(first_call(configuration, url, gateway.first_key)))
        watcher = Watcher(configuration, read=read, swap=gateway.apply)
        with _following(watcher):
            await listener(gateway).serve(sockets=[bound])
        say("Headgate stops: storing the last records")


@asynccontextmanager
async def running(
    configuration: Configuration, *, bootstrap_key: str | None, writer_apart: bool = False
) -> AsyncIterator[Gateway]:
    """A started gateway, stopped with all records stored, whatever happens. writer_apart: see `Gateway`."""
    try:
        gateway = Gateway(configuration, bootstrap_key=bootstrap_key, writer_apart=writer_apart)
    except ValueError as wrong:
        # Settings that are well written and cannot work: a certificate that is not there, an extra not installed.
        fail(str(wrong), code=2)
    try:
        try:
            await gateway.start()
        except SecretsRefused as refused:
            fail(str(refused), code=2)
        _spare_the_collector()
        yield gateway
    finally:
        await gateway.stop()


def _spare_the_collector() -> None:
    """What start-up made stays for good: the collector need not look at it again and again. What requests make dies with
    them, nearly all without its help; looking 30 times less often took a tenth off the CPU time of a streamed token."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def listener(gateway: Gateway) -> Listener:
    """What serves `gateway.app`, within the bounds of its settings."""
    settings = gateway.configuration.settings.server
    entrance = Entrance(settings)

    def leave() -> None:
        gateway.gate.leaving = entrance.leaving = True
        say("Headgate stops soon: load balancers are told")

    def drain() -> None:
        gateway.gate.draining = True

    return Listener(
        gateway.app,
        connection=partial(Connection, entrance),
        keep_alive=settings.keep_alive,
        shutdown_seconds=settings.shutdown_time,
        before_shutdown=drain,
        notice_seconds=settings.notice_time,
        give_notice=leave,
    )


@contextlib.contextmanager
def _following(watcher: Watcher) -> Iterator[None]:
    """Watch the file, if there is one, and listen to SIGHUP, where there is such a thing."""
    if watcher.current.path is None:
        yield
        return
    loop = asyncio.get_running_loop()
    task = loop.create_task(watcher.run(), name="configuration")
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None:
        loop.add_signal_handler(hangup, watcher.ask)
    try:
        yield
    finally:
        task.cancel()
        if hangup is not None:
            loop.remove_signal_handler(hangup)
