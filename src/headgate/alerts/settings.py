"""Who is told of alerts, as it is written in the configuration; and what counts as unusual spending."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import msgspec

from headgate.core.section import Section
from headgate.providers.port import Url
from headgate.stores.alerts import ReceiverKind, Severity

__all__ = ["KINDS", "NAME", "AlertOnlySettings", "AlertSettings", "SpendRateSettings", "wrong_mail_address"]

KINDS = ("budget", "spend_rate", "rule", "contract")
"""What alerts may be about."""
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""What a receiver's name looks like."""
_LONGEST_ADDRESS = 254
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class AlertOnlySettings(Section, frozen=True):
    """Of whom a receiver wants to hear: alerts that are about one of the named in everything that is named."""

    feature: list[str] = msgspec.field(default_factory=list)
    """Features."""
    team: list[str] = msgspec.field(default_factory=list)
    """Teams of the keys."""
    user: list[str] = msgspec.field(default_factory=list)
    """End users."""
    key: list[str] = msgspec.field(default_factory=list)
    """Keys, by id: `headgate keys list` tells them."""


class AlertSettings(Section, frozen=True):
    """A receiver of alerts. Each alert is sent to every receiver that wants it, once, and again until it has arrived."""

    name: str
    """What it is called in `headgate alerts`. Deliveries that wait go on under it after a restart."""
    kind: ReceiverKind = "webhook"
    """`webhook`: signed JSON, posted to `url`. `slack`: a message in the form Slack's incoming webhooks take, and Mattermost's,
    Rocket.Chat's and Discord's (`/slack`) too. `email`: a mail by way of `server`."""
    url: str = ""
    """For `webhook` and `slack`: where it is posted. It may be any address, also inside your network. Redirects are not
    followed. Not shown by `headgate config show`: who knows a Slack URL may write there."""
    secret: str = ""
    """For `webhook`: what messages are signed with (Standard Webhooks), `whsec_` and base64, or any text. Left out: not signed."""
    to: list[str] = msgspec.field(default_factory=list)
    """For `email`: who gets it."""
    sender: str = ""
    """For `email`: the address it comes from."""
    server: str = ""
    """For `email`: the mail server, `HOST:PORT`."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """For `email`. starttls: the connection is secured before anything is said (port 587, mostly). tls: from its first byte
    (port 465). none: not at all."""
    user: str = ""
    """For `email`: whom to log in as. Left out: no login."""
    password: str = ""
    """For `email`: of that user."""
    about: list[str] = msgspec.field(default_factory=list)
    """Kinds of alert: `budget`, `spend_rate`, `rule`, `contract`. Left out: all."""
    only: AlertOnlySettings = AlertOnlySettings()
    """Of whom it wants to hear. Left out: of all."""
    least: Severity = "info"
    """The least severity it wants to hear of: `info`, `warning` or `critical`."""

    def __post_init__(self) -> None:
        if self.kind == "email":
            self._check_mail()
        else:
            self._check_url()

    def __repr__(self) -> str:
        return f"AlertSettings(name={self.name!r}, kind={self.kind!r}, ...)"

    def _check_url(self) -> None:
        if not self.url:
            raise ValueError(f'`url` is missing: where kind = "{self.kind}" is posted')
        try:
            Url.parse(self.url)
        except ValueError:
            # Not repeated: it may be a secret.
            raise ValueError("`url` must be an address such as https://example.com/hooks/headgate") from None
        if self.secret.startswith("whsec_") and not _BASE64.fullmatch(self.secret.removeprefix("whsec_")):
            raise ValueError("`secret`: after `whsec_` must come base64")
        if self.kind == "slack" and self.secret:
            raise ValueError("`secret` is for webhooks: the secret of a Slack URL is in the URL")
        for name in ("to", "sender", "server", "user", "password"):
            if getattr(self, name):
                raise ValueError(f'`{name}` is for kind = "email"')

    def _check_mail(self) -> None:
        for name in ("server", "sender", "to"):
            if not getattr(self, name):
                raise ValueError(f'`{name}` is missing: kind = "email" needs `to`, `sender` and `server`')
        for address in (self.sender, *self.to):
            if wrong := wrong_mail_address(address):
                raise ValueError(wrong)
        host, _, port = self.server.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
            raise ValueError(f'`server` "{self.server}" is not HOST:PORT, such as "mail.example.com:587"')
        if bool(self.user) != bool(self.password):
            raise ValueError("`user` and `password` go together")
        if self.url or self.secret:
            raise ValueError('`url` and `secret` are not for kind = "email"')


class SpendRateSettings(Section, frozen=True):
    """Spending far above its usual, of a feature or of all together: the last hour is compared with the hours of the seven days
    before, each minute, as long as somebody is told of it."""

    factor: Decimal = Decimal(3)
    """How many times the usual. 0: nobody is told."""
    least: Decimal = Decimal(1)
    """USD in an hour: less is never unusual."""

    def __post_init__(self) -> None:
        if not (self.factor == 0 or self.factor > 1) or not self.factor.is_finite():
            raise ValueError("`factor` must be more than 1, or 0 to tell nobody")
        if not self.least.is_finite() or self.least <= 0:
            raise ValueError("`least` must be more than 0")


def wrong_mail_address(text: str) -> str:
    """Why that is no address to send mail to; "" if it is one. Strict, because it goes into a mail's head."""
    name, at, host = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and not any(each in text for each in ' ,;:<>()[]"\\')
    if at and name and host and plain and "@" not in name and len(text) <= _LONGEST_ADDRESS:
        return ""
    return f'"{text[:100]}" is not a mail address such as ann@example.com'
