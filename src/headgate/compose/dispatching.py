"""How requests are dispatched, put together: manners of features, ladders for when every model fails, copies to try other models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from headgate.compose.manners import ladders, longest_use, manners_of, shadow_settings_of
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.ids import IdSource
from headgate.dispatch.ladder.callback import Callbacks
from headgate.dispatch.ladder.climb import Ask, Ladder
from headgate.dispatch.ladder.entry_point import Functions
from headgate.dispatch.ladder.plan import NO_LADDER, LadderPlan
from headgate.dispatch.ladder.stale import Kept, StaleAnswers
from headgate.dispatch.manner import Manner
from headgate.dispatch.shadow import Shadows, ShadowSettings
from headgate.dispatch.stage import Dispatch
from headgate.exchange.exchange import Exchange
from headgate.exchange.stage import Proceed
from headgate.providers.prefixes import Prefixes
from headgate.providers.transport.client import Transport

__all__ = ["Dispatching"]


class Dispatching:
    """The stage `dispatch` of a gateway, with all it needs."""

    def __init__(
        self,
        settings: Settings,
        *,
        send_copy: Proceed,
        prefixes: Prefixes,
        stale: StaleAnswers,
        older: Callable[[Exchange], Awaitable[Kept | None]],
        callbacks: Transport,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        """send_copy: the journey of copies. stale, older: where answers of earlier may be. callbacks: what operators' own servers
        are asked by."""
        self._ladders: Mapping[str, LadderPlan] = ladders(settings)
        self._manners: Mapping[str, Manner] = manners_of(settings, self._ladders)
        self._shadow_settings: Mapping[str, ShadowSettings] = shadow_settings_of(settings)
        self._stale = stale
        self._older = older
        self._callbacks = callbacks
        self._clock = clock
        self.shadows = Shadows(send_copy, ids, clock, self._shadow)
        self.stage = Dispatch(
            ids=ids, manner=self.manner, ladder=self._ladder, shadows=self.shadows, prefixes=prefixes
        )

    def prepared(self, settings: Settings) -> Callable[[], None]:
        """What makes these settings count, ready to be done; nothing of it can fail. Raises ValueError where they are wrong."""
        planned = ladders(settings)
        manners, shadows = manners_of(settings, planned), shadow_settings_of(settings)

        def use() -> None:
            self._ladders, self._manners, self._shadow_settings = planned, manners, shadows

        return use

    def manner(self, feature: str) -> Manner:
        """How its requests are dispatched; "" and names that nobody knows: by the defaults."""
        return self._manners.get(feature) or self._manners[""]

    def longest_use(self) -> float:
        """Seconds that a request which begins now, and a copy made of it after its end, may go on."""
        return longest_use(self._manners.values())

    def rungs(self) -> Mapping[str, list[str]]:
        """Feature -> what the rungs of its ladder are called."""
        return {name: [rung.mark for rung in plan.rungs] for name, plan in self._ladders.items()}

    async def aclose(self) -> None:
        """Give up copies under way."""
        await self.shadows.aclose()

    def _shadow(self, feature: str) -> ShadowSettings | None:
        return self._shadow_settings.get(feature)

    def _ladder(self, ask: Ask) -> Ladder:
        return Ladder(
            lambda feature: self._ladders.get(feature, NO_LADDER),
            ask,
            stale=self._stale,
            older=self._older,
            callbacks=Callbacks(self._callbacks),
            functions=Functions(),
            clock=self._clock,
        )
