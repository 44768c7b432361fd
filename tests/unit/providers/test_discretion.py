"""Words of a provider, without the credentials that were sent to it."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderRejected, UpstreamMalformed
from headgate.providers.discretion import carries_credentials, hush, without_credentials_of

__all__: list[str] = []

KEY = "sk-live+0123/456789=="
SENT = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {KEY}".encode())]


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}.",
        json.dumps({"error": {"message": f"no such key {KEY}"}}),
        json.dumps({"headers": {"authorization": f"Bearer {KEY}"}}).replace("/", "\\/"),
        json.dumps(KEY).replace("+", "\\u002B"),
        json.dumps(KEY).replace("+", "\\u002b").replace("/", "\\u002f").replace("=", "\\u003d"),
        json.dumps(KEY).replace("+", "\\u002B").replace("/", "\\/"),
        f"<p>{KEY.replace('+', '&#43;').replace('/', '&#x2F;')}</p>",
        f"<p>GET /v1?key={quote(KEY, safe='')}</p>",
    ],
)
def test_a_key_that_is_repeated_is_taken_out(said):
    """As it was sent, and as JSON of several makes and addresses spell it; the rest of the words stays."""
    cleaned = without_credentials_of(SENT, said.encode())
    assert b"0123" not in cleaned and b"[credential removed]" in cleaned


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=80))
def test_no_spelling_of_any_key_gets_through(key):
    """JSON, HTML and addresses, of a key made of whatever a header may hold."""
    for said in (key, json.dumps(key)[1:-1], html.escape(key), quote(key, safe="")):
        assert without_credentials_of([(b"api-key", key.encode())], said.encode()) == b"[credential removed]"


def test_every_header_that_may_hold_a_secret_is_looked_for():
    """Headers of the operator's own too; not those that say what everybody may know."""
    sent = [
        (b"x-api-key", b"one-secret"),
        (b"x-my-gate", b"two-secret"),
        (b"anthropic-version", b"2026-10-21"),
    ]
    said = b"one-secret two-secret 2026-10-21"
    assert without_credentials_of(sent, said) == b"[credential removed] [credential removed] 2026-10-21"
    assert carries_credentials(sent) and not carries_credentials(sent[2:])


@pytest.mark.parametrize("said", ["cHJveHk6aHVudGVyMi1odW50ZXIy", "proxy:hunter2-hunter2", "hunter2-hunter2"])
def test_of_basic_what_is_in_it_is_taken_out_too(said):
    """Servers say who it was that they did not let in; what is no base64 is looked for as it stands."""
    sent = [(b"authorization", b"Basic cHJveHk6aHVudGVyMi1odW50ZXIy")]
    assert without_credentials_of(sent, f"no: {said}!".encode()) == b"no: [credential removed]!"
    assert (
        without_credentials_of([(b"authorization", b"Basic ????????")], b"????????")
        == b"[credential removed]"
    )


@pytest.mark.timeout(20)
def test_a_row_of_backslashes_is_read_in_a_moment():
    """Whoever adds a receiver of alerts chooses both, its address and what it answers."""
    sent = [(b"x-key", 11 * b"\\" + b"a-secret")]
    assert without_credentials_of(sent, 480 * b"\\") == 480 * b"\\"
    assert without_credentials_of(sent, 11 * b"\\" + b"a-secret") == b"[credential removed]"


def test_a_value_too_short_to_be_a_secret_is_left_where_it_is():
    """Or every `a` of an explanation would be replaced."""
    assert without_credentials_of([(b"x-tier", b"a")], b"a tier") == b"a tier"
    assert without_credentials_of([(b"authorization", b"Bearer ")], b"a tier") == b"a tier"


@given(st.binary(max_size=200))
def test_what_holds_no_key_passes_as_it_is(said):
    """Whatever bytes they are."""
    assert KEY.encode() in said or without_credentials_of(SENT, said) == said


def test_a_refusal_inside_an_answer_is_hushed_whole():
    """Message, detail and body, of which each goes somewhere else."""
    refusal = ProviderRejected(f"The provider says: {KEY}", detail=KEY, body=f'{{"m":"{KEY}"}}'.encode())
    hush(refusal, SENT)
    told = f"{refusal} {refusal.message} {refusal.detail} {refusal.body!r} {refusal.args}"
    assert KEY not in told and told.count("[credential removed]") == 5


@pytest.mark.parametrize("length", range(12, len(KEY)))
def test_a_key_that_is_cut_off_is_taken_out_too(length):
    """What is quoted has a bound, and that may be in the middle of a key."""
    cleaned = without_credentials_of(SENT, f"you sent `{KEY[:length]}".encode())
    assert cleaned == b"you sent `[credential removed]"


def test_an_answer_that_is_no_answer_is_quoted_without_the_key():
    """As Python writes bytes, of which a part is quoted."""
    quoted = repr(json.dumps({"key": KEY}).replace("/", "\\/").encode())[:30]
    error = UpstreamMalformed(detail=quoted)
    hush(error, SENT)
    assert "0123" not in f"{error} {error.message} {error.detail}" and "removed" in str(error)


def test_what_a_signature_is_made_of_is_left_as_it_is():
    """It tells what was wrong with it, and holds no key."""
    sent = [(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIATEST/2026, Signature=abc")]
    said = b"Credential should be scoped to a valid region"
    assert without_credentials_of(sent, said) == said and not carries_credentials(sent)


def test_a_page_of_html_is_cleaned_too():
    """`&` is escaped there."""
    key = "sk&live<0123456"
    said = f"<td>{html.escape(key)}</td>".encode()
    assert b"0123456" not in without_credentials_of([(b"api-key", key.encode())], said)
