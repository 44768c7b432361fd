"""Who is told of what: settings and records made into receivers, and their wishes."""

from __future__ import annotations

import base64
import re
from decimal import Decimal

import pytest

from headgate.alerts.receivers import Hook, Mailbox, added, configured, signing_secret
from headgate.alerts.settings import AlertOnlySettings, AlertSettings, SpendRateSettings, wrong_mail_address
from headgate.config.explain import alerts
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused
from headgate.stores.alerts import Alert, ReceiverRecord

__all__: list[str] = []

MAIL = AlertSettings(
    name="mail",
    kind="email",
    to=["ops@example.com"],
    sender="headgate@example.com",
    server="[::1]:2525",
    user="u",
    password="p",
)
HOOK = AlertSettings(name="ops", url="https://example.com/h", secret="s3cret")


def alert(subject: str = "all", kind: str = "budget", severity: str = "warning", **facts: str) -> Alert:
    return Alert(event="e", kind=kind, subject=subject, severity=severity, at_ns=0, text="t", facts=facts)  # type: ignore[arg-type]


def receiver(**wishes: object):
    (found,) = configured([AlertSettings(name="x", url="https://example.com/h", **wishes)])  # type: ignore[arg-type]
    return found


def test_without_wishes_everything_is_told() -> None:
    """Also kinds of alert that come with a later version."""
    assert receiver().wants(alert()) and receiver().wants(alert(kind="later", severity="info"))


def test_kinds_and_severities_are_chosen() -> None:
    """The least severity, and all above it."""
    wishes = receiver(about=["budget"], least="warning")
    assert [wishes.wants(alert(severity=each)) for each in ("info", "warning", "critical")] == [
        False,
        True,
        True,
    ]
    assert not wishes.wants(alert(kind="spend_rate"))


def test_who_it_is_about_is_chosen() -> None:
    """By the alert's subject or its facts; one of the names in each of what is named."""
    wishes = receiver(only=AlertOnlySettings(feature=["shop", "mail"], team=["web"]))
    assert wishes.wants(alert("feature:shop", team="web"))
    assert wishes.wants(alert("team:web", feature="mail"))
    assert not wishes.wants(alert("feature:shop"))
    assert not wishes.wants(alert("feature:shop", team="ops"))
    assert not wishes.wants(alert("all"))
    assert not wishes.wants(alert("tag:feature:shop"))


def test_a_key_is_known_by_its_id() -> None:
    """Names change hands; the check tells whoever writes one."""
    assert receiver(only=AlertOnlySettings(key=["key_1"])).wants(alert("key:key_1"))
    assert not receiver(only=AlertOnlySettings(key=["key_2"])).wants(alert("key:key_1"))


def test_a_name_with_a_colon_is_one_name() -> None:
    """Users are called whatever callers call them."""
    record = ReceiverRecord(
        name="a", created_ns=1, kind="slack", address="https://x.example/", subject="user:a:b"
    )
    assert added(record, [], b"").wants(alert("user:a:b"))
    assert not added(record, [], b"").wants(alert("user:a"))


def test_a_receiver_is_made_from_its_section() -> None:
    """Addresses taken apart, and trusted, because they are the operator's own."""
    mail, hook = configured([MAIL, HOOK])
    assert (mail.id, hook.id) == ("file:mail", "file:ops") and mail.trusted and hook.trusted
    assert mail.address == Mailbox(
        ("ops@example.com",), "headgate@example.com", "::1", 2525, "starttls", "u", "p"
    )
    assert isinstance(hook.address, Hook) and hook.address.key == b"s3cret"


def test_an_added_one_signs_with_a_secret_of_its_own() -> None:
    """Made from the installation's, so kept nowhere; another one when it is added again."""
    record = ReceiverRecord(name="a", created_ns=1, kind="webhook", address="https://x.example/")
    secret = signing_secret(record, b"installation")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    made = added(record, [], b"installation")
    assert isinstance(made.address, Hook)
    assert made.address.key == base64.b64decode(secret.removeprefix("whsec_")) and not made.trusted
    again = ReceiverRecord(name="a", created_ns=2, kind="webhook", address="https://x.example/")
    assert len({secret, signing_secret(again, b"installation"), signing_secret(record, b"other")}) == 3


def test_an_added_mailbox_goes_by_a_server_of_the_configuration() -> None:
    """The one it names, or the first; without any nothing can be sent, and that is said."""
    record = ReceiverRecord(
        name="ann", created_ns=1, kind="email", address="ann@example.com", subject="user:ann"
    )
    found = added(record, configured([HOOK, MAIL]), b"").address
    assert isinstance(found, Mailbox) and found.to == ("ann@example.com",) and found.port == 2525
    for via, known in (("", [HOOK]), ("other", [MAIL])):
        wanted = ReceiverRecord(name="b", created_ns=1, kind="email", address="b@example.com", via=via)
        with pytest.raises(ValueError, match="mail server"):
            added(wanted, configured(known), b"")


def test_no_secret_is_shown() -> None:
    """Settings and receivers end up in logs and tracebacks; a chat's URL is a secret too."""
    slack = AlertSettings(name="s", kind="slack", url="https://hooks.example.com/services/T0/B0/secret")
    for each in (MAIL, HOOK, slack, *configured([MAIL, HOOK, slack])):
        text = repr(each)
        assert "s3cret" not in text and "services" not in text and "'p'" not in text, text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "`name` is missing"),
        ('name = "a"', "`url` is missing"),
        ('name = "a"\nurl = "example.com"', "must be an address such as https"),
        ('name = "a b"\nurl = "https://x.example"', "letters, digits"),
        ('name = "a"\nkind = "pager"\nurl = "https://x.example"', 'must be "webhook" or "slack" or "email"'),
        ('name = "a"\nurl = "https://x.example"\nto = ["a@b"]', 'is for kind = "email"'),
        ('name = "a"\nurl = "https://x.example"\nsecret = "whsec_ä"', "base64"),
        ('name = "a"\nkind = "slack"\nurl = "https://x.example"\nsecret = "x"', "is in the URL"),
        ('name = "a"\nurl = "https://x.example"\nabout = ["budgets"]', "did you mean `budget`"),
        ('name = "a"\nurl = "https://x.example"\nonly = { feature = ["x"] }', "no feature `x`"),
        ('name = "a"\nurl = "https://x.example"\nonly = { key = ["laptop"] }', "is not the id of a key"),
        ('name = "a"\nkind = "email"\nto = ["a@b.example"]\nserver = "m:25"', "`sender` is missing"),
        (
            'name = "a"\nkind = "email"\nto = ["a b"]\nsender = "a@b"\nserver = "m:25"',
            "is not a mail address",
        ),
        ('name = "a"\nkind = "email"\nto = ["a@b"]\nsender = "a@b"\nserver = "m"', "is not HOST:PORT"),
        (
            'name = "a"\nkind = "email"\nto = ["a@b"]\nsender = "a@b"\nserver = "m:1"\nuser = "u"',
            "go together",
        ),
        (
            'name = "a"\nurl = "https://x.example"\n[[alerts]]\nname = "a"\nurl = "https://y.example"',
            "a name of its own",
        ),
    ],
)
def test_a_section_that_cannot_work_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    """At the start, not when the first alert is lost."""
    with pytest.raises(ConfigurationRefused) as refused:
        parse(f"[[alerts]]\n{text}", {})
    assert any(told in line for line in refused.value.lines()), refused.value.lines()


@pytest.mark.parametrize("text", ["reach = ['10.0.0.1/8']", "reach = ['http://x']"])
def test_a_reach_that_is_none_is_refused(text: str) -> None:
    """A typing error must not open a door, or silently open none."""
    with pytest.raises(ConfigurationRefused) as refused:
        parse(f"[server]\n{text}", {})
    assert "neither a network" in refused.value.lines()[0]


@pytest.mark.parametrize("values", [{"factor": "1"}, {"factor": "-1"}, {"least": "0"}, {"factor": "inf"}])
def test_a_spend_rate_that_cannot_be_is_refused(values: dict[str, str]) -> None:
    """0 turns it off; the usual itself is never unusual."""
    with pytest.raises(ValueError, match="must be more than"):
        SpendRateSettings(**{name: Decimal(value) for name, value in values.items()})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b",
        "a@",
        "a@b,c@d",
        "a@b\nBcc: c@d",
        "Ann <a@b>",
        "a b@c",
        "a@b@c",
        "ä@b",
        "x" * 251 + "@b.c",
    ],
)
def test_what_is_no_mail_address_is_not_taken(text: str) -> None:
    """It goes into the head of a mail: one address, and nothing else."""
    assert wrong_mail_address(text)
    assert not wrong_mail_address("ann+alerts@mail.example.com")


def test_who_is_told_of_what_is_told_by_the_check() -> None:
    """In words, without an address: a chat's URL is a secret."""
    text = """
[[alerts]]
name = "ops"
url = "https://ops.example.com/secret"
only = { team = ["web", "shop"] }
least = "warning"

[[alerts]]
name = "mail"
kind = "email"
to = ["a@b.example"]
sender = "h@b.example"
server = "m:587"
about = ["spend_rate"]
"""
    assert alerts(parse(text, {})) == [
        "ops (webhook) is told of everything of team web or shop, warning at least; unsigned, because it has no `secret`",
        "mail (email) is told of spend rate",
    ]
