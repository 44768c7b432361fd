"""What some wires and replies can do and others cannot: asked of them with `isinstance`, which is dear."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["Limiting", "Marking", "Marks", "Relaying"]


@runtime_checkable
class Limiting(Protocol):
    """A wire that can put a limit on the answer into a body without touching the rest."""

    def limit(self, body: bytes, most: int) -> bytes | None:
        """`body`, which is in this very wire, with the limit; None where that is not certain to count, because the body may
        name one already."""
        ...


class Marks(NamedTuple):
    """Which beginnings of a prompt a provider shall keep, to bill them less when they come again."""

    tools: bool = False
    """All tools, where the system prompt behind them differs."""
    instructions: bool = False
    """Tools and system prompt."""
    history: bool = False
    """The conversation up to the model's last answer: what comes after it differs."""
    conversation: bool = False
    """All of it: it will go on."""
    long: bool = False
    """For an hour instead of five minutes."""
    key: str = ""
    """A name for the beginning, where a provider wants one; another one for each tenant and feature."""
    tools_tokens: int = 0
    instructions_tokens: int = 0
    history_tokens: int = 0
    tokens: int = 0
    """About how many there are up to each of these ends."""

    @property
    def words(self) -> str:
        """For the record: what may be kept for longer; `key` if the provider finds that out itself."""
        names = ("tools", "instructions", "history", "conversation")
        return ", ".join(name for name in names if getattr(self, name)) or "key"

    @property
    def some(self) -> bool:
        """Is anything to be kept that is paid for?"""
        return self.tools or self.instructions or self.history or self.conversation


@runtime_checkable
class Marking(Protocol):
    """A wire that can say what the provider shall keep."""

    def mark(self, body: bytes, model: str, marks: Marks) -> bytes:
        """`body`, which is in this very wire and says nothing of it itself, with the marks; the very same object if there are none
        to be set, because too little would be kept or the model keeps nothing. All that is not marked stays byte for byte."""
        ...


@runtime_checkable
class Relaying(Protocol):
    """A reply that can call when bytes have come, instead of waking whoever waits in `chunk`."""

    def relay(self, sink: Callable[[bytes | None], None] | None) -> bool:
        """From now on call `sink`, from the event loop: with each piece of the body as it comes, and with None when there is
        something to `take` (the end, or why it broke off). What has come before is to be taken first. sink None: no longer.

        False, and no call will come: this reply cannot (it has to be decoded first). `between` counts as in `chunk`."""
        ...

    def take(self) -> bytes | None:
        """What has come: b"" at the end of the body, None if there is nothing yet. Raises TransportFault."""
        ...
