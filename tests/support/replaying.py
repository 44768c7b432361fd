"""A gateway in this process, with traffic to send again: the real journey, records and `/api` over SQLite and simulated models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.admission.rights import routes_of
from headgate.compose.gateway import Gateway
from headgate.config.loader import parse
from headgate.core.ids import parse_request_id
from headgate.exchange.caller import Caller
from headgate.stores.spans import RequestRow
from headgate.testing.asgi import Answered
from headgate.testing.asgi import Caller as Client

__all__ = ["KEY", "ME", "Playing", "config", "playing"]

KEY = "hg_test_key_0123456789abcdefghijklmnopqrstuv"
ME = Caller(key_id="key_me", key_name="me", team="lab", roles=("owner",), routes=routes_of(["owner"]))
"""Who replays, where nothing else is said."""

_CONFIG = """
[server]
database = "sqlite:///{database}"

[providers.sim]
kind = "simulated"
speed = 0
self_hosted = false
models.small = {{ error_rate = 0, quality = 1, price = {{ input = 1.0, output = 4.0 }} }}
models.large = {{ error_rate = 0, quality = 1, price = {{ input = 10.0, output = 40.0 }}, answer_tokens = 120 }}
models.down = {{ like = "sim-down", price = {{ input = 1.0, output = 4.0 }} }}

[providers.free]
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
api_key = "k"

[models.small]
endpoints = [{{ provider = "sim", model = "small" }}]
[models.large]
endpoints = [{{ provider = "sim", model = "large" }}]
[models.down]
endpoints = [{{ provider = "sim", model = "down" }}]
[models.unpriced]
endpoints = [{{ provider = "free", model = "nobody-knows-it" }}]

[features.support]
route = "small"

[defaults]
retry = {{ attempts = 1 }}
"""


def config(folder: Path, more: str = "") -> str:
    """The configuration of such a gateway, as TOML. more: tables that come besides."""
    return _CONFIG.format(database=folder / "headgate.db") + more


@dataclass(slots=True)
class Playing:
    """The gateway, started."""

    gateway: Gateway
    client: Client

    async def ask(
        self, body: Any, path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[Answered, int]:
        """(the answer, the number of the request). headers: `_` stands for `-`."""
        sent = {
            "authorization": f"Bearer {KEY}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answered = await self.client.ask(path, data, headers=sent)
        return answered, parse_request_id(answered.headers["x-request-id"])

    async def api(self, path: str, body: Any = None, *, key: str = KEY) -> tuple[int, Any]:
        """(status, JSON) of `/api`; a body is posted."""
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        method = "GET" if body is None else "POST"
        answered = await self.client.ask(
            path, json.dumps(body or {}).encode(), method=method, headers=headers
        )
        return answered.status, json.loads(answered.body)

    async def row(self, request_id: int) -> RequestRow:
        """Its record, when it is there."""
        while (row := await self.gateway.spans.request(request_id)) is None:
            await asyncio.sleep(0.02)
        return row

    async def chat(
        self, text: str = "How high is the water?", model: str = "support", **more: Any
    ) -> RequestRow:
        """The record of a chat."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return await self.row((await self.ask(body))[1])

    async def rows(self) -> list[RequestRow]:
        """All records, in the order in which they were stored."""
        return list((await self.gateway.spans.latest(10_000)).rows)


@asynccontextmanager
async def playing(folder: Path, more: str = "") -> AsyncIterator[Playing]:
    """Start it, and stop it again."""
    gateway = Gateway(parse(config(folder, more), {}), bootstrap_key=KEY)
    await gateway.start()
    try:
        yield Playing(gateway, Client(gateway.app))
    finally:
        await gateway.stop()
