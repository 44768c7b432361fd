"""nginx as a plain reverse proxy: the least a gateway can cost on this machine."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch
from bench.places import clean_environment
from bench.upstream import nginx_command

if TYPE_CHECKING:
    from pathlib import Path

    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["Nginx", "NginxAsPackaged"]

_PROXY = """\
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 40000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  upstream static {{ server 127.0.0.1:{static}; keepalive 512; keepalive_requests 1000000000; }}
  upstream scripted {{ server 127.0.0.1:{scripted}; keepalive 512; keepalive_requests 1000000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_read_timeout 600s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /v1/ {{ proxy_pass http://static; }}
    location /whole/ {{ proxy_pass http://scripted; }}
    location /s/ {{ proxy_buffering off; proxy_pass http://scripted; }}
  }}
}}
"""


_KEPT = (
    "keepalive 512; keepalive_requests 1000000000; ",
    "  proxy_http_version 1.1;\n",
    '  proxy_set_header Connection "";\n',
)
"""What must be added to nginx before it keeps its connections to an upstream."""


class Nginx(Contestant):
    """The limit every figure is compared with: nginx tuned for the purpose."""

    name = "nginx"
    title = "nginx (connections kept)"
    configuration = _PROXY
    does = "forwards bytes over kept connections; no key check, no accounting, no access log"

    def version(self) -> str:
        said = subprocess.run([self._program(), "-v"], capture_output=True, text=True, check=True).stderr
        return said.strip().rpartition("/")[2]

    def missing(self) -> str | None:
        return (
            None if shutil.which(self._program()) else "nginx is not installed: apt-get install nginx-light"
        )

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        configuration = work / "nginx.conf"
        static, scripted = upstream.static_port, upstream.scripted_port
        configuration.write_text(
            self.configuration.format(work=work, port=port, static=static, scripted=scripted)
        )
        return Launch(nginx_command(configuration, work), clean_environment(), work)

    def path(self, lane: Lane) -> str:
        return f"{lane.prefix}/v1/chat/completions"

    def _program(self) -> str:
        return shutil.which("nginx") or "/usr/sbin/nginx"


class NginxAsPackaged(Nginx):
    """nginx as it is without those three lines: it opens a connection to the upstream for every request, as most
    reverse proxies in production do."""

    name = "nginx-plain"
    title = "nginx (as packaged)"
    does = "forwards bytes over a new upstream connection per request; no key check, no accounting, no access log"
    configuration = _PROXY

    def __init__(self) -> None:
        for line in _KEPT:
            assert line in self.configuration, line
            self.configuration = self.configuration.replace(line, "")
