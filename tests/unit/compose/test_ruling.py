"""Rules and contracts over real stores: from stored requests to an alert with a delivery."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from headgate.alerts.receivers import Receiver, configured
from headgate.alerts.rules.settings import WatchSettings
from headgate.alerts.settings import AlertSettings, SpendRateSettings
from headgate.alerts.telling import Alerting
from headgate.compose.ruling import RulingService, contracts_of
from headgate.compose.stores import Stores, open_stores
from headgate.config.model import FeatureSettings, Settings
from headgate.control.contracts import contract_reports, exit_code
from headgate.control.rules import rule_views
from headgate.core.section import Duration
from headgate.edge.settings import ServerSettings
from headgate.quality.contracts.settings import ContractSettings
from headgate.stores.alerts import Alert, Told
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

CONTRACT = ContractSettings(availability=0.9, latency_p95=Duration(2), cost_p95=Decimal("0.01"), least=50)
RECEIVER = AlertSettings(name="ops", url="https://ops.example/", about=["rule", "contract"])


class Installation:
    """A database, a clock that stands until it is moved, and two gateways' watches."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            server=ServerSettings(database=f"sqlite:///{folder / 'headgate.db'}"),
            features={
                "shop": FeatureSettings(route="small", contract=CONTRACT),
                "free": FeatureSettings(route="x"),
            },
            watch=WatchSettings(),
        )
        self.stores: Stores = open_stores(self.settings)
        self.clock = FakeClock()
        self.stored = 0
        self.watches = [self._watch(), self._watch()]

    def _watch(self) -> RulingService:
        alerting = Alerting(
            self.stores.alerts, self.stores.spans, self._send, self.clock, self.stores.keys.secret
        )
        alerting.use(configured([RECEIVER]), SpendRateSettings())
        return RulingService(self.settings, self.stores, alerting, self.clock)

    async def _send(self, receiver: Receiver, alert: Alert) -> str:
        raise AssertionError((receiver, alert))

    def traffic(
        self, requests: int, *, seconds: float = 1.0, usd: float = 0.001, outcome: str = "ok"
    ) -> None:
        now, rows = self.clock.wall_ns(), []
        for _ in range(requests):
            self.stored += 1
            row = RequestRow(
                self.stored << 22,
                now - round(seconds * 1e9),
                "t",
                feature="shop",
                routed_model="small",
                provider="sim",
                outcome=outcome,  # type: ignore[arg-type]
                total_us=round(seconds * 1e6),
                cost_nanos=round(usd * 1e9),
                cost_label="exact",
                attempts=1,
            )
            rows.append(row)
        self.stores.sink.write(Batch(journal="j", position=Position(1, self.stored), requests=rows))

    async def pass_time(self, minutes: int, **traffic: float | str) -> None:
        for _ in range(minutes * 4):
            self.clock.advance(15)
            self.traffic(15, **traffic)  # type: ignore[arg-type]
            for watch in self.watches:
                await watch.round()

    async def told(self) -> list[Told]:
        return list(await self.stores.alerts.since(0, 1000))

    async def aclose(self) -> None:
        self.stores.sink.close()
        await self.stores.aclose()


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ({"seconds": 3.0}, "slower"),
        ({"usd": 0.005}, "dearer"),
        ({"outcome": "failed"}, "errors"),
    ],
)
def test_a_planted_regression_is_told_within_two_minutes(
    planted: dict[str, float | str], rule: str, tmp_path: Path
) -> None:
    """A slower model, a dearer route, errors: once, though two gateways look, with a delivery to who wants to hear of it."""

    @aio
    async def run() -> None:
        there = Installation(tmp_path)
        try:
            await there.pass_time(15)
            assert await there.told() == []
            await there.pass_time(2, **planted)
            told = [each for each in await there.told() if each.alert.facts.get("rule") == rule]
            assert [each.alert.facts["feature"] for each in told][:1] == ["shop"]
            assert len({each.alert.event for each in told}) == len(told)
            assert [each.receiver for each in told[0].deliveries] == ["file:ops"]
            views = await rule_views(there.stores.rules, there.settings.watch)
            assert {view.rule.name: view.state for view in views}[rule] in ("warning", "alert")
        finally:
            await there.aclose()

    run()


@aio
async def run_contract(folder: Path) -> None:
    there = Installation(folder)
    try:
        await there.pass_time(10)
        now = there.clock.wall_ns() // 10**9
        contracts = contracts_of(there.settings)
        assert list(contracts) == ["shop"]
        reports = await contract_reports(
            there.stores.rollups, there.stores.scores, contracts, now, there.stores.rules
        )
        assert reports[0].state == "kept" and exit_code(reports) == 0
        await there.pass_time(10, seconds=5.0)
        now = there.clock.wall_ns() // 10**9
        reports = await contract_reports(
            there.stores.rollups, there.stores.scores, contracts, now, there.stores.rules
        )
        assert {each.promise.name: each.state for each in reports[0].promises} == {
            "availability": "kept",
            "latency_p95": "broken",
            "cost_p95": "kept",
        }
        assert exit_code(reports) == 1
        told = [each.alert for each in await there.told() if each.alert.kind == "contract"]
        assert told and {each.facts["promise"] for each in told} == {"latency_p95"}
        assert all("promises that 95 % of answers are complete within 2 s" in each.text for each in told)
    finally:
        await there.aclose()


def test_a_broken_promise_is_measured_and_told(tmp_path: Path) -> None:
    """Of the promises of a contract the one that is broken, and no other; a feature without one is not looked at."""
    run_contract(tmp_path)
