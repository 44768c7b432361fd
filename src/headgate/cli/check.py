"""`headgate check`."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, refuse, say

if TYPE_CHECKING:
    from headgate.compose.providers import ProbeResult, Provider
    from headgate.compose.secrets import KnownSecrets
    from headgate.config.explain import ListPrice, Story
    from headgate.config.loader import Configuration
    from headgate.config.model import Settings

__all__ = ["command"]


@click.command()
@config_option
@click.option(
    "--try",
    "try_them",
    is_flag=True,
    help="Also call each provider, cheaply: is it there, does it take our key?",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(config: Path | None, *, try_them: bool, as_json: bool) -> None:
    """Check the configuration and tell in plain words what it does.

    Without --try nothing is called. All problems are told at once, each with its line. Ends with 0 if the
    configuration can be used (and, with --try, every provider answered), 1 if a provider did not, 2 if it cannot be used.

    \b
    Examples:
      headgate check
      headgate check --config /etc/headgate.toml --try
      headgate check --json | jq .problems
    """
    from headgate.config.loader import choose
    from headgate.config.problems import ConfigurationRefused

    try:
        configuration = choose(config)
    except ConfigurationRefused as refused:
        if as_json:
            print_json(
                {"ok": False, "file": refused.file, "problems": [_problem(each) for each in refused.problems]}
            )
            raise SystemExit(2) from None
        refuse(refused)
    from headgate.config.explain import explain, limits, policies
    from headgate.config.secrets import key_sources

    providers = _build(configuration.settings)
    keys = key_sources(configuration.settings, configuration.sources)
    stories = explain(configuration, _list_prices(configuration.settings, providers))
    probes = asyncio.run(_try_all(providers)) if try_them else []
    sound = all(probe.ok for probe in probes)
    if as_json:
        print_json(_as_json(configuration, stories, probes, keys, ok=sound))
    else:
        _tell(configuration, stories, probes, policies(configuration), limits(configuration), keys)
    raise SystemExit(0 if sound else 1)


def _list_prices(settings: Settings, providers: Mapping[str, Provider]) -> ListPrice:
    """Prices from the list that comes with the package, in words."""
    from headgate.compose.prices import own_rates_of
    from headgate.config.model import kind_of
    from headgate.core.money import usd
    from headgate.providers.catalog.book import PriceBook

    book = PriceBook()
    source = f"list price of genai-prices {importlib.metadata.version('genai-prices')}"

    def price(provider: str, model: str) -> str:
        wanted = settings.providers[provider]
        pretended = own_rates_of(providers[provider], model)
        key = wanted.priced_as or ("" if wanted.self_hosted else kind_of(wanted))
        rates = pretended or (book.rates(key, model, time.time_ns()) if key else None)
        if rates is None:
            return ""
        step = rates.steps[0]
        more = ", more for long prompts" if len(rates.steps) > 1 else ""
        whence = "pretended: nobody is paid" if pretended else source + more
        return f"{_amount(usd(step.input))}/{_amount(usd(step.output))} USD per million tokens ({whence})"

    return price


def _amount(value: Any) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _build(settings: Settings) -> dict[str, Provider]:
    """Every provider as the gateway would make it. Ends the command if one cannot be made."""
    from msgspec.structs import replace

    from headgate.compose.manners import ladders
    from headgate.compose.secrets import SecretsRefused

    secrets = _secrets(settings)
    built: dict[str, Provider] = {}
    for name, wanted in settings.providers.items():
        try:
            built |= secrets.providers(replace(settings, providers={name: wanted}))
        except SecretsRefused as wrong:
            fail(str(wrong), code=2)
        except (ValueError, OSError, ImportError) as wrong:
            fail(f"providers.{name}: {wrong}", code=2)
    try:
        ladders(settings)
    except ValueError as wrong:
        fail(f"degrade: {wrong}", code=2)
    return built


def _secrets(settings: Settings) -> KnownSecrets:
    """Those of the database that the configuration names. Ends the command if one cannot be had."""
    import os

    from headgate.compose.secrets import KnownSecrets, SecretsRefused
    from headgate.compose.stores import open_stores

    async def learn() -> KnownSecrets:
        stores = open_stores(settings)
        try:
            secrets = KnownSecrets(stores.secrets, os.environ)
            await secrets.learn(settings)
            return secrets
        finally:
            await stores.aclose()

    try:
        with plain_failures():
            return asyncio.run(learn())
    except SecretsRefused as wrong:
        fail(str(wrong), code=2)


async def _try_all(providers: Mapping[str, Provider]) -> Sequence[ProbeResult]:
    """Every provider at the same time; the slowest decides, ten seconds at most."""
    from headgate.compose.providers import probe

    async def one(name: str, provider: Provider) -> ProbeResult:
        try:
            return await probe(name, provider)
        finally:
            await provider.upstream.aclose()

    return await asyncio.gather(*(one(name, provider) for name, provider in providers.items()))


def _tell(
    configuration: Configuration,
    stories: Sequence[Story],
    probes: Sequence[ProbeResult],
    policies: Sequence[str],
    limits: Sequence[str],
    credentials: Mapping[str, str],
) -> None:
    from headgate.config.explain import alerts, budgets, dashboard, telemetry
    from headgate.config.keeping import keeping
    from headgate.stores.address import shown_database

    settings = configuration.settings
    source = str(configuration.path) if configuration.path else "no file: made from the environment"
    click.echo(f"{click.style('The configuration is sound', fg='green')} ({source}, {configuration.hash}).")
    for note in configuration.notes:
        click.echo(f"Note: {note}.")
    tokens = f", or a token of {' or '.join(settings.tokens)}" if settings.tokens else ""
    keys = "Nobody is asked for a key."
    if settings.server.auth == "keys":
        keys = f"Every request brings a key{tokens}."
    click.echo(f"\nListens on {settings.server.listen}. {keys}")
    click.echo(f"Records go to {shown_database(settings.server.database)}, {_content(settings)}.")
    for sentence in keeping(settings):
        click.echo(f"{sentence}.")
    for sentence in (*dashboard(configuration), *telemetry(configuration)):
        click.echo(f"{sentence}.")
    for kind, title in (("feature", "Features"), ("model", "Models")):
        told = [story for story in stories if story.kind == kind]
        if told:
            click.echo(f"\n{title}")
        for story in told:
            if len(story.sentences) <= 2:
                click.echo(f"  {click.style(story.name, bold=True)}: {'; '.join(story.sentences)}.")
                continue
            click.echo(f"  {click.style(story.name, bold=True)}: {story.sentences[0]};")
            for sentence in story.sentences[1:]:
                click.echo(f"      {sentence}{'.' if sentence is story.sentences[-1] else ';'}")
    if policies:
        click.echo("\nPolicies, the first that applies counts")
    for sentence in policies:
        click.echo(f"  {sentence}.")
    if limits:
        click.echo("\nLimits, all of them count")
    for sentence in limits:
        click.echo(f"  {sentence}.")
    paid = budgets(configuration)
    if paid:
        click.echo("\nBudgets, all of them count")
    for sentence in paid:
        click.echo(f"  {sentence}.")
    told_of = alerts(configuration)
    if told_of:
        click.echo("\nAlerts")
    for sentence in told_of:
        click.echo(f"  {sentence}.")
    click.echo("\nKeys of providers")
    for provider, whence in credentials.items():
        click.echo(f"  {click.style(provider, bold=True)}: {whence}.")
    providers = ", ".join(f"{name}/MODEL" for name in settings.providers)
    click.echo(f"\nCallers may also ask for a provider's model by name: {providers}.")
    if probes:
        click.echo("\nProviders")
    for each in probes:
        mark = click.style("ok", fg="green") if each.ok else click.style("FAILED", fg="red")
        click.echo(
            f"  {each.provider}: {mark}, {each.milliseconds:.0f} ms{'' if each.ok else f': {each.message}'}"
        )
    if not probes:
        say("\n`headgate check --try` also calls each provider.")


def _content(settings: Settings) -> str:
    if not settings.records.content:
        return "figures only: no prompt and no answer is kept"
    unkept = [name for name, feature in settings.features.items() if not feature.content]
    but = f", but those of {', '.join(unkept)}" if unkept else ""
    return f"prompts and answers included{but}"


def _problem(each: Any) -> dict[str, Any]:
    return {"where": each.where, "line": each.line, "message": each.message}


def _as_json(
    configuration: Configuration,
    stories: Sequence[Story],
    probes: Sequence[ProbeResult],
    keys: Mapping[str, str],
    *,
    ok: bool,
) -> dict[str, Any]:
    return {
        "ok": ok,
        "file": str(configuration.path) if configuration.path else None,
        "hash": configuration.hash,
        "notes": list(configuration.notes),
        "problems": [],
        "names": [
            {
                "name": story.name,
                "kind": story.kind,
                "places": [
                    {"provider": p.provider, "model": p.model, "region": p.region, "price": p.price}
                    for p in story.places
                ],
                "text": story.text(),
            }
            for story in stories
        ],
        "keys": dict(keys),
        "providers": [
            {"name": each.provider, "ok": each.ok, "ms": round(each.milliseconds, 1), "message": each.message}
            for each in probes
        ],
    }
