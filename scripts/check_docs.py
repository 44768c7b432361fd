"""Check what is written for people: links lead somewhere, notes and decisions are named as agreed.

Run by `make docs-check`; prints one line per fault and ends with 1 if there is any. Reads files only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["faults"]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^()\s]+)(?:\s+\"[^\"\n]*\")?\)")
_HEADING = re.compile(r"^#+\s+(.+?)\s*$", re.MULTILINE)
_NOTE = re.compile(r"\d+\.(added|changed|fixed|removed|security)\.md")
_DECISION = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
_FOLDERS = ("docs", "changes")


def faults(root: Path) -> list[str]:
    """Everything wrong under `root`, each as `file: what`, in a stable order; empty when all is well."""
    pages = sorted(root.glob("*.md")) + [
        page for name in _FOLDERS for page in sorted((root / name).rglob("*.md"))
    ]
    found = [f"{page.relative_to(root)}: {what}" for page in pages for what in _page_faults(page, root)]
    return found + _note_faults(root / "changes") + _decision_faults(root / "docs" / "decisions")


def _page_faults(page: Path, root: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    if not text.startswith("# ") and page.parent != root / "changes":
        yield "does not begin with a title"
    prose = _CODE.sub("", _FENCE.sub("", text))
    for target in _LINK.findall(prose):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # somebody else's page: not reachable from a build without a network
        path, _, anchor = target.partition("#")
        where = (page.parent / path).resolve() if path else page
        if not where.is_relative_to(root.resolve()) or not where.exists():
            yield f"link to {target}, which is not there"
        elif anchor and anchor not in _anchors(where):
            yield f"link to {target}, which has no such heading"


def _anchors(page: Path) -> set[str]:
    if page.suffix != ".md":
        return set()
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _note_faults(folder: Path) -> list[str]:
    names = (note.name for note in sorted(folder.glob("*")) if note.name != "README.md")
    return [
        f"changes/{name}: call it ISSUE.KIND.md, see changes/README.md"
        for name in names
        if not _NOTE.fullmatch(name)
    ]


def _decision_faults(folder: Path) -> list[str]:
    found, seen = [], dict[str, str]()
    for page in sorted(folder.glob("*.md")):
        if page.name in {"README.md", "template.md"}:
            continue
        match = _DECISION.fullmatch(page.name)
        if not match:
            found.append(f"docs/decisions/{page.name}: call it NNNN-a-few-words.md")
        elif (other := seen.setdefault(match[1], page.name)) != page.name:
            found.append(f"docs/decisions/{page.name}: has the number of {other}")
    return found


if __name__ == "__main__":
    wrong = faults(Path(__file__).resolve().parent.parent)
    print("\n".join(wrong) if wrong else "documentation: links and names are right")
    sys.exit(bool(wrong))
