"""What alerts may keep waiting, and what not."""

from __future__ import annotations

import asyncio
import os
import socket

from headgate.alerts.receivers import Mailbox, Receiver
from headgate.compose.alerts import Postman
from headgate.config.model import Settings
from headgate.core.clock import SystemClock
from headgate.stores.alerts import Alert
from tests.support.each_loop import on_each_loop

__all__: list[str] = []

ALERT = Alert(event="e", kind="test", subject="all", severity="info", at_ns=0, text="t")


@on_each_loop
async def test_a_mail_server_that_says_nothing_keeps_nobody_elses_names_from_being_resolved() -> None:
    """Mails to more mailboxes than the event loop has threads: providers are reached all the same."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        box = Mailbox(
            ("ann@example.com",), "headgate@example.com", "127.0.0.1", silent.getsockname()[1], "none"
        )
        postman = Postman(Settings(), SystemClock())
        receiver = Receiver("file:a", "a", "email", box)
        loop_threads = min(32, (os.cpu_count() or 1) + 4)
        mails = [asyncio.create_task(postman.send(receiver, ALERT)) for _ in range(loop_threads + 1)]
        silent.setblocking(False)
        (held, _) = await asyncio.get_running_loop().sock_accept(silent)
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        assert not any(mail.done() for mail in mails)
        for mail in mails:
            mail.cancel()
        await postman.aclose()
        held.close()
