"""Sockets, addresses and the beginning of the end."""

from __future__ import annotations

import json
import logging
import socket
import sys

import pytest

from headgate.cli.listening import Listener, bind, url_of
from headgate.cli.logs import set_up_logging
from headgate.config.checks import is_loopback, split_listen

__all__: list[str] = []


@pytest.mark.parametrize(
    ("listen", "parts"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("gate.internal:65535", ("gate.internal", 65535)),
    ],
)
def test_an_address_is_taken_apart(listen, parts):
    """Names, IPv4 and IPv6."""
    assert split_listen(listen) == parts


@pytest.mark.parametrize(
    "listen", ["", "8080", ":8080", "host:", "host:70000", "host:-1", "::1:80", "host:８０", "[]:1"]
)
def test_an_address_that_is_none_is_refused_with_examples(listen):
    """What would be right stands in the message."""
    with pytest.raises(ValueError, match=r'"\[::1\]:8080"|in brackets'):
        split_listen(listen)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("gate", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host, local):
    """A name that only looks local is not."""
    assert is_loopback(host) is local


def test_the_next_port_is_taken_when_asked_for():
    """The demonstration does not care which; `serve` does."""
    with bind("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with bind(f"127.0.0.1:{port}", tries=20) as second:
            assert second.getsockname()[1] > port
        with pytest.raises(OSError, match="is taken by another program"):
            bind(f"127.0.0.1:{port}")


def test_an_address_of_another_machine_is_told_in_words():
    """Not an error number."""
    with pytest.raises(OSError, match=r"this machine has no address 192\.0\.2\.1"):
        bind("192.0.2.1:0")


def test_a_bound_port_is_found_by_this_machines_browser():
    """0.0.0.0 is no address to go to."""
    with bind("0.0.0.0:0") as bound:
        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"
    if socket.has_ipv6:
        with bind("[::1]:0") as bound:
            assert url_of(bound).startswith("http://[::1]:")


def test_a_second_signal_cuts_the_goodbye_short():
    """Whoever presses Ctrl-C twice means it."""
    listener = Listener(lambda: None)
    listener.stop()
    assert listener.should_exit and not listener.force_exit
    listener.stop()
    assert listener.force_exit


@pytest.fixture
def root():
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = kept
    root.setLevel(level)


def test_a_log_line_is_an_object_for_machines(root, capsys, monkeypatch):
    """With the exception inside, not on lines of its own."""
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    set_up_logging("info", "json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("headgate.test").exception("it failed")
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "headgate.test", "it failed")
    assert "two\nlines" in told["exception"]


def test_a_level_leaves_out_what_is_below_it(root, capsys, monkeypatch):
    """And libraries say less than we do."""
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    set_up_logging("info", "text")
    logging.getLogger("headgate.test").debug("not this")
    logging.getLogger("uvicorn.error").info("nor this")
    logging.getLogger("headgate.test").info("this")
    assert capsys.readouterr().out.rstrip().endswith("INFO    headgate.test: this")
