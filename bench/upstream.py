"""The upstream under every contestant: nginx for whole answers, our scripted server for streams and big bodies."""

from __future__ import annotations

import http.client
import json
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.places import ROOT, clean_environment
from bench.process_tree import ProcessTree
from bench.shapes import whole_reply

if TYPE_CHECKING:
    from pathlib import Path

    from bench.process_tree import Ports
    from bench.shapes import Lane

__all__ = ["Served", "Upstream", "UpstreamEnded", "nginx_command"]

_STATIC = """\
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /counts {{ stub_status; }}
    location / {{ default_type application/json; return 200 '{reply}'; }}
  }}
}}
"""


class UpstreamEnded(Exception):
    """The upstream is gone, so nothing more can be measured; the message says how it ended."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the upstream has served since it started. `tokens` and `cut` concern streams only."""

    requests: int
    tokens: int = 0
    cut: int = 0

    def since(self, before: Served) -> Served:
        """What was served after `before`."""
        return Served(self.requests - before.requests, self.tokens - before.tokens, self.cut - before.cut)


def nginx_command(configuration: Path, work: Path) -> list[str]:
    """The command that runs nginx in the foreground from our own directory."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-e", "stderr", "-p", str(work), "-c", str(configuration)]


class Upstream:
    """Both servers, started together."""

    def __init__(self, work: Path, ports: Ports) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.static_port, self.scripted_port = ports.take(), ports.take()
        self._status_probes = 0
        configuration = work / "nginx.conf"
        reply = whole_reply().decode()
        configuration.write_text(_STATIC.format(work=work, port=self.static_port, reply=reply))
        env = clean_environment()
        self.static = ProcessTree(
            nginx_command(configuration, work), log=work / "nginx.log", env=env, cwd=work
        )
        server = [sys.executable, "-m", "bench.upstream_server", "--port", str(self.scripted_port)]
        self.scripted = ProcessTree(server, log=work / "scripted.log", env=env, cwd=ROOT)
        try:
            self.static.wait_listening(self.static_port, seconds=10)
            self.scripted.wait_listening(self.scripted_port, seconds=10)
        except BaseException:
            self.stop()
            raise

    def port(self, lane: Lane) -> int:
        """The port that serves the lane."""
        return self.static_port if lane.upstream == "static" else self.scripted_port

    def base_url(self, lane: Lane) -> str:
        """The OpenAI base URL of a lane, ending in /v1."""
        return f"http://127.0.0.1:{self.port(lane)}{lane.prefix}/v1"

    def tree(self, lane: Lane) -> ProcessTree:
        """The processes that serve the lane."""
        return self.static if lane.upstream == "static" else self.scripted

    def served(self, lane: Lane) -> Served:
        """What the lane's server has served so far; our own questions are not counted."""
        text = _get(self.port(lane), "/counts")
        if lane.upstream == "static":
            self._status_probes += 1
            # nginx's third line is "accepts handled requests"; its own status pages count as requests.
            requests = int(text.splitlines()[2].split()[2])
            return Served(requests - self._status_probes)
        counts = json.loads(text)
        return Served(counts["requests"], counts["tokens"], counts["cut"])

    def check(self) -> None:
        """Raises UpstreamEnded if one of the two no longer runs."""
        for name, tree in (("nginx", self.static), ("the scripted server", self.scripted)):
            if ended := tree.ended():
                raise UpstreamEnded(f"the upstream's {name} {ended}; somebody may have killed it by name")

    def stop(self) -> None:
        """End both servers."""
        self.static.stop()
        self.scripted.stop()


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
