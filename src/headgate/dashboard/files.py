"""Styles and scripts, as they lie in the package: read once, named by their content, kept by browsers for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

__all__ = ["StaticFile", "StaticFiles"]

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOLDERS = ("", "vendor/")


class StaticFile(NamedTuple):
    """One."""

    body: bytes
    kind: str
    mark: str
    """Of its content."""


class StaticFiles:
    """All of them, under `/static/`."""

    def __init__(self) -> None:
        self._files: Mapping[str, StaticFile] = {}

    def find(self, name: str) -> StaticFile | None:
        """name: without `/static/`."""
        return self._all().get(name)

    def url(self, name: str) -> str:
        """Where a page finds it: another content has another address. Raises KeyError."""
        return f"/static/{name}?v={self._all()[name].mark}"

    def _all(self) -> Mapping[str, StaticFile]:
        if not self._files:
            self._files = _read()
        return self._files


def _read() -> dict[str, StaticFile]:
    found = {}
    for folder in _FOLDERS:
        place = files("headgate.dashboard").joinpath("static").joinpath(folder)
        for each in place.iterdir():
            kind = _KINDS.get(each.name[each.name.rfind(".") :])
            if each.is_file() and kind is not None:
                body = each.read_bytes()
                mark = hashlib.blake2b(body, digest_size=8).hexdigest()
                found[f"{folder}{each.name}"] = StaticFile(body, kind, mark)
    return found
