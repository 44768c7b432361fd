"""All contestants, in the order of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contestants.direct import Direct
from bench.contestants.headgate import Headgate
from bench.contestants.litellm import LiteLlm
from bench.contestants.nginx import Nginx, NginxAsPackaged
from bench.contestants.otari import Otari
from bench.contestants.portkey import Portkey

if TYPE_CHECKING:
    from bench.contestants.contestant import Contestant

__all__ = ["roster"]


def roster() -> list[Contestant]:
    """One fresh object per contestant; the first is the calibration, the second the limit."""
    return [Direct(), Nginx(), NginxAsPackaged(), Headgate(), Portkey(), LiteLlm(), Otari()]
