"""Calls that somebody waits for."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.stores.backends.redis.outbox import Call, Outbox
from headgate.stores.errors import StoreUnavailable

__all__ = ["Question", "asked"]


class Question(Call):
    """A call whose answer is waited for, by whoever still does."""

    __slots__ = ("answer",)

    def __init__(self, script: str, keys: list[str], arguments: list[str | bytes]) -> None:
        super().__init__(script, keys, arguments)
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def leaves(self) -> bool:
        # Whoever has stopped waiting has gone on without an answer.
        return not self.answer.done()

    def answered(self, reply: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(reply)

    def refused(self, error: StoreUnavailable) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def asked(outbox: Outbox, script: str, keys: list[str], *arguments: str | bytes) -> Any:
    """What the script answers. Raises StoreUnavailable."""
    question = Question(script, keys, list(arguments))
    outbox.post(question)
    return await outbox.wait_for(question.answer)
