"""What a page is given and gives back. A page module needs this and nothing else of the dashboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from headgate.control.http.problems import Problem
from headgate.control.http.reading import read_query
from headgate.control.http.route import Asked, Desk
from headgate.dashboard.stretch import USUAL, Stretch, stretch_of
from headgate.exchange.caller import Caller

__all__ = ["Data", "Handler", "Looking", "Page", "Raw", "Redirect", "Shown", "Viewer", "page"]

S = TypeVar("S", bound=msgspec.Struct)

DEADLINE_SECONDS = 20.0
"""How long a page may take, if it does not say."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks."""

    caller: Caller
    """As /api knows somebody: name, roles, `routes`."""
    name: str
    """To be shown: an address of e-mail, a key's name, `this computer`."""
    kind: str = "local"
    """person (signed in), key, or local (this machine's own browser, without a key)."""
    csrf: str = ""
    """What each form must bring."""
    session: bytes = b""
    """The browser's cookie, if somebody is signed in by it."""

    @property
    def routes(self) -> frozenset[str]:
        """What they may reach, as `admission.rights` names it."""
        return self.caller.routes

    def may(self, right: str) -> bool:
        """May they do this?"""
        return right in self.caller.routes


@dataclass(frozen=True, slots=True)
class Looking:
    """One request for a page, let in."""

    desk: Desk
    viewer: Viewer
    path: Mapping[str, str] = field(default_factory=dict)
    """What stands for the names in braces."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The last value of each name."""
    form: Mapping[str, str] = field(default_factory=dict)
    """The last value of each field; without the token. Empty for GET."""
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All values of each name, of the form or (GET) the query."""
    now_ns: int = 0
    url: str = "/"
    """The path that was asked for."""
    usual: str = USUAL
    """The range that this page shows if none is asked for."""
    address: str = ""
    """Where the reader's browser reached us, such as `http://127.0.0.1:8080`."""

    @property
    def stretch(self) -> Stretch:
        """The time that is looked at: `range`, or `from` and `to`, of the query."""
        return stretch_of(self.query, self.now_ns // 1_000_000_000, self.usual)

    def asked(self, query: Any = None, body: Any = None, **path: str) -> Asked[Any, Any]:
        """The same person at `/api`: call its handlers with this. path: instead of this page's own."""
        return Asked(self.desk, self.viewer.caller, path or self.path, query, body, "dashboard")

    def queried(self, kind: type[S], **more: str) -> S:
        """The query as a `kind` of `/api`; names it does not know, and fields left empty, are passed over. Raises Problem."""
        known = kind.__struct_encode_fields__
        given = {name: text for name, text in (*self.query.items(), *more.items()) if name in known and text}
        read: S | None = read_query(urlencode(given).encode(), kind)
        assert read is not None
        return read

    def filled(self, kind: type[S]) -> S:
        """The form as a body of `/api`: fields left empty are left out, lists are split at commas. Raises Problem."""
        given: dict[str, Any] = {}
        for each in msgspec.structs.fields(kind):
            texts = [text.strip() for text in self.lists.get(each.encode_name, ()) if text.strip()]
            if texts:
                given[each.encode_name] = _value(each.type, texts)
        try:
            return msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as wrong:
            raise Problem("invalid_request", f"this does not fit: {wrong}") from None


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and what it is filled with."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Data:
    """JSON, for plots."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raw:
    """A file to keep."""

    body: bytes
    kind: str
    filename: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Somewhere else, of this site, such as after a form. notice: a sentence shown there once."""

    location: str
    notice: str = ""
    cookies: Sequence[bytes] = ()


Handler = Callable[[Looking], Awaitable["Shown | Data | Raw | Redirect"]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table of pages; made by `page`."""

    method: str
    path: str
    right: str
    handler: Handler
    example: str = ""
    seconds: float = DEADLINE_SECONDS
    usual: str = USUAL


def page(
    method: str,
    path: str,
    right: str,
    handler: Handler,
    *,
    example: str = "",
    seconds: float = DEADLINE_SECONDS,
    usual: str = USUAL,
) -> Page:
    """A row of the table.

    path: names in braces stand for one part each. right: of `admission.rights`; who has it not is told so, in words.
    example: what the names in braces may be for the walk through all pages, if there is a page that is always there.
    seconds: how long it may take. usual: the range of time that is shown if none is asked for."""
    return Page(method, path, right, handler, example, seconds, usual)


def _value(kind: Any, texts: Sequence[str]) -> Any:
    if _is_list(kind):
        return [part.strip() for text in texts for part in text.split(",") if part.strip()]
    return texts[-1]


def _is_list(kind: Any) -> bool:
    return any(word in str(kind) for word in ("tuple[", "list[", "Sequence["))
