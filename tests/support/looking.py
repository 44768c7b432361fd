"""The dashboard in this process, over stores in memory: asked as a browser asks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from headgate.admission.ring import KeyRing
from headgate.control.signing import SignIn
from headgate.core.clock import Clock, SystemClock
from headgate.core.ids import IdSource
from headgate.dashboard.entrance import Entrances
from headgate.dashboard.oidc import Oidc
from headgate.dashboard.pages import ALL
from headgate.dashboard.site import Site
from headgate.dashboard.visitors import Visitors
from headgate.exchange.caller import Caller
from tests.support.operating import Operating

__all__ = ["LOCAL", "Browser", "Got", "Looked"]

LOCAL = "127.0.0.1:8080"


@dataclass
class Got:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    text: str

    def header(self, name: str) -> str:
        """The first of that name, or ""."""
        return next((value.decode() for key, value in self.headers if key == name.encode()), "")

    def all(self, name: str) -> list[str]:
        return [value.decode() for key, value in self.headers if key == name.encode()]


class Looked(Operating):
    """`Operating`, and the site over the same stores. The name of a role is the key of somebody who has it."""

    def __init__(
        self,
        *,
        oidc: Oidc | None = None,
        address: str = "",
        clock: Clock | None = None,
        local: bool = True,
        limits: tuple[float, float] = (3600.0, 86_400.0),
        **instead: Any,
    ) -> None:
        super().__init__(**instead)
        self.ring = KeyRing((), b"pepper")
        self.signing = SignIn(
            self.people, self.audit, lambda: self.ring, clock or SystemClock(), limits=lambda: limits
        )
        entrances = Entrances(
            self.signing, oidc=lambda: oidc, address=lambda: address, secret=self.keys.secret
        )
        self.site = Site(
            self.desk,
            Visitors(self._caller, self.signing.caller, b"s" * 32, lambda: local),
            pages=ALL,
            ids=IdSource(),
            entrances=entrances.table(),
            metrics=lambda: b"# numbers\n",
        )

    def _caller(self, key: bytes) -> Caller | None:
        return self.callers.get(key.decode()) or self.ring.caller(key)


@dataclass
class Browser:
    """Somebody's, with its cookies."""

    looked: Looked
    client: str = "127.0.0.1"
    host: str = LOCAL
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, target: str = "/", *, method: str = "GET", **headers: str) -> Got:
        """target: path and query. headers: names with _ for -."""
        return await self._ask(method, target, b"", headers)

    async def post(
        self, target: str, form: Mapping[str, str | Sequence[str]] | None = None, **headers: str
    ) -> Got:
        """A form, with the site's own origin unless another is given."""
        body = urlencode(form or {}, doseq=True).encode()
        given = {
            "origin": f"http://{self.host}",
            "content_type": "application/x-www-form-urlencoded",
        } | headers
        return await self._ask("POST", target, body, given)

    async def csrf(self, target: str = "/") -> str:
        """The token in the forms of a page."""
        text = (await self.get(target)).text
        return text.partition('name="csrf" value="')[2].partition('"')[0]

    async def _ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Got:
        path, _, query = target.partition("?")
        said = {"host": self.host, "accept": "text/html", **self.headers}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            said["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "scheme": "http",
            "client": (self.client, 5000) if self.client else None,
            "headers": [(name.encode(), value.encode()) for name, value in said.items() if value],
        }
        await self.looked.site(scope, receive, send)
        got = Got(
            sent[0]["status"],
            list(sent[0]["headers"]),
            b"".join(each.get("body", b"") for each in sent[1:]).decode(),
        )
        self._keep(got)
        return got

    def _keep(self, got: Got) -> None:
        for line in got.all("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def now() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()
