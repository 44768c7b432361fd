"""`headgate demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.output import fail, plain_failures, say

if TYPE_CHECKING:
    import socket

    from headgate.cli.demo_traffic import Sent
    from headgate.compose import Gateway
    from headgate.config.loader import Configuration
    from headgate.stores.spans import RequestRow

__all__ = ["command"]

_PORTS = 50


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="How long to send traffic.",
)
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen; the next free port if it is taken.",
)
@click.option(
    "--once/--stay", default=False, help="End after the summary, or stay up until Ctrl-C (default)."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep configuration and records in this directory; without it they go at the end.",
)
def command(seconds: float, listen: str, data: Path | None, *, once: bool) -> None:
    """Start on simulated providers, send a minute of traffic, and look around.

    Needs no key and no network. Sends what a product with several AI features sends: chats, streams, tools, structured
    answers, embeddings, in OpenAI's and Anthropic's dialects, with users and sessions, failing providers, wrong keys and
    a caller who hangs up. Then it shows what was recorded and how to make calls of your own.

    \b
    Examples:
      headgate demo
      headgate demo --seconds 10 --once
    """
    from headgate.cli.listening import bind, event_loop
    from headgate.cli.logs import set_up_logging

    set_up_logging("error", "text")
    with plain_failures(), _directory(data) as directory:
        try:
            bound = bind(listen, tries=_PORTS)
        except ValueError as wrong:
            fail(str(wrong), code=2)
        with asyncio.Runner(loop_factory=event_loop) as runner:
            sound = runner.run(_demo(directory, bound, seconds, once=once))
    raise SystemExit(0 if sound else 1)


@contextlib.contextmanager
def _directory(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        if (wanted / "headgate.db").exists():
            fail(f"{wanted} has records already; name another directory, or remove it", code=2)
        yield wanted
        return
    made = Path(tempfile.mkdtemp(prefix="headgate-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _configure(directory: Path, bound: socket.socket) -> Configuration:
    """A configuration file of its own, so that `headgate tail --config` finds the records."""
    import msgspec

    from headgate.config.discovery import rehearsal
    from headgate.config.fingerprint import plain
    from headgate.config.loader import load
    from headgate.config.toml_text import toml_text

    host, port = bound.getsockname()[:2]
    settings = rehearsal()
    server = msgspec.structs.replace(
        settings.server,
        listen=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        database=f"sqlite:///{directory.absolute() / 'headgate.db'}",
    )
    settings = msgspec.structs.replace(settings, server=server)
    path = directory / "headgate.toml"
    path.write_text(toml_text(plain(settings)), encoding="utf-8")
    return load(path, {})


async def _demo(directory: Path, bound: socket.socket, seconds: float, *, once: bool) -> bool:
    from headgate.admission.keys import new_key
    from headgate.cli.gateway_process import listener, running
    from headgate.cli.listening import url_of

    configuration, key, url = (
        _configure(directory, bound),
        os.environ.get("HEADGATE_BOOTSTRAP_KEY") or new_key(),
        url_of(bound),
    )
    async with running(configuration, bootstrap_key=key) as gateway:
        server = listener(gateway)
        serving = asyncio.create_task(server.serve(sockets=[bound]), name="serving")
        showing = asyncio.create_task(_show(gateway, url, key, seconds), name="demonstration")
        # Ctrl-C ends the serving; the traffic has no point then.
        await asyncio.wait({serving, showing}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing
            return False
        sound = showing.result()
        if once:
            server.stop()
        else:
            say(_invitation(configuration, url, key))
        await serving
    return sound


async def _show(gateway: Gateway, url: str, key: str, seconds: float) -> bool:
    """Send the traffic and tell what was recorded. True: everything went as a demonstration should."""
    from headgate.cli.demo_summary import summarise, table_of

    say(f"Headgate listens on {url} with a simulated provider. Sending {seconds:g} s of traffic ...")
    sent = await _send(url, key, seconds)
    rows = await _recorded(gateway, len(sent))
    say(f"\n{len(sent)} requests were sent, {len(rows)} are on record:\n")
    click.echo(table_of(summarise(rows)))
    surprises = [each for each in sent if not each.expected]
    for each in surprises[:10]:
        say(f"  unexpected: {each.scenario} was answered with {each.status or 'nothing'}")
    return len(rows) == len(sent) and not surprises


async def _send(url: str, key: str, seconds: float) -> list[Sent]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from headgate.cli.demo_traffic import PER_SECOND, SCENARIOS, send_for

    sent: list[Sent] = []
    columns = (
        BarColumn(40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    total = max(round(seconds * PER_SECOND), len(SCENARIOS))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=total, last="")

        def note(each: Sent) -> None:
            sent.append(each)
            progress.update(bar, advance=1, last=f"{each.status or '---'} {each.scenario}")

        await send_for(seconds, url, key, note)
    return sent


async def _recorded(gateway: Gateway, count: int) -> list[RequestRow]:
    """The recorded requests, once all of them are stored: a request is stored a moment after its last byte."""
    rows: list[RequestRow] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while len(rows) < count:
                await asyncio.sleep(0.2)
                rows = list((await gateway.spans.latest(count + 100)).rows)
    return rows


def _invitation(configuration: Configuration, url: str, key: str) -> str:
    from headgate.cli.announcement import curl_line, python_snippet, usual_model

    model = usual_model(configuration)
    snippet = "\n".join(f"  {line}" for line in python_snippet(url, key, model).split("\n"))
    return f"""
Now yours:

  base URL   {url}/v1   (Anthropic's SDK: {url})
  key        {key}
  dashboard  {url}/
  requests   headgate tail --config {configuration.path}

  {curl_line(url, key, model)}

{snippet}

Ctrl-C ends it."""
