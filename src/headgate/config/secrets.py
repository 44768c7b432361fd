"""Where the file's secrets come from: `file:PATH` is read with the configuration, `secret:NAME` is kept sealed in the database.

What a file holds stands in the settings, as if it had been written there. A name of the database stays a name in the settings,
which are read before any database is open; compose puts the value in its place where the provider is built.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from headgate.config.environment import Expanded
from headgate.config.model import Settings, kind_of
from headgate.config.problems import Key, dotted
from headgate.core.section import Section, is_secret
from headgate.providers.settings import ProviderSettings

__all__ = [
    "FILE",
    "STORED",
    "check_secrets",
    "fill_in",
    "from_file",
    "is_file_source",
    "is_filed",
    "key_sources",
    "readable_by_others",
    "source_in_words",
    "stored_name",
    "stored_names",
]

FILE = "file:"
STORED = "secret:"
_MOST_BYTES = 64_000
_ADDRESSES = frozenset({"database", "url"})
"""Settings that often hold a password or are a secret whole, besides those that are named after one."""
_URLS = ("base_url", "endpoint", "endpoint_url")
_FREE = frozenset({"simulated"})
"""Kinds that ask for no credentials."""


# From a file


def is_filed(key: Key, text: str) -> bool:
    """Does this value, as it is written, stand in a file, where that may be?"""
    if not text.startswith(FILE):
        return False
    return any(isinstance(part, str) and is_secret(part) for part in key) or key[-1] in _ADDRESSES


def from_file(text: str, refuse: Callable[[str], None]) -> str:
    """What the file of `file:PATH` holds, without the line break at its end; refuse: told why it cannot be had."""
    path = text.removeprefix(FILE)
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            refuse(f'"{path}" is no file')
            return ""
        if found.st_size > _MOST_BYTES:
            refuse(f'"{path}" has {found.st_size:,} bytes: that is no secret')
            return ""
        held = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as wrong:
        refuse(f'"{path}" cannot be read: {wrong.strerror or wrong}')
        return ""
    except ValueError:  # not UTF-8; a zero byte in the path
        refuse(f'"{path[:200]}" is no file of text')
        return ""
    if not held or not held.isprintable():
        refuse(f'"{path}" {"is empty" if not held else "holds more than one line of text"}')
        return ""
    result = Expanded(held)
    result.variables = (text,)
    return result


def is_file_source(source: str) -> bool:
    """Is this, of `Configuration.sources`, a file and no variable?"""
    return source.startswith(FILE)


def source_in_words(source: str) -> str:
    """`${OPENAI_API_KEY}`, or `file:/run/secrets/openai`."""
    return source if is_file_source(source) else f"${{{source}}}"


def readable_by_others(path: str) -> str:
    """A sentence about a secret's file that others may read; "" if its owner alone may."""
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
    except OSError:
        return ""
    if os.name != "posix" or not mode & 0o077:
        return ""
    return f"{path} holds a secret and may be read by others than its owner (mode {mode:o}): `chmod 600` it if you can"


# From the database


def stored_name(text: object) -> str:
    """`openai` of `secret:openai`; "" of anything else."""
    return text.removeprefix(STORED) if isinstance(text, str) and text.startswith(STORED) else ""


def stored_names(settings: ProviderSettings) -> frozenset[str]:
    """The secrets of the database that a provider is given."""
    names: set[str] = set()

    def note(name: str) -> str:
        names.add(name)
        return ""

    fill_in(settings, note)
    return frozenset(names)


def fill_in(settings: ProviderSettings, value_of: Callable[[str], str]) -> ProviderSettings:
    """The settings with `value_of(name)` in place of each `secret:NAME`; the same object if there is none."""
    changed: dict[str, Any] = {}
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if value and is_secret(field):
            filled = _filled(value, value_of)
            if filled != value:
                changed[field] = filled
    return replace(settings, **changed) if changed else settings


def _filled(value: Any, value_of: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        # A key of several that is gone leaves no gap.
        return [each for each in (_filled(one, value_of) for one in value) if each]
    if isinstance(value, dict):
        return {name: _filled(one, value_of) for name, one in value.items()}
    name = stored_name(value)
    return value_of(name) if name else value


def check_secrets(settings: Settings) -> Iterator[tuple[Key, str]]:
    """Names of the database where there is none yet to look into, or where values would be used as they stand."""
    for section in settings.__struct_fields__:
        yield from _misplaced(getattr(settings, section), (section,))


def _misplaced(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, Section):
        for field in value.__struct_fields__:
            yield from _misplaced(getattr(value, field), (*key, field))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _misplaced(each, (*key, name))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _misplaced(each, (*key, number))
    elif isinstance(value, str) and value.startswith(STORED) and not _may_be_stored(key):
        if any(isinstance(part, str) and is_secret(part) for part in key):
            yield (
                key,
                "only credentials of providers are kept in the database: use `${NAME}` or `file:PATH` here",
            )
    elif isinstance(value, str) and value == STORED:
        yield key, "names no secret; write `secret:NAME`"


def _may_be_stored(key: Key) -> bool:
    return key[0] == "providers" and len(key) >= 3 and isinstance(key[2], str) and is_secret(key[2])


# In words


def key_sources(settings: Settings, sources: Mapping[str, str]) -> dict[str, str]:
    """Provider -> where its credentials come from and where they go, as half a sentence."""
    return {name: _credentials(name, each, sources) for name, each in settings.providers.items()}


def _credentials(name: str, settings: ProviderSettings, sources: Mapping[str, str]) -> str:
    if kind_of(settings) in _FREE:
        return "asks for no key"
    found = []
    for field in settings.__struct_fields__:
        if is_secret(field):
            value = getattr(settings, field)
            at: Key = ("providers", name, field)
            each = [(at, value)]
            if isinstance(value, list):
                each = [((*at, number), one) for number, one in enumerate(value)]
            elif isinstance(value, dict):
                # Most headers are no credentials: those are told of that come from where credentials do.
                each = [((*at, header), one) for header, one in value.items()]
                each = [(key, one) for key, one in each if stored_name(one) or dotted(key) in sources]
            found += [_whence(one, sources.get(dotted(key), "")) for key, one in each if one]
    told = list(dict.fromkeys(filter(None, found)))
    if not told:
        return "found where AWS keeps credentials" if kind_of(settings) == "bedrock" else "sends no key"
    return f"{', '.join(told)}; sent to {_goes_to(settings)} alone"


def _whence(value: str, source: str) -> str:
    if name := stored_name(value):
        return f"secret `{name}` of the database"
    if is_file_source(source):
        return f"file {source.removeprefix(FILE)}"
    return (
        f"environment variable {source.replace(' ', ' and ')}" if source else "written in the configuration"
    )


def _goes_to(settings: ProviderSettings) -> str:
    address = next((str(getattr(settings, field)) for field in _URLS if getattr(settings, field, "")), "")
    if not address:
        return f"Amazon Bedrock in {settings.region}" if settings.region else "Amazon Bedrock"
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
