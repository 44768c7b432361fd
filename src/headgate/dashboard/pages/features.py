"""`/features`: what each feature promises and keeps, where its requests go, and how the places it asks are now."""

from __future__ import annotations

from typing import Any

from headgate.admission.rights import DASHBOARD
from headgate.control.contracts import burn_series, contract_reports, contracts_in, report_facts
from headgate.control.features import FeatureView, feature_views, lately
from headgate.control.http.problems import Problem
from headgate.core.near import did_you_mean
from headgate.dashboard.looking import Data, Looking, Shown, page
from headgate.quality.contracts.measuring import points, value_of
from headgate.quality.contracts.settings import promises

__all__ = ["PAGES"]

_MOST_STEPS = 200


async def show(asked: Looking) -> Shown:
    """All features."""
    desk, stretch = asked.desk, asked.stretch
    happened = await lately(desk.rollups, stretch.since, stretch.until)
    settings = desk.configuration().settings
    views = feature_views(settings, desk.endpoints(), happened, desk.budgets().rules)
    reports = await contract_reports(
        desk.rollups, desk.scores, contracts_in(settings), asked.now_ns // 1_000_000_000, desk.rules
    )
    facts = {each.feature: report_facts(each) for each in reports}
    rows = [{"view": view, "contract": facts.get(view.name)} for view in views]
    return Shown("features.html", {"title": "Features", "rows": rows})


async def show_one(asked: Looking) -> Shown:
    """One feature."""
    desk, stretch = asked.desk, asked.stretch
    view = await _view(asked)
    contracts = contracts_in(desk.configuration().settings)
    report = None
    if view.name in contracts:
        mine = {view.name: contracts[view.name]}
        now = asked.now_ns // 1_000_000_000
        [found] = await contract_reports(desk.rollups, desk.scores, mine, now, desk.rules)
        report = report_facts(found)
    values = {"title": view.name, "view": view, "contract": report, "days": stretch.words}
    return Shown("feature.html", values)


async def burn(asked: Looking) -> Data:
    """How fast the budgets of errors of one feature's promises went."""
    feature, stretch = asked.path["name"], asked.stretch
    contract = contracts_in(asked.desk.configuration().settings).get(feature)
    if contract is None:
        raise Problem("not_found", "this feature has no contract")
    step = max(stretch.step, stretch.seconds // _MOST_STEPS // 60 * 60)
    at, series = await burn_series(asked.desk.rollups, feature, contract, stretch.since, stretch.until, step)
    return Data(
        {
            "title": "Burn",
            "unit": "",
            "x": list(at),
            "series": [{"name": each.promise, "y": list(each.values)} for each in series],
            "marks": await _marks(asked),
            "drill": f"/traces?feature={feature}&from={{from}}&to={{to}}",
        }
    )


async def reached(asked: Looking) -> Data:
    """What was reached of the promises about times, step by step, with what was promised."""
    feature, stretch = asked.path["name"], asked.stretch
    contract = contracts_in(asked.desk.configuration().settings).get(feature)
    if contract is None:
        raise Problem("not_found", "this feature has no contract")
    wanted = [each for each in promises(contract) if each.kind in ("latency", "first_token")]
    step = stretch.step
    found = dict(await points(asked.desk.rollups, feature, contract, stretch.since, stretch.until, step))
    at = list(range(stretch.since // step * step, stretch.until, step))
    series: list[dict[str, Any]] = []
    for colour, promise in enumerate(wanted):
        reach = [value_of(promise, contract, found[each]) if each in found else None for each in at]
        series.append({"name": promise.name, "y": reach, "colour": colour})
        promised = {"y": [promise.limit] * len(at), "colour": colour, "dashed": True}
        series.append({"name": f"{promise.name} promised", **promised})
    return Data(
        {
            "title": "Times",
            "unit": "s",
            "x": at,
            "series": series,
            "marks": await _marks(asked),
            "drill": f"/traces?feature={feature}&from={{from}}&to={{to}}",
        }
    )


async def _view(asked: Looking) -> FeatureView:
    desk, stretch, name = asked.desk, asked.stretch, asked.path["name"]
    settings = desk.configuration().settings
    if name not in settings.features:
        near = did_you_mean(name[:100], settings.features)
        raise Problem("not_found", f"there is no such feature{near}")
    happened = await lately(desk.rollups, stretch.since, stretch.until, name)
    views = feature_views(settings, desk.endpoints(), happened, desk.budgets().rules)
    return next(view for view in views if view.name == name)


async def _marks(asked: Looking) -> list[dict[str, Any]]:
    stretch = asked.stretch
    ns = 1_000_000_000
    found = await asked.desk.rollups.marks(stretch.since * ns, stretch.until * ns)
    return [{"at": each.at_ns // ns, "text": each.text, "kind": each.kind} for each in found]


PAGES = (
    page("GET", "/features", DASHBOARD, show),
    page("GET", "/features/{name}", DASHBOARD, show_one, example="/features/support-chat"),
    page("GET", "/plots/features/{name}/burn", DASHBOARD, burn),
    page("GET", "/plots/features/{name}/reached", DASHBOARD, reached),
)
