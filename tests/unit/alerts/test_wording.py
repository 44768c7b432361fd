"""What receivers read, and how they know that it is ours."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import InvalidWebhookSignatureError, OpenAI

from headgate.alerts.mail import send_mail
from headgate.alerts.post import NotTaken, Post, signature
from headgate.alerts.receivers import Hook, Mailbox, Receiver, configured
from headgate.alerts.settings import AlertSettings
from headgate.alerts.wording import facts_in_words, message_id, slack_body, subject_line, webhook_body
from headgate.core.clock import SystemClock
from headgate.providers.transport.client import Transport
from headgate.providers.transport.reach import Reach
from headgate.stores.alerts import Alert
from tests.support.aio import aio
from tests.support.alerted import Inbox, mail_server, web_server
from tests.support.authorities import authority

__all__: list[str] = []

ALERT = Alert(
    event="budget/monthly/user:ann/0/0.8",
    kind="budget",
    subject="user:ann",
    severity="warning",
    at_ns=1_763_000_000_000_000_000,
    text="User `ann` has spent 80 % of the budget „monthly“: 8.00 of 10.00 USD.",
    facts={"user": "ann", "fraction": 0.8, "limit_usd": 10},
)


def test_a_webhook_says_what_it_is_and_all_that_is_known() -> None:
    """In the envelope of Standard Webhooks."""
    assert json.loads(webhook_body(ALERT)) == {
        "type": "alert.budget",
        "timestamp": "2025-11-13T02:13:20Z",
        "data": {
            "event": ALERT.event,
            "subject": "user:ann",
            "severity": "warning",
            "text": ALERT.text,
            "facts": {"user": "ann", "fraction": 0.8, "limit_usd": 10},
        },
    }


def test_slack_gets_text_and_blocks() -> None:
    """And nothing that a caller's name makes into a mention or a link."""
    nasty = Alert(
        event="e",
        kind="budget",
        subject="user:x",
        severity="critical",
        at_ns=0,
        text="User `<!channel>` & <https://evil.example|click>",
        facts={"user": "<!here>"},
    )
    found = json.loads(slack_body(nasty))
    assert [block["type"] for block in found["blocks"]] == ["section", "context"]
    assert "`&lt;!channel&gt;` &amp; &lt;https" in found["text"]
    everything = json.dumps(found)
    assert "<!" not in everything and "<http" not in everything


@given(
    st.text(max_size=10_000),
    st.dictionaries(st.text(max_size=50), st.text(max_size=5000) | st.integers(), max_size=5),
)
def test_whatever_an_alert_says_it_can_be_told(text: str, facts: dict[str, str | int]) -> None:
    """Within the bounds of Slack's blocks, on one line where one is needed."""
    told = Alert(event="e", kind="budget", subject="x", severity="info", at_ns=0, text=text, facts=facts)
    json.loads(webhook_body(told))
    for block in json.loads(slack_body(told))["blocks"]:
        shown = block["text"]["text"] if "text" in block else block["elements"][0]["text"]
        assert 0 < len(shown) <= 3000 * 5  # as entities; 3,000 characters as read
    assert subject_line(told).isprintable() and len(subject_line(told)) < 200
    assert facts_in_words(told)


def test_every_try_has_the_same_id_and_every_receiver_another() -> None:
    """Who gets one twice can tell."""
    assert message_id("e", "file:a") == message_id("e", "file:a")
    assert len({message_id("e", "file:a"), message_id("e", "file:b"), message_id("f", "file:a")}) == 3


def sent(inbox: Inbox, receiver: Receiver, *, reach: Reach | None = None) -> str:
    """Send ALERT; why it was not taken."""

    @aio
    async def run() -> str:
        anywhere, guarded = Transport(environ={}), Transport(reach=reach or Reach())
        post = Post(anywhere, guarded, SystemClock().wall_ns)
        assert isinstance(receiver.address, Hook)
        try:
            return await post.send(receiver, receiver.address, ALERT)
        except NotTaken as refused:
            return str(refused)
        finally:
            await anywhere.aclose()
            await guarded.aclose()

    return run()


@pytest.mark.parametrize("secret", ["whsec_aGVhZGdhdGUgc2lnbnMgaXRzIHdlYmhvb2tzIQ==", "any words at all"])
def test_somebody_elses_library_verifies_the_signature(secret: str) -> None:
    """OpenAI's SDK verifies its own webhooks, which are Standard Webhooks too; a changed byte is noticed."""
    with web_server() as inbox:
        (receiver,) = configured([AlertSettings(name="a", url=f"{inbox.url}/hook?x=1", secret=secret)])
        assert sent(inbox, receiver) == ""
    (posted,) = inbox.posts
    webhooks = OpenAI(api_key="unused").webhooks
    webhooks.verify_signature(posted.body, posted.headers, secret=secret)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.verify_signature(posted.body.replace(b"80", b"10"), posted.headers, secret=secret)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.verify_signature(posted.body, posted.headers, secret="another")
    assert posted.path == "/hook?x=1" and posted.headers["content-type"] == "application/json"
    assert posted.headers["webhook-id"] == message_id(ALERT.event, "file:a")


def test_the_signature_is_as_the_standard_has_it() -> None:
    """As `printf 'msg_1.1700000000.{}' | openssl dgst -sha256 -hmac key -binary | base64` has it."""
    assert (
        signature(b"key", "msg_1", 1_700_000_000, b"{}") == b"v1,XaXLFEFQ69Q4+demDWPEv5ydXczDW2mM5crCUEFcFBA="
    )


def test_without_a_secret_nothing_is_signed() -> None:
    """A header that means nothing would be worse than none."""
    with web_server() as inbox:
        (receiver,) = configured([AlertSettings(name="a", url=inbox.url)])
        assert sent(inbox, receiver) == ""
    assert "webhook-signature" not in inbox.posts[0].headers


@pytest.mark.parametrize(
    ("status", "headers", "body", "told"),
    [
        (500, {}, b"oh\nno \x1b[2J" + 1000 * b"x", "HTTP 500: oh no  [2Jxxx"),
        (404, {}, b"", "HTTP 404"),
        (302, {"location": "http://127.0.0.1:1/"}, b"", "redirects are not followed"),
    ],
)
def test_what_is_not_taken_is_told_in_words(
    status: int, headers: dict[str, str], body: bytes, told: str
) -> None:
    """One short printable line."""
    with web_server() as inbox:
        inbox.answers = [(status, headers, body)]
        (receiver,) = configured([AlertSettings(name="a", kind="slack", url=inbox.url)])
        found = sent(inbox, receiver)
    assert found.startswith(f"HTTP {status}") and told in found and found.isprintable() and len(found) < 200


@pytest.mark.parametrize(
    "said", ["/services/T012/B34/s3cr3t-token?to=v12345678", "s3cr3t-token", "v12345678"]
)
def test_what_a_server_repeats_of_the_address_is_not_told(said: str) -> None:
    """Who knows a Slack URL may write there, and why a try failed is shown to everybody who sees alerts."""
    with web_server() as inbox:
        url = f"{inbox.url}/services/T012/B34/s3cr3t-token?to=v12345678"
        inbox.answers = [(404, {}, f"Cannot POST {said}, sorry".encode())]
        (receiver,) = configured([AlertSettings(name="a", kind="slack", url=url)])
        found = sent(inbox, receiver)
    assert found.startswith("HTTP 404: Cannot POST [") and found.endswith("], sorry")


def test_a_receiver_that_says_yes_and_then_a_whole_page_has_taken_it() -> None:
    """It is the status that counts: else it would be told again for a day. A refusal is told by its status too."""
    with web_server() as inbox:
        inbox.answers = [(200, {}, b"x" * 200_000), (500, {}, b"x" * 200_000)]
        (receiver,) = configured([AlertSettings(name="a", url=inbox.url)])
        assert sent(inbox, receiver) == ""
        assert sent(inbox, receiver) == "HTTP 500"


def test_only_those_of_the_configuration_reach_inner_addresses() -> None:
    """The same address, added while running, is out of reach."""
    with web_server() as inbox:
        (receiver,) = configured([AlertSettings(name="a", url=inbox.url)])
        stranger = Receiver("added:a", "a", "webhook", receiver.address)
        assert "loopback" in sent(inbox, stranger)
        assert inbox.posts == []
        assert sent(inbox, stranger, reach=Reach(["127.0.0.1"])) == ""
        assert sent(inbox, receiver) == ""


# Mail


def box(inbox: Inbox, **given: object) -> Receiver:
    values: dict[str, object] = {
        "to": ["ann@example.com", "bob@example.com"],
        "sender": "headgate@example.com",
        "server": f"localhost:{inbox.port}",
        "tls": "none",
        **given,
    }
    (receiver,) = configured([AlertSettings(name="mail", kind="email", **values)])  # type: ignore[arg-type]
    return receiver


def mailed(receiver: Receiver, tls: ssl.SSLContext | None = None, alert: Alert = ALERT) -> str:
    @aio
    async def run() -> str:
        assert isinstance(receiver.address, Mailbox)
        try:
            return await send_mail(receiver, receiver.address, alert, tls=tls)
        except NotTaken as refused:
            return f"not taken: {refused}"

    return run()


def test_a_mail_says_it_in_the_subject_and_all_in_the_text() -> None:
    """To everybody at once, marked as made by a machine, the same id each time."""
    with mail_server() as inbox:
        assert mailed(box(inbox)) == "" == mailed(box(inbox))
    mail, again = inbox.mails
    assert (
        # How a header with other letters in it is folded differs between versions of Python.
        " ".join(mail["subject"].split())
        == "[headgate] warning: User `ann` has spent 80 % of the budget „monthly“: 8.00 of 10.00 USD."
    )
    assert (mail["from"], mail["to"]) == ("headgate@example.com", "ann@example.com, bob@example.com")
    assert mail["auto-submitted"] == "auto-generated" and mail["message-id"] == again["message-id"]
    assert "limit usd: 10" in mail.get_content() and ALERT.text in mail.get_content()


def test_nothing_in_an_alert_makes_a_header_or_a_line() -> None:
    """Names come from callers."""
    nasty = Alert(
        event="e\r\nBcc: x@y",
        kind="budget",
        subject="u\nBcc: x@y",
        severity="info",
        at_ns=0,
        text="a\r\nBcc: evil@example.com\r\n\r\nbody",
        facts={"user\n": "x\r\n.\r\nQUIT"},
    )
    with mail_server() as inbox:
        assert mailed(box(inbox), alert=nasty) == ""
    assert inbox.mails[0]["bcc"] is None and "Bcc: evil" in inbox.mails[0]["subject"]
    lines = inbox.mails[0].get_content().splitlines()
    assert lines[0] == "a  Bcc: evil@example.com    body" and lines[2].startswith("when: ")
    (first, _) = json.loads(slack_body(nasty))["blocks"]
    assert "\n" not in first["text"]["text"]


def test_the_connection_is_secured_before_anything_is_said(tmp_path: Path) -> None:
    """STARTTLS, then the login, then the mail."""
    made = authority(tmp_path, "localhost")
    believed = ssl.create_default_context(cafile=made.ca_file)
    with mail_server(made.server, password="pw") as inbox:
        assert mailed(box(inbox, tls="starttls", user="me", password="pw"), believed) == ""
    assert inbox.secured == [True] and inbox.logins == [("me", "pw")]


def test_a_server_that_cannot_be_trusted_or_offers_no_tls_gets_neither_password_nor_mail(
    tmp_path: Path,
) -> None:
    """There is no way back to plain text."""
    made = authority(tmp_path, "localhost")
    with mail_server(made.server, password="pw") as inbox:
        assert "certificate" in mailed(box(inbox, tls="starttls", user="me", password="pw"))
    assert inbox.mails == [] and inbox.logins == []
    with mail_server(made.server, offers_starttls=False, password="pw") as inbox:
        assert "STARTTLS" in mailed(box(inbox, tls="starttls", user="me", password="pw"))
    assert inbox.mails == [] and inbox.logins == []


def test_what_a_mail_server_refuses_is_told_in_its_words() -> None:
    """A recipient, a password; and that nobody is there."""
    with mail_server(refuses="bob@") as inbox:
        told = mailed(box(inbox))
        assert "it takes no mail for bob@example.com" in told and "not taken" not in told
        assert len(inbox.mails) == 1
        assert "not taken: " in mailed(box(inbox, to=["bob@example.com"]))
    with mail_server(password="right") as inbox:
        assert "535" in mailed(box(inbox, user="me", password="wrong"))
    assert "wrong" not in mailed(box(inbox, user="me", password="wrong"))
    assert "localhost" in mailed(box(inbox))
