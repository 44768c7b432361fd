"""What the how-tos promise: configurations load, commands print what is shown, faults end as the table says."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from headgate.config.discovery import rehearsal
from headgate.config.fingerprint import plain
from headgate.config.loader import parse
from headgate.config.toml_text import toml_text
from tests.support.following import DOCS, how_to, reader_beside
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.pages import Block, Reader, blocks, steps
from tests.support.raw_client import until

__all__: list[str] = []

OUTAGE = how_to("rehearse-an-outage")
KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "VLLM_API_KEY"), "made-up")
# Design and decisions tell of what is to come, too.
FOR_USERS = [page for folder in ("how-to", "reference", "tutorial") for page in (DOCS / folder).glob("*.md")]


@pytest.mark.parametrize("page", [page for page in FOR_USERS if blocks(page, "toml")], ids=lambda p: p.name)
def test_every_configuration_on_a_page_is_taken(page: Path, tmp_path: Path) -> None:
    """Whoever copies it can start with it."""
    certificate, key = tmp_path / "ca.pem", tmp_path / "house.txt"
    certificate.touch()
    key.write_text("a-key-of-the-house\n")
    for block in blocks(page, "toml"):
        text = block.text.replace("/etc/ssl/internal-ca.pem", str(certificate))
        parse(text.replace("file:house.txt", f"file:{key}"), KEYS)


def test_problems_are_told_as_the_page_shows(tmp_path: Path) -> None:
    """All of them at once, with line and nearest name."""
    wrong = '[providers.openai]\nkind = "openai"\nbase_ulr = "http://127.0.0.1:1/v1"\n\n[models.small]\n'
    wrong += 'endpoints = [{ provider = "openai", model = "x" }]\n\n[features.support-chat]\nroute = "smal"\n'
    (tmp_path / "headgate.toml").write_text(wrong)
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "check"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    (block,) = blocks(how_to("configure"), "console")
    (step,) = steps(block)
    Reader(tmp_path, "", {}).compare(step, done.stdout + done.stderr)


def test_from_the_example_to_a_started_gateway(tmp_path: Path) -> None:
    """The commands at the top of the page on configuration, in order; nothing was edited in between."""
    first, schema = blocks(how_to("configure"), "sh")
    *before, last = first.text.splitlines()
    for line in before:
        shell(tmp_path, line)
    assert last == "headgate serve"
    # Under an address of the test's own.
    with running_gateway(tmp_path, (tmp_path / "headgate.toml").read_text()) as gateway:
        assert ask(gateway, "none", stream=False, feature="rehearsal").status == 200
    shell(tmp_path, schema.text)
    properties = json.loads((tmp_path / "headgate.schema.json").read_text())["properties"]
    assert {"providers", "models", "features"} <= properties.keys()


def shell(folder: Path, line: str) -> None:
    """One line of the page, `headgate ...`, whose output may go to a file."""
    command, _, target = line.strip().partition(" > ")
    words = command.split()
    assert words[0] == "headgate"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if target:
        (folder / target).write_text(done.stdout)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """What `headgate serve` is without a file, in no time: what fails rests for a moment only."""
    settings = plain(rehearsal())
    settings["providers"]["sim"]["speed"] = 0
    settings["health"] = {"cooldown": 0.1, "cooldown_most": 0.2}
    del settings["server"]
    with running_gateway(tmp_path_factory.mktemp("rehearsal"), toml_text(settings)) as running:
        yield running


def test_the_commands_of_the_rehearsal_print_what_is_shown(gateway: RunningGateway, tmp_path: Path) -> None:
    """Down to the headers."""
    reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
    for block in blocks(OUTAGE, "console"):
        if "headgate chaos" not in block.text:
            reader.do(block)


def test_the_commands_that_order_faults_do_as_the_page_says(tmp_path: Path) -> None:
    """Beside a gateway of their own, where it finds them; a second later it follows."""
    settings = plain(rehearsal())
    settings["providers"]["sim"]["speed"] = 0
    del settings["server"]
    with running_gateway(tmp_path, toml_text(settings)) as running:
        reader = reader_beside(running)
        [block] = [block for block in blocks(OUTAGE, "console") if "headgate chaos" in block.text]
        for step in steps(block):
            if step.command.startswith("curl"):
                assert until(lambda: "rehearsal 1 begins" in running.log, seconds=15)
            reader.do(Block("console", f"$ {step.command}\n" + "\n".join(step.shown)))
        assert until(lambda: "rehearsal 1 is over" in running.log, seconds=15)


class Seen(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def complete(self) -> bool:
        return "data: [DONE]" in self.body or '"finish_reason":"stop"' in self.body


def ask(gateway: RunningGateway, fault: str, *, stream: bool, feature: str = "support-chat") -> Seen:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    said = {"role": "user", "content": "Name three rivers of Europe."}
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({"model": feature, "stream": stream, "messages": [said]}),
            {"authorization": f"Bearer {gateway.key}", "x-headgate-fault": fault},
        )
        reply = connection.getresponse()
        return Seen(reply.status, dict(reply.getheaders()), reply.read().decode())
    finally:
        connection.close()


def all_is_well(gateway: RunningGateway) -> None:
    """Wait until what failed before serves again: endpoints rest after failures."""

    def serves(feature: str, model: str) -> bool:
        return ask(gateway, "none", stream=False, feature=feature).headers.get("x-headgate-model") == model

    assert until(lambda: serves("support-chat", "sim-large") and serves("classify", "sim-small"), seconds=30)


def another_answers(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 200 and seen.complete
    assert (seen.headers["x-headgate-model"], seen.headers["x-headgate-attempts"]) == ("sim-small", "2")


def another_answers_in_a_stream(seen: Seen, *, stream: bool) -> None:
    if stream:
        another_answers(seen, stream=stream)


def the_ladder_answers(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 200 and seen.complete and "resting" in seen.body
    assert seen.headers["x-headgate-degraded"] == "say" and "x-headgate-model" not in seen.headers


def no_complete_stream(seen: Seen, *, stream: bool) -> None:
    if not stream:
        the_ladder_answers(seen, stream=stream)
    else:
        assert seen.status == 200 and not seen.complete and '"error":{' in seen.body


def the_request_is_at_fault(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 400 and seen.headers["x-headgate-attempts"] == "1"


def the_prompt_is_too_long(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 400 and '"context_length_exceeded"' in seen.body


def passes(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 200


ENDS: list[Callable[..., None]] = [
    another_answers,
    another_answers_in_a_stream,
    the_ladder_answers,
    no_complete_stream,
    the_request_is_at_fault,
    the_prompt_is_too_long,
    passes,
]
ROWS = [
    re.findall(r"`([\w:.@-]+)`", row)
    for row in re.findall(r"^\| (`.+?) \|", OUTAGE.read_text(encoding="utf-8"), re.MULTILINE)
]


def test_each_row_of_the_table_has_its_proof() -> None:
    """A row more on the page needs an end here."""
    assert len(ROWS) == len(ENDS) and all(ROWS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "end"),
    [(fault, end) for row, end in zip(ROWS, ENDS, strict=False) for fault in row if "slow" not in fault],
)
def test_a_fault_ends_as_the_table_says(
    gateway: RunningGateway, fault: str, end: Callable[..., None], *, stream: bool
) -> None:
    """Streamed and whole. What is slow takes no time here: tests/faults/edge has a gateway that waits."""
    all_is_well(gateway)
    end(ask(gateway, fault, stream=stream), stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ROWS[2])
def test_without_a_ladder_the_error_itself_is_told(
    gateway: RunningGateway, fault: str, *, stream: bool
) -> None:
    """The page names a feature to try it with."""
    assert "`summarise` asks the same two models" in OUTAGE.read_text(encoding="utf-8")
    all_is_well(gateway)
    seen = ask(gateway, fault, stream=stream, feature="summarise")
    assert seen.status in (429, 502, 503) and "x-headgate-degraded" not in seen.headers
    assert seen.headers["x-should-retry"] == "false" and json.loads(seen.body)["error"]["message"]
