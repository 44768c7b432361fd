"""What each setting means, read from where it is defined: the string under a field is its documentation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import MappingProxyType

from headgate.core.documented import own_meanings
from headgate.core.section import Section

__all__ = ["meanings", "purpose"]


def purpose(section: type[Section]) -> str:
    """What a section is for, on one line."""
    return " ".join((inspect.getdoc(section) or "").split())


@functools.cache
def meanings(section: type[Section]) -> Mapping[str, str]:
    """Field -> its documentation, on one line; inherited fields too. Needs the source, which a wheel contains."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if base is not Section and issubclass(base, Section):
            found.update(own_meanings(base))
    return MappingProxyType(found)
