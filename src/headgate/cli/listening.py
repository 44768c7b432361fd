"""An ASGI app on a socket, from listening to the last byte of the last request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import uvicorn

from headgate.config.checks import split_listen

__all__ = ["Listener", "bind", "event_loop", "url_of"]

_TICK_SECONDS = 0.1
"""How often uvicorn looks whether it shall stop, and renews the date."""


def event_loop() -> asyncio.AbstractEventLoop:
    """The loop to serve on: uvloop, where there is one."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def bind(listen: str, *, tries: int = 1) -> socket.socket:
    """A socket on `HOST:PORT`. tries: how many ports to try, upwards. Raises OSError with words for people."""
    host, port = split_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in range(tries):
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, port + attempt))
            # Before we say that we listen: a second process must not get the same port meanwhile.
            found.listen(2048)
        except OSError as wrong:
            found.close()
            if wrong.errno == errno.EADDRINUSE and attempt < tries - 1:
                continue
            raise OSError(wrong.errno, _why(wrong, host, port + attempt)) from None
        else:
            found.setblocking(False)
            return found
    raise OSError(errno.EADDRINUSE, f"no free port from {port} to {port + tries - 1}")


def url_of(bound: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = bound.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _why(wrong: OSError, host: str, port: int) -> str:
    if wrong.errno == errno.EADDRINUSE:
        return f"{host}:{port} is taken by another program; stop it, or listen elsewhere with --listen"
    if wrong.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on port {port}; take one from 1024 on"
    if wrong.errno == errno.EADDRNOTAVAIL or isinstance(wrong, socket.gaierror):
        return f"this machine has no address {host}"
    return f"cannot listen on {host}:{port}: {wrong.strerror}"


class Listener(uvicorn.Server):
    """uvicorn, told when to stop by us: it would end the process before the records are stored."""

    def __init__(
        self,
        app: Any,
        *,
        connection: Callable[..., asyncio.Protocol] | str = "httptools",
        keep_alive: float = 75.0,
        shutdown_seconds: float = 30.0,
        before_shutdown: Callable[[], None] = lambda: None,
        notice_seconds: float = 0.0,
        give_notice: Callable[[], None] = lambda: None,
    ) -> None:
        """before_shutdown: called once when stopping begins, before the first connection is closed.

        notice_seconds: from SIGTERM until the port is closed. If there are any, `give_notice` is called at their beginning
            and `before_shutdown` never: who came in time is served."""
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,  # type: ignore[arg-type]
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,
                timeout_keep_alive=math.ceil(keep_alive),
                timeout_graceful_shutdown=math.ceil(shutdown_seconds),
            )
        )
        self._before_shutdown = before_shutdown
        self._notice_seconds = notice_seconds
        self._give_notice = give_notice
        self._noticed = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours: SIGTERM and SIGINT begin the stop, a second one cuts it short; neither is raised again afterwards."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undo:
            for number, stop in ((signal.SIGTERM, self.leave), (signal.SIGINT, self.stop)):
                try:
                    loop.add_signal_handler(number, stop)
                    undo.callback(loop.remove_signal_handler, number)
                except (NotImplementedError, ValueError, RuntimeError):
                    # Windows' loops have no signal handlers, and other threads may not set one.
                    with contextlib.suppress(ValueError):
                        before = signal.signal(number, lambda *_, stop=stop: loop.call_soon_threadsafe(stop))
                        undo.callback(signal.signal, number, before)
            yield

    def leave(self) -> None:
        """As `stop`, after the notice. Called again: end at once."""
        if self._notice_seconds and not self.should_exit:
            self._noticed = True
            self._give_notice()
        self.stop()

    def stop(self) -> None:
        """Let requests under way end, take no new ones. Called twice: end at once."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn calls this when stopping begins."""
        late = []
        if self._noticed:
            await self._serve_on()
            late = self._last_callers(sockets or [])
        else:
            self._before_shutdown()
        # Closes the port before it first waits for anything.
        await super().shutdown(sockets)
        await asyncio.gather(*late)
        # Requests that ran out of time were cancelled just now; their records are written as they end.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=2)

    async def _serve_on(self) -> None:
        """Until the notice is over, or somebody has lost patience."""
        for tick in range(round(self._notice_seconds / _TICK_SECONDS)):
            if self.force_exit:
                break
            await asyncio.sleep(_TICK_SECONDS)
            await self.on_tick(tick)

    def _last_callers(self, sockets: Iterable[socket.socket]) -> list[asyncio.Task[None]]:
        """Let in whoever the kernel has let in for us: closing the port would throw them out with their requests."""
        loop = asyncio.get_running_loop()
        found = []
        for listening in sockets:
            with contextlib.suppress(OSError):
                while True:
                    found.append(listening.accept()[0])
        return [loop.create_task(self._let_in(caller)) for caller in found]

    async def _let_in(self, caller: socket.socket) -> None:
        def made() -> asyncio.Protocol:
            make: Any = self.config.http_protocol_class
            connection: asyncio.Protocol = make(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return connection

        caller.setblocking(False)
        with contextlib.suppress(OSError):
            _, connection = await asyncio.get_running_loop().connect_accepted_socket(made, caller)
            # They are late: one request, and it had better be on its way.
            connection.shutdown()  # type: ignore[attr-defined]
