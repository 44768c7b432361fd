"""The page: what it shows, to whom, and that nothing from outside can do anything on it."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from typing import Any

import pytest

from headgate.config.loader import from_environment
from headgate.control.overview import Overview, Overviews
from headgate.dashboard.page import Page
from headgate.stores.errors import StoreUnavailable
from headgate.stores.spans import Page as Rows
from headgate.stores.spans import RequestRow
from tests.support.aio import aio

__all__: list[str] = []

KEY = b"hg_right"
NASTY = "<script>alert(1)</script>\"'&"


def overview(**more):
    facts: dict[str, Any] = {
        "config_hash": "0123456789ab",
        "config_source": "headgate.toml",
        "providers": [("sim", "Simulated")],
        "models": [("small", "sim/sim-small")],
        "features": [("support-chat", "small")],
        "keys_required": True,
        "in_flight": 3,
        "drops": 0,
        "requests": [],
    }
    return Overview(**(facts | more))


async def get(
    path="/", *, shown=None, headers=(), client="127.0.0.1", host="127.0.0.1:8080", method="GET", query=b""
):
    async def now():
        return shown or overview()

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        raise AssertionError("a page reads no body")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "scheme": "http",
        "client": (client, 5000),
        "headers": [(b"host", host.encode()), *headers],
    }
    await Page(now, may_see=lambda key: key == KEY)(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


@aio
async def test_it_tells_how_to_make_the_first_call():
    """With the address the reader's own browser used."""
    status, _, body = await get(host="localhost:9000")
    assert status == 200
    assert "http://localhost:9000/v1/chat/completions" in body and "$HEADGATE_KEY" in body
    assert "0123456789ab" in body and "support-chat" in body and "3 in flight" in body


@aio
async def test_it_needs_no_script_and_allows_none():
    """Nor any style but its own; nor may another site frame it."""
    _, headers, body = await get()
    policy = headers[b"content-security-policy"]
    assert b"default-src 'none'" in policy and b"frame-ancestors 'none'" in policy and b"unsafe" not in policy
    assert "<script" not in body and "style=" not in body
    assert headers[b"x-content-type-options"] == b"nosniff" and headers[b"cache-control"] == b"no-store"


@aio
async def test_nothing_that_callers_send_becomes_part_of_the_page():
    """Names in the records are whatever strangers wrote."""
    row = RequestRow(
        id=1,
        started_ns=1,
        trace_id="",
        requested_model=NASTY,
        reported_model=NASTY,
        provider=NASTY,
        error_class=NASTY,
        outcome="failed",
    )
    nasty = overview(requests=[row], providers=[(NASTY, NASTY)], features=[(NASTY, NASTY)], trouble=NASTY)
    _, _, body = await get(shown=nasty, host="127.0.0.1:1")
    assert "<script" not in body and body.count("&lt;script&gt;") >= 8
    HTMLParser().feed(body)


@aio
async def test_a_lost_record_is_an_alarm():
    """The drop counter stands on the first page."""
    assert '<span class="good">0 records lost</span>' in (await get())[2]
    assert '<span class="bad">2 records lost</span>' in (await get(shown=overview(drops=2)))[2]


@aio
async def test_it_renews_itself_until_paused():
    """Without a script."""
    assert 'http-equiv="refresh"' in (await get())[2]
    assert 'http-equiv="refresh"' not in (await get(query=b"pause"))[2]


@pytest.mark.parametrize(
    ("client", "host", "headers"),
    [
        ("10.0.0.9", "10.0.0.5:8080", ()),
        ("127.0.0.1", "evil.example:8080", ()),
        ("127.0.0.1", "127.0.0.1", ((b"x-forwarded-for", b"10.0.0.9"),)),
        ("127.0.0.1", "127.0.0.1", ((b"authorization", b"Bearer wrong"),)),
        ("127.0.0.1", "127.0.0.1", ((b"authorization", b"Basic !!"),)),
        ("", "127.0.0.1", ()),
    ],
)
@aio
async def test_strangers_need_a_key(client, host, headers):
    """Another machine, a foreign name for this one, a proxy that makes everybody look local, a wrong key."""
    status, answer, body = await get(client=client, host=host, headers=headers)
    assert status == 401 and answer[b"www-authenticate"].startswith(b"Basic") and "support-chat" not in body


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer hg_right"),
        (b"authorization", b"Basic " + base64.b64encode(b"anybody:hg_right")),
        (b"x-api-key", b"hg_right"),
    ],
)
@aio
async def test_whoever_has_a_key_may_look_from_anywhere(header):
    """Browsers can send HTTP Basic."""
    assert (await get(client="10.0.0.9", host="gate.example", headers=(header,)))[0] == 200


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1.2.3"])
@aio
async def test_this_machines_own_browser_needs_none(client):
    """However its address is written."""
    assert (await get(client=client, host="[::1]:8080"))[0] == 200


@aio
async def test_other_paths_and_methods_are_refused_kindly():
    """And HEAD has no body."""
    assert (await get("/favicon.ico"))[0] == 404
    assert (await get(method="POST"))[0] == 405
    assert (await get("/page.css"))[1][b"content-type"].startswith(b"text/css")
    status, headers, body = await get(method="HEAD")
    assert status == 200 and body == "" and int(headers[b"content-length"]) > 100


class Running:
    """As much of a gateway as an overview needs."""

    def __init__(self, rows):
        self.configuration = from_environment({})
        self.spans: Any = self
        self.journal = self.gate = self
        self.drops, self.in_flight, self.rows = 1, 2, rows

    async def latest(self, limit):
        if self.rows is None:
            raise StoreUnavailable("locked")
        return Rows(position=1, rows=self.rows[-limit:])


@aio
async def test_the_overview_shows_the_newest_request_first():
    """And the names of the configuration, in its order."""
    rows = [RequestRow(id=n, started_ns=n, trace_id="") for n in range(60)]
    seen = await Overviews(Running(rows)).now()
    assert [row.id for row in seen.requests][:2] == [59, 58] and len(seen.requests) == 50
    assert seen.features[0] == ("support-chat", "large, then small")
    assert (seen.drops, seen.in_flight, seen.config_source) == (1, 2, "environment")


@aio
async def test_the_page_stands_while_the_database_does_not():
    """What is known without it is shown, and the trouble named."""
    seen = await Overviews(Running(None)).now()
    assert seen.trouble == "the requests cannot be shown: locked" and seen.models
    assert "locked" in (await get(shown=seen))[2]
