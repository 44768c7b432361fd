"""Plain data -> sections, field by field, so that all problems are found at once and each knows its place."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from headgate.config.coming import coming
from headgate.config.environment import Expanded
from headgate.config.model import KINDS, Settings
from headgate.config.problems import Key, did_you_mean
from headgate.config.secrets import source_in_words
from headgate.core.section import Duration, Section, Size, decode_value, is_secret
from headgate.providers.settings import ProviderSettings

__all__ = ["hints", "read_settings", "wanted"]

Refuse = Callable[[Key, str], None]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,99}")
_FAILED: Any = object()


def read_settings(data: Mapping[str, Any], refuse: Refuse) -> Settings:
    """The settings in `data`. refuse: told of every problem, with its key and what would be right.

    After a problem the result lacks what could not be read: good for finding more problems, not for use."""
    reader = _Reader(refuse)
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name not in Settings.__struct_fields__:
            refuse(
                (name,), coming((name,)) or f"no such section{did_you_mean(name, Settings.__struct_fields__)}"
            )
            continue
        read = reader.value(hints(Settings)[name], value, (name,))
        if read is not _FAILED:
            found[name] = read
    return Settings(**found)


@functools.cache
def hints(section: type[Section]) -> dict[str, Any]:
    """Field -> type, with its bounds."""
    return typing.get_type_hints(section, include_extras=True)


@functools.cache
def _required(section: type[Section]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(section) if field.required)


class _Reader:
    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse

    def value(self, kind: Any, value: Any, key: Key) -> Any:
        """`value` as a `kind`, or _FAILED after its problems were told."""
        if kind is ProviderSettings:
            return self._provider(value, key)
        if isinstance(kind, type) and issubclass(kind, Section):
            return self._section(kind, value, key)
        origin = get_origin(kind)
        if origin is dict:
            return self._named(kind, value, key)
        if origin is list:
            return self._list(get_args(kind)[0], value, key)
        if origin in (Union, types.UnionType):
            inner = [each for each in get_args(kind) if each is not type(None)]
            chosen = _shaped_like(value, inner)
            if chosen is not None:
                return self.value(chosen, value, key)
        return self._leaf(kind, value, key)

    def _provider(self, value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            return self._fail(
                key, f"a provider is a section, such as `[{key[0]}.{key[1]}]` with `kind` in it"
            )
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            known = ", ".join(f"`{each}`" for each in KINDS)
            if kind is None:
                return self._fail(
                    key, f"`kind` is missing: it says which protocol is spoken there; one of {known}"
                )
            return self._fail((*key, "kind"), f"no such kind{did_you_mean(str(kind), KINDS)}")
        return self._section(
            KINDS[str(kind)], {name: each for name, each in value.items() if name != "kind"}, key
        )

    def _section(self, section: type[Section], value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            return self._fail(key, f"must be a section with keys in it, not {_shown(value, key)}")
        fields, found = hints(section), dict[str, Any]()
        for name, each in value.items():
            at = (*key, name)
            if name not in fields:
                self.refuse(at, coming(at) or f"no such key{did_you_mean(name, fields, listed=20)}")
                continue
            read = self.value(fields[name], each, at)
            if read is not _FAILED:
                found[name] = read
        required = _required(section)
        for name in required:
            if name not in value:
                self.refuse(key, f"`{name}` is missing: {wanted(fields[name])}")
        if not found.keys() >= set(required):
            return _FAILED
        try:
            return section(**found)
        except ValueError as wrong:  # a section may check its fields against each other
            return self._fail(key, str(wrong))

    def _named(self, kind: Any, value: Any, key: Key) -> Any:
        if not isinstance(value, dict):
            return self._fail(key, f"must be a table of names, not {_shown(value, key)}")
        inner = get_args(kind)[1]
        # Names of providers, models and features travel in URLs and headers; other tables hold what others named.
        for name in value:
            if len(key) == 1 and not _NAME.fullmatch(name):
                self.refuse(
                    (*key, name),
                    "a name is made of letters, digits and any of `_ . : @ + -`, at most 100 characters, "
                    "because callers write it into requests and it travels in headers",
                )
        read = {name: self.value(inner, each, (*key, name)) for name, each in value.items()}
        return {name: each for name, each in read.items() if each is not _FAILED}

    def _list(self, kind: Any, value: Any, key: Key) -> Any:
        if not isinstance(value, list):
            hint = f"; write `[{_shown(value, key)}]`" if isinstance(value, str) and kind is str else ""
            return self._fail(key, f"must be a list, not {_shown(value, key)}{hint}")
        read = [self.value(kind, each, (*key, number)) for number, each in enumerate(value)]
        # Positions would shift without the broken ones, and problems found later would point at the wrong item.
        return _FAILED if any(each is _FAILED for each in read) else read

    def _leaf(self, kind: Any, value: Any, key: Key) -> Any:
        from_environment = isinstance(value, Expanded)
        plain = str(value) if from_environment else value
        if isinstance(plain, Decimal) and kind is not Decimal:
            plain = float(plain)
        try:
            # What comes from the environment is text; a number is meant where a number is wanted.
            return msgspec.convert(plain, kind, dec_hook=decode_value, strict=not from_environment)
        except (msgspec.ValidationError, OverflowError):
            return self._fail(key, f"must be {wanted(kind)}, not {_shown(value, key)}{_nearest(kind, plain)}")

    def _fail(self, key: Key, message: str) -> Any:
        self.refuse(key, message)
        return _FAILED


def _shaped_like(value: Any, kinds: list[Any]) -> Any:
    """Which of several kinds a value is to be read as that was written as a table or a list; None if it was written
    plain, or as none of them."""
    if len(kinds) == 1:
        return kinds[0]
    for kind in kinds:
        a_section = isinstance(kind, type) and issubclass(kind, Section)
        if type(value) is (dict if a_section else get_origin(kind)):
            return kind
    return None


def _shown(value: Any, key: Key) -> str:
    """`value` as it stands in the file; nothing of it if it may be a secret."""
    if isinstance(value, Expanded):
        return f"what `{source_in_words(value.variables[0])}` holds"
    if any(isinstance(part, str) and is_secret(part) for part in key):
        return "what is there (not shown: it may be a secret)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def _nearest(kind: Any, value: Any) -> str:
    if get_origin(kind) is Literal and isinstance(value, str):
        near = did_you_mean(value, [str(each) for each in get_args(kind)], listed=0)
        return near if near.endswith("?") else ""
    return ""


_WORDS: dict[Any, str] = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Duration: 'a duration, such as "250ms", "2s", "5m", "1h" or "7d"',
    Size: 'a size, such as "64 kB", "32 MB" or "1 GiB"',
    Decimal: "an amount, such as 0.15",
}


def wanted(kind: Any) -> str:
    """What a field of this type takes, in plain words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = [_bound(meta) for meta in arguments[1:] if isinstance(meta, msgspec.Meta)]
        return f"{wanted(arguments[0])}{''.join(bounds)}"
    if origin is Literal:
        return " or ".join(f'"{each}"' for each in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(wanted(each) for each in arguments if each is not type(None))
    if origin is list:
        return f"a list of {_plural(arguments[0])}"
    if origin is dict:
        return f"a table of {_plural(arguments[1])} by name"
    if isinstance(kind, type) and issubclass(kind, Section):
        return "a section"
    return _WORDS.get(kind, "another value")


def _plural(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Section):
        return "sections"
    if get_origin(kind) is Literal:
        return wanted(kind)
    return {str: "texts in quotes", int: "whole numbers", float: "numbers"}.get(kind, "values")


def _bound(meta: msgspec.Meta) -> str:
    words = [
        (meta.ge, "at least"),
        (meta.gt, "more than"),
        (meta.le, "at most"),
        (meta.lt, "less than"),
        (meta.min_length, "of at least so many characters:"),
        (meta.max_length, "of at most so many characters:"),
    ]
    found = [f"{word} {bound:,}" for bound, word in words if bound is not None]
    return f", {' and '.join(found)}" if found else ""
