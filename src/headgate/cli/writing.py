"""The process in which `headgate serve` stores records. Nobody calls it by hand: it ends as soon as its standard input does."""

from __future__ import annotations

import os
import signal
import sys

from headgate.cli.logs import set_up_logging
from headgate.compose.following import read_order, write

__all__ = ["main"]

_LATER = 10


def main() -> None:
    """Follow the journal that the order on standard input names."""
    # A service manager tells every process to stop; this one stops when its gateway has.
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(told, signal.SIG_IGN)
    # Requests go first where processors are short; what waits in the journal is safe.
    os.nice(_LATER)
    lines = sys.stdin.buffer
    order = read_order(lines)
    if order is None:
        return
    set_up_logging(order.log_level, order.log_format)
    # The gateway listens at the other end; what anybody else here prints must not come between.
    answers = os.dup(1)
    os.dup2(2, 1)
    write(order, lines, answers)


if __name__ == "__main__":
    main()
