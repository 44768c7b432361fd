"""Questions of a file, for `headgate cache warm --from`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

__all__ = ["Item", "questions_in", "under_a_prompt"]

Item = dict[str, Any]
"""As /api/cache/warm takes it: `question`, `request` or `body`, and `user` and `system`."""


def questions_in(file: Path) -> list[Item]:
    """What stands in a file, by its ending. Raises ValueError with the line."""
    text = file.read_text(encoding="utf-8-sig")
    ending = file.suffix.lower()
    if ending == ".txt":
        found: list[Item] = [{"question": line.strip()} for line in text.splitlines() if line.strip()]
    elif ending == ".csv":
        found = _in_csv(text, file.name)
    elif ending in (".jsonl", ".ndjson"):
        found = [
            _in_json(line, f"{file.name}, line {number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        ]
    else:
        raise ValueError(f"--from {file.name}: a file that ends in .txt, .csv or .jsonl is read")
    if not found:
        raise ValueError(f"--from {file.name}: nothing stands in it")
    return found


def under_a_prompt(items: list[Item], file: Path) -> list[Item]:
    """Each question with the system prompt that stands in a file, unless it says one itself. Raises ValueError."""
    try:
        prompt = file.read_text(encoding="utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"--system {file.name}: it is no text in UTF-8") from None
    if not prompt:
        raise ValueError(f"--system {file.name}: nothing stands in it")
    return [{"system": prompt, **item} if "question" in item else item for item in items]


def _in_csv(text: str, name: str) -> list[Item]:
    rows = csv.DictReader(text.splitlines())
    if "question" not in (rows.fieldnames or ()):
        raise ValueError(f"--from {name}: its first line has to name a column `question`")
    found = []
    for row in rows:
        question, user = (row.get("question") or "").strip(), (row.get("user") or "").strip()
        if question:
            found.append({"question": question} | ({"user": user} if user else {}))
    return found


def _in_json(line: str, where: str) -> Item:
    import msgspec

    from headgate.control.http.cache.warming import WarmItem

    try:
        read = json.loads(line)
    except ValueError as wrong:
        raise ValueError(f"--from {where}: no JSON: {wrong}") from None
    if isinstance(read, str):
        return {"question": read}
    if isinstance(read, dict) and "messages" in read:
        read = {"body": read}
    try:
        found = msgspec.convert(read, WarmItem)
    except msgspec.ValidationError as wrong:
        raise ValueError(f"--from {where}: {wrong}") from None
    if (bool(found.question) + bool(found.request) + (found.body is not None)) != 1:
        raise ValueError(f"--from {where}: say one of question, request and body")
    item: Item = msgspec.to_builtins(read)
    return item
