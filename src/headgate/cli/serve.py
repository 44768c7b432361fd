"""`headgate serve`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.output import config_option, fail, plain_failures, refuse

if TYPE_CHECKING:
    from headgate.config.loader import Configuration

__all__ = ["command"]


@click.command()
@config_option
@click.option(
    "--listen", envvar="HEADGATE_LISTEN", metavar="HOST:PORT", help="Instead of the file's `server.listen`."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Instead of the file's `log.level`.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Instead of the file's `log.format`.")
def command(config: Path | None, listen: str | None, log_level: str | None, log_format: str | None) -> None:
    """Start the gateway.

    Reads headgate.toml in this directory, or the file --config names. Without a file it uses the providers whose keys
    are in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, AZURE_OPENAI_API_KEY, AWS_...), and with
    none of them the simulated provider.

    The first key is made at the first start and shown once, unless HEADGATE_BOOTSTRAP_KEY names one. A changed file is
    checked and taken over while running; SIGHUP does it at once. SIGTERM or Ctrl-C stops: requests under way end first.

    \b
    Examples:
      headgate serve
      headgate serve --config /etc/headgate.toml --listen 0.0.0.0:8080
      OPENAI_API_KEY=sk-... headgate serve
    """
    from headgate.config.loader import choose, listening_on
    from headgate.config.problems import ConfigurationRefused

    def read() -> Configuration:
        configuration = choose(config)
        return listening_on(configuration, listen) if listen else configuration

    try:
        configuration = read()
    except ConfigurationRefused as refused:
        refuse(refused)
    from headgate.cli.gateway_process import serve
    from headgate.cli.listening import bind, event_loop
    from headgate.cli.logs import set_up_logging

    log = configuration.settings.log
    set_up_logging(log_level or log.level, log_format or log.format)
    key = os.environ.get("HEADGATE_BOOTSTRAP_KEY") or None
    if key is not None and len(key) < 16:
        fail(
            "HEADGATE_BOOTSTRAP_KEY is too short for a key: 16 characters at least, better 40 at random",
            code=2,
        )
    with plain_failures():
        bound = bind(configuration.settings.server.listen)
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(serve(configuration, bound, bootstrap_key=key, read=read))
