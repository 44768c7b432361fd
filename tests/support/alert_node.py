"""A process that does a gateway's part in alerts and nothing else: `python -m tests.support.alert_node FILE CLAIM_SECONDS`.

Tells what it reads, an alert of JSON a line, and says `told` after each; runs until its input ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from headgate.compose.alerts import AlertService
from headgate.compose.stores import open_stores
from headgate.config.loader import load
from headgate.core.clock import SystemClock
from headgate.stores.alerts import Alert

__all__: list[str] = []


async def main(file: Path, claim_seconds: float) -> None:
    settings, clock = load(file).settings, SystemClock()
    stores = open_stores(settings)
    alerts = AlertService(settings, stores, clock, look_seconds=0.1, claim_seconds=claim_seconds)
    alerts.start()
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        alerts.tell(msgspec.json.decode(line, type=Alert))
        print("told", flush=True)
    await alerts.aclose()
    await stores.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
