"""What looks after a running gateway from beside: alerts, rules and contracts, gauges, scores, exports, retention, forgetting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.compose.alerts import AlertService
from headgate.compose.forgetting import Forgetting
from headgate.compose.gauging import Gauging
from headgate.compose.otlp import OtlpService
from headgate.compose.quality import QualityService
from headgate.compose.recording import Recording
from headgate.compose.ruling import RulingService
from headgate.compose.stores import Stores
from headgate.compose.sweeping import Sweeper
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.stores.answers import AnswerStore
from headgate.stores.rollups import GaugeName
from headgate.telemetry.metrics import Metrics

__all__ = ["Seeing"]


class Seeing:
    """Made with the gateway, started and stopped with it."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        alerts: AlertService,
        recording: Recording,
        metrics: Metrics,
        clock: Clock,
        *,
        settings_now: Callable[[], Settings],
        gauges: Mapping[GaugeName, Callable[[], float]],
        node: Callable[[], int],
        clear: Callable[[], None],
        answers: AnswerStore,
        send_tokens: Callable[[Callable[[int], str] | None], None],
    ) -> None:
        """gauges: what the gateway sees of itself. clear, answers, send_tokens: see `Forgetting` and `QualityService`."""
        self._alerts = alerts
        self._gauging = Gauging(stores.rollups, gauges, clock, node)
        self._ruling = RulingService(settings, stores, alerts.alerting, clock)
        self._otlp = OtlpService(settings, stores, metrics, clock)
        self._sweeper = Sweeper(stores, settings_now, recording.journal, clock)
        self.forgetting = Forgetting(
            stores, settings_now, recording.journal, recording.writer, clear, answers
        )
        self.quality = QualityService(settings, stores.scores, stores.spans, stores.keys, clock, send_tokens)
        for service in (alerts, self._sweeper, self.quality):
            service.report(metrics)

    async def start(self) -> None:
        """Begin. Raises StoreUnavailable."""
        self._alerts.start()
        self._gauging.start()
        await self.quality.start()
        self._ruling.start()
        self._otlp.start()
        self._sweeper.start()

    def use(self, settings: Settings) -> None:
        """The configuration from now on."""
        self._alerts.use(settings)
        self.quality.use(settings)
        self._ruling.use(settings)
        self._otlp.use(settings)

    async def aclose(self) -> None:
        """End, but for what is still to be exported."""
        await self.quality.aclose()
        await self._ruling.aclose()
        await self._gauging.aclose()
        await self._alerts.aclose()
        await self._sweeper.aclose()

    async def export_the_rest(self) -> None:
        """When everything is stored: send it on, and end."""
        await self._otlp.aclose()
