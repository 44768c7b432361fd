"""A configuration told apart by a short hash, and shown without its secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from headgate.config.environment import is_secret_variable
from headgate.config.model import Configuration, Settings, kind_of
from headgate.config.problems import Key, dotted
from headgate.config.secrets import is_file_source, source_in_words, stored_name
from headgate.core.section import Section, is_secret, without_credentials
from headgate.providers.settings import ProviderSettings

__all__ = ["fingerprint", "plain", "redacted"]


def plain(value: Any) -> Any:
    """Settings as dicts, lists, texts and numbers; a provider's `kind` comes first in its section."""
    if isinstance(value, Section):
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"kind": kind_of(value), **fields} if isinstance(value, ProviderSettings) else fields
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    # Durations and sizes are numbers, amounts keep their digits as they were written.
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float):
        return float(value)
    return int(value) if type(value) is not bool and isinstance(value, int) else value


def fingerprint(settings: Settings) -> str:
    """12 hex digits of BLAKE2b over all settings, secrets included, in an order of its own: the order of sections and
    what was left to its default do not change it. The same in every process; it says nothing about what is in it."""
    canonical = msgspec.json.encode(plain(settings), order="sorted")
    return hashlib.blake2b(canonical, digest_size=6, person=b"headgate config").hexdigest()


def redacted(configuration: Configuration) -> dict[str, Any]:
    """All settings, defaults included, for people's eyes: secrets are replaced by where they came from."""
    return {
        name: _without_secrets(each, (name,), configuration.sources)
        for name, each in plain(configuration.settings).items()
    }


def _without_secrets(value: Any, key: Key, sources: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(each, (*key, name), sources) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each, (*key, number), sources) for number, each in enumerate(value)]
    variable = sources.get(dotted(key), "")
    secret = any(is_secret(part) for part in key if isinstance(part, str)) or is_secret_variable(variable)
    # Who knows the address of a chat's incoming webhook may write there.
    secret = secret or (key[0] == "alerts" and key[-1] == "url")
    if value and (secret or is_file_source(variable)):
        if name := stored_name(value):
            return f"<secret {name} of the database>"
        return f"<from {source_in_words(variable)}>" if variable else "<set, not shown>"
    return without_credentials(value) if isinstance(value, str) else value
