"""What `headgate replay` changes, and which requests it takes: options, and what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.output import fail

if TYPE_CHECKING:
    from headgate.quality.replay.changing import Changes

__all__ = ["change_options", "changes_of", "filter_options"]

F = TypeVar("F", bound=Callable[..., Any])

_FILTERS = {
    "since": ("WHEN", "Requests from then on: 24h, 7d, or a date like 2027-01-31."),
    "until": ("WHEN", "Before then."),
    "feature": ("NAME", "Of this feature."),
    "user": ("ID", "Of this user."),
    "session": ("ID", "Of this session."),
    "team": ("NAME", "Of this team."),
    "asked-model": ("NAME", "That asked for this model, were sent to it, or were answered by it."),
    "outcome": ("HOW", "That ended so: ok, refused, failed."),
    "error": ("CODE", "With this error code."),
    "prompt": ("NAME@N", "With this prompt."),
    "slower": ("TIME", "That took at least so long: 2s."),
    "costlier": ("USD", "That cost at least so much."),
    "score": ("BOUND", "Judged so: helpful<=0.5, stars>=4."),
    "text": ("TEXT", "With this text in the prompt or the answer."),
}


def change_options(command: F) -> F:
    """What shall be different: for `changes_of`."""
    options = (
        click.option("--model", "-m", default="", metavar="NAME", help="Another feature or model."),
        click.option("--system", metavar="TEXT", help='Another system prompt; "": none.'),
        click.option(
            "--system-file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Another system prompt, from a file.",
        ),
        click.option(
            "--as-prompt",
            default="",
            metavar="NAME@N",
            help="Name and version of that prompt, for the record.",
        ),
        click.option("--temperature", type=click.FloatRange(0, 10)),
        click.option(
            "--max-tokens", type=click.IntRange(1, 2**31 - 1), help="The most tokens of the answer."
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="NAME=VALUE",
            help="Any field of the body; JSON, else text; dots lead inwards: reasoning.effort=low.",
        ),
        click.option(
            "--unset", "unset", multiple=True, metavar="NAME", help="Leave a field of the body out."
        ),
        click.option(
            "--stream/--whole",
            "as_stream",
            default=None,
            help="Answered as a stream, or whole. Left out: as it was.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def filter_options(command: F) -> F:
    """Which requests: all that is said must be true of one."""
    command = click.option("--failed", is_flag=True, default=None, help="That did not end well.")(command)
    command = click.option("--tag", "tag", multiple=True, metavar="NAME=VALUE", help="With this tag.")(
        command
    )
    for name, (kind, words) in reversed(_FILTERS.items()):
        command = click.option(f"--{name}", default=None, metavar=kind, help=words)(command)
    return command


def changes_of(options: dict[str, Any]) -> Changes:
    """What is changed; takes its own arguments out of `options`. Ends the command with 2 for what makes no sense."""
    from headgate.quality.replay.changing import Changes

    system, file = options.pop("system"), options.pop("system_file")
    if file is not None:
        if system is not None:
            fail("--system and --system-file: one of them", code=2)
        try:
            system = file.read_text()
        except (OSError, UnicodeDecodeError) as wrong:
            fail(f"{file}: {getattr(wrong, 'strerror', None) or 'is not UTF-8 text'}", code=2)
    assignments: dict[str, Any] = {}
    for text in options.pop("assignments"):
        name, sign, value = text.partition("=")
        if not sign or not name:
            fail(f"--set {text}: write NAME=VALUE, such as temperature=0.2", code=2)
        try:
            assignments[name] = json.loads(value)
        except ValueError:
            assignments[name] = value
    return Changes(
        model=options.pop("model"),
        system=system,
        prompt=options.pop("as_prompt"),
        temperature=options.pop("temperature"),
        max_tokens=options.pop("max_tokens"),
        set=assignments,
        unset=tuple(options.pop("unset")),
        stream=options.pop("as_stream"),
    )
