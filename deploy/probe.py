"""Ask the gateway of this container for a path: `probe.py /healthz` ends with 0 if it answers 200, else with 1.

For health checks, where a whole HTTP library would take more processor time than the idle gateway itself.
"""

from __future__ import annotations

import os
import socket
import sys

__all__ = ["answers"]


def answers(listen: str, path: str, seconds: float = 4.0) -> bool:
    """listen: `HOST:PORT`, as the gateway was told. Whatever the host, this machine is asked."""
    host, _, port = listen.rpartition(":")
    try:
        with socket.create_connection(("::1" if "[" in host else "127.0.0.1", int(port)), seconds) as asked:
            asked.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return asked.recv(64).partition(b" ")[2].startswith(b"200 ")
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(not answers(os.environ.get("HEADGATE_LISTEN", "0.0.0.0:8080"), sys.argv[1]))
