"""What the how-tos promise: configurations load, commands print what is shown, faults end as the table says."""

from __future__ import annotations

import http.client
import json
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
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

DOCS = Path(__file__).resolve().parents[2] / "docs"
OUTAGE = DOCS / "how-to" / "rehearse-an-outage.md"
KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "VLLM_API_KEY"), "made-up")
# Design and decisions tell of what is to come, too.
FOR_USERS = [page for folder in ("how-to", "reference", "tutorial") for page in (DOCS / folder).glob("*.md")]


@pytest.mark.parametrize("page", [page for page in FOR_USERS if blocks(page, "toml")], ids=lambda p: p.name)
def test_every_configuration_on_a_page_is_taken(page: Path, tmp_path: Path) -> None:
    """Whoever copies it can start with it."""
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    for block in blocks(page, "toml"):
        parse(block.text.replace("/etc/ssl/internal-ca.pem", str(certificate)), KEYS)


def test_problems_are_told_as_the_page_shows(tmp_path: Path) -> None:
    """All of them at once, with line and nearest name."""
    wrong = '[providers.openai]\nkind = "openai"\nbase_ulr = "http://127.0.0.1:1/v1"\n\n[models.small]\n'
    wrong += 'endpoints = [{ provider = "openai", model = "x" }]\n\n[features.support-chat]\nroute = "smal"\n'
    (tmp_path / "headgate.toml").write_text(wrong)
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "check"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    (block,) = blocks(DOCS / "how-to" / "configure.md", "console")
    (step,) = steps(block)
    Reader(tmp_path, "", {}).compare(step, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """What `headgate serve` is without a file, in no time."""
    settings = plain(rehearsal())
    settings["providers"]["sim"]["speed"] = 0
    del settings["server"]
    with running_gateway(tmp_path_factory.mktemp("rehearsal"), toml_text(settings)) as running:
        yield running


def test_the_commands_of_the_rehearsal_print_what_is_shown(gateway: RunningGateway, tmp_path: Path) -> None:
    """Down to the headers."""
    reader = Reader(tmp_path, gateway.url, {"HEADGATE_KEY": gateway.key})
    for block in blocks(OUTAGE, "console"):
        reader.do(block)


class Seen(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def complete(self) -> bool:
        return "data: [DONE]" in self.body or '"finish_reason":"stop"' in self.body


def ask(gateway: RunningGateway, fault: str, *, stream: bool) -> Seen:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    said = {"role": "user", "content": "Name three rivers of Europe."}
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({"model": "support-chat", "stream": stream, "messages": [said]}),
            {"authorization": f"Bearer {gateway.key}", "x-headgate-fault": fault},
        )
        reply = connection.getresponse()
        return Seen(reply.status, dict(reply.getheaders()), reply.read().decode())
    finally:
        connection.close()


def another_answers(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 200 and seen.complete
    assert (seen.headers["x-headgate-model"], seen.headers["x-headgate-attempts"]) == ("sim-small", "2")


def another_answers_in_a_stream(seen: Seen, *, stream: bool) -> None:
    if stream:
        another_answers(seen, stream=stream)


def an_error(seen: Seen, *, stream: bool) -> None:
    assert seen.status in (429, 502, 503)
    assert seen.headers["x-should-retry"] == "false" and json.loads(seen.body)["error"]["message"]


def no_success(seen: Seen, *, stream: bool) -> None:
    assert not seen.complete and '"error":{' in seen.body
    assert (seen.status == 200) == stream


def the_request_is_at_fault(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 400 and seen.headers["x-headgate-attempts"] == "1"


def passes(seen: Seen, *, stream: bool) -> None:
    assert seen.status == 200


ENDS: list[Callable[..., None]] = [
    another_answers,
    another_answers_in_a_stream,
    an_error,
    no_success,
    the_request_is_at_fault,
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
    end(ask(gateway, fault, stream=stream), stream=stream)
