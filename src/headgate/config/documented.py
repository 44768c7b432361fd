"""What each setting means, read from where it is defined: the string under a field is its documentation."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

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
            found.update(_own(base))
    return MappingProxyType(found)


def _own(section: type[Section]) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(text.value.value.split())
    return found
