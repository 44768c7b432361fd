"""What may be compiled: the rules that mypyc does not tell when they are broken, or only when the gateway starts."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
LISTED: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["headgate"]["compiled"]


def tree_of(module: str) -> ast.Module:
    return ast.parse((SRC / module).read_text(encoding="utf-8"))


def classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def words(nodes: list[ast.expr]) -> set[str]:
    return {ast.unparse(node).split("[")[0] for node in nodes}


def test_the_list_is_sorted_and_names_modules_that_exist() -> None:
    """Nobody has to search in it."""
    assert sorted(set(LISTED)) == LISTED
    assert [module for module in LISTED if not (SRC / module).is_file()] == []


@pytest.mark.parametrize("module", LISTED)
def test_a_compiled_module_defines_no_struct(module: str) -> None:
    """Compiled, `class X(msgspec.Struct, tag=True)` would silently lose its keywords: such a class stands in a module beside it."""
    assert [
        each.name for each in classes(tree_of(module)) if words(each.bases) & {"msgspec.Struct", "Struct"}
    ] == []


@pytest.mark.parametrize("module", LISTED)
def test_a_compiled_module_defines_no_protocol_that_is_asked_at_run_time(module: str) -> None:
    """Compiled, a protocol is a plain class, and `runtime_checkable` refuses it."""
    asked = [
        each.name for each in classes(tree_of(module)) if "runtime_checkable" in words(each.decorator_list)
    ]
    assert asked == []


@pytest.mark.parametrize("module", LISTED)
def test_a_compiled_module_defines_classes_at_its_top(module: str) -> None:
    """Compiled, a class within a function or a class is none of the quick ones, and some kinds fail."""
    tree = tree_of(module)
    assert set(classes(tree)) - set(tree.body) == set()


def test_no_plain_class_inherits_from_a_compiled_one() -> None:
    """`interpreted classes cannot inherit from compiled`, and it would be told when the gateway starts."""
    compiled = {
        (module.removesuffix(".py").removesuffix("/__init__").replace("/", "."), each.name)
        for module in LISTED
        for each in classes(tree_of(module))
        # A protocol is only ever looked at by the type checker.
        if not {"Protocol", "NamedTuple", "Exception"} & words(each.bases)
    }
    heirs = []
    for path in sorted(SRC.rglob("*.py")):
        module = str(path.relative_to(SRC))
        if module in LISTED:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = {
            name.asname or name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for name in node.names
            if (node.module, name.name) in compiled
        }
        heirs += [f"{module}: {each.name}" for each in classes(tree) if words(each.bases) & known]
    assert heirs == []


def waits(nodes: list[ast.stmt]) -> bool:
    """Is there an `await` of the same function in these statements?"""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if waits(list(ast.iter_child_nodes(node))):  # type: ignore[arg-type]
            return True
    return False


@pytest.mark.parametrize("module", LISTED)
def test_a_compiled_module_does_not_wait_while_it_cleans_up(module: str) -> None:
    """Compiled, a `finally` that waits asks afterwards what the caller, too, is handling, and raises that again: an error that was
    caught long ago comes back. Waiting in an `except` loses what a bare `raise` would raise. `exchange.closing` waits instead."""
    found = []
    for node in ast.walk(tree_of(module)):
        if not isinstance(node, ast.Try):
            continue
        if waits(node.finalbody):
            found.append(f"line {node.finalbody[0].lineno}: finally waits")
        for handler in node.handlers:
            again = any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(handler))
            if again and waits(handler.body):
                found.append(f"line {handler.lineno}: waits, then raises again")
    assert found == []
