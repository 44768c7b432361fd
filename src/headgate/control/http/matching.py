"""Method and path to a route."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from headgate.control.http.problems import Problem
from headgate.control.http.route import Route
from headgate.core.near import did_you_mean

__all__ = ["Matcher", "path_of"]

_SLASH = "\udc2f"
"""Stands for a slash that was sent as `%2F`; no text that was decoded has this in it."""
_CODED = re.compile("%2[fF]")


def path_of(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI request, for `Matcher`: a slash that was sent as `%2F` belongs to a name, such as that of a user."""
    raw: bytes = scope.get("raw_path") or b""
    raw = raw.partition(b"?")[0]
    if b"%2f" not in raw.lower():
        return str(scope["path"])
    return unquote(_CODED.sub(_SLASH, raw.decode("latin-1")))


class Matcher:
    """Finds the route of a request among these."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._by_path.setdefault(route.path, {})[route.method] = route
        self._parts = {path: path.split("/") for path in self._by_path}

    def methods(self, path: str) -> tuple[str, ...]:
        """What a path takes. Raises Problem for one that is not served."""
        return _methods(self._found(path)[0])

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route, and what stands for its names in braces. Raises Problem."""
        by_method, values = self._found(path)
        route = by_method.get("GET" if method == "HEAD" else method)
        if route is None:
            methods = ", ".join(_methods(by_method))
            raise Problem(
                "method_not_allowed",
                f"this path takes {methods}, not {method[:20]}",
                headers=[(b"allow", methods.encode())],
            )
        return route, values

    def _found(self, path: str) -> tuple[dict[str, Route], Mapping[str, str]]:
        if path in self._by_path and "{" not in path:
            return self._by_path[path], {}
        parts = path.split("/")
        for known, pattern in self._parts.items():
            values = _values(pattern, parts)
            if values is not None:
                return self._by_path[known], values
        near = did_you_mean(path[:200], self._by_path)
        raise Problem("unknown_path", f"nothing is served at this path{near}; `/api/docs` lists all")


def _values(pattern: Sequence[str], parts: Sequence[str]) -> Mapping[str, str] | None:
    if len(pattern) != len(parts):
        return None
    values: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted[:1] == "{":
            if not part:
                return None
            values[wanted[1:-1]] = part.replace(_SLASH, "/")
        elif wanted != part:
            return None
    return values


def _methods(by_method: Mapping[str, Route]) -> tuple[str, ...]:
    found = set(by_method) | ({"HEAD"} if "GET" in by_method else set()) | {"OPTIONS"}
    return tuple(sorted(found))
