"""`headgate replay`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say
from headgate.cli.replay_many import CAPPED, INTERRUPTED, Job, line_of, many, private, told_of
from headgate.cli.replay_options import change_options, changes_of, filter_options

if TYPE_CHECKING:
    from headgate.compose.gateway import Gateway
    from headgate.config.model import Configuration
    from headgate.exchange.caller import Caller
    from headgate.quality.replay.changing import Changes
    from headgate.stores.searching import Search
    from headgate.stores.spans import RequestRow

__all__ = ["caller_named", "command", "until_ready"]

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
    "--url",
    metavar="URL",
    help="Have a running gateway send the one REQUEST; the key in HEADGATE_KEY asks, and pays.",
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
    url: str | None,
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
      headgate replay req_0akrzmj8b5g00 --model large --url http://127.0.0.1:8080

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
    if url is not None:
        raise SystemExit(
            _there(url, wanted, changes, cap_nanos, estimate_only=estimate_only, as_json=as_json)
        )
    configuration = _configuration(config, other)
    job = Job(changes, cap_nanos, concurrency, jsonl, as_json=as_json, yes=yes, estimate_only=estimate_only)
    from headgate.cli.listening import event_loop

    with plain_failures(), asyncio.Runner(loop_factory=event_loop) as runner:
        try:
            code = runner.run(_run(configuration, job, wanted, key, limit, sample, seed))
        except (NotStored, NotReplayable) as cannot:
            fail(str(cannot))
        except ChangeRefused as refused:
            fail(f"{refused}", code=2)
        except (asyncio.CancelledError, KeyboardInterrupt):
            code = INTERRUPTED
    raise SystemExit(code)


def _there(url: str, wanted: list[int] | Search, changes: Changes, cap_nanos: int | None, **how: bool) -> int:
    from headgate.cli.replay_remote import replay_there
    from headgate.core.ids import request_id_text

    if not isinstance(wanted, list) or len(wanted) != 1:
        fail("--url is for one REQUEST; to send many, leave it out: the database is read then", code=2)
    return replay_there(url, request_id_text(wanted[0]), changes, cap_nanos=cap_nanos, **how)


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
    job: Job,
    wanted: list[int] | Search,
    key: str | None,
    limit: int,
    sample: int | None,
    seed: int,
) -> int:
    """The exit code."""
    from headgate.cli.gateway_process import running
    from headgate.compose.stores import open_stores

    stores = open_stores(configuration.settings)
    try:
        # Before anything is started: an empty database would get its first key from us, and nobody would see it.
        rows = await _rows(stores.spans, wanted, limit, sample, seed)
        caller = caller_named(await stores.keys.all(), key)
    finally:
        await stores.aclose()
    if not rows:
        say("no such requests are recorded that could be sent again")
        return 1
    async with running(configuration, bootstrap_key=None) as gateway:
        await until_ready(gateway)
        if len(rows) == 1 and isinstance(wanted, list):
            return await _one(gateway, job, rows[0], caller)
        return await many(gateway, job, rows, caller)


async def _rows(
    store: Any, wanted: list[int] | Search, limit: int, sample: int | None, seed: int
) -> list[RequestRow]:
    from headgate.control.campaigns import chosen
    from headgate.control.replays import NotStored
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


def caller_named(keys: Sequence[Any], wanted: str | None) -> Caller:
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


async def until_ready(gateway: Gateway) -> None:
    """Until prices are known, and what earlier processes left in their journals."""
    loop = asyncio.get_running_loop()
    due = loop.time() + _READY_SECONDS
    while not gateway.writer.ready:
        if loop.time() >= due:
            fail(f"the record writer is not ready: {gateway.writer.failed or 'it takes too long'}")
        await asyncio.sleep(0.02)


async def _one(gateway: Gateway, job: Job, row: RequestRow, caller: Caller) -> int:
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
            print_json(told_of(estimate))
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
        with private(job.jsonl) as file:
            file.write(line_of(done))
    if job.as_json:
        print_json({"estimate": told_of(estimate), **told_of(done.comparison)})
    else:
        comparison_lines(done.comparison)
    return 0
