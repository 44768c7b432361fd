"""What holds for every file of the project, whoever writes it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.check_docs import faults

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "headgate"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules(folder: Path = SOURCE) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        if "migrations" not in path.parts:  # written by Alembic's template, read by Alembic alone
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"), str(path))


def assigned(tree: ast.Module) -> set[str]:
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def only_marks_a_package(name: str, tree: ast.Module) -> bool:
    """A docstring and perhaps a version: nothing there to import by name."""
    plain = (ast.Expr, ast.Assign, ast.AnnAssign)
    return name.endswith("__init__.py") and all(isinstance(node, plain) for node in tree.body)


def own_imports(node: ast.AST) -> Iterator[ast.stmt]:
    """Imports of our own code anywhere below `node`."""
    for child in ast.walk(node):
        if isinstance(child, ast.ImportFrom):
            if child.level or (child.module or "").split(".")[0] == "headgate":
                yield child
        elif isinstance(child, ast.Import) and any(a.name.split(".")[0] == "headgate" for a in child.names):
            yield child


def imported_roots(tree: ast.Module) -> set[str]:
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            roots.add((node.module or "").split(".")[0])
    return roots


def locked(name: str) -> dict[str, str]:
    """Package -> version, as a lock pins it; packages for other platforms included."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", text, re.MULTILINE))


def test_every_module_says_what_it_promises() -> None:
    """A module begins with a docstring."""
    assert [name for name, tree in modules() if not ast.get_docstring(tree)] == []


def test_every_module_lists_its_public_names() -> None:
    """`__all__` is in each module that has something to import."""
    exempt = {"src/headgate/__main__.py"}
    bare = [
        name
        for name, tree in modules()
        if "__all__" not in assigned(tree) and not only_marks_a_package(name, tree) and name not in exempt
    ]
    assert bare == []


def test_no_module_has_a_name_that_means_nothing() -> None:
    """`utils` tells neither subject nor owner."""
    empty_names = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert [name for name, _ in modules() if empty_names & set(Path(name).with_suffix("").parts)] == []


def test_no_function_hides_an_import_of_our_own_code() -> None:
    """A hidden import hides a cycle or an arrow that must not exist; cli may, so that --help stays fast."""
    hidden = [
        f"{name}:{found.lineno}"
        for name, tree in modules()
        if not name.startswith(("src/headgate/cli/", "src/headgate/cli.py"))
        for function in ast.walk(tree)
        if isinstance(function, FUNCTIONS)
        for found in own_imports(function)
    ]
    assert hidden == []


def test_core_needs_the_standard_library_and_msgspec_only() -> None:
    """Everybody imports core, so whatever core imports everybody pays for."""
    allowed = sys.stdlib_module_names | {"msgspec", "headgate"}
    stray = {name: imported_roots(tree) - allowed for name, tree in modules(SOURCE / "core")}
    assert {name: roots for name, roots in stray.items() if roots} == {}


def test_serving_needs_at_most_forty_packages() -> None:
    """Each package installed is one more to trust; a platform's own packages are counted as if all came."""
    packages = locked("requirements-run.lock")
    assert len(packages) >= 12, "the lock was not understood"
    assert len(packages) <= 40, sorted(packages)


def test_both_locks_answer_what_the_project_asks_for() -> None:
    """After a change in pyproject.toml `make lock` was run, and the locks agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run, everything = locked("requirements-run.lock"), locked("requirements.lock")
    image = locked("requirements-image.lock")
    core = [Requirement(text) for text in project["project"]["dependencies"]]
    more = [Requirement(text) for text in project["dependency-groups"]["dev"]]
    more += [
        Requirement(text) for texts in project["project"]["optional-dependencies"].values() for text in texts
    ]
    wanted = [(one, run) for one in core] + [
        (one, everything) for one in core + more if one.name != "headgate"
    ]
    unmet = [str(one) for one, lock in wanted if not one.specifier.contains(lock.get(one.name.lower(), "0"))]
    assert unmet == []
    assert run.items() < image.items() <= everything.items()


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.lock",
        "requirements-run.lock",
        "requirements-image.lock",
        "scripts/setup.lock",
        "tests/node/package-lock.json",
    ],
)
def test_a_lock_pins_by_hash_and_names_no_host(lock: str) -> None:
    """Where packages come from is the installer's business; what they are is ours."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "sha256:" in text or "sha512-" in text
    assert (
        re.findall(r"^\s*(?:--(?:extra-)?index-url|--find-links).*|\"resolved\".*", text, re.MULTILINE) == []
    )


def test_documentation_leads_where_it_says() -> None:
    """Links resolve, change notes and decisions carry the names agreed on."""
    assert faults(ROOT) == []


def test_a_broken_page_is_noticed(tmp_path: Path) -> None:
    """The check of the documentation can fail."""
    decisions, notes = tmp_path / "docs" / "decisions", tmp_path / "changes"
    decisions.mkdir(parents=True)
    notes.mkdir()
    (tmp_path / "README.md").write_text(
        "# Title\n[a](docs/none.md) [b](#nowhere) [c](#title) [d](https://example.com/)\n`[e](none.md)`\n"
    )
    (decisions / "0001-one.md").write_text("# 0001: one\n")
    (decisions / "0001-other.md").write_text("no title\n")
    (decisions / "note.md").write_text("# note\n")
    (notes / "something.md").write_text("It is better now.\n")
    assert faults(tmp_path) == [
        "README.md: link to docs/none.md, which is not there",
        "README.md: link to #nowhere, which has no such heading",
        "docs/decisions/0001-other.md: does not begin with a title",
        "changes/something.md: call it ISSUE.KIND.md, see changes/README.md",
        "docs/decisions/0001-other.md: has the number of 0001-one.md",
        "docs/decisions/note.md: call it NNNN-a-few-words.md",
    ]
