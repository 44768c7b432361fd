"""A configuration from its file, checked whole: either all of it can be used, or all that is wrong is told at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from headgate.config.cache_checks import cache_notes
from headgate.config.checks import Names, check, check_listen
from headgate.config.discovery import discover
from headgate.config.environment import Expanded, expand
from headgate.config.fingerprint import fingerprint
from headgate.config.lines import locate
from headgate.config.model import Configuration, Settings
from headgate.config.problems import ConfigurationRefused, Key, Problem, dotted
from headgate.config.reading import read_settings
from headgate.config.secrets import FILE, from_file, is_file_source, is_filed, readable_by_others

__all__ = [
    "DEFAULT_NAME",
    "Configuration",
    "choose",
    "from_environment",
    "listening_on",
    "load",
    "parse",
    "replaced",
]

DEFAULT_NAME = "headgate.toml"
"""Looked for in the working directory when no file is named."""

_SYNTAX = re.compile(r"\s*\(at line (\d+), column \d+\)$")
_MOST_BYTES = 4_000_000


def choose(path: Path | None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration of `path`, else of `headgate.toml` in the working directory, else of the environment.

    Raises ConfigurationRefused."""
    if path is None and Path(DEFAULT_NAME).is_file():
        path = Path(DEFAULT_NAME)
    return from_environment(environ) if path is None else load(path, environ)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration in a file. Raises ConfigurationRefused."""
    try:
        data = path.read_bytes()
    except OSError as wrong:
        message = f"cannot be read: {wrong.strerror or wrong}"
        raise ConfigurationRefused([Problem("", None, message)], str(path)) from None
    if len(data) > _MOST_BYTES:
        message = f"has {len(data):,} bytes; a configuration has at most {_MOST_BYTES:,}"
        raise ConfigurationRefused([Problem("", None, message)], str(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise ConfigurationRefused([Problem("", line, "is not UTF-8 text")], str(path)) from None
    return parse(text, environ, str(path), path)


def parse(
    text: str, environ: Mapping[str, str], name: str = DEFAULT_NAME, path: Path | None = None
) -> Configuration:
    """The configuration in a text. name: for messages. Raises ConfigurationRefused."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigurationRefused([_syntax(str(wrong))], name) from None
    except RecursionError:
        raise ConfigurationRefused([Problem("", None, "is nested too deeply")], name) from None
    problems: list[Problem] = []
    lines = locate(text)

    def refuse(key: Key, message: str) -> None:
        problems.append(Problem(dotted(key), lines.near(key), message))

    sources: dict[str, str] = {}
    data = _expand_all(data, environ, sources, refuse)
    settings = read_settings(data, refuse)
    check(settings, Names(data), refuse)
    if problems:
        raise ConfigurationRefused(problems, name)
    files = tuple(dict.fromkeys(each.removeprefix(FILE) for each in sources.values() if is_file_source(each)))
    notes = (*filter(None, map(readable_by_others, files)), *cache_notes(settings, environ))
    return Configuration(settings, fingerprint(settings), path, sources, notes, tuple(map(Path, files)))


def from_environment(environ: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration when there is no file: providers whose keys are in the environment, else the simulated one."""
    found = discover(environ)
    problems: list[Problem] = []

    def refuse(key: Key, message: str) -> None:
        variable = found.sources.get(dotted(key))
        problems.append(Problem(variable or dotted(key), None, message))

    check(
        found.settings,
        Names(
            {
                "providers": found.settings.providers,
                "models": found.settings.models,
                "rules": found.settings.rules,
            }
        ),
        refuse,
    )
    if problems:
        raise ConfigurationRefused(problems, "environment")
    return Configuration(found.settings, fingerprint(found.settings), None, found.sources, found.notes)


def listening_on(configuration: Configuration, listen: str) -> Configuration:
    """The same, listening elsewhere, as `--listen` says. Raises ConfigurationRefused."""
    server = msgspec.structs.replace(configuration.settings.server, listen=listen)
    settings = msgspec.structs.replace(configuration.settings, server=server)
    if wrong := check_listen(settings):
        raise ConfigurationRefused([Problem("", None, wrong)], "--listen")
    return replaced(configuration, settings)


def replaced(configuration: Configuration, settings: Settings) -> Configuration:
    """The same sources, other settings."""
    return Configuration(
        settings,
        fingerprint(settings),
        configuration.path,
        configuration.sources,
        configuration.notes,
        configuration.files,
    )


def _syntax(message: str) -> Problem:
    found = _SYNTAX.search(message)
    return Problem("", int(found[1]) if found else None, f"is not TOML: {_SYNTAX.sub('', message)}")


def _expand_all(
    data: dict[str, Any], environ: Mapping[str, str], sources: dict[str, str], refuse: Any
) -> dict[str, Any]:
    section = data.get("environment")
    allow = section.get("allow", []) if isinstance(section, dict) else []
    names = [each for each in allow if isinstance(each, str)] if isinstance(allow, list) else []

    def walk(value: Any, key: Key) -> Any:
        if isinstance(value, dict):
            return {name: walk(each, (*key, name)) for name, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*key, number)) for number, each in enumerate(value)]
        if not isinstance(value, str) or key[0] == "environment":
            return value
        # What is meant is what was written: a variable that holds `file:…` names no file.
        filed, expanded = is_filed(key, value), value
        if "$" in value:
            expanded = expand(value, environ, names, lambda message: refuse(key, message))
        if filed:
            expanded = from_file(expanded, lambda message: refuse(key, message))
        if isinstance(expanded, Expanded):
            sources[dotted(key)] = " ".join(expanded.variables)
        return expanded

    return {name: walk(value, (name,)) for name, value in data.items()}
