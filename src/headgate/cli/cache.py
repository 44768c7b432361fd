"""`headgate cache`: what is answered from memory and what that saves; looked through, cleared, told wrong, filled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.cache_warm import warm
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.stores.answers import AnswerStore, Popular, Removal, Selection

__all__ = ["command"]

T = TypeVar("T")
_NS = 1_000_000_000

_feature_option = click.option("--feature", "-f", default="", metavar="NAME", help="Only this feature's.")
_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def command() -> None:
    """What is answered from memory: how often, what that saves, how often it is wrong; clear it, fill it.

    Which answers are given again each feature says in the configuration: `cache = { exact = "1h", scope = "feature" }`. What is
    removed here is gone from all running gateways within a second.

    \b
    Examples:
      headgate cache stats --since 7d
      headgate cache top --feature support-chat
      headgate cache show req_0akrzmj8b5g00
      headgate cache clear --feature support-chat --prompt greeting@7 --dry-run
      headgate cache wrong req_0akrzmj8b5g00
      headgate cache warm --feature support-chat --most-asked 100 --since 7d --max-usd 1.00

    Exit codes: 0 it worked; 1 it did not; 2 the arguments or the configuration are wrong.
    """


command.add_command(warm)


@command.command()
@config_option
@click.option(
    "--since", default="7d", show_default=True, metavar="WHEN", help="24h, 7d, or a date: 2027-01-31."
)
@_feature_option
@_json_option
def stats(config: Path | None, since: str, feature: str, *, as_json: bool) -> None:
    """Tell by feature how often memory answered, what that saved, and how often it was wrong.

    \b
    Examples:
      headgate cache stats
      headgate cache stats --since 30d --feature support-chat
      headgate cache stats --json | jq '.features[] | {feature, rate: .hits.hit_rate}'
    """
    import msgspec

    from headgate.cli.cache_text import report_lines
    from headgate.control.cache.report import report
    from headgate.control.http.cache.memory import feature_settings
    from headgate.control.http.cache.report import report_told

    configuration = read_configuration(config)
    features = feature_settings(configuration.settings)
    _known(feature, features)
    begin = _moment(since, "--since") // _NS

    async def work(stores: Stores, answers: AnswerStore | None) -> tuple[Any, Any]:
        found = await report(stores.rollups, answers, features, begin, int(time.time()) + 1, only=feature)
        return found, (await answers.sizes() if answers is not None else None)

    found, sizes = _with_answers(configuration, work, needed=False)
    if as_json:
        told = msgspec.to_builtins(report_told(found))
        print_json({**told, "kept": msgspec.to_builtins(sizes) if sizes is not None else None})
        return
    report_lines(found, sizes)
    if not any(each is not None and each.exact for each in features.values()):
        say('no feature has a cache now; give one `cache = { exact = "1h" }` in the configuration')


@command.command()
@config_option
@_feature_option
@click.option(
    "--prompt", default="", metavar="NAME", help="Of this prompt: greeting@7, or all versions: greeting."
)
@click.option("--tag", default="", metavar="TAG", help="With this tag: name=value, or a name.")
@click.option("--user", default="", metavar="ID", help="Made for this user, or theirs.")
@click.option("--text", default="", metavar="TEXT", help="Stands in the question or in the answer.")
@click.option("--newest", is_flag=True, help="The newest first, not those given most often.")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@_json_option
def top(
    config: Path | None,
    feature: str,
    prompt: str,
    tag: str,
    user: str,
    text: str,
    limit: int,
    *,
    newest: bool,
    as_json: bool,
) -> None:
    """List what is kept, what was given most often first.

    \b
    Examples:
      headgate cache top
      headgate cache top --feature support-chat --newest -n 50
      headgate cache top --text "opening hours" --json
    """
    import msgspec

    from headgate.cli.cache_text import entry_lines
    from headgate.control.http.cache.entries import entry_told
    from headgate.control.http.cache.memory import feature_settings
    from headgate.stores.answers import Selection

    configuration = read_configuration(config)
    _known(feature, feature_settings(configuration.settings))
    which = Selection(
        feature=feature or None, prompt=prompt or None, tag=tag or None, user=user or None, text=text or None
    )
    found = _with_answers(
        configuration,
        lambda _, answers: _there(answers).browse(which, order="newest" if newest else "hits", limit=limit),
    )
    told = [entry_told(each, time.time_ns(), content=True) for each in found]
    if as_json:
        print_json(msgspec.to_builtins(told))
    elif told:
        entry_lines(told)
    else:
        say("no answer is kept that fits")


@command.command()
@click.argument("what", metavar="KEY|REQUEST")
@config_option
@_json_option
def show(what: str, config: Path | None, *, as_json: bool) -> None:
    """Show one entry whole: question, answer, what it saves, and questions near it.

    KEY is what `headgate cache top` lists; REQUEST one that was answered from memory, or whose answer is kept.

    \b
    Examples:
      headgate cache show 3f8e0f6c9a1b4d5e8f7a6b5c4d3e2f1a
      headgate cache show req_0akrzmj8b5g00 --json
    """
    import msgspec

    from headgate.cli.cache_text import whole
    from headgate.control.cache.entries import answer_text, given_to
    from headgate.control.http.cache.entries import entry_told, judgement_told
    from headgate.core.ids import request_id_text

    async def work(stores: Stores, answers: AnswerStore | None) -> dict[str, Any]:
        kept = _there(answers)
        found = await _entry(stores, kept, what)
        judgements = (await kept.judgements([found.entry.key])).get(found.entry.key, ())
        given = await given_to(stores.spans, found.entry, content=True)
        return {
            "entry": msgspec.to_builtins(entry_told(found, time.time_ns(), content=True)),
            "answer": answer_text(found.entry),
            "given": [
                {
                    "request": request_id_text(each.row.id),
                    "score": each.row.similarity / 1e6,
                    "question": each.question,
                }
                for each in given
            ],
            "judgements": [
                msgspec.to_builtins(judgement_told(each, content=True)) for each in reversed(judgements)
            ],
        }

    told = _with_answers(read_configuration(config), work)
    if as_json:
        print_json(told)
    else:
        whole(told)


@command.command()
@config_option
@_feature_option
@click.option(
    "--prompt", default="", metavar="NAME", help="Of this prompt: greeting@7, or all versions: greeting."
)
@click.option("--tag", default="", metavar="TAG", help="With this tag: name=value, or a name.")
@click.option("--text", default="", metavar="TEXT", help="Stands in the question or in the answer.")
@click.option("--user", default="", metavar="ID", help="Made for this user, or theirs.")
@click.option("--before", default="", metavar="WHEN", help="Made before: 24h ago, or a date.")
@click.option("--everything", is_flag=True, help="All of it; has to be said if nothing else is.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_json_option
def clear(
    config: Path | None,
    feature: str,
    prompt: str,
    tag: str,
    text: str,
    user: str,
    before: str,
    *,
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove answers, so that they are fetched anew. All that is said has to be true of them.

    \b
    Examples:
      headgate cache clear --feature support-chat --dry-run
      headgate cache clear --prompt greeting@7 --yes
      headgate cache clear --text "old price" --before 1h
      headgate cache clear --everything
    """
    from headgate.cli.cache_text import entry_lines
    from headgate.control.cache.clearing import clear as remove
    from headgate.control.http.cache.entries import entry_told
    from headgate.control.http.cache.memory import feature_settings
    from headgate.stores.answers import Popular, Selection

    configuration = read_configuration(config)
    # Answers of a feature that is no more may still be there.
    if feature and feature not in feature_settings(configuration.settings):
        say(f"note: there is no feature `{feature}` in the configuration")
    which = Selection(
        feature=feature or None,
        prompt=prompt or None,
        tag=tag or None,
        text=text or None,
        user=user or None,
        before_ns=_moment(before, "--before") if before else None,
    )
    if (which == Selection()) != everything:
        fail("say which: --feature, --prompt, --tag, --text, --user, --before, or --everything alone", code=2)

    async def work(stores: Stores, answers: AnswerStore | None, *, dry: bool) -> Removal:
        return await remove(_there(answers), stores.audit, which, dry_run=dry, actor=actor())

    found = _with_answers(
        configuration, lambda stores, answers: work(stores, answers, dry=not yes or dry_run)
    )
    if not dry_run and not yes and found.entries:
        click.confirm(f"Remove {_answers(found.entries)}?", abort=True, err=True)
        found = _with_answers(configuration, lambda stores, answers: work(stores, answers, dry=False))
    if as_json:
        print_json({"dry_run": dry_run, "entries": found.entries, "bytes": found.bytes})
        return
    if dry_run and found.some:
        entry_lines([entry_told(Popular(each, 0, 0), time.time_ns(), content=True) for each in found.some])
    say(f"{_answers(found.entries)} {'would go' if dry_run else 'removed'}")


@command.command()
@click.argument("what", metavar="KEY|REQUEST")
@config_option
@click.option(
    "--request", default="", metavar="REQUEST", help="With a KEY: the request that the answer was wrong for."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_json_option
def wrong(what: str, config: Path | None, request: str, *, yes: bool, as_json: bool) -> None:
    """Say that an answer was wrong: it is removed, and how similar is similar enough is learned from it.

    REQUEST: one that was answered from memory, or whose answer is kept. If it was asked in other words, its feature learns that they
    were not similar enough; if the words were the same, the answer itself was wrong, and only goes.

    \b
    Examples:
      headgate cache wrong req_0akrzmj8b5g00
      headgate cache wrong 3f8e0f6c9a1b4d5e8f7a6b5c4d3e2f1a --request req_0akrzmj8b5g00 --yes
    """
    from headgate.control.cache.entries import NoSuchEntry
    from headgate.control.cache.judging import tell_wrong

    configuration = read_configuration(config)
    if not yes:
        click.confirm(f"Remove the answer that {what} is about?", abort=True, err=True)

    async def work(stores: Stores, answers: AnswerStore | None) -> Any:
        return await tell_wrong(
            _there(answers), stores.spans, stores.audit, what, request=request, actor=actor()
        )

    try:
        done = _with_answers(configuration, work)
    except NoSuchEntry as missing:
        fail(str(missing))
    except ValueError as mistaken:
        fail(str(mistaken), code=2)
    learned = done.judgement is not None
    if as_json:
        print_json({"removed": [each.key.hex() for each in done.removed], "learned": learned})
        return
    say(f"{_answers(len(done.removed))} removed")
    if learned:
        say(f"learned: {done.judgement.score:.1%} sure was not sure enough")


async def _entry(stores: Stores, answers: AnswerStore, what: str) -> Popular:
    from headgate.control.cache.entries import NoSuchEntry, entry_of, key_of
    from headgate.core.ids import parse_request_id
    from headgate.stores.answers import Selection
    from headgate.stores.spans import GIVEN

    try:
        if not what.startswith("req_"):
            return await entry_of(answers, key_of(what))
        row = await stores.spans.request(parse_request_id(what))
    except NoSuchEntry as missing:
        fail(str(missing))
    except ValueError as mistaken:
        fail(str(mistaken), code=2)
    if row is None:
        fail(f"no request {what} is stored")
    origin = row.origin_id if row.cache in GIVEN else row.id
    which: Selection = Selection(origins=(origin,))
    found = await answers.browse(which, order="newest", limit=1)
    if not found:
        fail(f"no answer is kept that {what} is about: it was removed, or its time is over")
    return found[0]


def _there(answers: AnswerStore | None) -> AnswerStore:
    assert answers is not None, "only where it is not needed it may be missing"
    return answers


def _with_answers(
    configuration: Configuration,
    work: Callable[[Stores, AnswerStore | None], Awaitable[T]],
    *,
    needed: bool = True,
) -> T:
    """needed: ends the command with code 1 where no other process can look into memory."""
    from headgate.compose.stores import answers_of, open_stores

    settings = configuration.settings
    own = settings.cache.engine == "memory"
    if own and needed:
        fail(
            'answers are kept in each gateway\'s own memory (`[cache]` has `engine = "memory"`): ask the gateway, on its page '
            "/cache or under /api/cache"
        )

    async def run() -> T:
        stores = open_stores(settings)
        answers = None if own else answers_of(settings, stores)
        try:
            if answers is not None:
                await answers.start()
            return await work(stores, answers)
        finally:
            if answers is not None:
                await answers.aclose()
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())


def _known(feature: str, features: Any) -> None:
    from headgate.core.near import did_you_mean

    if feature and feature not in features:
        fail(f"--feature {feature}: there is no such feature{did_you_mean(feature, features)}", code=2)


def _moment(text: str, option: str) -> int:
    from headgate.control.http.moments import ago_ns
    from headgate.control.http.problems import Problem

    try:
        return ago_ns(text, option)
    except Problem as wrong:
        fail(wrong.detail, code=2)


def _answers(count: int) -> str:
    return f"{count:,} {'answer' if count == 1 else 'answers'}"
