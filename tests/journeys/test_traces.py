"""What happened is found again by the same words over the API, the command line and an export; and a user who is forgotten stands in
no byte of any file of a running gateway."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from click.testing import CliRunner

from headgate.cli import main
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models = { sim-small = { error_rate = 0 } }

[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }]

[features.chat]
route = "small"
degrade = ["stale:1h"]

[[budgets]]
name = "each-user"
per = "month"
of = "user"
usd = 100
"""
MARK = "zq7markerzq7"
ANN = f"ann-{MARK}"


class Talking:
    """Asks a gateway."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway

    def api(self, path: str, *, method: str = "GET", body: Any = None, **headers: str) -> Any:
        asked = urllib.request.Request(
            f"{self.gateway.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.gateway.key}", "content-type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )  # fmt: skip
        try:
            reply = urllib.request.urlopen(asked, timeout=30)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{refused.code}: {refused.read().decode()}") from None
        with reply:
            data = reply.read()
            return (
                json.loads(data) if data and not data.startswith(b"data:") else reply.headers["x-request-id"]
            )

    def say(
        self, words: str, *, user: str = "bob", session: str = "s-bob", tags: str = "", stream: bool = False
    ) -> None:
        self.api(
            "/v1/chat/completions",
            method="POST",
            body={"model": "chat", "messages": [{"role": "user", "content": words}], "stream": stream},
            x_headgate_user=user, x_headgate_session=session, x_headgate_tags=tags or "task=shared",
        )  # fmt: skip

    def found(self, query: str, least: int) -> list[dict[str, Any]]:
        """What is found, as soon as it is so much."""
        until = time.monotonic() + 15
        while True:
            items: list[dict[str, Any]] = self.api(f"/api/requests?{query}")["items"]
            if len(items) >= least or time.monotonic() > until:
                return items
            time.sleep(0.05)

    def command(self, *arguments: str) -> str:
        """What a command says beside the gateway."""
        config = self.gateway.directory / "beside.toml"
        config.write_text(f'[server]\ndatabase = "sqlite:///{self.gateway.database}"\n{CONFIG}')
        result = CliRunner().invoke(main, [*arguments, "--config", str(config)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout


def test_the_same_words_find_the_same_requests_everywhere(tmp_path: Path) -> None:
    """API, command line, export; a conversation in its order; where the time of one went."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        there = Talking(gateway)
        there.say("Where is the blue whale?", user="ann", session="s-ann", stream=True)
        there.say("And the red fox?", user="ann", session="s-ann")
        for number in range(3):
            there.say(f"Something else {number}")
        assert len(there.found("", 5)) == 5
        query = "user=ann&text=" + quote("BLUE whale")
        (whale,) = there.found(query, 1)
        assert whale["stream"] and whale["session"] == "s-ann"
        assert there.found("stream=yes&user=bob", 0) == []

        shown = there.api(f"/api/requests/{whale['id']}")
        assert [lane["number"] for lane in shown["waterfall"]] == [0, 1]
        assert shown["waterfall"][1]["bars"][-1]["end_ms"] <= shown["request"]["total_ms"]
        assert len(shown["same_session"]) == 1

        turns = there.api("/api/conversation?session=s-ann")["turns"]
        assert [turn["asked"] for turn in turns] == ["Where is the blue whale?", "And the red fox?"]
        assert all(turn["answered"] for turn in turns)

        lines = there.command("traces", "--user", "ann", "--text", "blue whale", "--json").splitlines()
        assert [json.loads(line)["id"] for line in lines] == [whale["id"]]
        out = tmp_path / "out.jsonl"
        there.command("traces", "export", "--user", "ann", "--content", "--out", str(out))
        exported = [json.loads(line) for line in out.read_text().splitlines()]
        assert out.stat().st_mode & 0o077 == 0
        page = there.api("/api/exports/requests?user=ann&content=true")
        assert page["items"] == exported and page["next"] is None
        assert (
            exported[1]["schema"] == "headgate.request.v1" and "blue whale" in exported[1]["prompt"]["text"]
        )


def test_a_user_who_is_forgotten_stands_in_no_byte_of_a_running_gateways_files(tmp_path: Path) -> None:
    """Database, its log, the journal: words of theirs in prompts, answers, tags, sessions, judgements are nowhere any more. What is
    others' stays, and the gateway goes on."""
    with running_gateway(tmp_path, CONFIG) as gateway:
        there = Talking(gateway)
        for number in range(6):
            there.say(f"Bobs words {number}")
            there.say(
                f"{MARK} says {number}",
                user=ANN,
                session=f"session-{MARK}",
                tags=f"mail={MARK}@x",
                stream=number % 2 == 0,
            )
        mine = there.found(f"user={ANN}", 6)
        assert len(mine) == 6
        there.api(
            "/api/feedback",
            method="POST",
            body={"request": mine[0]["id"], "comment": f"bad {MARK}", "user": ANN},
        )
        assert MARK.encode() in files(tmp_path)
        done = there.api(f"/api/users/{ANN}", method="DELETE")
        assert (done["requests"], done["scoured"]) == (6, True)
        left = files(tmp_path)
        assert MARK.encode() not in left
        assert there.found(f"user={ANN}", 0) == []
        assert len(there.found("user=bob", 6)) == 6
        assert (
            "Bobs words"
            in there.api(f"/api/requests/{there.found('user=bob', 6)[0]['id']}")["prompt"]["text"]
        )
        there.say("Bob goes on")
        assert len(there.found("user=bob", 7)) == 7
        (entry,) = [one for one in there.api("/api/audit")["items"] if one["action"] == "user.forget"]
        assert MARK not in json.dumps(entry)
        assert gateway.stop() == 0
    assert MARK.encode() not in files(tmp_path)


def files(directory: Path) -> bytes:
    """All that stands in the files of an installation."""
    kept = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return b"\n".join(path.read_bytes() for path in kept)
