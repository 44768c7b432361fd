"""Alerts put together: where they are kept, by which connections they leave, and whom the configuration names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from headgate.alerts.courier import CLAIM_SECONDS
from headgate.alerts.mail import send_mail
from headgate.alerts.post import NotTaken, Post
from headgate.alerts.receivers import Mailbox, Receiver, added, configured
from headgate.alerts.telling import LOOK_SECONDS, Alerting
from headgate.compose.stores import Stores
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.near import did_you_mean
from headgate.providers.transport.client import Transport
from headgate.providers.transport.reach import Reach
from headgate.stores.alerts import Alert
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import ALERT_DELIVERIES, ALERTS, ALERTS_DROPPED

__all__ = ["AlertService", "Postman", "UnknownReceiver", "receivers_of", "try_receiver"]


_MAILS = 4
"""Mails sent at the same time; others wait."""


class UnknownReceiver(LookupError):
    """No receiver has that name; the message says which have."""


class Postman:
    """Carries one alert to one receiver, whatever its kind."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._anywhere = Transport()
        self._guarded = Transport(reach=Reach(settings.server.reach))
        self._post = Post(self._anywhere, self._guarded, clock.wall_ns)
        # Threads of their own: a mail server that says nothing must not keep providers' names from being resolved.
        self._mail_threads = ThreadPoolExecutor(_MAILS, thread_name_prefix="headgate-mail")

    async def send(self, receiver: Receiver, alert: Alert) -> str:
        """One try. Returns what should be known although it was taken; "" if nothing. Raises NotTaken."""
        if isinstance(receiver.address, Mailbox):
            return await send_mail(receiver, receiver.address, alert, threads=self._mail_threads)
        return await self._post.send(receiver, receiver.address, alert)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._anywhere.aclose()
        await self._guarded.aclose()
        self._mail_threads.shutdown(wait=False, cancel_futures=True)


class AlertService:
    """What a gateway has of alerts. `tell` is for rooms that notice something; see `AlertSink`."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        clock: Clock,
        *,
        look_seconds: float = LOOK_SECONDS,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> None:
        self._postman = Postman(settings, clock)
        self.alerting = Alerting(
            stores.alerts,
            stores.spans,
            self._postman.send,
            clock,
            stores.keys.secret,
            look_seconds=look_seconds,
            claim_seconds=claim_seconds,
        )
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """The configuration from now on."""
        self.alerting.use(configured(settings.alerts), settings.spend_rate)

    def tell(self, alert: Alert) -> None:
        """See `AlertSink`."""
        self.alerting.tell(alert)

    def report(self, metrics: Metrics) -> None:
        """Have `metrics` read what is counted here."""
        alerting, courier = self.alerting, self.alerting.courier
        metrics.read(ALERTS, lambda: [((), alerting.kept)])
        metrics.read(ALERTS_DROPPED, lambda: [((), alerting.dropped)])
        metrics.read(
            ALERT_DELIVERIES,
            lambda: [
                (("delivered",), courier.delivered),
                (("failed",), courier.failed),
                (("given_up",), courier.given_up),
            ],
        )

    def start(self) -> None:
        """Begin to deliver, and to watch spending."""
        self.alerting.start()

    async def aclose(self) -> None:
        """Keep what was told; let what is under way end, for a few seconds."""
        await self.alerting.aclose()
        await self._postman.aclose()


async def receivers_of(settings: Settings, stores: Stores) -> tuple[list[Receiver], dict[str, str]]:
    """Everybody who can be told, those of the configuration first; and, by name, why others that were added cannot.

    Raises StoreUnavailable."""
    found, unusable = configured(settings.alerts), {}
    known = tuple(found)
    secret = await stores.keys.secret()
    for record in await stores.alerts.receivers():
        try:
            found.append(added(record, known, secret))
        except ValueError as wrong:
            unusable[record.name] = str(wrong)
    return found, unusable


async def try_receiver(settings: Settings, stores: Stores, name: str, alert: Alert, clock: Clock) -> str:
    """Send an alert to one receiver now, whatever it wants to hear of. Why it was not taken, or not for all; "" if it was.

    Raises UnknownReceiver, StoreUnavailable."""
    found, unusable = await receivers_of(settings, stores)
    if name in unusable:
        return unusable[name]
    receiver = next((each for each in found if each.name == name), None)
    if receiver is None:
        raise UnknownReceiver(
            f"no receiver `{name}`{did_you_mean(name, [each.name for each in found])}"
            if found
            else f"no receiver `{name}`: nobody is told of alerts yet"
        )
    postman = Postman(settings, clock)
    try:
        return await postman.send(receiver, alert)
    except NotTaken as refused:
        return str(refused)
    finally:
        await postman.aclose()
