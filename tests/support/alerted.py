"""Those who are told of alerts, for real: a web server and a mail server in threads, which write down what they get."""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["Inbox", "Posted", "mail_server", "web_server"]


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Inbox:
    """What came, and what is answered next."""

    port: int = 0
    posts: list[Posted] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    """Of each mail: did it come over TLS?"""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Statuses, headers and bodies in turn; then 200."""
    hold: threading.Event | None = None
    """No answer before this is set."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, enough: Callable[[], bool], seconds: float = 20.0) -> None:
        """Until so much has come."""
        with self.changed:
            assert self.changed.wait_for(enough, seconds), (self.posts, self.mails)


@contextmanager
def web_server(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Inbox]:
    """Takes posts."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with inbox.changed:
                inbox.posts.append(posted)
                inbox.changed.notify_all()
            if inbox.hold is not None:
                inbox.hold.wait(30)
            status, headers, answer = inbox.answers.pop(0) if inbox.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that was killed says no goodbye."""

    with Server(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        inbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield inbox
        finally:
            if inbox.hold is not None:
                inbox.hold.set()
            server.shutdown()
            thread.join()


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, *, offers_starttls: bool = True, refuses: str = "", password: str = ""
) -> Iterator[Inbox]:
    """Takes mail. refuses: an address it takes no mail for. password: what a login needs; none: no login is offered."""
    inbox = Inbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            secured = False
            self._say("220 here")
            while line := self.rfile.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                verb = verb.upper()
                if verb in ("EHLO", "HELO"):
                    offered = ["STARTTLS"] if tls is not None and offers_starttls and not secured else []
                    offered += ["AUTH PLAIN"] if password else []
                    for each in ["here", *offered]:
                        self._say(f"250-{each}")
                    self._say("250 8BITMIME")
                elif verb == "STARTTLS" and tls is not None:
                    self._say("220 go on")
                    self.connection = tls.wrap_socket(self.connection, server_side=True)
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
                    secured = True
                elif verb == "AUTH":
                    _, user, given = base64.b64decode(rest.split()[-1]).decode().split("\0")
                    inbox.logins.append((user, given))
                    self._say("235 welcome" if given == password else "535 5.7.8 wrong password")
                elif verb == "RCPT" and refuses and refuses in rest:
                    self._say("550 nobody of that name")
                elif verb == "DATA":
                    self._say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    data = b"".join(line.removeprefix(b".") for line in lines)
                    mail = email.message_from_bytes(data, policy=email.policy.SMTP)
                    assert isinstance(mail, EmailMessage)
                    with inbox.changed:
                        inbox.mails.append(mail)
                        inbox.secured.append(secured)
                        inbox.changed.notify_all()
                    self._say("250 taken")
                elif verb == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 OK")

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())
            self.wfile.flush()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield inbox
        finally:
            server.shutdown()
            thread.join()
