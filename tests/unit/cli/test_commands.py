"""The commands that need no running gateway: what they print, where, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate import __version__
from headgate.cli import COMMANDS, main

__all__: list[str] = []

SOUND = """
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
    for name in (
        "HEADGATE_CONFIG",
        "HEADGATE_LISTEN",
        "HEADGATE_BOOTSTRAP_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "headgate.toml").write_text(SOUND)
    return tmp_path


def run(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_what_it_does(command):
    """Each help ends in examples or is too plain to need one."""
    text = run(command, "--help").stdout
    assert "Usage:" in text and (command == "version" or "Example" in text)


def test_help_imports_nothing_that_takes_time():
    """`headgate --help` answers in 0.3 s: no server, no database, no settings are imported for it."""
    heavy = ("uvicorn", "sqlalchemy", "msgspec", "rich", "sqlite3", "asyncio", "genai_prices")
    code = (
        "import sys\nfrom headgate.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert "serve" in done.stdout and done.stderr.strip() == "[]"


def test_a_mistyped_command_is_answered_with_the_nearest():
    """And ends as wrong usage does."""
    assert "did you mean `serve`?" in run("sreve", code=2).stderr


def test_the_version_is_told_to_people_and_to_scripts():
    """By option, by command, as JSON; and in which form it runs."""
    assert run("--version").stdout == f"headgate {__version__}\n"
    told = json.loads(run("version", "--json").stdout)
    assert (told["headgate"], told["form"]) == (__version__, "plain Python")
    assert f"headgate {__version__}\nform plain Python\n" in run("version").stdout


def test_check_tells_in_plain_words_what_will_happen():
    """Where each name goes, how long it may take, what it costs."""
    text = run("check").stdout
    assert "The configuration is sound (headgate.toml, " in text
    assert "support-chat: asks small (sim/sim-small);" in text
    assert "first token within 60 s, whole answer within 10 min;" in text
    assert "0.15/0.6 USD per million tokens (pretended: nobody is paid)" in text


def test_check_tries_each_provider_when_asked():
    """A provider that answers, and one where nobody listens."""
    assert "sim: ok" in run("check", "--try").stdout
    with Path("headgate.toml").open("a") as file:
        file.write('[providers.gone]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n')
    told = json.loads(run("check", "--try", "--json", code=1).stdout)
    assert [(each["name"], each["ok"]) for each in told["providers"]] == [("sim", True), ("gone", False)]
    assert told["ok"] is False and told["providers"][1]["message"]


def test_check_tells_every_problem_and_ends_with_2(folder):
    """To people on standard error, to scripts as data."""
    (folder / "headgate.toml").write_text("[server]\nlisen = 'x'\n[log]\nlevel = 'loud'\n")
    told = run("check", code=2)
    assert "2 problems in the configuration" in told.stderr and "headgate.toml:2" in told.stderr
    problems = json.loads(run("check", "--json", code=2).stdout)["problems"]
    assert [(each["where"], each["line"]) for each in problems] == [("server.lisen", 2), ("log.level", 4)]


def test_check_knows_list_prices():
    """From the list that comes with the package; nothing is fetched."""
    with Path("headgate.toml").open("a") as file:
        file.write('[providers.openai]\nkind = "openai"\n[features.x]\nroute = "openai/gpt-4o-mini"\n')
    assert "price 0.15/0.6 USD per million tokens (list price of genai-prices" in run("check").stdout


@pytest.mark.parametrize("command", [("check",), ("config", "show"), ("keys", "list"), ("tail",), ("serve",)])
def test_a_broken_configuration_ends_every_command_the_same_way(command, folder):
    """Code 2, all problems, no traceback."""
    (folder / "headgate.toml").write_text("[sevrer]\n")
    told = run(*command, code=2)
    assert "headgate.toml:1: sevrer: no such section; did you mean `server`?" in told.stderr


def test_the_example_can_be_used_as_it_is(folder):
    """The first steps of the help work."""
    (folder / "headgate.toml").write_text(run("config", "example").stdout)
    assert "The configuration is sound" in run("check").stdout


def test_the_schema_is_json_and_nothing_else():
    """It is redirected into a file."""
    assert json.loads(run("config", "schema").stdout)["title"] == "Headgate configuration"


def test_show_prints_what_is_in_force_and_no_secret(folder, monkeypatch):
    """Defaults filled in, as TOML and as JSON."""
    monkeypatch.setenv("MY_KEY", "sk-do-not-show-me")
    (folder / "headgate.toml").write_text('[providers.a]\nkind = "openai"\napi_key = "${MY_KEY}"\n')
    shown = tomllib.loads(run("config", "show").stdout)
    assert (
        shown["server"]["listen"] == "127.0.0.1:8080"
        and shown["providers"]["a"]["api_key"] == "<from ${MY_KEY}>"
    )
    told = run("config", "show", "--json").stdout
    assert json.loads(told)["settings"]["providers"]["a"]["kind"] == "openai" and "do-not-show" not in told


def test_a_configuration_elsewhere_is_named_by_option_or_variable(folder, monkeypatch):
    """HEADGATE_CONFIG is what containers set."""
    (folder / "other.toml").write_text("[server]\nlisten = '127.0.0.1:7'\n")
    assert (
        json.loads(run("config", "show", "--json", "--config", "other.toml").stdout)["file"] == "other.toml"
    )
    monkeypatch.setenv("HEADGATE_CONFIG", "other.toml")
    assert json.loads(run("config", "show", "--json").stdout)["settings"]["server"]["listen"] == "127.0.0.1:7"


def test_a_key_is_shown_once_and_nothing_but_the_key_goes_to_standard_output(folder):
    """KEY=$(headgate keys create shop); the database knows it by its hash only."""
    made = run("keys", "create", "shop", "--expires", "90d", "--model", "support-chat", "--team", "web")
    key = made.stdout.strip()
    assert key.startswith("hg_") and len(key) == 46 and "shop" in made.stderr
    (listed,) = json.loads(run("keys", "list", "--json").stdout)
    assert (listed["name"], listed["models"], listed["team"], listed["state"]) == (
        "shop",
        ["support-chat"],
        "web",
        "valid",
    )
    assert listed["expires"] is not None
    kept = b"".join(path.read_bytes() for path in folder.glob("records.db*"))
    assert b"shop" in kept and key.encode() not in kept


def test_a_revoked_key_is_listed_only_when_asked_for():
    """By name or by id, once."""
    made = json.loads(run("keys", "create", "shop", "--json").stdout)
    run("keys", "revoke", made["id"])
    assert "no keys" in run("keys", "list").stderr
    (listed,) = json.loads(run("keys", "list", "--all", "--json").stdout)
    assert listed["state"] == "revoked"
    assert "no valid key `shop`" in run("keys", "revoke", "shop", code=1).stderr


def test_two_keys_of_one_name_are_refused():
    """Which one would be revoked?"""
    run("keys", "create", "shop")
    assert "already" in run("keys", "create", "shop", code=1).stderr


@pytest.mark.parametrize("when", ["soon", "2020-01-01", "90", "-3d"])
def test_an_expiry_that_makes_no_sense_is_refused(when):
    """With what would."""
    assert "--expires" in run("keys", "create", "shop", f"--expires={when}", code=2).stderr


def test_a_model_that_is_not_there_is_noted_when_a_key_is_made_for_it():
    """It may come later; a typing error is more likely."""
    assert "no feature or model `suport-chat`" in run("keys", "create", "shop", "-m", "suport-chat").stderr
    assert "note" not in run("keys", "create", "other", "-m", "sim/anything").stderr


def test_keys_are_listed_for_people_too():
    """A table, no box."""
    run("keys", "create", "shop")
    text = run("keys", "list").stdout
    assert "shop" in text and "everything" in text and "never" in text


def test_tail_and_show_say_when_there_is_nothing():
    """An empty installation is no failure; an unknown request is; a text that is no id is wrong usage."""
    assert run("tail", "--no-follow").stdout == ""
    assert "no request req_0akrzmj8b5g00" in run("show", "req_0akrzmj8b5g00", code=1).stderr
    assert "is not a request id" in run("show", "4711", code=2).stderr


def test_a_database_that_cannot_be_opened_is_told_in_words(folder):
    """No traceback of a driver."""
    (folder / "records.db").write_text("this is no database, and long enough to be looked at as one" * 20)
    told = run("keys", "list", code=1).stderr
    assert told.startswith("error: ") and "records.db" in told


def test_serve_refuses_what_would_be_open_to_the_world():
    """`--listen` and the bootstrap key are checked before anything is opened."""
    assert "HOST:PORT" in run("serve", "--listen", "8080", code=2).stderr
    result = CliRunner(env={"HEADGATE_BOOTSTRAP_KEY": "short"}).invoke(main, ["serve"])
    assert result.exit_code == 2 and "too short" in result.stderr


def test_simulate_knows_its_providers():
    """A name that is not there, with those that are."""
    assert "there are sim" in run("simulate", "--provider", "nope", code=2).stderr
