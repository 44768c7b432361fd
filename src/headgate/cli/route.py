"""`headgate route`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.model import Settings
    from headgate.exchange.exchange import Exchange
    from headgate.providers.port import Endpoint
    from headgate.routing.decision import Decision
    from headgate.routing.directory import Directory
    from headgate.routing.strategies import PriceOf
    from headgate.routing.volume import DayVolume

__all__ = ["command"]

_FILLER = "water "
_PIXEL = "data:image/png;base64,iVBORw0KGgo="


class _ExplainsByDefault(click.Group):
    """`headgate route "text"` explains; any other first word that is a command here is that command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["explain", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ExplainsByDefault)
def command() -> None:
    """Explain where a request would go, without calling anybody; teach the learned router.

    \b
    Examples:
      headgate route "Where is my parcel?" --feature support-chat
      headgate route "Prove it, step by step." --feature support-chat --tools 3 --json
      headgate route "Hello" --model small --header x-headgate-data=sensitive
      headgate route learn scores.jsonl
    """


@command.command("explain")
@click.argument("text")
@config_option
@click.option("--feature", help="The feature that is asked for.")
@click.option("--model", help="The model that is asked for; beside --feature, the feature's rules hold.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="A header of the request.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag (x-headgate-tags).")
@click.option("--user", default="", help="The end user.")
@click.option("--session", default="", help="The session.")
@click.option("--team", default="", help="The team of the key.")
@click.option("--tools", type=click.IntRange(min=0), default=0, help="So many tools are offered.")
@click.option("--image", is_flag=True, help="A picture comes with the text.")
@click.option(
    "--tokens", type=click.IntRange(min=0), default=0, help="The whole prompt has about so many tokens."
)
@click.option("--max-tokens", type=click.IntRange(min=1), help="The answer may have so many tokens.")
@click.option(
    "--calls", type=click.IntRange(min=0), default=0, help="The feature has had so many calls today."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def explain(config: Path | None, *, as_json: bool, calls: int, **asked: Any) -> None:
    """Say where a request would go, and why, as the gateway would decide it when all endpoints are well.

    Ends with 0 if it would go somewhere, 1 if it would be refused, 2 if the arguments or the configuration are wrong.

    \b
    Examples:
      headgate route explain "Where is my parcel?" --feature support-chat
      headgate route explain "What is this?" --model small --image --json
    """
    from headgate.core.errors import GatewayError
    from headgate.routing.stage import Router
    from headgate.routing.volume import DayVolume

    settings = read_configuration(config).settings
    volume = DayVolume()
    directory, price_of = _directory(settings, volume)
    exchange = _exchange(asked)
    router = Router(directory, volume=volume)
    try:
        route = directory.resolve(exchange.peek.model)
        named = route if route.feature else directory.feature(exchange.feature)
        name = named.feature if named is not None else exchange.peek.model
        _pretend(volume, directory, exchange, name, calls)
        decision = asyncio.run(router.decide(exchange, route))
    except GatewayError as refused:
        if as_json:
            print_json({"ok": False, "error": refused.code, "message": refused.message})
            raise SystemExit(1) from None
        fail(f"{refused.message} ({refused.code})")
    if as_json:
        print_json(_as_json(decision, price_of, exchange))
    else:
        _tell(decision, price_of, exchange)


@command.command("learn")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@click.option("--feature", help="Take only rows of the models that this feature's route names.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Instead of `routing.learned`.")
def learn(file: Path, config: Path | None, feature: str | None, out: Path | None) -> None:
    """Teach the learned router from scored answers: lines of {"prompt": ..., "model": ..., "score": 0..1}.

    Models are named as in the configuration. The result goes to the file of `routing.learned`; features whose route
    says `grader = "learned"` use it from the next start on. Needs the extra `[embed]` and its model file.

    \b
    Examples:
      headgate route learn scores.jsonl
      headgate route learn scores.jsonl --feature support-chat --out router.bin
    """
    settings = read_configuration(config).settings
    target = out or (Path(settings.routing.learned) if settings.routing.learned else None)
    if target is None:
        fail("where to? set `learned` in [routing], or say --out FILE", code=2)
    wanted = _models_of(settings, feature) if feature else None
    try:
        rows = file.read_bytes()
    except OSError as wrong:
        fail(f"{file}: {wrong.strerror or wrong}", code=2)
    data, count, models = _learned(rows, wanted)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.new")
    beside.write_bytes(data)
    beside.replace(target)
    say(f"Learned from {count:,} scores of {', '.join(models)}; {len(data):,} bytes are in {target}.")


def _learned(data: bytes, wanted: Sequence[str] | None) -> tuple[bytes, int, list[str]]:
    import os

    from headgate.providers.embedding.door import open_embedder
    from headgate.providers.embedding.place import INSTALL_COMMAND, embedder_file
    from headgate.providers.embedding.port import EmbedderMissing

    try:
        from headgate.routing.learned.training import BadTrainingRow, learn_from, parse_rows
    except ModuleNotFoundError as missing:
        fail(f"learning needs {missing.name}: {INSTALL_COMMAND}")
    try:
        rows = [row for row in parse_rows(data) if wanted is None or row.model in wanted]
        made = learn_from(rows, open_embedder(embedder_file(os.environ)))
    except BadTrainingRow as wrong:
        fail(str(wrong), code=2)
    except EmbedderMissing as wrong:
        fail(str(wrong))
    return made, len(rows), list(dict.fromkeys(row.model for row in rows))


def _models_of(settings: Settings, feature: str) -> list[str]:
    from headgate.routing.building import models_asked

    found = settings.features.get(feature)
    if found is None:
        fail(f"no feature `{feature}`; there are {', '.join(settings.features) or 'none'}", code=2)
    return models_asked(found)


def _directory(settings: Settings, volume: DayVolume) -> tuple[Directory, PriceOf]:
    import os

    from headgate.compose.places import directory_of, endpoints_of
    from headgate.compose.prices import blended_prices, expected_usd
    from headgate.compose.providers import build_provider
    from headgate.providers.catalog.book import PriceBook
    from headgate.routing.learning import Learning

    providers = {}
    for name, wanted in settings.providers.items():
        try:
            providers[name] = build_provider(wanted)
        except (ValueError, OSError, ImportError) as wrong:
            fail(f"providers.{name}: {wrong}", code=2)
    book = PriceBook()
    price_of = blended_prices(book)

    def place(provider: str, model: str, written: Any, of: Any) -> tuple[Endpoint, ...]:
        price = of.price if of is not None else None
        found = endpoints_of(provider, providers[provider], model, written=written, price=price)
        if found[0].own_price is None:
            book.rates(found[0].price_key, model, time.time_ns())
        return found

    def usd_of(model: str, tokens: int) -> float:
        return expected_usd(directory, price_of, model, tokens)

    learning = Learning(settings.routing.learned, os.environ, usd_of=usd_of)
    directory = directory_of(
        settings, providers, place=place, price_of=price_of, volume=volume, grader_of=learning.grader_of
    )
    return directory, price_of


def _exchange(asked: dict[str, Any]) -> Exchange:
    """The request as it would come to the route stage."""
    from headgate.core.ids import IdSource
    from headgate.edge.dialects.openai_chat import OpenAIChat
    from headgate.exchange.caller import Caller
    from headgate.exchange.exchange import Exchange
    from headgate.exchange.labels import tags_of

    name = asked["model"] or asked["feature"]
    if not name:
        fail("say which --feature or which --model is asked for", code=2)
    dialect = OpenAIChat()
    body = _body(name, asked)
    exchange = Exchange(
        id=IdSource().next(),
        dialect=dialect,
        body=body,
        headers=[(key.lower().encode(), value.encode()) for key, value in map(_pair, asked["headers"])],
        received_at=time.monotonic(),
        started_ns=time.time_ns(),
    )
    exchange.peek = dialect.peek(body)
    exchange.feature = asked["feature"] or exchange.header(b"x-headgate-feature")
    exchange.user, exchange.session = (
        asked["user"],
        asked["session"] or exchange.header(b"x-headgate-session"),
    )
    exchange.tags = tags_of(exchange.headers, dict(map(_pair, asked["tags"])))
    exchange.caller = Caller("", team=asked["team"])
    return exchange


def _body(name: str, asked: dict[str, Any]) -> bytes:
    from headgate.core.tokens import estimate_tokens

    text = asked["text"]
    said: Any = text
    if asked["image"]:
        said = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": _PIXEL}}]
    messages = [{"role": "user", "content": said}]
    missing = asked["tokens"] - estimate_tokens(text.encode())
    if missing > 0:
        # Said by the model, so that it is no turn of the user's and not what is judged.
        times = round(100 * missing / estimate_tokens(_FILLER.encode() * 100))
        messages.insert(0, {"role": "assistant", "content": _FILLER * max(times, 1)})
    request: dict[str, Any] = {"model": name, "messages": messages}
    if asked["max_tokens"]:
        request["max_tokens"] = asked["max_tokens"]
    if asked["tools"]:
        request["tools"] = [
            {"type": "function", "function": {"name": f"tool_{number}", "parameters": {"type": "object"}}}
            for number in range(asked["tools"])
        ]
    return json.dumps(request).encode()


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        fail(f"`{text}` is not NAME=VALUE", code=2)
    return name, value


def _pretend(volume: DayVolume, directory: Directory, exchange: Exchange, name: str, calls: int) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    for zone in directory.zones:
        day = datetime.fromtimestamp(exchange.started_ns / 1e9, ZoneInfo(zone)).toordinal()
        volume.restore(zone, day, {name: calls})


def _tell(decision: Decision, price_of: PriceOf, exchange: Exchange) -> None:
    from headgate.routing.difficulty.signals import signals
    from headgate.routing.standing import standing

    asked = f"feature {decision.feature}" if decision.feature else f"model {decision.asked}"
    click.echo(f"{asked} -> {click.style(decision.model, bold=True)}")
    if decision.tier is not None:
        click.echo(f"\nDifficulty: {click.style(decision.tier, bold=True)} ({decision.tier_by})")
    by_signals = decision.question is not None and decision.grade is not None and not decision.grade.quality
    for seen in signals(decision.question) if decision.question is not None and by_signals else ():
        click.echo(
            f"  {seen.name:<13}{seen.strength:5.2f} x {seen.weight:5.2f} = {seen.part:5.2f}  {seen.words}"
        )
    if decision.policy:
        click.echo(f"\nPolicy: {decision.policy}")
    if decision.sensitive is not None:
        click.echo(f"\nData: {'sensitive' if decision.sensitive else 'not sensitive'}")
    click.echo("\nAsked in this order")
    for number, each in enumerate(decision.candidates, 1):
        place = f"{each.name}{f' in {each.region}' if each.region else ''}"
        price = price_of(each)
        cost = "price unknown" if price is None else f"{price:.3g} USD"
        click.echo(f"  {number}. {place:<34} {cost:<14} {standing(each, decision, exchange.received_at)}")
    if decision.dropped:
        click.echo("\nNot asked")
    for text in dict.fromkeys(dropped.text() for dropped in decision.dropped):
        click.echo(f"  {text}")
    for name, reserve in decision.reserves.items():
        click.echo(
            f"\nIf all fail, {name}: {', '.join(each.name for each in reserve) or 'nothing that is allowed'}"
        )
    say("\nUSD per million tokens, three parts prompt to one part answer. Nobody was called.")


def _as_json(decision: Decision, price_of: PriceOf, exchange: Exchange) -> dict[str, Any]:
    from headgate.routing.difficulty.signals import score, signals
    from headgate.routing.standing import standing

    question, grade = decision.question, decision.grade
    return {
        "ok": True,
        "asked": decision.asked,
        "feature": decision.feature,
        "model": decision.model,
        "tier": decision.tier,
        "tier_by": decision.tier_by,
        "score": round(score(question), 4) if question else None,
        "confidence": grade.confidence if grade else None,
        "tokens": question.tokens if question else None,
        "signals": [
            {"name": s.name, "strength": round(s.strength, 4), "weight": s.weight, "words": s.words}
            for s in (signals(question) if question else ())
        ],
        "policy": decision.policy,
        "sensitive": decision.sensitive,
        "candidates": [
            {
                "provider": each.provider,
                "model": each.model,
                "region": each.region,
                "self_hosted": each.self_hosted,
                "key": each.credential,
                "usd_per_mtok": price_of(each),
                "why": standing(each, decision, exchange.received_at),
            }
            for each in decision.candidates
        ],
        "dropped": [
            {
                "provider": each.endpoint.provider,
                "model": each.endpoint.model,
                "kind": each.kind,
                "why": each.why,
            }
            for each in decision.dropped
        ],
        "reserves": {name: [each.name for each in found] for name, found in decision.reserves.items()},
    }
