"""`headgate keys` and `headgate audit` on an installation that is not running."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import main
from headgate.cli.actor import actor

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///records.db"
[providers.sim]
kind = "simulated"
[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }]
[features.support-chat]
route = "small"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADGATE_CONFIG", raising=False)
    monkeypatch.setenv("SUDO_USER", "ann")
    (tmp_path / "headgate.toml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def listed(*more: str) -> Any:
    return json.loads(run("keys", "list", "--json", *more).stdout)


def log(*more: str) -> Any:
    return json.loads(run("audit", "list", "--json", *more).stdout)


def test_a_key_says_whose_it_is_and_what_it_may() -> None:
    """All that was said when it was made."""
    told = run(
        "keys", "create", "ann", "--user", "ann", "--team", "web", "--tenant", "acme", "--role", "developer",
        "--role", "reviewer", "--feature", "support-chat", "--model", "small", "--note", "for the demo",
    )  # fmt: skip
    assert "developer, reviewer, valid until revoked, for support-chat, small" in told.stderr
    (key,) = listed()
    assert (key["user"], key["team"], key["tenant"], key["note"]) == ("ann", "web", "acme", "for the demo")
    assert (key["roles"], key["features"], key["models"]) == (
        ["developer", "reviewer"],
        ["support-chat"],
        ["small"],
    )
    text = run("keys", "list").stdout
    assert "support-chat" in text and "whose" in text and "last used" not in text


def test_a_key_is_an_applications_unless_said_otherwise() -> None:
    """The least that is of use."""
    run("keys", "create", "shop")
    assert listed()[0]["roles"] == ["service"] and listed()[0]["last_used"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--role", "develper"), "no role `develper`; did you mean `developer`?"),
        (("--role", "xyz"), "known are `owner`, `operator`, `developer`, `reviewer`, `viewer`, `service`"),
        (("--team", "a\nb"), "--team"),
        (("--note", "x" * 501), "--note"),
        (("--user", "x" * 101), "--user"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], told: str) -> None:
    """With what would, and no key is made."""
    assert told in run("keys", "create", "shop", *arguments, code=2).stderr
    assert listed() == [] and log() == []


@pytest.mark.parametrize("when", ["2300-01-01", "1000y", "99999999999999999999d"])
def test_a_key_does_not_expire_in_the_far_future(when: str) -> None:
    """What cannot be kept is refused."""
    assert "beyond the year" in run("keys", "create", "shop", "--expires", when, code=2).stderr


def test_a_feature_that_is_not_there_is_noted() -> None:
    """It may come later."""
    assert "no feature `suport-chat`" in run("keys", "create", "shop", "-f", "suport-chat").stderr


def test_a_rotation_shows_the_new_key_and_says_until_when_the_old_one_is_good() -> None:
    """Only the key goes to standard output."""
    old = run("keys", "create", "shop").stdout.strip()
    told = run("keys", "rotate", "shop", "--overlap", "7d")
    new = told.stdout.strip()
    assert new.startswith("hg_") and len(new) == 46 and new != old
    assert "the old one is valid until" in told.stderr
    (key,) = listed()
    assert key["state"] == "valid" and len(key["old_keys_until"]) == 1
    again = json.loads(run("keys", "rotate", key["id"], "--overlap", "0s", "--json").stdout)
    assert again["key"] not in (old, new) and again["id"] == key["id"] and again["old_keys_until"] == []
    assert "is not valid any more" in run("keys", "rotate", "shop", "--overlap", "0").stderr


def test_what_cannot_be_rotated_is_told() -> None:
    """An unknown name with the nearest, a time that is none, a revoked key."""
    run("keys", "create", "shop")
    assert "no valid key `shpo`; did you mean `shop`?" in run("keys", "rotate", "shpo", code=1).stderr
    for overlap in ("soon", "900d", "-1h"):
        assert "--overlap" in run("keys", "rotate", "shop", f"--overlap={overlap}", code=2).stderr
    run("keys", "revoke", "shop")
    assert "no valid key `shop`" in run("keys", "rotate", "shop", code=1).stderr
    assert [each["action"] for each in log()] == ["key.create", "key.revoke"]


def test_every_change_is_in_the_log() -> None:
    """Who, what, how it was and is; nothing that could be used as a key."""
    made = json.loads(run("keys", "create", "shop", "--team", "web", "--json").stdout)
    rotated = run("keys", "rotate", "shop").stdout.strip()
    run("keys", "revoke", "shop")
    run("chaos", "start", "sim", "cut:5", "--share", "0.5")
    run("chaos", "stop", "--all")
    found = log()
    assert [each["action"] for each in found] == [
        "key.create",
        "key.rotate",
        "key.revoke",
        "rehearsal.start",
        "rehearsal.stop",
    ]
    assert {each["actor"] for each in found} == {"cli:ann"}
    assert [each["subject"] for each in found] == [made["id"]] * 3 + ["1", "1"]
    assert found[0]["before"] is None and found[0]["after"]["team"] == "web"
    assert found[2]["before"]["revoked"] is None and found[2]["after"]["revoked"] is not None
    assert found[3]["after"]["fault"] == "cut:5" and found[3]["after"]["share"] == 0.5
    assert "stopped" not in found[4]["before"] and found[4]["after"]["stopped"]
    text = json.dumps(found)
    assert made["key"] not in text and rotated not in text and "hash" not in text


def test_the_log_reads_as_lines_for_people() -> None:
    """What changed, from what to what; the latest last."""
    run("keys", "create", "shop", "--team", "web")
    run("keys", "revoke", "shop")
    first, second = run("audit", "list").stdout.splitlines()
    assert "cli:ann" in first and "key.create" in first and "team: web" in first and "->" not in first
    assert "key.revoke" in second and "revoked: - -> 2" in second and "team" not in second


def test_the_log_begins_when_it_is_told_to() -> None:
    """A time back or a date; as many as wanted, the latest of them."""
    run("keys", "create", "one")
    run("keys", "create", "two")
    assert [each["after"]["name"] for each in log("--limit", "1")] == ["two"]
    assert len(log("--since", "1h")) == len(log("--since", "2020-01-31")) == 2
    assert log("--since", "2999-01-01") == []
    assert "nothing was changed since 2262" in run("audit", "list", "--since", "2999-01-01").stderr
    assert len(log("--since", "900000d")) == 2
    assert "--since" in run("audit", "list", "--since", "once", code=2).stderr


def test_who_gives_a_command_is_named_without_a_login_too(monkeypatch) -> None:
    """A container's user may be a number only; a name that is far too long is cut."""
    assert actor() == "cli:ann"
    monkeypatch.delenv("SUDO_USER")

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert actor().startswith("cli:") and len(actor()) > 4
    monkeypatch.setenv("SUDO_USER", "x" * 500)
    assert len(actor()) == 68


def test_check_tells_whose_tokens_are_taken(folder) -> None:
    """Beside keys."""
    assert "Every request brings a key." in run("check").stdout
    with (folder / "headgate.toml").open("a") as file:
        file.write('[tokens.corp]\nissuer = "i"\naudience = "a"\njwks = "jwks.json"\n')
    assert "Every request brings a key, or a token of corp." in run("check").stdout
