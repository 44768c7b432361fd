"""What the pages say about configuration is what the program does."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import COMMANDS, main
from headgate.config.loader import parse
from scripts.write_reference import PAGES

__all__: list[str] = []

DOCS = Path(__file__).resolve().parents[3] / "docs"
MINE = [
    DOCS / "how-to" / "configure.md",
    DOCS / "how-to" / "use-your-own-server.md",
    DOCS / "tutorial" / "first-call.md",
]
KEYS = {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b", "VLLM_API_KEY": "c"}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_written_from_the_program(name):
    """If this fails: `.venv/bin/python scripts/write_reference.py`."""
    assert (DOCS / "reference" / name).read_text() == PAGES[name]().rstrip() + "\n"


@pytest.mark.parametrize("page", MINE, ids=lambda page: page.name)
def test_every_configuration_on_a_page_is_sound(page, tmp_path):
    """Whoever copies it can start with it."""
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    found = blocks(page, "toml")
    for text in found:
        parse(text.replace("/etc/ssl/internal-ca.pem", str(certificate)), KEYS)
    assert found or page.name == "first-call.md"


@pytest.mark.parametrize("page", MINE, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    """With the options that are written there."""
    found = [
        line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("headgate ")
    ]
    for line in found:
        words = shlex.split(line.split(" > ")[0])[1:]
        assert words[0] in COMMANDS
        options = [word for word in words if word.startswith("--")]
        depth = 2 if words[0] in ("config", "keys") else 1
        names = [word for word in words if not word.startswith("-")][:depth]
        text = CliRunner().invoke(main, [*names, "--help"]).output
        assert [option for option in options if option not in text] == [], line
    assert found


@pytest.mark.parametrize("page", MINE, ids=lambda page: page.name)
def test_every_program_on_a_page_is_python(page):
    """No slip of the pen."""
    for text in blocks(page, "python"):
        ast.parse(text)
