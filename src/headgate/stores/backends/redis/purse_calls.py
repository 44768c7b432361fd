"""What budgets ask Redis, and what becomes of answers for which nobody waits any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headgate.stores.backends.redis.outbox import Call
from headgate.stores.backends.redis.purse_scripts import RENEW, RESERVE
from headgate.stores.backends.redis.questions import Question
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold

__all__ = ["Ask", "PutBack", "Renew", "Reserve"]


class Ask(Question):
    """A question of budgets."""

    __slots__ = ("_answers",)

    def __init__(
        self, script: str, keys: list[str], arguments: list[str | bytes], answers: Callable[[], None]
    ) -> None:
        """answers: called when Redis does."""
        super().__init__(script, keys, arguments)
        self._answers = answers

    def answered(self, reply: Any) -> None:
        self._answers()
        super().answered(reply)


class Reserve(Ask):
    """Set aside, if there is enough."""

    __slots__ = ("_hold", "_order", "_undo")

    def __init__(
        self,
        keys: list[str],
        arguments: list[str | bytes],
        answers: Callable[[], None],
        *,
        hold: Hold,
        order: Callable[[], str],
        undo: Callable[[Hold], None],
    ) -> None:
        """order: the number of the last settlement that was sent. undo: give back what was, or may have been, set aside for
        nobody."""
        super().__init__(RESERVE, keys, arguments, answers)
        self._hold, self._order, self._undo = hold, order, undo

    def leaves(self) -> bool:
        self.arguments[0] = self._order()
        return super().leaves()

    def answered(self, reply: Any) -> None:
        if self.answer.done() and reply[0] == 1:
            self._undo(self._hold)
        super().answered(reply)

    def lost(self, error: StoreUnavailable) -> None:
        # It may be carried out yet. The undoing bears a later number: Redis carries out at most the two of them in this order.
        self._undo(self._hold)
        self.refused(error)


class PutBack(Call):
    """Set aside again what Redis has forgotten, whether there is enough or not."""

    __slots__ = ("_order", "_still")

    def __init__(
        self,
        keys: list[str],
        arguments: list[str | bytes],
        *,
        order: Callable[[], str],
        still: Callable[[], bool],
    ) -> None:
        """still: is it set aside still?"""
        super().__init__(RESERVE, keys, arguments)
        self._order, self._still = order, still

    def leaves(self) -> bool:
        self.arguments[0] = self._order()
        return self._still()


class Renew(Call):
    """Say what is set aside still."""

    __slots__ = ("_renewed",)

    def __init__(
        self, keys: list[str], arguments: list[str | bytes], renewed: Callable[[Sequence[Any] | None], None]
    ) -> None:
        """renewed: told the answer; None: there was none."""
        super().__init__(RENEW, keys, arguments)
        self._renewed = renewed

    def answered(self, reply: Any) -> None:
        self._renewed(reply)

    def refused(self, error: StoreUnavailable) -> None:  # noqa: ARG002 - requests hear of it themselves
        self._renewed(None)
