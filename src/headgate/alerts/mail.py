"""Alerts by mail: the standard library's SMTP, in a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.alerts.post import NotTaken
from headgate.alerts.receivers import Mailbox, Receiver
from headgate.alerts.wording import facts_in_words, message_id, one_line, subject_line
from headgate.stores.alerts import Alert

if TYPE_CHECKING:
    import ssl
    from email.message import EmailMessage
    from smtplib import SMTP

__all__ = ["STEP_SECONDS", "send_mail"]

STEP_SECONDS = 8.0
"""The longest wait for a server in each step of a conversation with it."""
_MOST_SHOWN = 200


async def send_mail(
    receiver: Receiver,
    box: Mailbox,
    alert: Alert,
    *,
    tls: ssl.SSLContext | None = None,
    threads: Executor | None = None,
) -> str:
    """One try. Returns for whom the server did not take it, in words, if it took it for others; "" mostly. Raises NotTaken.

    tls: whom to believe; None: the system's authorities. threads: where it is done; None: where the event loop also resolves
    names, whom a slow mail server then keeps waiting. Cancelled: the thread goes on to its end, and the mail may have
    been sent; its Message-ID is the same in each try."""
    return await asyncio.get_running_loop().run_in_executor(threads, _send, receiver, box, alert, tls)


def _send(receiver: Receiver, box: Mailbox, alert: Alert, tls: ssl.SSLContext | None) -> str:
    import smtplib  # noqa: PLC0415 - 20 ms, for who sends mail
    import ssl  # noqa: PLC0415 - as above

    try:
        context = tls or ssl.create_default_context()
        with _connected(box, context) as server:
            if box.user:
                server.login(box.user, box.password)
            refused = server.send_message(_mail(receiver, box, alert))
    except smtplib.SMTPResponseException as said:
        answer = (
            said.smtp_error
            if isinstance(said.smtp_error, str)
            else said.smtp_error.decode("utf-8", "replace")
        )
        raise NotTaken(_told(box, f"{said.smtp_code} {answer}")) from None
    except smtplib.SMTPRecipientsRefused as said:
        raise NotTaken(_told(box, f"it takes no mail for {', '.join(said.recipients)}")) from None
    except (smtplib.SMTPException, OSError, ValueError) as wrong:
        raise NotTaken(_told(box, str(wrong) or type(wrong).__name__)) from None
    # Trying again would send it to the others again.
    return _told(box, f"it takes no mail for {', '.join(refused)}") if refused else ""


def _connected(box: Mailbox, context: ssl.SSLContext) -> SMTP:
    import smtplib  # noqa: PLC0415 - as above

    if box.tls == "tls":
        return smtplib.SMTP_SSL(box.host, box.port, timeout=STEP_SECONDS, context=context)
    server = smtplib.SMTP(box.host, box.port, timeout=STEP_SECONDS)
    try:
        if box.tls == "starttls":
            # A server that does not offer it is an error: neither the password nor the mail goes in the clear.
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _mail(receiver: Receiver, box: Mailbox, alert: Alert) -> EmailMessage:
    from email.message import EmailMessage  # noqa: PLC0415 - as above
    from email.utils import format_datetime  # noqa: PLC0415 - as above

    mail = EmailMessage()
    mail["Subject"] = subject_line(alert)
    mail["From"] = box.sender
    mail["To"] = ", ".join(box.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(alert.at_ns / 1e9, tz=UTC))
    mail["Message-ID"] = f"<{message_id(alert.event, receiver.id)}@{box.sender.rpartition('@')[2]}>"
    # So that holiday replies do not answer.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(facts_in_words(alert))
    return mail


def _told(box: Mailbox, what: str) -> str:
    return f"mail server {box.host}:{box.port}: {one_line(what)[:_MOST_SHOWN]}"
