"""Bedrock's adapter: addresses, signatures, and credentials that are never waited for."""

from __future__ import annotations

import hashlib
import hmac
import threading
from types import SimpleNamespace

import pytest

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.providers.adapters.bedrock import BedrockAdapter, BedrockSettings
from headgate.providers.adapters.bedrock.credentials import FoundCredentials
from headgate.providers.port import Call

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
SIGNING = {
    "region": "eu-central-1",
    "access_key_id": "AKID",
    "secret_access_key": "secret",
    "session_token": "tok",
}


@pytest.fixture(autouse=True)
def _no_aws_here(monkeypatch, tmp_path):
    """Nothing of the machine the tests run on is looked at."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_BEARER_TOKEN_BEDROCK",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def adapter(environ=None, **settings):
    return BedrockAdapter(BedrockSettings(**settings), environ=environ or {})


def call(wire="bedrock.converse", *, stream=False, model=MODEL):
    return Call(
        "chat", wire, model, b'{"messages":[]}', stream=stream, headers=[(b"authorization", b"Bearer hg-1")]
    )


@pytest.mark.parametrize(
    ("wire", "stream", "action"),
    [
        ("bedrock.converse", False, b"converse"),
        ("bedrock.converse", True, b"converse-stream"),
        ("bedrock.count_tokens", False, b"count-tokens"),
    ],
)
def test_the_path_names_model_and_action(wire, stream, action):
    """Colons are escaped, as AWS's own SDKs do."""
    url = adapter(**SIGNING).request(call(wire, stream=stream)).url
    assert url.host == "bedrock-runtime.eu-central-1.amazonaws.com"
    assert url.target == b"/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/" + action


def signature(request, host, path, region="eu-central-1"):
    """Signature version 4 as AWS documents it, for a POST without query."""
    sent = {name.decode(): value.decode() for name, value in request.headers}
    stamp = sent["x-amz-date"]
    signed = {
        "content-type": sent["content-type"],
        "host": host,
        "x-amz-date": stamp,
        "x-amz-security-token": "tok",
    }
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(signed.items()))
    body = hashlib.sha256(request.body).hexdigest()
    canonical = f"POST\n{path}\n\n{lines}\n{';'.join(sorted(signed))}\n{body}"
    scope = f"{stamp[:8]}/{region}/bedrock/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4secret"
    for piece in scope.split("/"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [("", "bedrock-runtime.eu-central-1.amazonaws.com"), ("http://127.0.0.1:4566/", "127.0.0.1:4566")],
)
def test_a_call_is_signed_as_aws_documents_it(endpoint, host):
    """Path escaped twice, host with its port, body by its hash, token signed along."""
    request = adapter(**SIGNING, endpoint_url=endpoint, headers={"X-Team": "blue"}).request(call())
    sent = dict(request.headers)
    path = "/model/anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse"
    assert sent[b"authorization"].decode().endswith("Signature=" + signature(request, host, path))
    assert sent[b"x-amz-security-token"] == b"tok" and sent[b"x-team"] == b"blue"
    assert b"hg-1" not in b"".join(sent.values())


@pytest.mark.parametrize("environ", [{}, {"AWS_BEARER_TOKEN_BEDROCK": "key-1"}])
def test_an_api_key_goes_as_bearer(environ):
    """From the settings or the environment; nothing is signed then."""
    settings = {"region": "us-east-1"} if environ else {"region": "us-east-1", "api_key": "key-1"}
    sent = dict(adapter(environ, **settings).request(call()).headers)
    assert sent == {b"content-type": b"application/json", b"authorization": b"Bearer key-1"}


def test_configured_keys_go_before_a_bearer_token_of_the_environment():
    """What somebody wrote down is meant."""
    sent = dict(adapter({"AWS_BEARER_TOKEN_BEDROCK": "key-1"}, **SIGNING).request(call()).headers)
    assert sent[b"authorization"].startswith(b"AWS4-HMAC-SHA256")


def test_the_region_is_found_or_asked_for(tmp_path):
    """Settings, environment, profile; else an error that says what to set."""
    assert "eu-west-1" in repr(adapter({"AWS_REGION": "eu-west-1"}, api_key="k"))
    (tmp_path / "config").write_text("[profile house]\nregion = ap-south-1\n")
    (tmp_path / "credentials").write_text("[house]\naws_access_key_id = AKHOUSE\naws_secret_access_key = s\n")
    house = adapter(profile="house")
    assert "ap-south-1" in repr(house)
    assert b"Credential=AKHOUSE/" in dict(house.request(call()).headers)[b"authorization"]
    with pytest.raises(ValueError, match="set `region`"):
        adapter(api_key="k")
    with pytest.raises(ValueError, match="nowhere"):
        adapter(profile="nowhere", region="eu-west-1")
    assert adapter(region="cn-north-1", api_key="k").request(call()).url.host.endswith(".amazonaws.com.cn")


def test_the_probe_asks_the_control_plane():
    """Which lists models; with an endpoint of one's own, that is asked."""
    probe = adapter(**SIGNING).probe()
    assert (probe.method, probe.url.host) == ("GET", "bedrock.eu-central-1.amazonaws.com")
    own = adapter(region="x", api_key="k", endpoint_url="http://127.0.0.1:9").probe()
    assert (own.url.port, own.url.target) == (9, b"/foundation-models?byOutputModality=TEXT")


def test_operations_have_their_wires_and_addresses_are_remembered_within_bounds():
    """Chat and counts; callers who make up model names do not make memory grow."""
    one = adapter(region="x", api_key="k")
    names = [
        wire and wire.name
        for wire in (
            one.wire_for("chat", ""),
            one.wire_for("count_tokens", ""),
            one.wire_for("embeddings", ""),
        )
    ]
    assert names == ["bedrock.converse", "bedrock.count_tokens", None]
    with pytest.raises(UnsupportedRequest):
        one.request(call("openai.chat"))
    for number in range(3000):
        one.request(call(model=f"m{number}"))
    assert len(one._urls) <= 1024


def test_no_secret_shows():
    """Adapters are printed in logs."""
    assert "secret" not in repr(adapter(**SIGNING)) and "AKID" not in repr(adapter(**SIGNING))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Found:
    """Credentials whose key changes whenever they are asked for anew."""

    def __init__(self) -> None:
        self.old = False
        self.times = 0
        self.asked = threading.Event()
        self.may = threading.Event()
        self.may.set()
        self.problem: Exception | None = None

    def refresh_needed(self) -> bool:
        return self.old

    def get_frozen_credentials(self):
        self.times += 1
        self.asked.set()
        assert self.may.wait(10)
        if self.problem is not None:
            raise self.problem
        return SimpleNamespace(access_key=f"AK{self.times}")


def lookup_done(source: FoundCredentials) -> None:
    """Wait until no lookup is going on."""
    assert source._busy.acquire(timeout=10)
    source._busy.release()


def test_credentials_are_renewed_behind_the_requests_back():
    """While the thread asks, requests go on with the old ones; then they get the new."""
    found, clock = Found(), Clock()
    source = FoundCredentials(SimpleNamespace(get_credentials=lambda: found), clock=clock)
    assert source.current().access_key == "AK1"
    clock.now += 60
    found.old = True
    found.asked.clear()
    found.may.clear()
    assert source.current().access_key == "AK1"
    assert found.asked.wait(10)
    assert source.current().access_key == "AK1" and found.times == 2
    found.old = False
    found.may.set()
    lookup_done(source)
    assert source.current().access_key == "AK2"


def test_what_was_found_is_kept_when_renewing_fails():
    """They may be good for minutes still; the next attempt waits its turn."""
    found, clock = Found(), Clock()
    source = FoundCredentials(SimpleNamespace(get_credentials=lambda: found), clock=clock)
    found.old, found.problem = True, RuntimeError("no network")
    for _ in range(3):
        clock.now += 60
        found.asked.clear()
        assert source.current().access_key == "AK1"
        assert found.asked.wait(10)
        lookup_done(source)
    assert source.current().access_key == "AK1" and found.times == 4


def test_no_credentials_is_an_error_that_says_what_to_do_and_a_later_find_is_used():
    """A role attached while the gateway runs is seen; a wrong place is not asked at every request."""
    asked: list[float] = []
    clock, found = Clock(), Found()
    here: list[Found] = []

    def get_credentials():
        asked.append(clock.now)
        return here[0] if here else None

    source = FoundCredentials(SimpleNamespace(get_credentials=get_credentials), clock=clock)
    for _ in range(5):
        with pytest.raises(ProviderAuthFailed, match="api_key"):
            source.current()
    assert asked == [0.0]
    here.append(found)
    clock.now = 11.0
    found.may.clear()
    with pytest.raises(ProviderAuthFailed):
        source.current()  # starts the thread, and does not wait for it
    found.may.set()
    assert found.asked.wait(10)
    lookup_done(source)
    assert source.current().access_key == "AK1"


def test_a_broken_place_is_named_without_its_secrets_being_at_stake():
    """The reason is in the error's detail, bounded."""

    def broken():
        raise OSError("x" * 1000)

    with pytest.raises(ProviderAuthFailed) as caught:
        FoundCredentials(SimpleNamespace(get_credentials=broken)).current()
    assert caught.value.detail.startswith("OSError: xxx") and len(caught.value.detail) < 300
