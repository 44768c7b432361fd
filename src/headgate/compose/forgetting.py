"""Forgetting a user: what waits is stored first, then all of it is deleted, then what stands beside the database is tidied."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from headgate.compose.stores import Stores, all_answers_of
from headgate.config.model import Settings
from headgate.records.journal import Journal
from headgate.stores.answers import AnswerStore
from headgate.stores.audit import AuditEntry
from headgate.stores.forgetting import Forgotten, forget

__all__ = ["Caught", "Forgetting", "forget_user"]

_WAIT_SECONDS = 5.0
_STEP_SECONDS = 0.05


class Caught(Protocol):
    """What is asked of a writer."""

    @property
    def caught_up(self) -> bool: ...


async def forget_user(
    stores: Stores,
    settings: Settings,
    user: str,
    *,
    actor: str,
    whole: bool = False,
    answers: AnswerStore | None = None,
) -> Forgotten:
    """Delete what is stored of a user. answers: of a running gateway, which has some at hand. Raises UserHasKeys, ValueError,
    StoreUnavailable."""
    secret = await stores.keys.secret()
    # Proof that it was done, for whoever knows the name; nobody else can read it out of it.
    mark = blake2b(user.encode(), key=secret, digest_size=12, person=b"forgotten").hexdigest()
    entry = AuditEntry(at_ns=time.time_ns(), actor=actor, action="user.forget", subject=mark)
    others = [one.name for one in settings.budgets if one.of != "user" or not one.each]
    kept = [] if answers is None else [answers]
    # Wherever any may stand: also in the database, where they were kept before there was a Redis.
    beside = all_answers_of(settings, stores)
    try:
        return await forget(
            stores.keeper, user, audit=entry, other_budgets=others, answers=[*kept, *beside], whole=whole
        )
    finally:
        for each in beside:
            await each.aclose()


class Forgetting:
    """The same in a running gateway, which has more of it: a journal, and old answers in memory."""

    def __init__(
        self,
        stores: Stores,
        settings: Callable[[], Settings],
        journal: Journal,
        writer: Caught,
        clear: Callable[[], None],
        answers: AnswerStore | None = None,
    ) -> None:
        """clear: lets go of old answers. answers: that may be given again."""
        self._stores = stores
        self._settings = settings
        self._journal = journal
        self._writer = writer
        self._clear = clear
        self._answers = answers

    async def __call__(self, user: str, actor: str, *, whole: bool = False) -> Forgotten:
        """See `forget_user`."""
        await self._stored()
        done = await forget_user(
            self._stores, self._settings(), user, actor=actor, whole=whole, answers=self._answers
        )
        self._clear()
        # What is stored needs no place in the journal any more: its file is deleted as soon as it is read to its end.
        self._journal.begin_anew()
        await self._stored()
        return done

    async def _stored(self) -> None:
        """Wait until what the journal holds is in the database, for a few seconds."""
        self._journal.flush()
        until = time.monotonic() + _WAIT_SECONDS
        # The writer is in another thread or process, and tells nobody.
        while not self._writer.caught_up and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(_STEP_SECONDS)
