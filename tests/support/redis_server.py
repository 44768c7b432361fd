"""A real Redis on a free port, that can be killed, frozen and started again."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["RedisServer", "redis_server"]


class RedisServer:
    """Keeps nothing on disk."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/3"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it accepts connections."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = await asyncio.create_subprocess_exec(
            "redis-server",
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if self._process.returncode is not None:
                    raise RuntimeError(f"redis-server ended with {self._process.returncode}") from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return

    def freeze(self) -> None:
        """Connections stay open, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """At once. Idempotent."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def redis_server() -> AsyncIterator[RedisServer]:
    """Started, and killed at the end."""
    server = RedisServer()
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
