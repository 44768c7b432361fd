"""A receiver as deliveries see it, wherever it was written down; and which alerts it wants."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headgate.alerts.settings import AlertSettings
from headgate.providers.port import Url
from headgate.stores.alerts import SEVERITIES, Alert, ReceiverKind, ReceiverRecord

__all__ = [
    "SUBJECTS",
    "Hook",
    "Mailbox",
    "Receiver",
    "added",
    "configured",
    "signing_key",
    "signing_secret",
]

SUBJECTS = ("feature", "team", "user", "key")
"""Whom an alert may be about, beside all."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Something that is posted to."""

    url: Url = field(repr=False)
    key: bytes = field(default=b"", repr=False)
    """What is signed with; b"": nothing is signed."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody who gets mail, and the server that takes it."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    tls: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told."""

    id: str
    """As deliveries name it: `file:NAME` of the configuration, `added:NAME` of the database."""
    name: str
    kind: ReceiverKind
    address: Hook | Mailbox
    about: frozenset[str] = frozenset()
    """Kinds of alert; empty: all."""
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of SUBJECTS -> whom it wants to hear of: one of these, in everything that is named."""
    least: int = 0
    """Place in SEVERITIES."""

    @property
    def trusted(self) -> bool:
        """Its address is the operator's own word, in the configuration, and may be any."""
        return self.id.startswith("file:")

    def wants(self, alert: Alert) -> bool:
        """Is it to be told of this?"""
        if self.about and alert.kind not in self.about:
            return False
        if SEVERITIES.index(alert.severity) < self.least:
            return False
        concerned = _concerned(alert)
        return all(wanted & concerned[name] for name, wanted in self.only.items())


def configured(settings: Iterable[AlertSettings]) -> list[Receiver]:
    """Those of the configuration."""
    return [
        Receiver(
            id=f"file:{each.name}",
            name=each.name,
            kind=each.kind,
            address=_address(each),
            about=frozenset(each.about),
            only={name: frozenset(wanted) for name in SUBJECTS if (wanted := getattr(each.only, name))},
            least=SEVERITIES.index(each.least),
        )
        for each in settings
    ]


def added(record: ReceiverRecord, known: Sequence[Receiver], installation_secret: bytes) -> Receiver:
    """One of the database. known: those of the configuration, whose mail server it may use.

    Raises ValueError, in words, where it cannot be told of anything."""
    name, _, subject = record.subject.partition(":")
    return Receiver(
        id=f"added:{record.name}",
        name=record.name,
        kind=record.kind,
        address=(
            _mailbox(record, known)
            if record.kind == "email"
            else Hook(
                Url.parse(record.address),
                signing_key(signing_secret(record, installation_secret)) if record.kind == "webhook" else b"",
            )
        ),
        about=frozenset(record.about),
        only={name: frozenset((subject,))} if subject else {},
        least=SEVERITIES.index(record.least),
    )


def signing_secret(record: ReceiverRecord, installation_secret: bytes) -> str:
    """What an added webhook's messages are signed with, for whoever verifies them: `whsec_` and base64.

    Made from the installation's secret and kept nowhere; another one for a receiver that is added again."""
    what = f"alert receiver\n{record.name}\n{record.created_ns}".encode()
    return f"whsec_{base64.b64encode(hmac.digest(installation_secret, what, hashlib.sha256)).decode()}"


def signing_key(secret: str) -> bytes:
    """The bytes behind a secret, as verifying libraries read it: base64 after `whsec_`, any other text as it is."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise ValueError("after `whsec_` must come base64") from None
    return secret.encode()


def _address(settings: AlertSettings) -> Hook | Mailbox:
    if settings.kind != "email":
        return Hook(Url.parse(settings.url), signing_key(settings.secret))
    host, _, port = settings.server.rpartition(":")
    return Mailbox(
        tuple(settings.to),
        settings.sender,
        host.removeprefix("[").removesuffix("]"),
        int(port),
        settings.tls,
        settings.user,
        settings.password,
    )


def _mailbox(record: ReceiverRecord, known: Sequence[Receiver]) -> Mailbox:
    for each in known:
        if isinstance(each.address, Mailbox) and record.via in ("", each.name):
            server = each.address
            return Mailbox(
                (record.address,),
                server.sender,
                server.host,
                server.port,
                server.tls,
                server.user,
                server.password,
            )
    via = f" `{record.via}`" if record.via else ""
    raise ValueError(
        f'no [[alerts]]{via} with kind = "email" in the configuration, whose mail server would be used'
    )


def _concerned(alert: Alert) -> dict[str, frozenset[str]]:
    """Of SUBJECTS -> whom of them it is about."""
    kind, _, name = alert.subject.partition(":")
    found = {each: {name} if each == kind else set[str]() for each in SUBJECTS}
    for each in SUBJECTS:
        if value := alert.facts.get(each):
            found[each].add(str(value))
    return {each: frozenset(names) for each, names in found.items()}
