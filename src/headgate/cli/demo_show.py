"""What `headgate demo` does and says, from the past that it begins with to where one may look."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from headgate.cli.announcement import curl_line, python_snippet, usual_model
from headgate.cli.demo_callers import Callers
from headgate.cli.demo_desk import Ask, alerts_since, newcomers, over_http, replay, replayable
from headgate.cli.demo_past import COMMAND, Order, Progress
from headgate.cli.demo_plants import Plant
from headgate.cli.demo_summary import found, from_memory, places, summarise, table_of
from headgate.cli.demo_traffic import Sent, Traffic, total_of
from headgate.cli.output import say

if TYPE_CHECKING:
    from headgate.compose.gateway import Gateway
    from headgate.stores.spans import RequestRow

__all__ = ["Show"]

_STORED_SECONDS = 20
_FOUND_SECONDS = 75.0
"""How long the end waits for the alert of a plant: a look each half minute, and answers that take long."""
_Advance = Callable[[int, int | None, str], None]
_BEGUN = 5000
"""More conversations than a past has."""
_LONG = 10.0
"""Seconds of traffic from which on operators do something in it."""


@dataclass(slots=True)
class Show:
    """One demonstration."""

    key: str
    seconds: float
    history: float
    """Seconds of a past."""
    plants: Sequence[Plant]
    after: float
    """Seconds of traffic before something is planted."""
    keys: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    _planted_ns: int = 0

    async def live_through(self, path: Path) -> None:
        """Make the past, in a process of its own: it has another clock. Without one the demonstration is a poorer one, no more."""
        if not self.history:
            return
        days = _span(self.history)
        say(
            f"Making up {days} of history: simulated requests through the same gateway, by a clock that is told the time ..."
        )
        order = Order(
            configuration=str(path),
            key=self.key,
            seconds=self.history,
            until_ns=time.time_ns(),
        )
        last = Progress()
        with _bar(0) as advance:
            async with _lived(order) as told:
                async for last in told:
                    advance(last.done, last.of, "")
        self.keys = last.keys
        if last.keys:
            say(f"{last.done:,} requests and {last.judged:,} judgements are history.\n")
        else:
            say("note: the history could not be made; the demonstration goes on without the rest of it\n")

    async def run(self, gateway: Gateway, url: str) -> bool:
        """Send the traffic and tell what was recorded. True: everything went as a demonstration should."""
        say(f"Headgate listens on {url} with a simulated provider. Sending {self.seconds:g} s of traffic ...")
        ask, began_ns = over_http(url), time.time_ns()
        if not self.keys:
            self.keys = await newcomers(ask, self.key)
        traffic = Traffic(ask, Callers(self.keys, begun=_BEGUN), self.sent.append)
        await self._send(traffic, gateway, ask)
        rows = await self._recorded(gateway, began_ns)
        say(f"\n{len(self.sent)} requests were sent, {len(rows)} are on record:\n")
        click.echo(table_of(summarise(rows)))
        if memory := from_memory(rows):
            say(f"\n{memory}")
        surprises = [each for each in self.sent if not each.expected]
        for each in surprises[:10]:
            say(f"  unexpected: {each.scenario} was answered with {each.status or 'nothing'}")
        if traffic.refused:
            say(f"  unexpected: feedback was refused: {traffic.refused}")
        judgements = "judgement" if traffic.judged == 1 else "judgements"
        say(f"\nUsers and a program told {traffic.judged} {judgements} of answers.")
        await self._tell_of_alerts(ask, began_ns)
        return len(rows) == len(self.sent) and not surprises and not traffic.refused

    def invitation(self, gateway: Gateway, url: str) -> str:
        """What one may do now."""
        configuration = gateway.configuration
        model = usual_model(configuration)
        snippet = "\n".join(f"  {line}" for line in python_snippet(url, self.key, model).split("\n"))
        return f"""
Look around:

{places(url)}

Now yours:

  base URL   {url}/v1   (Anthropic's SDK: {url})
  key        {self.key}
  dashboard  {url}/
  requests   headgate tail --config {configuration.path}

  {curl_line(url, self.key, model)}

{snippet}

Ctrl-C ends it."""

    async def _send(self, traffic: Traffic, gateway: Gateway, ask: Ask) -> None:
        others = [asyncio.create_task(self._plant(traffic, gateway), name="plant")] if self.plants else []
        if self.seconds >= _LONG:
            others.append(asyncio.create_task(self._operate(ask), name="operators"))
        try:
            with _bar(total_of(self.seconds)) as advance:

                def note(each: Sent) -> None:
                    self.sent.append(each)
                    advance(len(self.sent), None, f"{each.status or '---'} {each.scenario}")

                traffic.note = note
                await traffic.send_for(self.seconds)
            await asyncio.gather(*others)
        finally:
            for each in others:
                each.cancel()

    async def _plant(self, traffic: Traffic, gateway: Gateway) -> None:
        from headgate.config.loader import load

        await asyncio.sleep(self.after)
        path = gateway.configuration.path
        text = path.read_text(encoding="utf-8") if path is not None else ""
        for plant in self.plants:
            if plant.old:
                text = plant.in_text(text)
            if plant.prompt:
                traffic.callers.switch(plant.prompt, plant.liked)
        if path is not None and any(plant.old for plant in self.plants):
            path.write_text(text, encoding="utf-8")
            await gateway.apply(load(path, {}))
        self._planted_ns = time.time_ns()

    async def _operate(self, ask: Ask) -> None:
        """Somebody tries an answer again, on a smaller model and with another prompt."""
        await asyncio.sleep(self.seconds * 0.6)
        for changes in ({"model": "small"}, {"prompt": "greeting@8", "system": "Answer in one sentence."}):
            request = await replayable(ask, self.key, "support-chat")
            if request:
                await replay(ask, self.key, request, **changes)

    async def _recorded(self, gateway: Gateway, began_ns: int) -> list[RequestRow]:
        """The recorded requests, once all of them are stored: a request is stored a moment after its last byte."""
        rows: list[RequestRow] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STORED_SECONDS):
                while len(rows) < len(self.sent):
                    await asyncio.sleep(0.2)
                    latest = (await gateway.spans.latest(len(self.sent) + 100)).rows
                    # Replays are operators'.
                    rows = [row for row in latest if row.started_ns >= began_ns and not row.purpose]
        return rows

    async def _tell_of_alerts(self, ask: Ask, began_ns: int) -> None:
        ends = time.monotonic() + _FOUND_SECONDS
        told = await alerts_since(ask, self.key, began_ns)
        waited = False
        while any(found(plant.rule, told) is None for plant in self.plants) and time.monotonic() < ends:
            if not waited:
                say("\nWaiting for the next look of the rules ...")
            waited = True
            await asyncio.sleep(1)
            told = await alerts_since(ask, self.key, began_ns)
        for plant in self.plants:
            alert = found(plant.rule, told)
            say(f"\nPlanted after {self.after:g} s ({plant.name}): {plant.told}.")
            if alert is None:
                say(f"  No alert yet; it will be at /alerts, and what changed is to be seen at {plant.look}.")
            else:
                seconds = max(alert.at_ns - self._planted_ns, 0) / 1e9
                say(f"  Told {seconds:.0f} s later: {alert.text}\n  It shows on /, /alerts and {plant.look}.")
        rules = {plant.rule for plant in self.plants}
        others = [each for each in told if each.rule not in rules]
        if others:
            say(
                f"\nOther alerts ({len(others)}), the latest first:"
                if self.plants
                else f"\nAlerts ({len(others)}), the latest first:"
            )
            for each in others[:4]:
                say(f"  {each.severity}: {each.text}")


@asynccontextmanager
async def _lived(order: Order) -> AsyncIterator[AsyncIterator[Progress]]:
    """A process that lives through it, and how far it is."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None
    lines = process.stdout

    async def told() -> AsyncIterator[Progress]:
        while line := await lines.readline():
            yield msgspec.json.decode(line, type=Progress)

    try:
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        yield told()
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.contextmanager
def _bar(total: int) -> Iterator[_Advance]:
    """A progress bar: it is told how much is done, of how much, and what was last."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=total or None, last="")

        def advance(done: int, of: int | None, last: str) -> None:
            if of is not None:
                progress.update(bar, total=of)
            progress.update(bar, completed=done, last=last)

        yield advance


def _span(seconds: float) -> str:
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:g} hours"
    return f"{seconds / 86_400:g} days"
