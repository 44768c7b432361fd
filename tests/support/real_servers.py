"""Web servers nobody here wrote, started on free ports for tests of the transport."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["BIG", "SMALL", "nginx", "node", "uvicorn_app"]

SMALL = b'{"object":"chat.completion","choices":[]}'
"""What `/small` answers, everywhere."""
BIG = b"0123456789abcdef" * 500_000
"""What `/big` answers: 8 MB."""

_NGINX = """
{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; types {{ }} default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 64m;
  gzip on; gzip_types application/json; gzip_min_length 100; gzip_http_version 1.1;
  server {{
    listen 127.0.0.1:{port}; root {folder}; keepalive_timeout 60s;
    location = /stream {{ proxy_pass http://127.0.0.1:{port}/big; proxy_buffering off; gzip off; }}
    location = /echo-size {{ return 200 $content_length; }}
  }}
}}
"""

_NODE = """
const http = require("http"), big = "0123456789abcdef".repeat(500000);
const small = '{"object":"chat.completion","choices":[]}';
http.createServer((ask, answer) => {
  let size = 0;
  ask.on("data", (data) => { size += data.length; });
  ask.on("end", async () => {
    if (ask.url === "/small") { answer.setHeader("content-type", "application/json"); answer.end(small); }
    else if (ask.url === "/big") answer.end(big);
    else if (ask.url === "/echo-size") answer.end(String(size));
    else for (let i = 0; i <= 100; i++) {
      if (i === 100) answer.end();
      else { answer.write("data: " + i + "\\n\\n"); await new Promise(setImmediate); }
    }
  });
}).listen(Number(process.argv[1]), "127.0.0.1");
"""

_UVICORN = """
import sys
import uvicorn
SMALL, BIG = b'{"object":"chat.completion","choices":[]}', b"0123456789abcdef" * 500_000
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    path = scope["path"]
    whole = {"/small": SMALL, "/big": BIG, "/echo-size": str(size).encode()}.get(path)
    headers = [(b"content-length", str(len(whole)).encode())] if whole is not None else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if whole is not None:
        await send({"type": "http.response.body", "body": whole})
        return
    for number in range(100):
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
    await send({"type": "http.response.body"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _started(port: int, *command: str) -> AsyncIterator[int]:
    """Run a server until the block ends; enters once it accepts connections."""
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended with {process.returncode}") from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield port
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[int]:
    """nginx with gzip on JSON; `/small`, `/big`, `/stream` (proxied from itself), `/echo-size`."""
    port = _free_port()
    (folder / "small").write_bytes(SMALL * 10)
    (folder / "big").write_bytes(BIG)
    config = folder / "nginx.conf"
    # Started by root its worker would be `nobody`, who may not read the folders of tests.
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(_NGINX.format(folder=folder, port=port, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    async with _started(port, program, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)):
        yield port


@asynccontextmanager
async def node() -> AsyncIterator[int]:
    """Node's http server; `/small`, `/big`, `/stream` (100 events), `/echo-size`."""
    port = _free_port()
    async with _started(port, "node", "-e", _NODE, str(port)):
        yield port


@asynccontextmanager
async def uvicorn_app() -> AsyncIterator[int]:
    """uvicorn with a plain ASGI callable; as `node`."""
    port = _free_port()
    async with _started(port, sys.executable, "-c", _UVICORN, str(port)):
        yield port
