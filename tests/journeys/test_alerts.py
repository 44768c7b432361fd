"""Alerts from end to end: real processes, a real database, real web and mail servers, `kill -9`, and the commands."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from openai import OpenAI

from headgate.cli import main
from headgate.stores.alerts import Alert, Severity
from tests.support.alert_nodes import Node, node
from tests.support.alerted import Inbox, mail_server, web_server

__all__: list[str] = []

CONFIG = """
[server]
reach = ["127.0.0.1"]

[[alerts]]
name = "ops"
url = "{web}/ops"
secret = "whsec_aGVhZGdhdGUgc2lnbnMgaXRzIHdlYmhvb2tzIQ=="

[[alerts]]
name = "chat"
kind = "slack"
url = "{web}/services/chat"
least = "critical"

[[alerts]]
name = "mail"
kind = "email"
to = ["ops@example.com"]
sender = "headgate@example.com"
server = "127.0.0.1:{mail}"
tls = "none"
only = {{ team = ["web"] }}
"""


def alert(event: str, subject: str = "all", severity: Severity = "critical") -> Alert:
    return Alert(
        event=event,
        kind="budget",
        subject=subject,
        severity=severity,
        at_ns=time.time_ns(),
        text=f"About {event}.",
    )


@contextmanager
def installation(folder: Path) -> Iterator[tuple[Inbox, Inbox]]:
    with web_server() as web, mail_server() as mail:
        (folder / "headgate.toml").write_text(CONFIG.format(web=web.url, mail=mail.port))
        yield web, mail


def headgate(folder: Path, *words: str, code: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *words], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout, done.stderr


def tell_until(running: Node, subject: str, enough: Callable[[], bool]) -> None:
    """New alerts, until a change has been noticed."""
    deadline = time.monotonic() + 20
    while not enough():
        assert time.monotonic() < deadline
        running.tell(alert(f"{subject} {time.monotonic_ns()}", subject, "info"))
        time.sleep(0.1)


def told_last(folder: Path) -> list[str]:
    """The receivers of the newest alert."""
    newest = json.loads(headgate(folder, "alerts", "log", "--json", "--limit", "1")[0])[0]
    return [each["receiver"] for each in newest["deliveries"]]


def paths(web: Inbox) -> list[str]:
    return [each.path for each in web.posts]


def test_each_receiver_is_told_once_of_what_it_wants_to_hear(tmp_path: Path) -> None:
    """By two processes on one database that notice the same."""
    with installation(tmp_path) as (web, mail), node(tmp_path) as one, node(tmp_path) as two:
        for teller in (one, two, one):
            teller.tell(alert("e1", "team:web"), alert("e2", severity="info"))
        web.wait(lambda: len(web.posts) >= 3)
        mail.wait(lambda: len(mail.mails) == 1)
        one.stop()
        two.stop()
        assert sorted(paths(web)) == ["/ops", "/ops", "/services/chat"]
        assert [each["subject"] for each in mail.mails] == ["[headgate] critical: About e1."]
        for each in web.posts:
            if each.path == "/ops":
                OpenAI(api_key="x").webhooks.verify_signature(
                    each.body, each.headers, secret="whsec_aGVhZGdhdGUgc2lnbnMgaXRzIHdlYmhvb2tzIQ=="
                )
            else:
                assert "About e1." in json.loads(each.body)["text"]


def test_a_process_that_is_killed_in_the_middle_of_a_delivery_is_replaced(tmp_path: Path) -> None:
    """The receiver hears the same again, under the same id, from whoever lives."""
    with installation(tmp_path) as (web, _):
        web.hold = threading.Event()
        with node(tmp_path, claim_seconds=2) as first:
            first.tell(alert("e1", severity="info"))
            web.wait(lambda: len(web.posts) == 1)
            first.kill()
        with node(tmp_path, claim_seconds=2):
            web.hold.set()
            web.wait(lambda: len(web.posts) == 2)
        one, two = web.posts
        assert one.body == two.body and one.headers["webhook-id"] == two.headers["webhook-id"]
        (told,) = json.loads(headgate(tmp_path, "alerts", "log", "--json")[0])
        (delivery,) = told["deliveries"]
        assert (delivery["state"], delivery["tries"], delivery["receiver"]) == ("delivered", 2, "ops")


def test_what_was_kept_when_everybody_was_killed_is_delivered_after_the_start(tmp_path: Path) -> None:
    """The receiver was away, and so is the gateway when it comes back."""
    with installation(tmp_path) as (web, _):
        web.answers = [(503, {}, b"not now")]
        with node(tmp_path) as first:
            first.tell(alert("e1", severity="info"))
            web.wait(lambda: len(web.posts) == 1)
            told = waited = ""
            while "not now" not in waited:
                waited, told = headgate(tmp_path, "alerts", "log")
            first.kill()
        assert "ops: waits, after 1 try: HTTP 503: not now; again at" in waited and told == ""
        with node(tmp_path):
            web.wait(lambda: len(web.posts) == 2)


def test_receivers_are_added_tried_listed_and_removed_by_command(tmp_path: Path) -> None:
    """A running process knows of them within seconds, and forgets them; every change is in the audit log."""
    with installation(tmp_path) as (web, mail), node(tmp_path) as running:
        secret, said = headgate(
            tmp_path, "alerts", "add", "shop", "--url", f"{web.url}/shop", "--of", "feature:shop"
        )
        assert secret.startswith("whsec_") and "no feature `shop` is configured now" in said
        assert (
            headgate(tmp_path, "alerts", "add", "ann", "--email", "ann@example.com", "--of", "user:ann")[0]
            == ""
        )
        headgate(
            tmp_path, "alerts", "add", "talk", "--slack", "--url", f"{web.url}/talk", "--about", "spend_rate"
        )
        listed = json.loads(headgate(tmp_path, "alerts", "list", "--json")[0])
        assert [(each["name"], each["from"], each["of"]) for each in listed] == [
            ("ops", "configuration", "all"),
            ("chat", "configuration", "all"),
            ("mail", "configuration", "team:web"),
            ("shop", "added", "feature:shop"),
            ("ann", "added", "user:ann"),
            ("talk", "added", "all"),
        ]
        assert web.url not in json.dumps(listed).replace(f"{web.url}/...", "")
        for name in ("ops", "shop", "ann", "talk"):
            assert f"`{name}` took it" in headgate(tmp_path, "alerts", "test", name)[1]
        assert mail.mails[0]["to"] == "ann@example.com"
        tried = next(each for each in web.posts if each.path == "/shop")
        OpenAI(api_key="x").webhooks.verify_signature(tried.body, tried.headers, secret=secret.strip())
        assert json.loads(tried.body)["type"] == "alert.test"
        tell_until(running, "feature:shop", lambda: paths(web).count("/shop") >= 2)
        tell_until(running, "user:ann", lambda: len(mail.mails) >= 2)
        headgate(tmp_path, "alerts", "remove", "shop")
        tell_until(running, "feature:shop", lambda: "shop" not in told_last(tmp_path))
        actions = [each["action"] for each in json.loads(headgate(tmp_path, "audit", "list", "--json")[0])]
        assert actions == ["receiver.add"] * 3 + ["receiver.remove"]


def test_commands_say_what_is_wrong_and_what_would_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses out of reach, names that are taken or nearly right, receivers that do not take it."""
    monkeypatch.chdir(tmp_path)

    def refused(*words: str, code: int = 1) -> str:
        done = CliRunner().invoke(main, ["alerts", *words])
        assert done.exit_code == code, (words, done.output)
        return done.stderr

    with installation(tmp_path) as (web, _):
        for words, told in (
            (["--url", "http://10.0.0.1/x"], "private address"),
            (["--url", "https://[::1]/x"], "loopback address"),
            (["--url", "http://1.1.1.1/x"], "use https"),
            (["--url", "example.com"], "https://example.com/hooks"),
            (["--email", "ann"], "ann@example.com"),
            (["--email", "ann@example.com", "--via", "ops"], "mail server"),
            (["--url", "https://example.com/x", "--about", "budgets"], "did you mean `budget`"),
            (["--url", "https://example.com/x", "--of", "shop"], "feature:NAME"),
            (["--url", "https://example.com/x", "--least", "loud"], "warning"),
            ([], "say where"),
        ):
            assert told in refused("add", "x", *words, code=2), words
        taken = refused("add", "ops", "--url", f"{web.url}/x")
        assert "is a receiver of the configuration" in taken
        refused("add", "gone", "--url", "http://127.0.0.1:1/x", code=0)
        assert "already: choose" in refused("add", "gone", "--url", f"{web.url}/x")
        assert "connect failed: 127.0.0.1:1" in refused("test", "gone")
        assert "did you mean `gone`" in refused("test", "gond")
        assert "did you mean `gone`" in refused("remove", "gond")
        assert "take it out there" in refused("remove", "ops")
        assert "no valid key `x`" in refused("add", "y", "--url", f"{web.url}/x", "--of", "key:x")
