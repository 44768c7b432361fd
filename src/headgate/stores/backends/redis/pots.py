"""How pots and holds are written in Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict, replace

from headgate.stores.purses import Hold, Holder, Orphan, Pot, PotKey

__all__ = [
    "HOLDS",
    "LEASES",
    "LOCKED",
    "MARKER",
    "ORPHANED",
    "ORPHANS_TOLD",
    "SWEPT",
    "TOLD",
    "PotKeys",
    "forgotten_at",
    "orphan_of",
    "text_of",
]

# The braces keep all of it on one node of a Redis cluster, where one script may touch it.
MARKER = "{headgate}:pots"
HOLDS = "{headgate}:holds"
LEASES = "{headgate}:leases"
TOLD = "{headgate}:told:"
SWEPT = "{headgate}:swept:"
ORPHANED = "{headgate}:orphaned"
ORPHANS_TOLD = "{headgate}:orphans"
LOCKED = "{headgate}:filling"
_POT = "{headgate}:pot:"

_KEPT_SECONDS = 2 * 86_400
"""How long a pot is kept after its period."""
_LONGEST_PERIOD = 32 * 86_400
_MOST_KNOWN = 20_000


class PotKeys:
    """Where pots lie, and until when; reckoned once for each."""

    def __init__(self) -> None:
        self._known: dict[PotKey, str] = {}

    def key(self, budget: str, subject: str, period: int) -> str:
        """The key of a pot."""
        name = (budget, subject, period)
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            # A subject may be somebody's mail address, or a text of the caller's choice: keys learn only its hash.
            whom = hashlib.blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
            known = self._known[name] = f"{_POT}{budget}:{period}:{whom}"
        return known

    def keys(self, pots: Sequence[Pot]) -> list[str]:
        """The keys of these."""
        return [self.key(pot.budget, pot.subject, pot.period) for pot in pots]


def forgotten_at(period: int, ends: int) -> str:
    """When a pot may be forgotten, seconds since 1970; `0`: never. ends: 0 where it is not known."""
    if not period:
        return "0"
    return str((ends or period + _LONGEST_PERIOD) + _KEPT_SECONDS)


def text_of(hold: Hold, keys: Sequence[str]) -> bytes:
    """A hold as scripts and other nodes read it."""
    pots = [(pot.budget, pot.subject, pot.period) for pot in hold.pots]
    try:
        return _encode((hold.nanos, keys, pots, hold.holder))
    except UnicodeEncodeError:
        # A caller's text may hold halves of characters, which JSON cannot. Who it was is readable all the same.
        plain = [(budget, _plain(subject), period) for budget, subject, period in pots]
        texts = {name: _plain(text) for name, text in asdict(hold.holder).items() if isinstance(text, str)}
        holder = replace(hold.holder, **texts)
        return _encode((hold.nanos, keys, plain, holder))


def orphan_of(text: bytes) -> Orphan:
    """What `text_of` wrote."""
    nanos, _, pots, holder = _decode(text)
    return Orphan(holder, nanos, pots)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, list[str], tuple[PotKey, ...], Holder]).decode


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
