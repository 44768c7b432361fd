"""No gateway at all: the load client talks to the upstream. This calibrates the upstream and the client."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch, Target
from bench.places import clean_environment
from bench.shapes import UPSTREAM_MODEL, request_body

if TYPE_CHECKING:
    from pathlib import Path

    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["Direct"]

# Its process only holds the port, so that the harness needs no special case; nobody talks to it.
_PLACEHOLDER = """\
import http.server, sys
class Ok(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ok).serve_forever()
"""


class Direct(Contestant):
    """The upstream itself."""

    name = "direct"
    title = "no gateway"
    does = "the load client talks to the upstream: what upstream and client can do at most"

    def version(self) -> str:
        return "-"

    def missing(self) -> str | None:
        return None

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        return Launch([sys.executable, "-c", _PLACEHOLDER, str(port)], clean_environment(), work)

    def target(self, lane: Lane, upstream: Upstream, port: int) -> Target:
        body = request_body(UPSTREAM_MODEL, size=lane.body_bytes, stream=lane.streamed)
        return Target(upstream.port(lane), f"{lane.prefix}/v1/chat/completions", body, {})
