"""A configuration file: read whole, refused whole, and never told wrongly where the fault is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.config.example import EXAMPLE
from headgate.config.loader import choose, from_environment, listening_on, load, parse
from headgate.config.problems import ConfigurationRefused
from headgate.config.toml_text import toml_text

__all__: list[str] = []

SOUND = """
[server]
listen = "127.0.0.1:9000"
max_body = "64 kB"

[providers.openai]
kind = "openai"
api_key = "${OPENAI_API_KEY}"

[providers.house]
kind = "openai"
base_url = "http://10.0.0.5:8000/v1"
self_hosted = true

[models.small]
endpoints = [
  { provider = "openai", model = "gpt-4o-mini", region = "eu", price = { input = 0.15, output = 0.60 } },
  { provider = "house", model = "llama-3-8b" },
]

[features.support-chat]
route = "small"
fallback = ["house/llama-3-70b"]
timeouts = { connect = "2s", first_token = 8, total = "1m" }
"""
KEYS = {"OPENAI_API_KEY": "sk-secret"}


def told_about(text, environ=()):
    """The problems of a text that may have none."""
    try:
        parse(text, dict(environ))
    except ConfigurationRefused as refused:
        return refused.lines()
    return []


def problems(text, environ=KEYS):
    with pytest.raises(ConfigurationRefused) as refused:
        parse(text, environ)
    return refused.value.lines()


def test_a_sound_file_becomes_typed_settings():
    """Durations are seconds, sizes bytes, amounts decimals, variables replaced."""
    read = parse(SOUND, KEYS).settings
    assert read.server.listen == "127.0.0.1:9000" and read.server.max_body == 64_000
    assert read.providers["openai"].api_key == "sk-secret"  # type: ignore[attr-defined]
    first, second = read.models["small"].endpoints
    assert first.region == "eu" and second.model == "llama-3-8b"
    assert first.price is not None and first.price.input == Decimal("0.15")
    timeouts = read.features["support-chat"].timeouts
    assert timeouts is not None
    assert [float(each) for each in (timeouts.connect, timeouts.first_token, timeouts.total)] == [2, 8, 60]


def test_an_empty_file_is_a_sound_configuration():
    """Everything has a default."""
    assert parse("", {}).settings.server.listen == "127.0.0.1:8080"


def test_the_example_is_sound():
    """What `config example` prints can be used as it is."""
    assert set(parse(EXAMPLE, {}).settings.features) == {"support-chat", "summarise"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nmaxbody = 3", "headgate.toml:2: server.maxbody: no such key; did you mean `max_body`?"),
        ("[sevrer]\nlisten = 3", "headgate.toml:1: sevrer: no such section; did you mean `server`?"),
        (
            "[server]\n\nrequest_time = 'fast'",
            (
                'headgate.toml:3: server.request_time: must be a duration, such as "250ms", "2s", "5m", "1h" or "7d", '
                'not "fast"'
            ),
        ),
        (
            "[server]\nmax_header_count = '7'",
            'headgate.toml:2: server.max_header_count: must be a whole number, not "7"',
        ),
        ("[records]\ncontent = 1", "headgate.toml:2: records.content: must be true or false, not 1"),
        (
            "[log]\nlevel = 'warn'",
            (
                'headgate.toml:2: log.level: must be "debug" or "info" or "warning" or "error", not "warn"; '
                "did you mean `warning`?"
            ),
        ),
        ("server = 3", "headgate.toml:1: server: must be a section with keys in it, not 3"),
        ("providers = [1]", "headgate.toml:1: providers: must be a table of names, not a list"),
        (
            "[providers.a]\nkind = 'simulated'\nspeed = -1",
            "headgate.toml:3: providers.a.speed: must be a number, at least 0, not -1",
        ),
        (
            "[providers.a]\nkind = 'opnai'",
            "headgate.toml:2: providers.a.kind: no such kind; did you mean `openai`?",
        ),
        (
            "[providers.a]\nbase_url = 'https://a.example'",
            (
                "headgate.toml:1: providers.a: `kind` is missing: it says which protocol is spoken there; one of `openai`, "
                "`anthropic`, `gemini`, `azure-openai`, `bedrock`, `simulated`"
            ),
        ),
        (
            "[models.m]\nendpoints = []",
            "headgate.toml:2: models.m.endpoints: is empty: a model must be reachable somewhere",
        ),
        ("[models.m]", "headgate.toml:1: models.m: `endpoints` is missing: a list of sections"),
        (
            "[server]\nlisten = 'localhost'",
            (
                'headgate.toml:2: server.listen: "localhost" is not HOST:PORT; write one like "127.0.0.1:8080", '
                '"0.0.0.0:80" or "[::1]:8080" (port 0 takes a free one)'
            ),
        ),
        (
            "[server]\ndatabase = 'postgresql://gate:p@ss@db'",
            (
                "headgate.toml:2: server.database: must be `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; in a password "
                "write `@` as %40, `/` as %2F and `%` as %25"
            ),
        ),
        (
            "[server]\ndatabase = 'postgresql+asyncpg://db/headgate'",
            (
                "headgate.toml:2: server.database: must be `sqlite:///PATH` with a file, such as `sqlite:///headgate.db`, or "
                "`postgresql://USER:PASSWORD@HOST/DATABASE`"
            ),
        ),
        (
            "[server]\ndatabase = 'headgate.db'",
            (
                "headgate.toml:2: server.database: must be `sqlite:///PATH` with a file, such as `sqlite:///headgate.db`, or "
                "`postgresql://USER:PASSWORD@HOST/DATABASE`"
            ),
        ),
        (
            "[providers.a]\nkind = 'openai'\ntransport.ca_file = '/nowhere.pem'",
            'headgate.toml:3: providers.a.transport.ca_file: "/nowhere.pem" is not there, or may not be read',
        ),
        (
            "[providers.a]\nkind = 'openai'\nbase_url = 'o.example/v1'",
            "headgate.toml:3: providers.a.base_url: must be an address such as https://api.example.com/v1",
        ),
        ("[server]\nkeep_alive = '0s'", "headgate.toml:2: server.keep_alive: must be more than 0"),
        (
            "[providers.s]\nkind = 'simulated'\n[features.f]\nroute = 's/m'\ntimeouts.total = 0",
            "headgate.toml:5: features.f.timeouts.total: must be more than 0: no answer comes in no time",
        ),
        ("a = [1,\n b", "headgate.toml:2: is not TOML: Invalid value"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_would_be_right(text, expected):
    """File, line, key, what is wrong, what would be right."""
    assert problems(text) == [expected]


def test_all_problems_are_told_at_once():
    """Whoever repairs a file does not want to meet its faults one by one."""
    text = """
[server]
lsten = "127.0.0.1:1"
auth = "none"
listen = "0.0.0.0:80"
[providers.a]
kind = "openai"
timeout = 3
[models.m]
endpoints = [{ provider = "b", model = "x" }]
[features.f]
route = "n"
fallback = ["m", "f"]
"""
    told = problems(text)
    assert [line.split(": ")[0] for line in told] == [f"headgate.toml:{n}" for n in (3, 5, 8, 10, 12, 13)]


def test_a_broken_section_does_not_make_references_to_it_wrong():
    """One mistake is one problem."""
    told = problems("[providers.a]\nkind = 'opnai'\n[models.m]\nendpoints = [{provider = 'a', model = 'x'}]")
    assert told == ["headgate.toml:2: providers.a.kind: no such kind; did you mean `openai`?"]


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("[features.f]\nroute = 'sim/x'\nexperiment = {}", "experiments"),
        ("[features.f]\nroute = 'sim/x'\nguards = ['pii']", "guards"),
    ],
)
def test_what_is_described_but_not_built_is_told_as_such(text, subject):
    """Nobody shall look for a typing error where there is none."""
    (line,) = problems(text + "\n[providers.sim]\nkind = 'simulated'")
    assert subject in line and "not in this version yet" in line


def test_without_keys_only_this_machine_may_listen():
    """A gate without keys spends the operator's money for anybody."""
    (line,) = problems("[server]\nauth = 'none'\nlisten = '0.0.0.0:8080'")
    assert "anybody" in line and "headgate.toml:3" in line
    for listen in ("127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9:0"):
        assert told_about(f"[server]\nauth = 'none'\nlisten = '{listen}'") == []


def test_listening_elsewhere_is_checked_as_the_file_is():
    """`--listen` is no way around the rule about keys."""
    configuration = parse("[server]\nauth = 'none'", {})
    assert listening_on(configuration, "127.0.0.1:7").settings.server.listen == "127.0.0.1:7"
    with pytest.raises(ConfigurationRefused, match="spend your money"):
        listening_on(configuration, "0.0.0.0:80")


@pytest.mark.parametrize("name", ["a b", "ü", "", "x" * 101, "a\\nb", "a,b"])
def test_a_name_that_cannot_travel_in_a_header_is_refused(name):
    """Names of ours end in URLs and headers."""
    (line,) = problems(f'[providers."{name}"]\nkind = "simulated"')
    assert "a name is made of" in line


def test_a_model_and_a_feature_of_one_name_are_refused():
    """Callers ask for both by name."""
    text = "[providers.s]\nkind='simulated'\n[models.x]\nendpoints=[{provider='s',model='m'}]\n[features.x]\nroute='s/m'"
    assert problems(text) == [
        "headgate.toml:3: models.x: there is a feature `x` too; callers ask for both by name, so rename one"
    ]


def test_a_setting_that_its_section_refuses_is_told_with_its_place():
    """Sections may check themselves."""
    text = "[providers.s]\nkind='simulated'\n[providers.s.models.m]\ncapabilities=['dancing']"
    (line,) = problems(text)
    assert line.startswith("headgate.toml:3: providers.s.models.m: no capability is called `dancing`")


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path):
    """No traceback for a typing error in a path."""
    with pytest.raises(ConfigurationRefused, match="cannot be read: No such file"):
        load(tmp_path / "none.toml", {})


def test_a_file_that_is_not_text_is_told_with_its_line(tmp_path: Path):
    """Bytes that are no UTF-8, and a file too large to be one of ours."""
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"[server]\n# \xff\n")
    with pytest.raises(ConfigurationRefused, match=r"bad.toml:2: is not UTF-8 text"):
        load(bad, {})


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path):
    """Editors write them."""
    path = tmp_path / "headgate.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nlisten = '127.0.0.1:1'\r\nlisen = 1\r\n")
    with pytest.raises(ConfigurationRefused, match=r"headgate.toml:3: server.lisen"):
        load(path, {})


def test_the_file_in_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`headgate serve` needs no arguments where the file lies; elsewhere the environment decides."""
    monkeypatch.chdir(tmp_path)
    assert choose(None, {}).path is None
    (tmp_path / "headgate.toml").write_text("[server]\nlisten = '127.0.0.1:7'")
    assert choose(None, {}).settings.server.listen == "127.0.0.1:7"


def test_without_a_file_the_keys_in_the_environment_decide():
    """Whoever uses the vendors' SDKs has these set already."""
    found = from_environment(
        {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://o.example/v1", "GEMINI_API_KEY": "g"}
    )
    assert list(found.settings.providers) == ["openai", "gemini"]
    assert found.settings.providers["openai"].base_url == "https://o.example/v1"  # type: ignore[attr-defined]
    assert found.sources["providers.gemini.api_key"] == "GEMINI_API_KEY"
    assert found.notes == ()


@pytest.mark.parametrize(
    ("environ", "provider"),
    [
        ({"ANTHROPIC_API_KEY": "a"}, "anthropic"),
        ({"GOOGLE_API_KEY": "a"}, "gemini"),
        ({"AZURE_OPENAI_API_KEY": "a", "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}, "azure"),
        ({"AWS_BEARER_TOKEN_BEDROCK": "a", "AWS_REGION": "eu-west-1"}, "bedrock"),
        (
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"},
            "bedrock",
        ),
    ],
)
def test_each_vendor_is_found_by_its_own_variables(environ, provider):
    """One key is enough to start."""
    assert list(from_environment(environ).settings.providers) == [provider]


def test_with_nothing_at_all_the_simulated_provider_answers():
    """A first start needs no key, and says what it is."""
    found = from_environment({"OPENAI_API_KEY": ""})
    assert list(found.settings.providers) == ["sim"]
    assert "support-chat" in found.settings.features
    assert "simulated" in found.notes[0]


def test_half_of_a_vendors_variables_is_told_not_used():
    """AWS credentials lie around on many machines; without a region nothing can be called."""
    found = from_environment({"AWS_ACCESS_KEY_ID": "a", "AZURE_OPENAI_ENDPOINT": "https://x.example"})
    assert list(found.settings.providers) == ["sim"]
    assert [note.split(" ")[0] for note in found.notes[:2]] == ["AZURE_OPENAI_ENDPOINT", "AWS"]


def test_a_wrong_variable_is_told_by_its_name():
    """There is no line to point at."""
    with pytest.raises(
        ConfigurationRefused, match=r"environment: HEADGATE_LISTEN: \"nope\" is not HOST:PORT"
    ):
        from_environment({"HEADGATE_LISTEN": "nope"})


JSONISH = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """No file can break the program that reads it."""
    assert all(line.startswith("headgate.toml") for line in told_about(text))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["server", "records", "log", "environment", "providers", "models", "features"]),
    st.sampled_from(["listen", "kind", "a", "endpoints", "route", "allow", "max_body", "x"]),
    JSONISH,
    JSONISH,
)
def test_any_value_in_any_place_is_read_or_refused(section, key, value, other):
    """As above, with values where they hurt."""
    data = {section: {key: value, "b": {"kind": "simulated", "speed": other, "route": other}}}
    assert not any("is not TOML" in line for line in told_about(toml_text(data)))
