"""The dashboard's frame: who may see it, which headers it sends, what refusals look like, and whose forms are believed."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from typing import Any

import pytest

from headgate.config.loader import from_environment
from headgate.control.overview import Overviews
from headgate.dashboard.looking import Redirect, Shown, page
from headgate.dashboard.site import Site
from headgate.dashboard.visitors import Visitors
from headgate.stores.errors import StoreUnavailable
from headgate.stores.spans import Page as Rows
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []


@aio
async def test_every_page_allows_scripts_and_styles_from_here_only_and_has_none_inside():
    """What a recorded name contains can do nothing."""
    got = await Browser(Looked()).get()
    policy = got.header("content-security-policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert "style=" not in got.text and "onclick" not in got.text
    assert got.text.count("<script") == got.text.count("<script src=") > 0
    assert got.header("x-content-type-options") == "nosniff" and got.header("cache-control") == "no-store"
    HTMLParser().feed(got.text)


@pytest.mark.parametrize(
    ("client", "host", "headers"),
    [
        ("10.0.0.9", "10.0.0.5:8080", {}),
        ("127.0.0.1", "evil.example:8080", {}),
        ("127.0.0.1", "127.0.0.1", {"x_forwarded_for": "10.0.0.9"}),
        ("127.0.0.1", "127.0.0.1", {"authorization": "Bearer wrong"}),
        ("127.0.0.1", "127.0.0.1", {"authorization": "Basic !!"}),
        ("127.0.0.1", "127.0.0.1", {"authorization": "Bearer service"}),
        ("", "127.0.0.1", {}),
    ],
)
@aio
async def test_programs_of_strangers_are_asked_for_a_key(client, host, headers):
    """Another machine, a foreign name for this one, a proxy that makes everybody look local, a wrong key, one of no use."""
    got = await Browser(Looked(), client, host).get(accept="*/*", **headers)
    assert got.status == 401 and got.header("www-authenticate").startswith("Basic")
    assert "--role viewer" in got.text and "support-chat" not in got.text


@aio
async def test_people_are_led_to_the_sign_in_and_back():
    """A browser asks for pages; where it wanted to go is not forgotten."""
    got = await Browser(Looked(), "10.0.0.9", "gate.example").get("/traces?model=a%26b")
    assert got.status == 303 and got.header("location") == "/sign-in?next=%2Ftraces%3Fmodel%3Da%2526b"


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": "Bearer viewer"},
        {"authorization": "Basic " + base64.b64encode(b"anybody:viewer").decode()},
        {"x_api_key": "viewer"},
    ],
)
@aio
async def test_whoever_has_a_key_may_look_from_anywhere(header):
    """Browsers can send HTTP Basic, scrapers too."""
    browser = Browser(Looked(), "10.0.0.9", "gate.example")
    assert (await browser.get(**header)).status == 200
    assert (await browser.get("/metrics", **header)).text == "# numbers\n"


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1.2.3"])
@aio
async def test_this_machines_own_browser_needs_none_unless_that_is_switched_off(client):
    """However its address is written; it sees what a viewer sees."""
    got = await Browser(Looked(), client, "[::1]:8080").get()
    assert got.status == 200 and "this computer" in got.text
    assert (await Browser(Looked(local=False), client, "[::1]:8080").get()).status == 303


@aio
async def test_other_paths_and_methods_are_refused_in_words():
    """And HEAD has no body."""
    browser = Browser(Looked())
    missing = await browser.get("/favicon.ico")
    assert missing.status == 404 and "there is no such page" in missing.text
    assert (await browser.get(method="DELETE")).status == 405
    assert (await browser.post("/metrics")).status == 405
    stranger = Browser(Looked(), "10.0.0.9", "gate.example")
    assert (await stranger.get("/nothing")).status == 404
    assert (await browser.get("/page.css")).header("content-type").startswith("text/css")
    head = await browser.get(method="HEAD")
    assert head.status == 200 and head.text == "" and int(head.header("content-length")) > 100


@aio
async def test_files_are_kept_for_ever_under_the_name_of_their_content():
    """A changed file has another address, and a browser that has it is not sent it again."""
    browser = Browser(Looked())
    text = (await browser.get()).text.replace("&#x2f;", "/")
    address = "/static/app.css?v=" + text.partition("/static/app.css?v=")[2].partition('"')[0]
    got = await browser.get(address)
    assert got.status == 200 and "immutable" in got.header("cache-control")
    assert got.header("content-type").startswith("text/css")
    assert (await browser.get("/static/app.css")).header("cache-control") == "no-cache"
    again = await browser.get(address, if_none_match=got.header("etag"))
    assert again.status == 304 and again.text == ""
    assert (await browser.get("/static/../site.py")).status == 404
    assert (await browser.get("/static/vendor/htmx.min.js")).status == 200


async def _show(asked):
    return Shown("problem.html", {"title": "T", "detail": str(asked.form), "advice": ""})


async def _change(asked):
    return Redirect("/", notice=f"Done: <{asked.form['name']}>")


async def _away(_):
    return Redirect("//evil.example/")


async def _break(_):
    raise RuntimeError("no")


async def _no_database(_):
    raise StoreUnavailable("locked")


OWN = (
    page("GET", "/", "dashboard", _show),
    page("POST", "/change", "api.keys.create", _change),
    page("GET", "/away", "dashboard", _away),
    page("GET", "/break", "dashboard", _break),
    page("GET", "/locked", "dashboard", _no_database),
)


def own(looked: Looked) -> Looked:
    """Pages of this test, over the stores of the other."""
    visitors: Any = looked.site.visitors
    assert isinstance(visitors, Visitors)
    looked.site = Site(looked.desk, visitors, pages=OWN, ids=looked.site._ids)
    return looked


@aio
async def test_a_form_needs_its_token_its_origin_and_the_right():
    """Without the token of the page, from another site, or without the right nothing happens."""
    looked = own(Looked())
    owner = Browser(looked, headers={"authorization": "Basic " + base64.b64encode(b":owner").decode()})
    viewer = Browser(looked, headers={"authorization": "Bearer viewer"})
    token = (await looked.site.visitors.viewer(_scope("owner"))).csrf  # type: ignore[union-attr]
    form = {"csrf": token, "name": "ann"}
    assert (await owner.post("/change", {"name": "ann"})).status == 403
    assert (await owner.post("/change", {"csrf": "x" * 32, "name": "ann"})).status == 403
    assert (await owner.post("/change", form, origin="http://evil.example")).status == 403
    assert (await owner.post("/change", form, sec_fetch_site="cross-site")).status == 403
    refused = await viewer.post("/change", form)
    assert refused.status == 403 and "owner, operator" in refused.text
    done = await owner.post("/change", form)
    assert done.status == 303 and done.header("location") == "/"
    shown = await owner.get("/")
    assert "Done: &lt;ann&gt;" in shown.text
    assert "Done" not in (await owner.get("/")).text


def _scope(key: str) -> dict[str, Any]:
    return {"headers": [(b"authorization", f"Bearer {key}".encode())], "client": None}


@aio
async def test_nothing_leads_away_from_the_site():
    """An address that came with a link is one of ours or none."""
    browser = Browser(own(Looked()))
    assert (await browser.get("/away")).header("location") == "/"


@aio
async def test_what_goes_wrong_is_told_in_words():
    """A page that fails names where the log has more; a database that does not answer is not the reader's fault."""
    browser = Browser(own(Looked()))
    broken = await browser.get("/break")
    assert broken.status == 500 and "its log has the details under req_" in broken.text
    locked = await browser.get("/locked")
    assert locked.status == 503 and "the database does not answer" in locked.text


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
async def test_the_overview_stands_while_the_database_does_not():
    """What is known without it is shown, and the trouble named."""
    seen = await Overviews(Running(None)).now()
    assert seen.trouble == "the requests cannot be shown: locked" and seen.models
