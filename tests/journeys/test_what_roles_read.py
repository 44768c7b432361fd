"""Every page, plot and route of `/api`, asked by every role over a gateway whose callers wrote markup and secrets into all they may
write: what was asked, answered and commented is told to nobody whose role may not read content, and nothing is ever markup."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from headgate.admission.rights import CONTENT, ROLES, routes_of
from headgate.control.http.routes import ROUTES
from headgate.dashboard.pages import ALL
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models = { m = { error_rate = 0 } }

[models.small]
endpoints = [{ provider = "sim", model = "m" }]

[features.chat]
route = "small"
contract = { availability = 0.99, quality = { thumbs = 0.8 } }

[feedback]
tokens = true
"""
SECRET = "zq9secret9zq"
EVIL = "\"'><script>zq(1)</script><img src=x onerror=zq()>{{ 7*7 }}"


class Asking:
    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.keys = {"owner": gateway.key}

    def ask(
        self, path: str, body: Any = None, *, role: str = "owner", method: str = "", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        asked = urllib.request.Request(
            f"{self.gateway.url}{path}",
            method=method or ("GET" if body is None else "POST"),
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.keys[role]}",
                "content-type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as reply:
                return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, dict(refused.headers), refused.read().decode()

    def plant(self) -> str:
        """Requests, comments, failures; the id of one."""
        named = {
            "x_headgate_user": EVIL,
            "x_headgate_session": EVIL,
            "x_headgate_tags": f"a={EVIL},prompt={EVIL}",
        }
        ids = []
        for model in ("chat", "chat", EVIL, "small"):
            body = {"model": model, "messages": [{"role": "user", "content": f"{SECRET} {EVIL}"}]}
            _, headers, _ = self.ask("/v1/chat/completions", body, **named)
            ids.append(headers["x-request-id"])
        for about in ({"request": ids[0]}, {"session": EVIL}):
            said = {
                **about,
                "thumbs": "down",
                "comment": f"{SECRET} {EVIL}",
                "correction": SECRET,
                "user": EVIL,
            }
            end = time.monotonic() + 10
            while (status := self.ask("/api/feedback", {**said, "event": EVIL})[0]) != 200:
                assert time.monotonic() < end, status
                time.sleep(0.1)
        for role in ROLES:
            if role not in self.keys:
                status, _, text = self.ask("/api/keys", {"name": role, "roles": [role], "note": EVIL})
                assert status == 201, text
                self.keys[role] = json.loads(text)["key"]
        self.ask("/api/rules", {"name": "evil", "metric": "requests", "alert": 1, "window": "5m"})
        end = time.monotonic() + 10
        while SECRET not in self.ask(f"/api/requests/{ids[0]}")[2]:
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(2.5)
        return ids[0]


class Markup(HTMLParser):
    """Notes what a browser would take for markup that nobody of us has written."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("img", "iframe", "object", "style") or (tag == "script" and "src" not in given):
            self.wrong.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.wrong.append(f"{tag} {name}")
            leads = name in ("href", "src", "action", "data-go", "data-plot", "data-from", "formaction")
            if leads and not ((value or "")[:1] in ("/", "#", "?") and (value or "")[1:2] not in ("/", "\\")):
                self.wrong.append(f"{tag} {name}={value}")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, str]]:
    with running_gateway(tmp_path_factory.mktemp("roles"), CONFIG) as gateway:
        asking = Asking(gateway)
        yield asking, asking.plant()
        assert "Traceback" not in gateway.log, gateway.log


def pages(request_id: str) -> list[str]:
    evil = quote(EVIL, safe="")
    found = []
    for each in ALL:
        if each.method != "GET":
            continue
        path = each.path.replace("/traces/{id}", f"/traces/{request_id}").replace(
            "/features/{name}", "/features/chat"
        )
        names = ["{file}", "spending.csv"], ["{id}", request_id]
        for name, value in names:
            path = path.replace(name, value)
        if "{name}" in path:
            plots = (
                "requests",
                "errors",
                "latency",
                "cost",
                "month",
                "spending",
                "mean",
                "count",
                "refusals",
                "chat",
                "burn",
            )
            found += [path.replace("{name}", each) for each in plots]
        else:
            found.append(path)
    found += [each.example for each in ALL if each.example]
    more = [
        f"/session?session={evil}",
        f"/traces?user={evil}",
        f"/traces?session={evil}&range=30d",
        f"/traces?slower={evil}",
    ]
    more += [f"/cost?by={by}" for by in ("user", "tag:a", "prompt", "model", "key")]
    more += [
        "/cost/spending.csv?by=user",
        "/plots/cost/spending?by=user",
        f"/cost?by={evil}",
        "/quality?by=prompt&feature=chat",
    ]
    more += [f"/quality?name=thumbs&by={by}" for by in ("feature", "model")]
    more += [
        f"/quality?feature={evil}&name={evil}",
        f"/alerts/new?name={evil}&metric={evil}",
        f"/sign-in?next={evil}",
    ]
    more += [
        f"/features/{evil}",
        f"/?range={evil}",
        f"/?from={evil}&to={evil}",
        f"/traces?cursor={evil}",
        f"/sessions?user={evil}",
    ]
    more += [
        f"/traces/{request_id}/replay?with={evil}",
        "/plots/quality/mean?name=thumbs",
        "/quality/changes?feature=chat",
    ]
    return found + more


@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", [role for role in ROLES if role != "service"])
def test_pages_tell_each_role_what_it_may_read_and_never_as_markup(
    planted: tuple[Asking, str], role: str
) -> None:
    """Also plots, files and refusals."""
    asking, request_id = planted
    told = escaped = False
    for path in pages(request_id):
        status, headers, text = asking.ask(path, role=role, accept="text/html")
        assert status < 500, (path, text)
        told, escaped = told or SECRET in text, escaped or "&lt;script&gt;zq" in text
        assert SECRET not in text or CONTENT in routes_of([role]), path
        if headers.get("content-type", "").startswith("text/html"):
            assert "<script>zq" not in text and "<img" not in text, path
            markup = Markup()
            markup.feed(text)
            assert markup.wrong == [], (path, markup.wrong)
            assert "default-src 'none'" in headers["content-security-policy"]
        assert headers.get("x-content-type-options") == "nosniff", path
    assert escaped and told == (CONTENT in routes_of([role]))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", list(ROLES))
def test_the_api_tells_nothing_of_what_was_said_to_roles_that_may_not_read_it(
    planted: tuple[Asking, str], role: str
) -> None:
    """Every route that is asked with GET; searching by a word of it is refused."""
    asking, request_id = planted
    told = False
    for route in ROUTES:
        if route.method != "GET":
            continue
        path = (
            route.path.replace("{id}", request_id).replace("{name}", "chat").replace("{replay}", request_id)
        )
        targets = [path]
        if path == "/api/conversation":
            targets = [f"{path}?session={quote(EVIL, safe='')}"]
        if path == "/api/exports/requests":
            targets += [f"{path}?content=true", f"{path}?text={SECRET}"]
        if path == "/api/requests":
            targets += [f"{path}?text={SECRET}"]
        for target in targets:
            status, _, text = asking.ask(target, role=role)
            assert status < 500, (target, text)
            if CONTENT not in routes_of([role]):
                assert SECRET not in text, target
                assert status in (401, 403) or "text=" not in target, target
            told = told or SECRET in text
    assert told == (CONTENT in routes_of([role]))


def test_a_proxy_that_was_told_nothing_is_not_taken_for_this_machines_own_browser(
    planted: tuple[Asking, str],
) -> None:
    """Such as nginx with `proxy_pass` alone: it asks by HTTP/1.0, for the address it was given, and says nothing of the reader."""
    place = urlsplit(planted[0].gateway.url)
    for version, first in ((b"1.0", b"303"), (b"1.1", b"200")):
        with socket.create_connection((place.hostname, place.port), timeout=10) as line:
            line.sendall(
                b"GET / HTTP/%b\r\nHost: %b\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
                % (version, place.netloc.encode())
            )
            assert line.recv(200).split()[1] == first


@pytest.mark.parametrize(
    "name", ["a/b", "/", "..", "a//b?c#d%2F", "ä%", "*", " ", "' OR 1=1", "%", "ü" * 256]
)
def test_a_user_is_forgotten_by_whatever_name(planted: tuple[Asking, str], name: str) -> None:
    """Names are the applications': a slash in one is no place in a path."""
    asking, _ = planted
    body = {"model": "chat", "user": name, "messages": [{"role": "user", "content": "Hello"}]}
    assert asking.ask("/v1/chat/completions", body)[0] == 200
    status, _, text = asking.ask(f"/api/users/{quote(name, safe='')}", method="DELETE")
    assert status == 200, text
    assert json.loads(text)["requests"] == 1
