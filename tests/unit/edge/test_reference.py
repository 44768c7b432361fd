"""The reference pages about HTTP say what the program does: every error, every header, every path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.core import errors
from headgate.core.errors import GatewayError, TransportFault
from headgate.edge.paths import ONE_MODEL, Paths
from headgate.edge.problems import CATEGORIES, should_retry

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "headgate"


def classes(kind: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += classes(child)
    return found


def rows() -> dict[str, list[str]]:
    """Code -> the other cells, of the table of errors."""
    found = re.findall(r"^\| `(\w+)` \| (.*) \|$", (REFERENCE / "errors.md").read_text(), re.MULTILINE)
    assert len(found) == len(dict(found)), "a code stands twice"
    return {code: cells.split(" | ") for code, cells in found}


def test_every_code_is_documented_and_no_other() -> None:
    """Walked down from the root of all errors."""
    assert rows().keys() == {kind.code for kind in classes()}


@pytest.mark.parametrize("kind", sorted(classes(), key=repr), ids=repr)
def test_status_type_and_retry_are_as_documented(kind: type[GatewayError]) -> None:
    """In both families; classes that share a code share its row."""
    words = CATEGORIES[kind.category]
    error = kind(detail="x") if issubclass(kind, TransportFault) else kind("x")
    assert rows()[kind.code][:5] == [
        str(kind.status),
        words.openai,
        str(words.anthropic_status or kind.status),
        words.anthropic,
        "yes" if should_retry(error) else "no",
    ]


def test_every_error_says_what_happened_and_what_to_do() -> None:
    """Two sentences or more."""
    for code, cells in rows().items():
        assert len(cells) == 7 and all(cell.endswith((".", "?")) for cell in cells[5:]), code


def test_every_header_of_ours_is_documented_and_no_other() -> None:
    """Names are collected from the source."""
    said = set(re.findall(r"x-headgate-[a-z-]+[a-z]", (REFERENCE / "headers.md").read_text()))
    used = {
        name
        for file in SOURCE.rglob("*.py")
        for name in re.findall(r"[\"'](x-headgate-[a-z-]+[a-z])[\"']", file.read_text())
    }
    assert used == said


def test_every_header_of_a_reply_is_documented() -> None:
    """Those of refusals too."""
    text = (REFERENCE / "headers.md").read_text()
    for file in ("problems.py", "reply_headers.py", "gate.py"):
        for name in re.findall(r'b"((?:x-|retry-|request-)[a-z-]+)"', (SOURCE / "edge" / file).read_text()):
            assert f"`{name}" in text, name


def test_every_path_is_documented() -> None:
    """With its method."""
    text = (REFERENCE / "http.md").read_text()
    paths = [*Paths().known, ("GET", f"{ONE_MODEL}NAME")]
    for method, path in [*paths, ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/")]:
        assert f"| {method} | `{path}` |" in text
    listed = set(re.findall(r"^\| (\w+) \| `(/v1\S*)` \|", text, re.MULTILINE))
    assert listed == set(paths)


@pytest.mark.parametrize("page", ["errors.md", "headers.md", "http.md"])
def test_every_setting_a_page_names_exists(page: str) -> None:
    """`server.…` and `timeouts.…`, as configuration.md lists them."""
    known = (REFERENCE / "configuration.md").read_text()
    for section, name in re.findall(r"`(server|timeouts)\.(\w+)", (REFERENCE / page).read_text()):
        assert f"`{name}`" in known, f"{section}.{name}"
