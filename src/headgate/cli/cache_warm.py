"""`headgate cache warm`: ask what will be asked anyway, before anybody waits for it: in cheap hours, and within a cap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.cache_campaign import OUTCOMES, Campaign, Warmer, run_campaign
from headgate.cli.cache_questions import Item, questions_in, under_a_prompt
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration

__all__ = ["warm"]


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
    "--system",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="With --from: the system prompt that your application sends before each question, letter for letter; a line break at the end does not count.",
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
    "--at-once",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    metavar="N",
    help="At most so many under way at a time.",
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
    system: Path | None,
    max_usd: str,
    between: str,
    tz: str,
    rate: str,
    at_once: int,
    key: str | None,
    url: str | None,
    *,
    estimate_only: bool,
    as_json: bool,
) -> None:
    """Fill memory with answers that will be asked for.

    Each is a request of its own that takes the whole journey: routed, limited, recorded (purpose `warm`) and paid for. What is there and
    fresh is not asked again, so it can be repeated every night. An answer is only given to who asks the same: an
    application that sends a system prompt is helped by questions with that prompt (--system), or put into a request of its own (--like, or
    `body` in a .jsonl). Ctrl-C lets those under way end.

    Beside a running gateway use --url: it has what is stored at hand at once.

    \b
    Examples:
      headgate cache warm --feature support-chat --most-asked 200 --since 7d --max-usd 1.00
      headgate cache warm --feature support-chat --from faq.txt --system prompt.txt --max-usd 0.50
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
    if system is not None and (file is None or like):
        fail("--system is for questions of a file alone: requests have what stands before them", code=2)
    cap = _usd(max_usd)
    try:
        pause = seconds_between(rate)
        hours = hours_of(between, tz) if between else None
        items = questions_in(file) if file is not None else None
        if items is not None and system is not None:
            items = under_a_prompt(items, system)
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
                at_once=at_once,
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
    from headgate.control.http.cache.memory import feature_settings
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
    for name, words in OUTCOMES.items():
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
