"""Who gives a command, for the audit log."""

from __future__ import annotations

import getpass
import os

__all__ = ["actor"]


def actor() -> str:
    """`cli:ann`: the user of the operating system who typed it, or for whom sudo was asked.

    Not proof: whoever may write the database may write anything into it."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            # A container's user may have a number and no name.
            name = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    return f"cli:{name[:64]}"
