"""`headgate cache warm`: ask what will be asked anyway, before anybody waits for it: in cheap hours, and within a cap."""

from __future__ import annotations

import asyncio
import csv
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.cli.cheap_hours import Hours
    from headgate.config.loader import Configuration
    from headgate.control.http.cache import WarmedTold

__all__ = ["Campaign", "Item", "Warmer", "questions_in", "run_campaign", "warm"]

Item = dict[str, Any]
"""As /api/cache/warm takes it: `question`, `request` or `body`, and `user`."""
_NS = 1_000_000_000
_WORDS = {
    "stored": "fetched and kept",
    "fresh": "there already, and fresh",
    "estimated": "to be fetched",
    "not_kept": "fetched, but not kept",
    "failed": "failed",
    "refused": "not asked",
    "capped": "not asked: too little was left of --max-usd",
    "price_unknown": "not asked: no price is known",
}


class Warmer(Protocol):
    """Asks for one, here or elsewhere."""

    async def asked(self, feature: str, since: str, count: int) -> list[tuple[str, int]]:
        """(request, how often it came) of those that came most often."""
        ...

    async def one(
        self, feature: str, item: Item, left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        """What came of it."""
        ...


@dataclass(slots=True)
class Campaign:
    """What came of all."""

    wanted: int
    outcomes: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    spent: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    """What it could cost at most, as far as it was estimated."""
    capped: bool = False
    stopped: bool = False


@click.command()
@config_option
@click.option("--feature", "-f", required=True, metavar="NAME", help="Whose answers.")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Questions: .txt a line each, .csv with a column `question`, .jsonl with objects: question, request or body; user.",
)
@click.option(
    "--most-asked",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="The N requests that came most often, as they came.",
)
@click.option(
    "--since", default="7d", show_default=True, metavar="WHEN", help="With --most-asked: came since then."
)
@click.option(
    "--like",
    default="",
    metavar="REQUEST",
    help="With --from: a recorded request; each question takes the place of what the user said last in it.",
)
@click.option(
    "--max-usd",
    "max_usd",
    required=True,
    metavar="USD",
    help="A cap that holds: no call is made that could pass it.",
)
@click.option(
    "--between", default="", metavar="HH:MM-HH:MM", help="Ask only in these hours, and wait for them."
)
@click.option(
    "--tz", default="", metavar="ZONE", help="Of --between: Europe/Berlin, UTC ... Left out: this machine's."
)
@click.option(
    "--rate", default="2/s", show_default=True, metavar="N/TIME", help="At most so many: 2/s, 30/m."
)
@click.option(
    "--key",
    metavar="KEY",
    help="The name or id of the key that pays. Left out: none, and only budgets for all hold.",
)
@click.option(
    "--url", metavar="URL", help="Have a running gateway ask; the key in HEADGATE_KEY asks it, and pays."
)
@click.option("--estimate", "estimate_only", is_flag=True, help="Only say what it may cost. Nobody is asked.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: the summary.")
def warm(
    config: Path | None,
    feature: str,
    file: Path | None,
    most_asked: int | None,
    since: str,
    like: str,
    max_usd: str,
    between: str,
    tz: str,
    rate: str,
    key: str | None,
    url: str | None,
    *,
    estimate_only: bool,
    as_json: bool,
) -> None:
    """Fill memory with answers that will be asked for.

    Each is a request of its own that takes the whole journey: routed, limited, recorded (purpose `warm`) and paid for. What is there and
    fresh is not asked again, so it can be repeated every night. A question alone is asked without any system prompt: an
    application that sends one is only helped by questions put into a request of its own (--like, or `body` in a .jsonl). One is asked
    after the other. Ctrl-C lets the one under way end.

    Beside a running gateway use --url: it has what is stored at hand at once.

    \b
    Examples:
      headgate cache warm --feature support-chat --most-asked 200 --since 7d --max-usd 1.00
      headgate cache warm --feature support-chat --from faq.txt --like req_0akrzmj8b5g00 --max-usd 0.50
      headgate cache warm -f support-chat --from faq.jsonl --max-usd 2 --between 01:00-06:00 --tz Europe/Berlin --rate 30/m
      HEADGATE_KEY=hg_... headgate cache warm -f support-chat --most-asked 50 --max-usd 1 --url http://127.0.0.1:8080

    \b
    Exit codes: 0 done, some may not have worked: see the summary; 1 none worked; 2 the arguments or the configuration
    are wrong; 3 --max-usd ended it before all were asked; 130 Ctrl-C did.
    """
    from headgate.cli.cheap_hours import hours_of, seconds_between
    from headgate.cli.listening import event_loop
    from headgate.cli.replay_many import CAPPED, INTERRUPTED

    if (file is None) == (most_asked is None):
        fail("what shall be asked? Say --from FILE, or --most-asked N", code=2)
    if like and file is None:
        fail("--like is for questions of a file: --most-asked asks requests as they came", code=2)
    cap = _usd(max_usd)
    try:
        pause = seconds_between(rate)
        hours = hours_of(between, tz) if between else None
        items = questions_in(file) if file is not None else None
    except ValueError as wrong:
        fail(str(wrong), code=2)
    if tz and not between:
        fail("--tz says whose hours --between means: say both", code=2)

    async def run() -> Campaign:
        async with _warmer(config, feature, key, url) as warmer:
            found = items if items is not None else await _most(warmer, feature, since, most_asked or 0)
            return await run_campaign(
                warmer,
                feature,
                found,
                cap,
                pause=pause,
                hours=hours,
                like=like,
                estimate_only=estimate_only,
                quiet=as_json,
            )

    with plain_failures(), asyncio.Runner(loop_factory=event_loop) as runner:
        try:
            done = runner.run(run())
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise SystemExit(INTERRUPTED) from None
    _tell(done, feature, estimate_only=estimate_only, as_json=as_json)
    if done.stopped:
        raise SystemExit(INTERRUPTED)
    if done.capped:
        raise SystemExit(CAPPED)
    worked = done.outcomes["stored"] + done.outcomes["fresh"] + done.outcomes["estimated"]
    raise SystemExit(0 if worked or not done.wanted else 1)


async def run_campaign(
    warmer: Warmer,
    feature: str,
    items: Sequence[Item],
    cap: Decimal,
    *,
    pause: float = 0.0,
    hours: Hours | None = None,
    like: str = "",
    estimate_only: bool = False,
    quiet: bool = True,
) -> Campaign:
    """One after the other. pause: seconds from the beginning of one to that of the next, at least. quiet: without a bar."""
    from headgate.cli.replay_many import interruptible

    done, stop = Campaign(len(items)), asyncio.Event()
    loop = asyncio.get_running_loop()
    with _bar(len(items), quiet=quiet) as step, interruptible(stop):
        for item in items:
            began = loop.time()
            if hours is not None and not estimate_only:
                await _until(hours, stop)
            if stop.is_set():
                done.stopped = True
                break
            told = await warmer.one(feature, item, cap - done.spent, like=like, estimate_only=estimate_only)
            _count(done, told)
            step(done.spent)
            if told.outcome == "capped":
                done.capped = True
                break
            # What is there already costs nobody anything: no need to wait.
            if told.outcome not in ("fresh", "estimated", "refused"):
                await _wait(stop, pause - (loop.time() - began))
    return done


def _count(done: Campaign, told: WarmedTold) -> None:
    done.outcomes[told.outcome] += 1
    done.spent += Decimal(told.cost_usd)
    if told.outcome == "estimated" and told.most_usd is not None:
        done.most += Decimal(told.most_usd)
    if told.why:
        done.why[f"{_WORDS[told.outcome]}: {told.why}"] += 1


async def _until(hours: Hours, stop: asyncio.Event) -> None:
    said = False
    while not stop.is_set() and (seconds := hours.wait_seconds()) > 0:
        if not said:
            say(f"Waiting for {hours.words}: {seconds / 3600:.1f} hours")
            said = True
        # A clock that is set, or a machine that slept: looked at again and again.
        await _wait(stop, min(seconds, 30.0))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


async def _most(warmer: Warmer, feature: str, since: str, count: int) -> list[Item]:
    found = await warmer.asked(feature, since, count)
    if not found:
        say(
            f"no request of {feature} came more than once since then, letter for letter, or their prompts are not kept"
        )
    return [{"request": name} for name, _ in found]


@asynccontextmanager
async def _warmer(
    config: Path | None, feature: str, key: str | None, url: str | None
) -> AsyncIterator[Warmer]:
    if url is not None:
        from headgate.cli.cache_remote import RemoteWarmer

        if key is not None:
            fail(
                "--key names a key of this installation; with --url the key in HEADGATE_KEY asks, and pays",
                code=2,
            )
        yield RemoteWarmer(url)
        return
    from headgate.cli.cache_here import warmer_here

    async with warmer_here(_warmable(read_configuration(config), feature), feature, key) as here:
        yield here


def _warmable(configuration: Configuration, feature: str) -> Configuration:
    from headgate.control.http.cache import feature_settings
    from headgate.core.near import did_you_mean

    settings = configuration.settings
    features = feature_settings(settings)
    if feature not in features:
        fail(f"--feature {feature}: there is no such feature{did_you_mean(feature, features)}", code=2)
    cache = features[feature]
    if cache is None or not cache.exact:
        fail(f"feature `{feature}` has no cache, or it is off", code=2)
    if settings.cache.engine == "memory":
        fail(
            'answers are kept in each gateway\'s own memory (`[cache]` has `engine = "memory"`): have a running one ask: --url',
            code=2,
        )
    return configuration


def questions_in(file: Path) -> list[Item]:
    """What stands in a file, by its ending. Raises ValueError with the line."""
    text = file.read_text(encoding="utf-8-sig")
    ending = file.suffix.lower()
    if ending == ".txt":
        found: list[Item] = [{"question": line.strip()} for line in text.splitlines() if line.strip()]
    elif ending == ".csv":
        found = _in_csv(text, file.name)
    elif ending in (".jsonl", ".ndjson"):
        found = [
            _in_json(line, f"{file.name}, line {number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        ]
    else:
        raise ValueError(f"--from {file.name}: a file that ends in .txt, .csv or .jsonl is read")
    if not found:
        raise ValueError(f"--from {file.name}: nothing stands in it")
    return found


def _in_csv(text: str, name: str) -> list[Item]:
    rows = csv.DictReader(text.splitlines())
    if "question" not in (rows.fieldnames or ()):
        raise ValueError(f"--from {name}: its first line has to name a column `question`")
    found = []
    for row in rows:
        question, user = (row.get("question") or "").strip(), (row.get("user") or "").strip()
        if question:
            found.append({"question": question} | ({"user": user} if user else {}))
    return found


def _in_json(line: str, where: str) -> Item:
    import msgspec

    from headgate.control.http.cache import WarmItem

    try:
        read = json.loads(line)
    except ValueError as wrong:
        raise ValueError(f"--from {where}: no JSON: {wrong}") from None
    if isinstance(read, str):
        return {"question": read}
    if isinstance(read, dict) and "messages" in read:
        read = {"body": read}
    try:
        found = msgspec.convert(read, WarmItem)
    except msgspec.ValidationError as wrong:
        raise ValueError(f"--from {where}: {wrong}") from None
    if (bool(found.question) + bool(found.request) + (found.body is not None)) != 1:
        raise ValueError(f"--from {where}: say one of question, request and body")
    item: Item = msgspec.to_builtins(read)
    return item


def _usd(text: str) -> Decimal:
    try:
        amount = Decimal(text)
        if not (amount.is_finite() and 0 < amount < 1_000_000):
            raise InvalidOperation
    except InvalidOperation:
        fail(f"--max-usd {text}: write an amount of USD, such as 2 or 0.50", code=2)
    return amount


def _tell(done: Campaign, feature: str, *, estimate_only: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "feature": feature,
                "wanted": done.wanted,
                "outcomes": dict(done.outcomes),
                "why": dict(done.why),
                "spent_usd": f"{done.spent:f}",
                "most_usd": f"{done.most:f}" if estimate_only else None,
                "capped": done.capped,
                "interrupted": done.stopped,
            }
        )
        return
    for name, words in _WORDS.items():
        if count := done.outcomes[name]:
            click.echo(f"{count:>7,}  {words}")
    if left := done.wanted - done.outcomes.total():
        click.echo(f"{left:>7,}  left out")
    for words, count in done.why.most_common(5):
        say(f"  {words}{f' ({count:,} times)' if count > 1 else ''}")
    if estimate_only:
        click.echo(f"        {done.most:.6f} USD at most")
    else:
        click.echo(f"        {done.spent:.6f} USD spent")


def _bar(total: int, *, quiet: bool) -> Any:
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def bar() -> Any:
        console = Console(stderr=True)
        columns = (
            TextColumn("warming"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[spent]}"),
        )
        off = quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=off) as shown:
            task = shown.add_task("warming", total=total, spent="")
            yield lambda spent: shown.update(task, advance=1, spent=f"{spent:.4f} USD" if spent else "")

    return bar()
