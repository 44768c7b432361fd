"""`${NAME}` in a file: which variables it may read, what becomes of missing ones, and that secrets stay unseen."""

from __future__ import annotations

import json

import pytest

from headgate.config.fingerprint import fingerprint, redacted
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused

__all__: list[str] = []

SECRET = "sk-do-not-show-me"


def provider(value, more=""):
    return f'{more}\n[providers.a]\nkind = "openai"\napi_key = "{value}"\n'


def api_key(value, environ, more=""):
    return parse(provider(value, more), environ).settings.providers["a"].api_key  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("written", "environ", "read"),
    [
        ("${A_KEY}", {"A_KEY": "x"}, "x"),
        ("Bearer ${A_KEY}-${B_TOKEN}", {"A_KEY": "x", "B_TOKEN": "y"}, "Bearer x-y"),
        ("${A_KEY:-none}", {}, "none"),
        ("${A_KEY:-}", {}, ""),
        ("${A_KEY:-none}", {"A_KEY": ""}, "none"),
        ("$${A_KEY}", {}, "${A_KEY}"),
        ("costs $5 or $$", {}, "costs $5 or $"),
        ("${A_KEY}", {"A_KEY": "${B_KEY}"}, "${B_KEY}"),
    ],
)
def test_a_variable_is_replaced_once(written, environ, read):
    """What a variable holds is data: it is not expanded again."""
    assert api_key(written, environ) == read


def test_a_missing_variable_is_told_with_its_name_key_and_line():
    """And with the one that was probably meant."""
    with pytest.raises(ConfigurationRefused) as refused:
        parse(provider("${OPENAI_APIKEY_KEY}"), {"OPENAI_API_KEY": SECRET})
    (line,) = refused.value.lines()
    assert line.startswith(
        "headgate.toml:4: providers.a.api_key: the environment variable `OPENAI_APIKEY_KEY` is not set"
    )
    assert "did you mean `OPENAI_API_KEY`?" in line and SECRET not in line


@pytest.mark.parametrize("name", ["HOME", "PATH", "DATABASE_PASSWORD_FILE", "LD_PRELOAD"])
def test_a_variable_that_is_not_on_the_list_is_refused(name):
    """A field that takes any variable hands the environment to whoever may edit it."""
    with pytest.raises(ConfigurationRefused, match="not among the variables"):
        api_key(f"${{{name}}}", {name: SECRET})


def test_a_variable_may_be_added_to_the_list():
    """By name or pattern, in the file."""
    assert api_key("${CORP_THING}", {"CORP_THING": "x"}, '[environment]\nallow = ["CORP_*"]') == "x"


@pytest.mark.parametrize("pattern", ["*", "**", "?*"])
def test_the_list_cannot_be_opened_for_everything(pattern):
    """A list that lets all through is none."""
    with pytest.raises(ConfigurationRefused, match="every variable"):
        parse(f'[environment]\nallow = ["{pattern}"]', {})


@pytest.mark.parametrize("written", ["${}", "${A KEY}", "${A_KEY", "${1_KEY}", "${A_KEY:default}"])
def test_a_mark_that_names_no_variable_is_told(written):
    """Silence would send `${A KEY}` to a provider as a key."""
    with pytest.raises(ConfigurationRefused, match="names no variable"):
        api_key(written, {"A_KEY": "x"})


def test_a_number_may_come_from_the_environment():
    """Variables are text; where a number is wanted, a number is meant."""
    text = '[server]\nmax_header_count = "${HEADGATE_HEADERS}"\nmax_body = "${HEADGATE_BODY}"'
    read = parse(text, {"HEADGATE_HEADERS": "50", "HEADGATE_BODY": "1 MB"}).settings.server
    assert (read.max_header_count, read.max_body) == (50, 1_000_000)


def test_what_a_variable_holds_cannot_change_the_meaning_of_the_file():
    """Values are replaced after the file is understood."""
    assert api_key("${A_KEY}", {"A_KEY": '"\n[server]\nauth = "none"'}) == '"\n[server]\nauth = "none"'


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nmax_header_count = "${A_SECRET}"',
        '[log]\nlevel = "${A_SECRET}"',
        '[providers.a]\nkind = "openai"\nbase_url = "${A_SECRET}"',
        '[providers.a]\nkind = "openai"\napi_key = ["sk-do-not-show-me"]',
        '[providers.a]\nkind = "openai"\nheaders = { x = 1, y = "sk-do-not-show-me" }',
        '[providers.a]\nkind = "openai"\napi_key = 5\nself_hosted = "${A_SECRET}"',
    ],
)
def test_a_problem_never_shows_a_secret(text):
    """What is told about a fault ends in logs and tickets."""
    with pytest.raises(ConfigurationRefused) as refused:
        parse(text, {"A_SECRET": SECRET})
    assert SECRET not in str(refused.value)


def test_neither_show_nor_repr_reveals_a_secret():
    """Keys, headers, credentials in addresses, and whatever came from a variable that is called secret."""
    text = """
[providers.a]
kind = "openai"
api_key = "${A_KEY}"
organization = "${ORG_SECRET}"
headers = { x-auth = "sk-do-not-show-me" }
base_url = "https://user:sk-do-not-show-me@o.example/v1"
[providers.b]
kind = "anthropic"
auth_token = "sk-do-not-show-me"
[providers.c]
kind = "bedrock"
api_key = "sk-do-not-show-me"
region = "eu-west-1"
[providers.d]
kind = "azure-openai"
endpoint = "https://d.example"
token = "sk-do-not-show-me"
"""
    configuration = parse(text, {"A_KEY": SECRET, "ORG_SECRET": SECRET})
    shown = json.dumps(redacted(configuration))
    assert SECRET not in shown
    assert "<from ${A_KEY}>" in shown and "<set, not shown>" in shown
    assert SECRET not in repr(configuration)
    settings = configuration.settings
    assert all(
        secret not in repr(settings.providers[name])
        for name, secret in (("b", SECRET), ("c", SECRET), ("d", SECRET))
    )


def test_the_hash_changes_with_a_secret_and_with_nothing_that_means_nothing():
    """Each record carries it: the same configuration has the same hash in every process and on every machine."""
    one = parse('[server]\nlisten = "127.0.0.1:8080"\n' + provider("a"), {})
    assert one.hash == parse("# a comment\n" + provider("${A_KEY}"), {"A_KEY": "a"}).hash
    assert one.hash != parse(provider("b"), {}).hash
    assert len(one.hash) == 12 and fingerprint(one.settings) == one.hash
