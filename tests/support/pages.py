"""A page of the documentation, taken apart and done: its commands are run, its programs too, and what it shows is compared.

A ```console block holds `$ command` lines, each followed by what it prints. Lines of the page may leave out lines that are really
printed, never the other way round. Numbers, ids, times and paths may differ; which id stands where is remembered, so that a
later command on the page can use an id that an earlier one printed.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Block", "Reader", "Step", "blocks", "like", "steps"]

ADDRESS = "http://127.0.0.1:8080"
"""Where pages say that Headgate listens."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b(?:req|key|person|msg|chatcmpl|resp)[_-]\w+")
_RECORDED = ("headgate tail", "headgate show", "headgate budgets", "headgate traces")
"""Commands that read what a gateway has written down."""
_SAME = (
    (re.compile(r"/\S*headgate-demo-\S*/|/tmp/\S*/"), "DIR/"),
    (_ID, "ID"),
    (re.compile(r"\b[0-9a-f]{12,32}\b"), "#"),
    (re.compile(r"~?\b\d[\d,.:]*"), "#"),
    (re.compile(r"[━╸╺█─·]+|-{4,}"), "="),
    (re.compile(r"\s+"), " "),
    (re.compile(r"[|= ]{2,}"), " "),
    # A table's empty cell, and one with a time in it.
    (re.compile(r"(?<= )-(?= |$)"), "# ms"),
)


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


class Step(NamedTuple):
    """A command, and the lines shown under it."""

    command: str
    shown: list[str]


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks in these languages, in order."""
    found = [Block(*pair) for pair in _FENCE.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if block.language in languages]


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block. Raises ValueError if it begins with anything else."""
    first, *parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    if first:
        raise ValueError(f"a console block begins with a command, not with {first!r}")
    for part in parts:
        command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield Step(command, [line for line in shown.splitlines() if line.strip()])


def like(line: str) -> str:
    """The line without what may differ from run to run."""
    for pattern, instead in _SAME:
        line = pattern.sub(instead, line)
    return line.strip()


@dataclass
class Reader:
    """Somebody who does what a page says, in a folder, with a gateway at `url`."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    config: Path | None = None
    """What stands in for the demonstration's configuration file."""
    ids: dict[str, str] = field(default_factory=dict)
    """Id on the page -> id here."""

    def do(self, block: Block) -> None:
        """Run a block. Raises AssertionError if it fails or prints something else than the page shows."""
        if block.language == "toml":
            (self.folder / "headgate.toml").write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            assert self._run([sys.executable, "-c", self._here(block.text)]).strip(), block.text
        else:
            for step in steps(block):
                self._step(step)

    def _step(self, step: Step) -> None:
        due = time.monotonic() + 15
        while True:
            try:
                self.compare(step, self.run(self._here(step.command)))
            except AssertionError:
                # A request is on record a moment after its last byte; whoever reads the page types slower than that.
                if not step.command.startswith(_RECORDED) or time.monotonic() > due:
                    raise
                time.sleep(0.1)
            else:
                return

    def run(self, command: str) -> str:
        """What a command prints."""
        words = shlex.split(command)
        if words[0] == "curl":
            return _curl(list(self._expanded(words)))
        assert words[0] == "headgate", f"pages run headgate and curl, not {words[0]}"
        return self._run([sys.executable, "-m", "headgate", *words[1:]])

    def compare(self, step: Step, printed: str) -> None:
        """Each line that is shown was printed. In which order headers and tables come is not compared."""
        rest = printed.splitlines()
        for line in step.shown:
            wanted = like(line)
            found = next((real for real in rest if like(real) == wanted), None)
            assert found is not None, f"$ {step.command}\ndid not print\n{line}\n({wanted})\nbut\n{printed}"
            rest.remove(found)
            self.ids.update(zip(_ID.findall(line), _ID.findall(found), strict=True))

    def _here(self, text: str) -> str:
        text = text.replace(ADDRESS, self.url)
        if self.config is not None:
            text = re.sub(r"/tmp/headgate-demo-\S+/headgate\.toml", str(self.config), text)
        return _ID.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def _expanded(self, words: list[str]) -> Iterator[str]:
        for word in words:
            yield re.sub(r"\$(\w+)", lambda match: self.environment[match[1]], word)

    def _run(self, command: list[str]) -> str:
        environment = os.environ | dict(self.environment) | {"NO_COLOR": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _curl(words: list[str]) -> str:
    """As curl does with -s, -i, -N, -H, -X, -d and an address: what it prints. Not every machine has curl."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body, address, method, with_head = "", "", "", False
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name.lower()] = value.strip()
        elif word == "-X":
            method = next(rest)
        elif word == "-d":
            body = next(rest)
        elif word.startswith("-"):
            assert set(word[1:]) <= set("siN"), f"this reader's curl does not know {word}"
            with_head = with_head or "i" in word
        else:
            address = word
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method or ("POST" if body else "GET"), target, body.encode(), headers)
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    head = [f"HTTP/1.1 {reply.status} {reply.reason}", *(f"{k}: {v}" for k, v in reply.getheaders()), ""]
    return "\n".join([*head, text]) if with_head else text
