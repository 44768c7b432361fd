"""`headgate chaos` beside a running gateway: every fault on command, survived where it can be, told where it cannot."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.control.traces import Shown
from headgate.core.ids import request_id_text
from headgate.providers.rehearsal.faults import FAULTS
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.records import all_shown, shown

__all__: list[str] = []

PATHS = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "anthropic.messages": "/v1/messages",
}
HARMLESS = {
    "latency": "latency:0.05",
    "slow_first_token": "slow_first_token:0.05",
    "slow_drip": "slow_drip:0.001",
    "one_byte": "one_byte",
}
WITHHELD = {name for name, kind in FAULTS.items() if kind.stage != "answer"}
PATIENCE = 'timeouts = { connect = "1s", first_token = "1s", between_tokens = "1s", total = "3s" }'
FEATURES = "\n".join(
    f'[features.with-{name}]\nroute = "sim/for-{name}"\nretry = {{ attempts = 1 }}\n{PATIENCE}'
    for name in FAULTS
)
CONFIG = f"""
[providers.sim]
kind = "simulated"
speed = 0
models.steady = {{ error_rate = 0, quality = 1 }}
models.spare = {{ error_rate = 0, quality = 1 }}

[models.main]
endpoints = [{{ provider = "sim", model = "steady" }}]

[models.spare]
endpoints = [{{ provider = "sim", model = "spare" }}]

[features.support-chat]
route = "main"
fallback = ["spare"]

{FEATURES}
"""


class Seen(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def complete(self) -> bool:
        """Does it look like a whole answer to whoever asked?"""
        marks = ("data: [DONE]", '"finish_reason":"', '"stop_reason":"', '"type":"response.completed"')
        whole = '"object":"response"' in self.body and '"status":"completed"' in self.body
        return any(mark in self.body for mark in marks) or (whole and "data: " not in self.body)

    @property
    def error(self) -> bool:
        """Is it told that something went wrong?"""
        return self.status >= 400 or '"error":{' in self.body or '"type":"error"' in self.body


def ask(gateway: RunningGateway, model: str, dialect: str = "openai.chat", *, stream: bool = False) -> Seen:
    said = [{"role": "user", "content": "Name three rivers of Europe, and say where each of them ends."}]
    body = {"model": model, "stream": stream, "max_tokens": 40, "messages": said}
    if dialect == "openai.responses":
        body = {"model": model, "stream": stream, "input": said}
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    try:
        headers = {"authorization": f"Bearer {gateway.key}", "anthropic-version": "2023-06-01"}
        connection.request("POST", PATHS[dialect], json.dumps(body), headers)
        reply = connection.getresponse()
        return Seen(reply.status, dict(reply.getheaders()), reply.read().decode())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("chaos"), CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


Chaos = Callable[..., str]


@pytest.fixture
def chaos(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chaos]:
    """The command beside the gateway; all that it ordered is ended afterwards."""
    monkeypatch.chdir(gateway.directory)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["chaos", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    yield run
    ended = [one["id"] for one in json.loads(run("list", "--json"))]
    run("stop", "--all")
    for number in ended:
        knows(gateway, f"rehearsal {number} is over")


def knows(gateway: RunningGateway, word: str) -> None:
    """Wait until the gateway has said so."""
    assert until(lambda: word in gateway.log, seconds=15), gateway.log


def begun(gateway: RunningGateway, number: str) -> None:
    knows(gateway, f"rehearsal {number} begins")


def test_users_do_not_notice_a_rehearsed_outage(gateway: RunningGateway, chaos: Chaos) -> None:
    """Another model answers; the record says that it was a rehearsal; afterwards all is as before."""
    number = chaos("start", "main", "error:503")
    begun(gateway, number)
    for dialect in PATHS:
        for stream in (False, True):
            seen = ask(gateway, "support-chat", dialect, stream=stream)
            assert seen.status == 200 and seen.complete, seen
            assert seen.headers["x-headgate-model"] == "spare"
            found = shown(gateway, seen.headers["x-request-id"])
            if len(found.attempts) > 1:  # later ones may not even try it: it rests after failures
                assert found.attempts[0].error_detail.startswith(f"rehearsal {number}: error:503")
                assert (found.attempts[0].status, found.attempts[0].cost_nanos) == (503, 0)
    chaos("stop", number)
    knows(gateway, f"rehearsal {number} is over")
    assert until(lambda: ask(gateway, "support-chat").headers["x-headgate-model"] == "steady", seconds=15)


def test_only_the_share_that_was_ordered_suffers(gateway: RunningGateway, chaos: Chaos) -> None:
    """Half of the calls are slow, and marked; the other half is left alone."""
    number = chaos("start", "sim/for-sharing", "latency:0.001", "--share", "0.5")
    begun(gateway, number)
    seen = [ask(gateway, "sim/for-sharing") for _ in range(30)]
    assert all(one.complete for one in seen)
    attempts = [shown(gateway, one.headers["x-request-id"]).attempts[0] for one in seen]
    mark = f"rehearsal {number}: latency"
    assert 5 <= sum(attempt.upstream_request_id.startswith(mark) for attempt in attempts) <= 25


def test_an_order_ends_by_itself(gateway: RunningGateway, chaos: Chaos) -> None:
    """Nobody has to remember it."""
    number = chaos("start", "sim/for-a-moment", "error:401", "--for", "2s")
    begun(gateway, number)
    knows(gateway, f"rehearsal {number} is over")
    assert until(lambda: ask(gateway, "sim/for-a-moment").status == 200, seconds=15)


@pytest.fixture(scope="module")
def met(gateway: RunningGateway) -> dict[tuple[str, str, bool], tuple[Seen, Shown]]:
    """Every fault in force at once, each for a feature of its own; asked in every dialect, whole and streamed: what the
    caller saw, and what is on record."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(gateway.directory)
        last = ""
        for name in FAULTS:
            # Enough bad turns for all who ask.
            fault = HARMLESS.get(name, "flapping:99/1" if name == "flapping" else name)
            order = ["chaos", "start", "sim", fault, "--feature", f"with-{name}", "--for", "1h"]
            result = CliRunner().invoke(main, order)
            assert result.exit_code == 0, result.output
            last = result.stdout.strip()
        begun(gateway, last)
    asked = [(name, dialect, stream) for name in FAULTS for dialect in PATHS for stream in (False, True)]
    with ThreadPoolExecutor(24) as threads:
        seen = list(threads.map(lambda one: ask(gateway, f"with-{one[0]}", one[1], stream=one[2]), asked))
    on_record: dict[str, Shown] = {}

    def all_stored() -> bool:
        on_record.update({request_id_text(one.request.id): one for one in all_shown(gateway)})
        return all(one.headers["x-request-id"] in on_record for one in seen)

    assert until(all_stored, seconds=15), gateway.log
    found = (on_record[one.headers["x-request-id"]] for one in seen)
    return dict(zip(asked, zip(seen, found, strict=True), strict=True))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_survived_or_told_and_never_hidden(
    met: dict[tuple[str, str, bool], tuple[Seen, Shown]], fault: str, dialect: str, *, stream: bool
) -> None:
    """Nothing hangs, nothing that broke off is shown as success, every record names the rehearsal."""
    seen, found = met[fault, dialect, stream]
    if fault in HARMLESS:
        assert seen.status == 200 and seen.complete and not seen.error, seen
        assert found.request.outcome == "ok" and found.request.cost_nanos
        assert found.attempts[-1].upstream_request_id.startswith("rehearsal ")
        return
    assert seen.error and not seen.complete, seen
    assert found.request.outcome == "failed"
    for attempt in found.attempts:
        assert attempt.error_detail.startswith("rehearsal "), attempt
        if fault in WITHHELD or (fault == "error_in_stream" and not stream):
            assert (attempt.input_tokens, attempt.cost_nanos) == (0, 0), "nobody bills what never left"
