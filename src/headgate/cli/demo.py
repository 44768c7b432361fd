"""`headgate demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.demo_plants import PLANTS
from headgate.cli.output import fail, plain_failures, say

if TYPE_CHECKING:
    import socket

    from headgate.cli.demo_show import Show

__all__ = ["command"]

_PORTS = 50
_SHORT_SECONDS = 30.0
"""Whoever wants to see less than that is not going to look at days."""
_USUAL_HISTORY = "2d"
_MOST_HISTORY = 14 * 86_400.0


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="How long to send traffic.",
)
@click.option(
    "--history",
    metavar="TIME",
    help="Make up this much of a past first, such as 12h or 7d (14d at most), so that there is something to compare with; "
    f"0 for none. Left out: {_USUAL_HISTORY}, none with --once or if the traffic is short.",
)
@click.option(
    "--plant",
    "plants",
    type=click.Choice(tuple(PLANTS)),
    multiple=True,
    help="Let something get worse in the middle of the traffic, and see who notices. May be given several times.",
)
@click.option(
    "--plant-after",
    default="20s",
    show_default=True,
    metavar="TIME",
    help="When, from the beginning of the traffic on.",
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
def command(
    seconds: float,
    history: str | None,
    plants: Sequence[str],
    plant_after: str,
    listen: str,
    data: Path | None,
    *,
    once: bool,
) -> None:
    """Start on simulated providers, send a minute of traffic, and look around.

    Needs no key and no network. Sends what a product with several AI features sends: chats, streams, tools, structured
    answers, embeddings, in OpenAI's and Anthropic's dialects, with users and sessions, failing providers, wrong keys and
    a caller who hangs up; and some users say what they think of the answers. Then it shows what was recorded, where to look,
    and how to make calls of your own.

    The past that it begins with is made up: the same traffic through the same gateway, by a clock that is told the time.

    \b
    Examples:
      headgate demo
      headgate demo --seconds 10 --once
      headgate demo --history 7d
      headgate demo --plant worse-prompt
      headgate demo --plant slower-model --plant dearer-route --plant-after 30s
    """
    from headgate.cli.demo_show import Show
    from headgate.cli.listening import bind, event_loop
    from headgate.cli.logs import set_up_logging

    past = _time(history if history is not None else _usual(seconds, once=once), "--history", _MOST_HISTORY)
    after = _time(plant_after, "--plant-after", 3600)
    if plants and after >= seconds:
        fail(f"--plant-after {plant_after} is after the traffic, which takes {seconds:g} s", code=2)
    if "slower-model" in plants and "dearer-route" in plants:
        # The dear model is not the slow one.
        say("note: `dearer-route` leads away from the slow model; what is slower shows in `summarise`")
    set_up_logging("error", "text")
    with plain_failures(), _directory(data) as directory:
        try:
            bound = bind(listen, tries=_PORTS)
        except ValueError as wrong:
            fail(str(wrong), code=2)
        show = Show(
            key=_key(), seconds=seconds, history=past, plants=[PLANTS[each] for each in plants], after=after
        )
        with asyncio.Runner(loop_factory=event_loop) as runner:
            sound = runner.run(_demo(directory, bound, show, once=once))
    raise SystemExit(0 if sound else 1)


def _key() -> str:
    from headgate.admission.keys import new_key

    return os.environ.get("HEADGATE_BOOTSTRAP_KEY") or new_key()


def _usual(seconds: float, *, once: bool) -> str:
    return "0" if once or seconds < _SHORT_SECONDS else _USUAL_HISTORY


def _time(text: str, option: str, most: float) -> float:
    from headgate.core.section import Duration

    if text.strip() == "0":
        return 0.0
    try:
        found = float(Duration.parse(text))
    except ValueError as wrong:
        fail(f"{option}: {wrong}", code=2)
    if not 0 <= found <= most:
        fail(f"{option} {text}: at most {most:g} s", code=2)
    return found


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


def _configure(directory: Path, bound: socket.socket) -> Path:
    """A configuration file of its own, so that `headgate tail --config` finds the records."""
    from headgate.cli.demo_settings import demonstration
    from headgate.providers.embedding.place import embedder_file

    embeds = find_spec("onnxruntime") is not None and embedder_file(os.environ).exists()
    host, port = bound.getsockname()[:2]
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = directory / "headgate.toml"
    path.write_text(
        demonstration(listen, f"sqlite:///{directory.absolute() / 'headgate.db'}", embeds=embeds),
        encoding="utf-8",
    )
    return path


async def _demo(directory: Path, bound: socket.socket, show: Show, *, once: bool) -> bool:
    from headgate.cli.gateway_process import listener, running
    from headgate.cli.listening import url_of
    from headgate.config.loader import load

    path, url = _configure(directory, bound), url_of(bound)
    await show.live_through(path)
    async with running(load(path, {}), bootstrap_key=show.key) as gateway:
        server = listener(gateway)
        serving = asyncio.create_task(server.serve(sockets=[bound]), name="serving")
        showing = asyncio.create_task(show.run(gateway, url), name="demonstration")
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
            say(show.invitation(gateway, url))
        await serving
    return sound
