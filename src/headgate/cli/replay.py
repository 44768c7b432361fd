"""`headgate replay`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say
from headgate.cli.replay_options import change_options, changes_of, filter_options

if TYPE_CHECKING:
    from headgate.compose import Gateway
    from headgate.config.model import Configuration
    from headgate.control.replays import Campaign, Forecast, Replayed
    from headgate.exchange.caller import Caller
    from headgate.quality.replay.capping import SpendCap
    from headgate.quality.replay.changing import Changes
    from headgate.stores.searching import Search
    from headgate.stores.spans import RequestRow

__all__ = ["command"]

CAPPED, INTERRUPTED = 3, 130
_READY_SECONDS = 30.0


@click.command()
@click.argument("requests", nargs=-1, metavar="[REQUEST]...")
@config_option
@change_options
@click.option(
    "--with",
    "other",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Another configuration: its providers, models, features and rules of routing. Database, keys, budgets and limits stay.",
)
@filter_options
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="How many at most, the newest.",
)
@click.option("--sample", type=click.IntRange(1, 100_000), help="Of these only so many, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one draws others.")
@click.option("--most-usd", metavar="USD", help="Stop before a call could make the sum pass this.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=4,
    show_default=True,
    help="So many at the same time.",
)
@click.option(
    "--key",
    metavar="KEY",
    help="The name or id of the key that pays. Left out: none, and only budgets for all hold.",
)
@click.option(
    "--estimate", "estimate_only", is_flag=True, help="Only say what it would cost. Nobody is called."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before many are sent.")
@click.option(
    "--jsonl",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Each comparison, as a line of JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: the comparison, or the summary of many.")
def command(
    requests: Sequence[str],
    config: Path | None,
    other: Path | None,
    *,
    limit: int,
    sample: int | None,
    seed: int,
    most_usd: str | None,
    concurrency: int,
    key: str | None,
    estimate_only: bool,
    yes: bool,
    jsonl: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Send recorded requests again, as they were or changed, and compare.

    One REQUEST is shown side by side with what came then. Several, or all that match --since, --feature and so on, are
    compared pair by pair. Each is a request of its own that takes the whole journey: routed, limited, recorded
    (purpose `replay`) and paid for. A stream is sent again as a stream, so that times to the first token compare.
    What it will cost is told first; --most-usd is a cap that holds.

    \b
    Examples:
      headgate replay req_0akrzmj8b5g00
      headgate replay req_0akrzmj8b5g00 --model large --temperature 0.2
      headgate replay req_0akrzmj8b5g00 --system-file tone.txt --as-prompt tone@2 --set top_p=0.9
      headgate replay --since 1d --feature support-chat --model small --most-usd 2
      headgate replay --since 7d --sample 50 --seed 1 --with other.toml --yes --json
      headgate replay --since 1d --model small --estimate

    \b
    Exit codes: 0 done, a replay that failed among them: that is a result; 1 nothing could be sent again;
    2 the arguments or the configuration are wrong; 3 --most-usd ended it before all were sent; 130 Ctrl-C did.
    """
    from headgate.control.replays import NotStored
    from headgate.quality.replay.changing import ChangeRefused
    from headgate.quality.replay.rebuilding import NotReplayable

    changes = changes_of(options)
    wanted = _wanted(requests, options)
    cap_nanos = _nanos(most_usd)
    configuration = _configuration(config, other)
    job = _Job(changes, cap_nanos, concurrency, jsonl, as_json=as_json, yes=yes, estimate_only=estimate_only)
    from headgate.cli.listening import event_loop

    with plain_failures(), asyncio.Runner(loop_factory=event_loop) as runner:
        try:
            code = runner.run(_run(configuration, job, wanted, key, limit, sample, seed))
        except (NotStored, NotReplayable) as cannot:
            fail(str(cannot))
        except ChangeRefused as refused:
            fail(f"{refused}", code=2)
        except asyncio.CancelledError:
            code = INTERRUPTED
    raise SystemExit(code)


class _Job:
    """What is wanted, but for which requests."""

    def __init__(
        self,
        changes: Changes,
        cap_nanos: int | None,
        concurrency: int,
        jsonl: Path | None,
        *,
        as_json: bool,
        yes: bool,
        estimate_only: bool,
    ) -> None:
        self.changes = changes
        self.cap_nanos = cap_nanos
        self.concurrency = concurrency
        self.jsonl = jsonl
        self.as_json = as_json
        self.yes = yes
        self.estimate_only = estimate_only

    def cap(self) -> SpendCap | None:
        from headgate.quality.replay.capping import SpendCap

        return SpendCap(self.cap_nanos) if self.cap_nanos is not None else None


def _wanted(requests: Sequence[str], options: dict[str, Any]) -> list[int] | Search:
    from headgate.cli.traces import search_from
    from headgate.core.ids import parse_request_id

    given = {name: value for name, value in options.items() if value not in (None, ())}
    if not requests:
        if not given:
            fail(
                "which requests? Name one, or say --since 1d, --feature NAME ... (`headgate replay --help`)",
                code=2,
            )
        given["model"] = given.pop("asked_model", None)
        return search_from(given)
    if given:
        fail(
            f"a REQUEST is named, so --{next(iter(given)).replace('_', '-')} says nothing: leave one of them out",
            code=2,
        )
    try:
        return list(dict.fromkeys(parse_request_id(text) for text in requests))
    except ValueError as wrong:
        fail(str(wrong), code=2)


def _nanos(text: str | None) -> int | None:
    from headgate.core.money import nanos

    if text is None:
        return None
    try:
        amount = Decimal(text)
        if not (amount.is_finite() and 0 < amount < 1_000_000_000):
            raise InvalidOperation
    except InvalidOperation:
        fail(f"--most-usd {text}: write an amount of USD, such as 2 or 0.50", code=2)
    return nanos(amount)


def _configuration(config: Path | None, other: Path | None) -> Configuration:
    from headgate.config.borrowing import with_routes_of

    own = read_configuration(config)
    return own if other is None else with_routes_of(own, read_configuration(other))


async def _run(
    configuration: Configuration,
    job: _Job,
    wanted: list[int] | Search,
    key: str | None,
    limit: int,
    sample: int | None,
    seed: int,
) -> int:
    """The exit code."""
    from headgate.cli.gateway_process import running
    from headgate.compose import open_stores

    stores = open_stores(configuration.settings)
    try:
        # Before anything is started: an empty database would get its first key from us, and nobody would see it.
        rows = await _rows(stores.spans, wanted, limit, sample, seed)
        caller = _caller(await stores.keys.all(), key)
    finally:
        await stores.aclose()
    if not rows:
        say("no such requests are recorded that could be sent again")
        return 1
    async with running(configuration, bootstrap_key=None) as gateway:
        await _until_ready(gateway)
        if len(rows) == 1 and isinstance(wanted, list):
            return await _one(gateway, job, rows[0], caller)
        return await _many(gateway, job, rows, caller)


async def _rows(
    store: Any, wanted: list[int] | Search, limit: int, sample: int | None, seed: int
) -> list[RequestRow]:
    from headgate.control.replays import NotStored, chosen
    from headgate.core.ids import request_id_text

    if not isinstance(wanted, list):
        return await chosen(store, wanted, limit=limit, sample=sample, seed=seed)
    found = []
    for number in wanted:
        row = await store.request(number)
        if row is None:
            raise NotStored(f"no request {request_id_text(number)} is stored")
        found.append(row)
    return found


def _caller(keys: Sequence[Any], wanted: str | None) -> Caller:
    from headgate.admission.rights import routes_of
    from headgate.cli.actor import actor
    from headgate.core.near import did_you_mean
    from headgate.exchange.caller import Caller

    if wanted is None:
        return Caller(key_id="", key_name=actor(), roles=("owner",), routes=routes_of(("owner",)))
    known = {key.name: key for key in keys if key.revoked_ns is None}
    found = known.get(wanted) or next((key for key in known.values() if key.id == wanted), None)
    if found is None:
        fail(f"--key {wanted}: there is no such key{did_you_mean(wanted, known)}", code=2)
    return Caller(
        key_id=found.id,
        key_name=found.name,
        team=found.team,
        tenant=found.tenant,
        models=tuple(dict.fromkeys((*found.models, *found.features))),
        user=found.user,
        roles=found.roles,
        features=found.features,
        routes=routes_of(found.roles),
    )


async def _until_ready(gateway: Gateway) -> None:
    """Until prices are known, and what earlier processes left in their journals."""
    loop = asyncio.get_running_loop()
    due = loop.time() + _READY_SECONDS
    while not gateway.writer.ready:
        if loop.time() >= due:
            fail(f"the record writer is not ready: {gateway.writer.failed or 'it takes too long'}")
        await asyncio.sleep(0.02)


async def _one(gateway: Gateway, job: _Job, row: RequestRow, caller: Caller) -> int:
    from headgate.cli.replay_text import comparison_lines, estimate_line
    from headgate.control.replays import MayNot, estimated, find, may_ask, replay
    from headgate.core.errors import GatewayError

    original = await find(gateway.spans, row.id)
    try:
        may_ask(caller, original, job.changes)
        estimate = await estimated(gateway.replaying, original, job.changes, caller)
    except (MayNot, GatewayError) as refused:
        say(f"it would be refused: {refused}")
        return 1
    if not job.as_json:
        say(estimate_line(estimate))
    if job.estimate_only:
        if job.as_json:
            print_json(_told(estimate))
        return 0
    cap = job.cap()
    if cap is not None and (estimate.most_nanos is None or not cap.begin(row.id, estimate.most_nanos)):
        say(
            "not sent: --most-usd does not allow what it may cost"
            if estimate.most_nanos
            else "not sent: no price is known, so --most-usd could not hold"
        )
        return CAPPED
    done = await replay(gateway.spans, gateway.replaying, original, job.changes, caller, cap=cap)
    if job.jsonl is not None:
        with _private(job.jsonl) as file:
            file.write(_line(done))
    if job.as_json:
        print_json({"estimate": _told(estimate), **_told(done.comparison)})
    else:
        comparison_lines(done.comparison)
    return 0


async def _many(gateway: Gateway, job: _Job, rows: Sequence[RequestRow], caller: Caller) -> int:
    from headgate.cli.replay_text import campaign_lines, forecast_lines
    from headgate.control.replays import estimate_many

    with _bar(len(rows), "estimating", job) as step:
        forecast, able = await estimate_many(
            gateway.spans, gateway.replaying, rows, job.changes, caller, told=lambda: step(0)
        )
    if not job.as_json or job.estimate_only is False:
        for line in forecast_lines(forecast, len(rows)):
            say(line)
    if job.estimate_only:
        if job.as_json:
            print_json(_forecast_told(forecast))
        return 0 if able else 1
    if not able:
        say("none of them can be sent again so")
        return 1
    _ask(job, forecast)
    campaign = await _sent(gateway, job, able, caller)
    campaign.left_out.update(forecast.left_out)
    if job.as_json:
        print_json(_campaign_told(campaign, forecast))
    else:
        campaign_lines(campaign)
    if campaign.stopped:
        return INTERRUPTED
    if campaign.capped:
        return CAPPED
    return 0 if campaign.pairs else 1


def _ask(job: _Job, forecast: Forecast) -> None:
    if job.yes or job.cap_nanos is not None:
        return
    if not sys.stdin.isatty():
        fail(f"this sends {forecast.requests:,} requests: say --most-usd USD, or --yes", code=2)
    click.confirm(f"Send {forecast.requests:,} requests?", abort=True, err=True)


async def _sent(gateway: Gateway, job: _Job, rows: Sequence[RequestRow], caller: Caller) -> Campaign:
    from headgate.control.replays import replay_many

    stop = asyncio.Event()
    file = _private(job.jsonl) if job.jsonl is not None else None
    try:
        with _bar(len(rows), "replaying", job) as step, _interruptible(stop):

            async def told(done: Replayed) -> None:
                if file is not None:
                    file.write(_line(done))
                step(done.replay.cost_nanos or 0)

            return await replay_many(
                gateway.spans,
                gateway.replaying,
                rows,
                job.changes,
                caller,
                cap=job.cap(),
                concurrency=job.concurrency,
                stop=stop,
                told=told,
            )
    finally:
        if file is not None:
            file.close()


@contextmanager
def _interruptible(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C lets what is under way end; a second one does not."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
            return
        say("Stopping: what is under way ends first; Ctrl-C again gives it up")
        stop.set()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # no main thread, or no such thing on this system
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _bar(total: int, what: str, job: _Job) -> Iterator[Any]:
    """Call what is given with the nano-dollars of each that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    spent = 0
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[spent]}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal or job.as_json
    ) as bar:
        task = bar.add_task(what, total=total, spent="")

        def step(nanos: int) -> None:
            nonlocal spent
            spent += nanos
            bar.update(task, advance=1, spent=f"{spent / 1e9:.4f} USD" if spent else "")

        yield step


def _private(out: Path) -> Any:
    """A file for its owner alone: prompts' answers are in it."""
    import os

    return os.fdopen(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def _line(done: Replayed) -> bytes:
    return json.dumps(_told(done.comparison), ensure_ascii=False).encode() + b"\n"


def _told(value: Any) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(value)
    return told


def _forecast_told(forecast: Forecast) -> dict[str, Any]:
    return {
        "requests": forecast.requests,
        "expected_usd": forecast.expected_nanos / 1e9,
        "least_usd": forecast.least_nanos / 1e9,
        "most_usd": None if forecast.unpriced else forecast.most_nanos / 1e9,
        "unpriced": forecast.unpriced,
        "unpriced_places": sorted(forecast.unpriced_places),
        "left_out": dict(forecast.left_out),
    }


def _campaign_told(campaign: Campaign, forecast: Forecast) -> dict[str, Any]:
    return {
        "estimate": _forecast_told(forecast),
        "wanted": campaign.wanted,
        "spent_usd": campaign.spent_nanos / 1e9,
        "unknown_cost": campaign.unknown_cost,
        "capped": campaign.capped,
        "interrupted": campaign.stopped,
        "left_out": dict(campaign.left_out),
        "summary": _told(campaign.summary),
    }
