"""Budgets that many gateways pay from together, and what holds while they cannot: a share of what was left, or nothing at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Orphan, Pot, PotKey, Purses, Standing

__all__ = ["BudgetsWithoutRedis", "RemotePurses", "SharedPurses"]

log = logging.getLogger("headgate.budgets")

BudgetsWithoutRedis = Literal["share", "refuse"]

FIRST_REST, LONGEST_REST = 0.1, 1.0
"""Seconds for which a store that did not answer is not asked again; doubled each time. Whoever asks waits in vain."""
_SWEEP = 10_000
"""Pots kept in mind before those of old periods are looked for."""
_GRACE = 2 * 86_400
_LONGEST_PERIOD = 32 * 86_400


class RemotePurses(Purses, Protocol):
    """Purses in a shared store, which can be told later what was set aside without them."""

    @property
    def waiting(self) -> int:
        """Settlements that wait for the store."""
        ...

    @property
    def dropped(self) -> int:
        """Settlements that never reached it."""
        ...

    def start(self) -> None:
        """Connect now and not with the first request. Idempotent; needs a running loop."""
        ...

    def adopt(self, hold: Hold) -> None:
        """It was set aside without asking; it will be settled as any other. Never waits."""
        ...


class _Share:
    """A pot as it was heard of last, and what this node may spend of it alone."""

    __slots__ = ("ends", "reserved", "room", "spent")

    def __init__(self, spent: int, reserved: int, ends: int) -> None:
        self.spent = spent
        self.reserved = reserved
        self.ends = ends
        self.room: int | None = None
        """Nano-dollars of this node's share that are left; None: it has not needed one since."""


class SharedPurses:
    """See `Purses`. What the store says is kept in mind, so that without it one goes on from there."""

    def __init__(
        self,
        shared: RemotePurses,
        *,
        policy: BudgetsWithoutRedis = "share",
        nodes: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        """policy: share: each of `nodes` may spend its part of what was left when it last heard. refuse: nothing can be set
        aside, but in pots that are only counted. seconds: since 1970, for leaving old periods behind."""
        self.policy = policy
        self.nodes = nodes
        self.heard: Callable[[Pot, int, int], None] | None = None
        self.on_freed: Callable[[], None] | None = None
        """Called whenever something that this node had set aside is free again; of other nodes nothing is heard."""
        self.away = 0
        """Reservations that were decided without the store."""
        self._shared = shared
        shared.heard = self._hear
        self._monotonic = monotonic
        self._seconds = seconds
        self._until = 0.0
        self._failures = 0
        self._loaded = False
        self._shares: dict[PotKey, _Share] = {}
        self._sweep_at = _SWEEP

    @property
    def is_away(self) -> bool:
        """The store did not answer when it was last asked."""
        return self._failures > 0

    @property
    def waiting(self) -> int:
        """See `RemotePurses`."""
        return self._shared.waiting

    @property
    def dropped(self) -> int:
        """See `RemotePurses`."""
        return self._shared.dropped

    def start(self) -> None:
        """See `RemotePurses`."""
        self._shared.start()

    def load(self, uses: Mapping[PotKey, int]) -> None:
        """What the database knows, in case that the store is away before it was heard of."""
        for key, nanos in uses.items():
            if key not in self._shares:
                self._shares[key] = _Share(nanos, 0, 0)
        self._loaded = True

    def not_loaded(self, why: str) -> None:
        """It could not be read. Nothing follows as long as the store answers."""

    async def reserve(self, hold: Hold) -> Standing:
        """See `Purses`."""
        if self._monotonic() >= self._until:
            try:
                standing = await self._shared.reserve(hold)
            except StoreUnavailable as error:
                self._gone(error)
            else:
                if self._failures:
                    self._back(hold, standing)
                return standing
        self.away += 1
        if self.policy == "refuse" and any(pot.most >= 0 for pot in hold.pots):
            raise StoreUnavailable("Redis does not answer, and nothing is spent without it")
        return self._from_share(hold)

    def settle(self, hold: Hold, nanos: int) -> None:
        """See `Purses`."""
        back = hold.nanos - nanos
        for pot in hold.pots:
            share = self._shares.get(pot.key)
            if share is not None and share.room is not None:
                share.room += back
        self._shared.settle(hold, nanos)
        if back > 0 and self.on_freed is not None:
            self.on_freed()

    async def standing(self, pots: Sequence[Pot]) -> Standing:
        """See `Purses`. Without the store: as it was heard of last."""
        if self._monotonic() >= self._until:
            try:
                return await self._shared.standing(pots)
            except StoreUnavailable as error:
                self._gone(error)
        shares = [self._share(pot) for pot in pots]
        return Standing(True, [share.spent for share in shares], [share.reserved for share in shares])

    async def add(self, pot: Pot, nanos: int) -> None:
        """See `Purses`."""
        await self._shared.add(pot, nanos)

    async def orphans(self) -> Sequence[Orphan]:
        """See `Purses`."""
        return await self._shared.orphans()

    async def aclose(self) -> None:
        """See `Purses`."""
        await self._shared.aclose()

    def _from_share(self, hold: Hold) -> Standing:
        shares = [self._share(pot) for pot in hold.pots]
        ok = True
        for pot, share in zip(hold.pots, shares, strict=True):
            if share.room is None:
                share.room = max(pot.most - share.spent - share.reserved, 0) // self.nodes
            if pot.most >= 0 and hold.nanos and hold.nanos > share.room:
                ok = False
        reserved = []
        for pot, share in zip(hold.pots, shares, strict=True):
            assert share.room is not None
            if ok:
                share.room -= hold.nanos
            # The other nodes' shares are as good as set aside.
            aside = pot.most - share.spent - share.room if pot.most >= 0 else share.reserved
            reserved.append(aside)
            if self.heard is not None:
                self.heard(pot, share.spent, aside)
        if ok:
            self._shared.adopt(hold)
        return Standing(ok, [share.spent for share in shares], reserved)

    def _share(self, pot: Pot) -> _Share:
        share = self._shares.get(pot.key)
        if share is None:
            if not self._loaded and pot.most >= 0:
                raise StoreUnavailable(
                    "Redis does not answer, and the database has not said yet what was spent"
                )
            share = self._keep(pot, 0, 0)
        return share

    def _hear(self, pot: Pot, spent: int, reserved: int) -> None:
        share = self._shares.get(pot.key)
        if share is None:
            self._keep(pot, spent, reserved)
        else:
            share.spent, share.reserved, share.ends = spent, reserved, pot.ends
            if not self._failures:
                # Not before all is told: what Redis says while it is told would be shared out a second time.
                share.room = None
        if self.heard is not None:
            self.heard(pot, spent, reserved)

    def _keep(self, pot: Pot, spent: int, reserved: int) -> _Share:
        if len(self._shares) >= self._sweep_at:
            now = self._seconds()
            self._shares = {
                key: share
                for key, share in self._shares.items()
                if not key[2] or (share.ends or key[2] + _LONGEST_PERIOD) + _GRACE > now
            }
            # Twice as many may come before the next look, so that looking stays cheap whatever there is.
            self._sweep_at = max(_SWEEP, 2 * len(self._shares))
        share = self._shares[pot.key] = _Share(spent, reserved, pot.ends)
        return share

    def _back(self, hold: Hold, standing: Standing) -> None:
        self._failures = 0
        for pot, spent, reserved in zip(hold.pots, standing.spent, standing.reserved, strict=True):
            self._hear(pot, spent, reserved)
        log.info("Redis is back: budgets are counted together again")

    def _gone(self, error: StoreUnavailable) -> None:
        if not self._failures:
            how = "this node spends its share" if self.policy == "share" else "requests are refused"
            log.warning("budgets cannot be counted together, %s: %s", how, error)
        self._until = self._monotonic() + min(FIRST_REST * 2.0**self._failures, LONGEST_REST)
        self._failures = min(self._failures + 1, 10)
