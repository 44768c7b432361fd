"""Portkey's gateway on Node. It is stateless: the caller names the provider and its address in headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch
from bench.installation import Installation
from bench.places import clean_environment
from bench.shapes import UPSTREAM_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["Portkey"]

_PLACE = Installation("portkey")
_SERVER = "node_modules/@portkey-ai/gateway/build/start-server.js"


class Portkey(Contestant):
    """The best known gateway in TypeScript."""

    name = "portkey"
    title = "Portkey gateway"
    does = "routes by the caller's headers; the free edition has no keys, budgets or records"

    def version(self) -> str:
        found = _PLACE.versions()
        return f"{found['portkey']} on Node {found['node']}, @hono/node-server {found['server']} (its issue 1389)"

    def missing(self) -> str | None:
        return _PLACE.missing()

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        command = ["node", str(_PLACE.home / _SERVER), f"--port={port}", "--headless"]
        return Launch(command, clean_environment(NODE_ENV="production"), work)

    def model(self, lane: Lane) -> str:
        return UPSTREAM_MODEL

    def headers(self, lane: Lane, upstream: Upstream) -> dict[str, str]:
        return {
            "authorization": "Bearer unused",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": upstream.base_url(lane),
        }
