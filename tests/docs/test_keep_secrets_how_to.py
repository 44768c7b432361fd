"""What the how-to on secrets promises: its commands print what is shown."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.following import Shell, how_to
from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

PAGE = how_to("keep-secrets")
_EXPORT = re.compile(r"export (\w+)=(.*)")


def _no_id(text: str) -> str:
    """Master keys are others each time."""
    return re.sub(r"\b[0-9a-f]{8}\b", "MASTER", text)


def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path) -> None:
    """In a shell, because the page pipes and exports, by somebody called Ann; and no value is shown in the end."""
    shell = Shell(tmp_path, {"SUDO_USER": "ann"})
    reader, everything = Reader(tmp_path, "", {}), ""
    for block in blocks(PAGE, "toml", "console"):
        if block.language == "toml":
            reader.do(block)
            continue
        for step in steps(block):
            if found := _EXPORT.fullmatch(step.command.strip()):
                shell.environment[found[1]] = shell.run(f"printf %s {found[2]}")
                continue
            printed = shell.run(step.command)
            everything += printed
            reader.compare(step._replace(shown=list(map(_no_id, step.shown))), _no_id(printed))
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("headgate.db*"))
    for value in ("sk-a-key-of-openai", "a-key-of-the-house", shell.environment["HEADGATE_SECRET_KEY"]):
        assert value not in everything and value.encode() not in kept
