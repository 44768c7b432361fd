"""Write docs/reference/configuration.md, cli.md and api.md from the types, commands and routes they describe.

Run after a change of any: `.venv/bin/python scripts/write_reference.py`. A test compares; nobody edits the pages.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import click
import msgspec

from headgate.cli import COMMANDS, main
from headgate.config.coming import COMING
from headgate.config.documented import meanings, purpose
from headgate.config.environment import USUAL
from headgate.config.model import KINDS, Settings
from headgate.config.reading import hints, wanted
from headgate.config.schema import default_of
from headgate.control.http.openapi import description
from headgate.control.http.reference import reference
from headgate.control.http.routes import ROUTES
from headgate.core.section import Duration, Section, Size
from headgate.providers.settings import ProviderSettings

__all__ = ["PAGES"]

_MADE = "<!-- Written by scripts/write_reference.py; change the types or the commands, not this page. -->"


def configuration_page() -> str:
    """Every setting: key, what it takes, default, meaning."""
    return "\n".join(_configuration())


def _configuration() -> Iterator[str]:
    yield f"# Configuration\n\n{_MADE}\n"
    yield (
        "`headgate serve --config FILE`, else `headgate.toml` in the working directory, else what the environment allows "
        "([how to configure](../how-to/configure.md)). `headgate config example` prints a file to start from, "
        "`headgate check` tells what a file does, `headgate config schema` makes editors know all of this.\n"
    )
    yield (
        'Durations are `"250ms"`, `"2s"`, `"5m"`, `"1h"`, `"7d"` or a number of seconds. Sizes are `"64 kB"`, `"32 MB"`, '
        '`"1 GiB"` or a number of bytes. Every text may hold `${NAME}` or `${NAME:-default}` from the environment; `$$` is '
        f"a dollar sign. Variables that may be read: {', '.join(f'`{each}`' for each in USUAL)}, and what "
        "`[environment] allow` adds. Credentials and addresses may be `file:PATH`, and credentials of providers `secret:NAME` "
        "([keep secrets](../how-to/keep-secrets.md)).\n"
    )
    for name, kind in hints(Settings).items():
        if get_origin(kind) is dict:
            inner = get_args(kind)[1]
            if inner is ProviderSettings:
                yield from _providers()
            else:
                yield from _section(f"[{name}.NAME]", inner, meanings(Settings)[name])
        elif get_origin(kind) is list:
            yield from _section(f"[[{name}]]", get_args(kind)[0], meanings(Settings)[name])
        else:
            yield from _section(f"[{name}]", kind)
    yield "## What is coming\n"
    yield "These keys are described by the design and refused by this version, by name, so that nobody looks for a typing error:\n"
    yield "| key | belongs to |\n|---|---|"
    for key, subject in COMING.items():
        yield f"| `{'.'.join(key).replace('*', 'NAME')}` | {subject} |"
    yield "## While it runs\n"
    yield (
        "A changed file is checked whole and taken over within a second, or at once on SIGHUP. A file with problems is "
        "reported in the log and changes nothing. Providers, models and features change; `[server]`, `[records]`, `[log]` "
        "and `[environment]` need a restart, and the log says so."
    )


def _providers() -> Iterator[str]:
    yield "## [providers.NAME]\n"
    yield f"{meanings(Settings)['providers']} Every kind takes these:\n"
    common = list(ProviderSettings.__struct_fields__)
    yield from _table(ProviderSettings, common)
    yield from _nested(ProviderSettings, common, "providers.NAME")
    for kind, section in KINDS.items():
        own = [name for name in section.__struct_fields__ if name not in common]
        yield f'### kind = "{kind}"\n\n{purpose(section)}\n'
        yield from _table(section, own)
        yield from _nested(section, own, "providers.NAME")


def _section(title: str, section: type[Section], more: str = "") -> Iterator[str]:
    yield f"## {title}\n\n{purpose(section)}{f' {more}' if more else ''}\n"
    names = list(section.__struct_fields__)
    yield from _table(section, names)
    yield from _nested(section, names, title.strip("[]"))


def _nested(section: type[Section], names: list[str], path: str) -> Iterator[str]:
    for name in names:
        inner, suffix = _inner(hints(section)[name], name)
        if inner is not None:
            yield f"#### {path}.{suffix}\n\n{purpose(inner)}\n"
            yield from _table(inner, list(inner.__struct_fields__))
            yield from _nested(inner, list(inner.__struct_fields__), f"{path}.{suffix}")


def _inner(kind: Any, name: str) -> tuple[type[Section] | None, str]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        found = [_inner(each, name) for each in arguments if each is not type(None)]
        return next((each for each in found if each[0] is not None), found[0])
    if origin is list:
        return _inner(arguments[0], f"{name}[]")
    if origin is dict:
        return _inner(arguments[1], f"{name}.NAME")
    return (kind, name) if isinstance(kind, type) and issubclass(kind, Section) else (None, name)


def _table(section: type[Section], names: list[str]) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    yield "| key | takes | default | meaning |\n|---|---|---|---|"
    for name in names:
        kind = hints(section)[name]
        meaning = meanings(section).get(name, "").replace("|", "\\|")
        yield f"| `{name}` | {_takes(kind)} | {_default(fields[name], kind)} | {meaning} |"
    yield ""


def _takes(kind: Any) -> str:
    # Examples of durations and sizes stand at the top of the page, not in each row.
    return wanted(kind).split(", such as")[0].replace("|", "\\|")


def _default(field: msgspec.structs.FieldInfo, kind: Any) -> str:
    default = default_of(field)
    if default is msgspec.NODEFAULT:
        return "must be given"
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if default is None or default in ({}, []) or isinstance(default, dict):
        return ""
    if base is Duration:
        return f'`"{default:g}s"`'
    if base is Size:
        return f"`{default:,}` bytes".replace(",", "_")
    return f"`{json.dumps(default)}`"


def cli_page() -> str:
    """Every command, as its `--help` has it."""
    return "\n".join(_cli())


def _cli() -> Iterator[str]:
    yield f"# Command line\n\n{_MADE}\n"
    yield (
        "Commands print what was asked for on standard output and everything else on standard error; `--json` is for "
        "scripts. Exit codes: 0 it worked, 1 it did not, 2 the arguments or the configuration are wrong.\n"
    )
    yield "| variable | means |\n|---|---|"
    yield "| `HEADGATE_CONFIG` | the configuration file, where `--config` is not given |"
    yield "| `HEADGATE_LISTEN` | where `serve` listens, where `--listen` is not given |"
    yield "| `HEADGATE_DATABASE` | `server.database`, where there is no file |"
    yield "| `HEADGATE_BOOTSTRAP_KEY` | a key that shall be valid, instead of one made at the first start (containers, tests) |"
    yield "| `HEADGATE_SECRET_KEY` | what secrets in the database are encrypted under ([keep secrets](../how-to/keep-secrets.md)); `file:PATH` reads it from a file |"
    yield "| `HEADGATE_SECRET_KEY_OLD` | the one before, until `headgate secrets rotate` has run |\n"
    root = click.Context(
        main,
        info_name="headgate",
        max_content_width=100,
        terminal_width=100,
        help_option_names=["-h", "--help"],
    )
    for name in COMMANDS:
        command = main.get_command(root, name)
        assert command is not None
        yield from _command(
            command,
            click.Context(command, parent=root, info_name=name, max_content_width=100, terminal_width=100),
        )


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _command(
                each,
                click.Context(
                    each, parent=context, info_name=name, max_content_width=100, terminal_width=100
                ),
            )


def api_page() -> str:
    """Every route under /api, from the description that a gateway gives of itself."""
    return "\n".join([f"# API for operators\n\n{_MADE}\n", *reference(description(ROUTES))])


PAGES = {"configuration.md": configuration_page, "cli.md": cli_page, "api.md": api_page}
"""Page under docs/reference -> what writes it."""

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent.parent / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for page, write in PAGES.items():
        (folder / page).write_text(write().rstrip() + "\n", encoding="utf-8")
        print(f"docs/reference/{page}")
