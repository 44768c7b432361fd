"""Secrets that stand in files, and names of secrets that are in the database."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from headgate.config.fingerprint import redacted
from headgate.config.loader import load, parse
from headgate.config.problems import ConfigurationRefused
from headgate.config.secrets import fill_in, key_sources, stored_names
from headgate.config.watch import Watcher
from headgate.providers.adapters.azure_openai import AzureOpenAISettings
from headgate.providers.adapters.bedrock import BedrockSettings
from headgate.providers.adapters.openai import OpenAISettings
from tests.support.aio import aio

__all__: list[str] = []


def openai(key: str, more: str = "") -> str:
    return f'[providers.openai]\nkind = "openai"\napi_key = "{key}"\n{more}\n'


def refused(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationRefused) as raised:
        parse(text, environ or {})
    return str(raised.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_key_is_read_from_a_file(tmp_path, end):
    """Editors and `echo` put a line break at the end; it is no part of the key."""
    file = tmp_path / "key"
    file.write_bytes(b"sk-from-file" + end.encode())
    found = parse(openai(f"file:{file}"), {})
    assert found.settings.providers["openai"].api_key == "sk-from-file"  # type: ignore[attr-defined]
    assert found.files == (file,)


def test_files_are_read_wherever_a_secret_may_stand(tmp_path):
    """Lists of keys, headers, tokens, addresses with a password in them."""
    file = tmp_path / "it"
    file.write_text("redis://:pw@h:6379/0")
    text = (
        f'[server]\nredis = "file:{file}"\n'
        f'[callbacks.faq]\nurl = "https://a.test"\ntoken = "file:{file}"\n'
        + openai("", f'api_keys = ["a", "file:{file}"]\nheaders = {{ x-gate = "file:{file}" }}')
    )
    settings: Any = parse(text, {}).settings
    provider = settings.providers["openai"]
    assert settings.server.redis == settings.callbacks["faq"].token == "redis://:pw@h:6379/0"
    assert provider.api_keys == ["a", "redis://:pw@h:6379/0"]
    assert provider.headers == {"x-gate": "redis://:pw@h:6379/0"}


def test_other_settings_are_never_read_from_files(tmp_path):
    """Whoever may edit a region or a model's name must not be able to publish a file with it."""
    file = tmp_path / "it"
    file.write_text("secret")
    found = parse(openai("k", f'region = "file:{file}"'), {})
    assert found.settings.providers["openai"].region == f"file:{file}" and found.files == ()


def test_the_name_of_the_file_may_hold_a_variable_but_a_variable_names_no_file(tmp_path):
    """What is meant is what stands in the configuration; a key that happens to begin with `file:` is a key."""
    (tmp_path / "it").write_text("sk-from-file")
    found: Any = parse(openai("file:${KEYS_URL}/it"), {"KEYS_URL": str(tmp_path)}).settings.providers[
        "openai"
    ]
    assert found.api_key == "sk-from-file"
    found = parse(openai("${A_KEY}"), {"A_KEY": f"file:{tmp_path}/it"}).settings.providers["openai"]
    assert found.api_key == f"file:{tmp_path}/it"


@pytest.mark.parametrize(
    ("held", "says"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"a\nb", "more than one line"), (b"\xff", "no file of text")],
)
def test_a_file_that_holds_no_secret_is_refused_and_not_repeated(tmp_path, held, says):
    """With the line of the configuration it is named in."""
    file = tmp_path / "it"
    file.write_bytes(held)
    assert "headgate.toml:3: providers.openai.api_key" in refused(openai(f"file:{file}"))
    assert says in refused(openai(f"file:{file}"))


def test_a_file_that_is_not_there_or_is_none_is_refused(tmp_path):
    """A folder; a pipe, which would be waited for; something huge."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"x" * 64_001)
    assert "cannot be read: No such file" in refused(openai("file:/no/such/file"))
    assert "is no file" in refused(openai(f"file:{tmp_path}"))
    assert "is no file" in refused(openai(f"file:{tmp_path}/pipe"))
    assert "that is no secret" in refused(openai(f"file:{tmp_path}/huge"))


def test_a_file_that_others_may_read_is_told_of(tmp_path):
    """It is used all the same: containers are often given such files."""
    file = tmp_path / "it"
    file.write_text("sk-from-file")
    file.chmod(0o644)
    (note,) = parse(openai(f"file:{file}"), {}).notes
    assert "mode 644" in note and "chmod 600" in note and "sk-from-file" not in note
    file.chmod(0o600)
    assert parse(openai(f"file:{file}"), {}).notes == ()


@aio
async def test_a_changed_file_is_a_changed_configuration(tmp_path):
    """Within a look or two, though the configuration file itself is as it was."""
    file, path = tmp_path / "it", tmp_path / "headgate.toml"
    file.write_text("first")
    path.write_text(openai(f"file:{file}"))
    taken: asyncio.Queue[Any] = asyncio.Queue()
    watcher = Watcher(load(path, {}), read=lambda: load(path, {}), swap=taken.put, seconds=0.01)
    task = asyncio.create_task(watcher.run())
    other = tmp_path / "new"
    other.write_text("second")
    other.replace(file)
    found = await taken.get()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found.settings.providers["openai"].api_key == "second"


def test_what_a_file_holds_is_not_shown_where_it_does_not_fit(tmp_path):
    """The message names the file."""
    file = tmp_path / "it"
    file.write_text("sk-from-file")
    said = refused(openai("k", f'headers = "file:{file}"'))
    assert f"not what `file:{file}` holds" in said and "sk-from-file" not in said


def test_the_key_that_seals_is_read_by_no_file():
    """Neither as one of the usual variables nor by allowing it."""
    for name in ("HEADGATE_SECRET_KEY", "HEADGATE_SECRET_KEY_OLD"):
        text = f'[environment]\nallow = ["{name}"]\n' + openai(f"${{{name}}}")
        said = refused(text, {name: "master"})
        assert "nothing else may read it" in said and "master" not in said


# Names of the database


def test_a_name_of_the_database_stays_a_name():
    """Settings are read before any database is open."""
    provider: Any = parse(openai("secret:openai"), {}).settings.providers["openai"]
    assert provider.api_key == "secret:openai" and stored_names(provider) == {"openai"}


def test_values_are_put_where_their_names_are():
    """In single settings, lists and headers, of every kind of provider; the rest stays."""
    wanted = OpenAISettings(
        api_key="secret:a", api_keys=["secret:b", "plain"], headers={"x": "secret:c", "y": "z"}
    )
    assert fill_in(wanted, str.upper) == OpenAISettings(
        api_key="A", api_keys=["B", "plain"], headers={"x": "C", "y": "z"}
    )
    assert fill_in(AzureOpenAISettings(token="secret:t"), str.upper).token == "T"  # type: ignore[attr-defined]
    aws = fill_in(BedrockSettings(access_key_id="id", secret_access_key="secret:s"), str.upper)
    assert aws == BedrockSettings(access_key_id="id", secret_access_key="S")


def test_settings_without_names_are_the_same_object():
    """Nobody pays who keeps no secrets in the database."""
    settings = OpenAISettings(api_key="k", api_keys=["l"], headers={"a": "b"})
    assert fill_in(settings, str.upper) is settings and stored_names(settings) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nredis = "secret:redis"\n',
        '[callbacks.faq]\nurl = "https://a.test"\ntoken = "secret:faq"\n',
    ],
)
def test_only_credentials_of_providers_are_kept_in_the_database(text):
    """What is needed before the database is open cannot be in it."""
    assert "use `${NAME}` or `file:PATH` here" in refused(text)


def test_a_name_that_is_none_is_refused():
    """With what would be right."""
    assert "names no secret" in refused(openai("secret:"))


# In words


def test_it_is_told_where_keys_come_from_and_where_they_go(tmp_path):
    """For each provider, in words, and none of the values."""
    file = tmp_path / "it"
    file.write_text("sk-from-file")
    text = (
        openai("${OPENAI_API_KEY}")
        + f'[providers.house]\nkind = "openai"\nbase_url = "http://10.0.0.5:8000/v1"\napi_key = "file:{file}"\n'
        + '[providers.claude]\nkind = "anthropic"\napi_keys = ["secret:c1", "secret:c2"]\n'
        + '[providers.written]\nkind = "gemini"\napi_key = "gm-plain"\nheaders = { x-title = "shop" }\n'
        + '[providers.open]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
        + '[providers.aws]\nkind = "bedrock"\nregion = "eu-central-1"\n'
        + '[providers.sim]\nkind = "simulated"\n'
    )
    found = parse(text, {"OPENAI_API_KEY": "sk-from-environment"})
    assert key_sources(found.settings, found.sources) == {
        "openai": "environment variable OPENAI_API_KEY; sent to api.openai.com alone",
        "house": f"file {file}; sent to 10.0.0.5:8000 alone",
        "claude": "secret `c1` of the database, secret `c2` of the database; sent to api.anthropic.com alone",
        "written": "written in the configuration; sent to generativelanguage.googleapis.com alone",
        "open": "sends no key",
        "aws": "found where AWS keeps credentials",
        "sim": "asks for no key",
    }


def test_shown_settings_say_where_a_secret_comes_from_and_not_what_it_is(tmp_path):
    """Of a whole address too, if it came from a file."""
    file = tmp_path / "it"
    file.write_text("sqlite:///from-file.db")
    text = f'[server]\ndatabase = "file:{file}"\n' + openai(
        "secret:openai", f'headers = {{ x = "file:{file}" }}'
    )
    shown: Any = redacted(parse(text, {}))
    assert shown["server"]["database"] == f"<from file:{file}>"
    assert shown["providers"]["openai"]["api_key"] == "<secret openai of the database>"
    assert shown["providers"]["openai"]["headers"] == {"x": f"<from file:{file}>"}
