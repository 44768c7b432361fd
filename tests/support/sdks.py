"""The vendors' Python SDKs as applications use them, blocking and asynchronous, behind one way to ask both.

Typed as Any: an SDK's unions of sixty kinds of events would need a cast in every test.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import openai

from tests.support.gateway import RunningGateway

__all__ = ["Speaker", "speakers"]


class Speaker:
    """One pair of clients. `get` gives a result, `events` a stream's events, `fold` what the SDK makes of a stream."""

    def __init__(self, kind: str, open_ai: Any, claude: Any, runner: asyncio.Runner) -> None:
        self.kind = kind
        self.openai = open_ai
        self.anthropic = claude
        self._runner = runner

    def get(self, result: Any) -> Any:
        """The result of a call, awaited where the client is asynchronous."""
        return self._runner.run(_awaited(result)) if inspect.isawaitable(result) else result

    def events(self, result: Any) -> list[Any]:
        """All events of a stream or items of all pages."""
        if self.kind == "sync":
            return list(result)
        return self._runner.run(_collected(result))

    def fold(self, manager: Any, final: str) -> tuple[list[Any], Any]:
        """Events of a `with client....stream()`, and what its method `final` returns at the end."""
        if self.kind == "async":
            return self._runner.run(_folded(manager, final))
        with manager as stream:
            return list(stream), getattr(stream, final)()


async def _awaited(result: Any) -> Any:
    return await result


async def _collected(result: Any) -> list[Any]:
    stream = await result if inspect.isawaitable(result) else result
    return [event async for event in stream]


async def _folded(manager: Any, final: str) -> tuple[list[Any], Any]:
    async with manager as stream:
        events = [event async for event in stream]
        return events, await getattr(stream, final)()


@contextmanager
def speakers(gateway: RunningGateway) -> Iterator[dict[str, Speaker]]:
    """`sync` and `async`, with the SDKs' own settings: they retry twice if they are not told otherwise."""
    url, key = gateway.url, gateway.key
    blocking = (
        openai.OpenAI(api_key=key, base_url=f"{url}/v1"),
        anthropic.Anthropic(api_key=key, base_url=url),
    )
    with asyncio.Runner() as runner:
        waiting = (
            openai.AsyncOpenAI(api_key=key, base_url=f"{url}/v1"),
            anthropic.AsyncAnthropic(api_key=key, base_url=url),
        )
        try:
            yield {
                "sync": Speaker("sync", *blocking, runner),
                "async": Speaker("async", *waiting, runner),
            }
        finally:
            for client in blocking:
                client.close()
            for other in waiting:
                runner.run(other.close())
