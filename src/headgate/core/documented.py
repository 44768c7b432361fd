"""What a field means, read from where it is defined: the string under a field is its documentation."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap

__all__ = ["own_meanings"]


def own_meanings(kind: type) -> dict[str, str]:
    """Field -> the string under it, on one line; inherited fields are left out. Needs the source, which a wheel contains."""
    found = _of_module(kind.__module__).get(kind.__qualname__)
    if found is None:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        assert isinstance(tree, ast.ClassDef)
        found = _meanings(tree)
    return dict(found)


@functools.cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """Of each class that stands in the module itself. To look for one at a time would read the module once for each."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {each.name: _meanings(each) for each in tree.body if isinstance(each, ast.ClassDef)}


def _meanings(tree: ast.ClassDef) -> dict[str, str]:
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
