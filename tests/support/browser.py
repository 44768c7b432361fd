"""A real Chromium before a gateway with something to show: walks pages and says what is wrong with each."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from headgate.dashboard.pages import ALL
from tests.support.gateway import RunningGateway

__all__ = ["CONFIG", "LOOKS", "Look", "Walk", "api", "chromium", "fill", "patterns", "words"]

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0

[providers.other]
kind = "simulated"
speed = 0

[models.large]
endpoints = [{ provider = "sim", model = "sim-large" }, { provider = "other", model = "sim-large" }]

[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }]

[models.broken]
endpoints = [{ provider = "sim", model = "sim-broken" }]

[features.support-chat]
route = "large"
fallback = ["small"]
contract = { availability = 0.99, latency_p95 = "5s", cost_p95 = 0.05, quality = { thumbs = 0.8 }, least = 5 }

[features.search]
route = "small"

[features.summaries]
route = "broken"
"""
"""Of the gateway that is walked."""

_ALL_PICTURES = os.environ.get("HEADGATE_TEST_PICTURES") == "all"
_AXE = Path(__file__).parent / "vendored" / "axe.min.js"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass(frozen=True)
class Look:
    """How somebody looks at it."""

    name: str
    scheme: str
    width: int


LOOKS = (
    Look("light", "light", 1280),
    Look("dark", "dark", 1280),
    Look("phone", "light", 390),
    Look("phone-dark", "dark", 390),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Started once, for many pages."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(path for name in names if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield started
        finally:
            started.close()


def patterns() -> list[str]:
    """Every page that people look at: GET, no data for plots, and no file to keep."""
    paths = [each.path for each in ALL if each.method == "GET" and not each.path.startswith("/plots/")]
    return [path for path in paths if "." not in path]


@dataclass
class Walk:
    """Opens pages of one gateway in one look and keeps what is wrong."""

    browser: Browser
    url: str
    look: Look
    key: str = ""
    shots: Path | None = None
    """Where pictures go, of pages with something wrong; of all with HEADGATE_TEST_PICTURES=all."""
    wrong: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def all(self) -> None:
        """Every page that the dashboard lists; those with names in braces by a link that leads to one."""
        todo = [path for path in patterns() if "{" not in path]
        todo += [each.example for each in ALL if each.method == "GET" and each.example]
        wanted = {path: _pattern(path) for path in patterns() if "{" in path}
        with self.page() as page:
            while todo:
                target = todo.pop(0)
                self.visit(page, target)
                for link in page.eval_on_selector_all(
                    "a[href^='/']:not([download])", "all => all.map(a => a.getAttribute('href'))"
                ):
                    path = urlsplit(link).path
                    for name, pattern in list(wanted.items()):
                        if pattern.fullmatch(path) and path not in patterns():
                            del wanted[name]
                            todo.append(link)

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A tab whose complaints are kept."""
        context = self.browser.new_context(
            viewport={"width": self.look.width, "height": 900},
            color_scheme=self.look.scheme,  # type: ignore[arg-type]
            extra_http_headers={"authorization": f"Bearer {self.key}"} if self.key else {},
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        try:
            yield page
        finally:
            context.close()

    def visit(self, page: Page, target: str) -> None:
        """Open it, wait until its plots are drawn, and look for what is wrong."""
        answer = page.goto(f"{self.url}{target}")
        assert answer is not None
        self.seen.append(target)
        where, before = f"{self.look.name} {target}", len(self.wrong)
        if answer.status >= 400:
            self.wrong.append(f"{where}: HTTP {answer.status}")
            return
        # Not by a function: asked a second time it would be a text that is made a script, which the page's own policy refuses.
        undrawn = "figure.plot[data-plot]:not([data-drawn])"
        page.wait_for_selector(undrawn, state="detached", timeout=15_000)
        self.check(page, where)
        if self.shots is not None and (len(self.wrong) > before or _ALL_PICTURES):
            name = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-") or "overview"
            page.screenshot(path=str(self.shots / f"{name}-{self.look.name}.png"), full_page=True)

    def check(self, page: Page, where: str) -> None:
        """What is open now."""
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if over > 0:
            self.wrong.append(f"{where}: {over} pixels wider than the window")
        # Not by a script tag: the page's own policy refuses those.
        page.evaluate(_AXE.read_text(encoding="utf-8") + "; void 0")
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        for violation in found["violations"]:
            nodes = "; ".join(each["html"][:160] for each in violation["nodes"][:3])
            self.wrong.append(f"{where}: {violation['id']} ({violation['help']}): {nodes}")

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{self.look.name}: console: {message.text}")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("/".join("[^/]+" if part[:1] == "{" else re.escape(part) for part in path.split("/")))


def fill(gateway: RunningGateway, count: int = 12) -> None:
    """Ask it what a product asks: answers, streams, sessions, failures, mistakes."""
    for number in range(count):
        user, session = ("ann", "bo", "chen")[number % 3], f"talk-{number % 4}"
        headers = {"x-headgate-session": session, "x-headgate-tags": f"team=t{number % 2}"}
        _ask(gateway, "support-chat", user, headers, stream=number % 3 == 0)
        _ask(gateway, "search", user, headers)
        if number % 4 == 0:
            _ask(gateway, "summaries", user, headers)
            _ask(gateway, "nothing-of-that-name", user, {})


def _ask(
    gateway: RunningGateway, model: str, user: str, headers: Mapping[str, str], *, stream: bool = False
) -> None:
    body = {
        "model": model,
        "user": user,
        "stream": stream,
        "messages": [{"role": "user", "content": "My order 4711 has not arrived. What can I do?"}],
    }
    api(gateway, "POST", "/v1/chat/completions", body, headers)


def api(
    gateway: RunningGateway,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """What the gateway answers, read as JSON where it is some."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    try:
        given = {
            "authorization": f"Bearer {gateway.key}",
            "content-type": "application/json",
            **(headers or {}),
        }
        connection.request(method, path, None if body is None else json.dumps(body), given)
        data = connection.getresponse().read()
    finally:
        connection.close()
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def words(wrong: Sequence[str]) -> str:
    """What is wrong, a line each."""
    return "\n".join(dict.fromkeys(wrong))
