"""`headgate simulate`."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import click

from headgate.cli.output import config_option, fail, plain_failures, read_configuration, say
from headgate.core.errors import TransportFault

__all__ = ["command"]


@click.command()
@config_option
@click.option(
    "--listen", default="127.0.0.1:8090", show_default=True, metavar="HOST:PORT", help="Where to listen."
)
@click.option(
    "--provider", metavar="NAME", help="Which simulated provider of the configuration; by default the first."
)
@click.option(
    "--speed", type=click.FloatRange(min=0), help="How many times faster than real time; 0: nothing waits."
)
@click.option("--seed", type=int, help="Another seed gives other answers, latencies and faults.")
def command(
    config: Path | None, listen: str, provider: str | None, speed: float | None, seed: int | None
) -> None:
    """Serve the simulated provider over HTTP, as an upstream to rehearse with.

    It speaks OpenAI's and Anthropic's protocols, takes any key, and fails on command: a request with the header
    x-headgate-fault meets the fault it names. docs/reference/simulated-provider.md lists models and faults.

    \b
    Examples:
      headgate simulate --listen 127.0.0.1:8090
      curl http://127.0.0.1:8090/v1/chat/completions -H "x-headgate-fault: error_500" \\
           -d '{"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}'
    """
    from headgate.cli.listening import Listener, bind, event_loop, url_of
    from headgate.compose.providers import simulated_server
    from headgate.edge.connection import Connection
    from headgate.edge.entrance import Entrance
    from headgate.edge.settings import ServerSettings

    settings = _settings(config, provider, {"speed": speed, "seed": seed})
    with plain_failures():
        try:
            bound = bind(listen)
        except ValueError as wrong:
            fail(str(wrong), code=2)
        url = url_of(bound)
        say(f"The simulated provider listens on {url}: OpenAI's protocol at {url}/v1, Anthropic's at {url}")
        connection = partial(Connection, Entrance(ServerSettings()))
        with asyncio.Runner(loop_factory=event_loop) as runner:
            app = _App(simulated_server(settings))
            runner.run(Listener(app, connection=connection, shutdown_seconds=2).serve(sockets=[bound]))


def _settings(config: Path | None, name: str | None, overrides: dict[str, Any]) -> Any:
    import msgspec

    from headgate.config.model import KINDS, kind_of

    configured = read_configuration(config).settings.providers
    simulated = {key: each for key, each in configured.items() if kind_of(each) == "simulated"}
    if name is not None and name not in simulated:
        fail(
            f"no simulated provider `{name}` in the configuration; there are {', '.join(simulated) or 'none'}",
            code=2,
        )
    found: Any = simulated[name] if name else next(iter(simulated.values()), KINDS["simulated"]())
    given = {field: value for field, value in overrides.items() if value is not None}
    return msgspec.structs.replace(found, **given)


class _App:
    """The simulator as an ASGI app."""

    def __init__(self, server: Any) -> None:
        self._server = server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        connection = scope["headgate.connection"]
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answering = asyncio.ensure_future(self._answer(scope, body, send))
        # A caller who hangs up ends a fault that would last forever.
        connection.on_hangup = answering.cancel
        try:
            await answering
        except TransportFault:
            # The fault is that nothing more comes: no status, no end of the stream.
            connection.drop()
            # The connection learns of its end in the loop's next turns, and then owes nobody an answer.
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            if not answering.cancelled():
                answering.cancel()
                raise
        finally:
            connection.on_hangup = None

    async def _answer(self, scope: Any, body: bytes, send: Any) -> None:
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + (f"?{query}" if query else "")
        status, headers, pieces = await self._server.answer(scope["method"], target, scope["headers"], body)
        try:
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await pieces.aclose()
