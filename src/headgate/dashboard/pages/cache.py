"""`/cache`: how often memory answers and what that saves, how often it is wrong; top questions, one entry whole, and what goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from headgate.admission.rights import CONTENT
from headgate.control.cache.report import hits_over_time, report
from headgate.control.http.cache.clearing import ClearWanted, remove
from headgate.control.http.cache.entries import EntriesQuery, list_entries, show_entry
from headgate.control.http.cache.judging import WrongWanted, tell
from headgate.control.http.cache.memory import feature_settings
from headgate.control.http.problems import Problem
from headgate.core.money import nanos
from headgate.dashboard.looking import Data, Looking, Redirect, Shown, page

__all__ = ["PAGES"]

_REPORT, _ENTRIES, _ENTRY, _WRONG, _CLEAR = (
    "api.cache.report",
    "api.cache.entries",
    "api.cache.entry",
    "api.cache.wrong",
    "api.cache.clear",
)
_TOP = 10
_ROWS = 50
_FILTERS = ("feature", "prompt", "tag", "user", "text")
_CLEARED_BY = ("feature", "prompt", "tag", "user", "text", "before")


async def show(asked: Looking) -> Shown:
    """What memory does."""
    stretch, desk = asked.stretch, asked.desk
    settings = desk.configuration().settings
    features = feature_settings(settings)
    feature = _feature(asked, features)
    answers = desk.memory.answers
    found = await report(desk.rollups, answers, features, stretch.since, stretch.until, only=feature)
    sizes = await answers.sizes() if answers is not None else None
    top = await list_entries(asked.asked(EntriesQuery(feature=feature, limit=_TOP)))
    return Shown(
        "cache.html",
        {
            "title": "Cache",
            "on": [name for name, each in features.items() if each is not None and each.exact],
            "enabled": settings.cache.enabled,
            "feature": feature,
            "found": found,
            "sizes": sizes,
            "top": [_plain(each) for each in top.items],
            "content": top.content,
            "similar": any(each.settings and each.settings.semantic for each in found.features),
        },
    )


async def drawn(asked: Looking) -> Data:
    """The data of one plot."""
    if asked.path["name"] != "hits":
        raise Problem("not_found", "there is no such plot; there is hits")
    stretch, desk = asked.stretch, asked.desk
    feature = _feature(asked, feature_settings(desk.configuration().settings))
    at, series = await hits_over_time(
        desk.rollups, stretch.since, stretch.until, stretch.step, feature=feature
    )
    marks = await desk.rollups.marks(stretch.since * 1_000_000_000, stretch.until * 1_000_000_000)
    more = f"feature={feature}&" if feature else ""
    return Data(
        {
            "title": "Requests that memory was asked for",
            "unit": "",
            "x": at,
            "stacked": True,
            "series": [{"name": name, "y": values} for name, values in series.items() if any(values)],
            "marks": [
                {
                    "at": mark.at_ns // 1_000_000_000,
                    "text": f"{mark.subject} {mark.text}".strip(),
                    "kind": mark.kind,
                }
                for mark in marks
            ],
            "drill": f"/traces?{more}cached=yes&from={{from}}&to={{to}}",
        }
    )


async def browse(asked: Looking) -> Shown:
    """Entries, with filters."""
    refused, items, following = "", [], None
    try:
        query = asked.queried(EntriesQuery)
        query.limit = _ROWS
        found = await list_entries(asked.asked(query))
        items, following = found.items, found.next
    except Problem as problem:
        if problem.code not in ("invalid_request", "not_allowed"):
            raise
        refused = problem.detail
    return Shown(
        "cache-entries.html",
        {
            "title": "Entries of the cache",
            "items": [_plain(each) for each in items],
            "next": following or "",
            "refused": refused,
            "given": {name: asked.query.get(name, "") for name in _FILTERS},
            "order": asked.query.get("order", "hits"),
            "features": sorted(feature_settings(asked.desk.configuration().settings)),
            "content": asked.viewer.may(CONTENT),
        },
        400 if refused else 200,
    )


async def one(asked: Looking) -> Shown:
    """One entry whole."""
    found = await show_entry(asked.asked())
    return Shown(
        "cache-entry.html",
        {
            "title": "Entry of the cache",
            "entry": _plain(found.entry),
            "answer": found.answer,
            "given": [_plain(each) for each in found.given],
            "judgements": [_plain(each) for each in found.judgements],
            "content": found.content,
        },
    )


async def wrong(asked: Looking) -> Redirect:
    """It was wrong: it goes, and the bound learns."""
    wanted = WrongWanted(request=asked.form.get("request", "").strip())
    if wanted.request:
        wanted = asked.filled(WrongWanted)
    done = await tell(asked.asked(None, wanted))
    learned = (
        " How similar is similar enough was learned from it."
        if done.learned
        else " The words were the same, so nothing is wrong with how similar is similar enough."
    )
    return Redirect("/cache", notice=f"The answer is removed from all gateways.{learned}")


async def clearing(asked: Looking) -> Shown:
    """What would go, before it goes."""
    given = {name: text for name in _CLEARED_BY if (text := asked.query.get(name, "").strip())}
    everything = asked.query.get("everything") == "yes"
    refused, found = "", None
    if given or everything:
        try:
            wanted = _clear_wanted({**given, "dry_run": True, "everything": everything})
            found = await remove(asked.asked(None, wanted))
        except Problem as problem:
            if problem.code not in ("invalid_request", "not_allowed"):
                raise
            refused = problem.detail
    return Shown(
        "cache-clear.html",
        {
            "title": "Clear the cache",
            "given": {name: asked.query.get(name, "") for name in _CLEARED_BY},
            "chosen": given,
            "everything": everything,
            "found": found,
            "some": [_plain(each) for each in found.some] if found else [],
            "refused": refused,
            "features": sorted(feature_settings(asked.desk.configuration().settings)),
            "content": asked.viewer.may(CONTENT),
        },
        400 if refused else 200,
    )


async def clear(asked: Looking) -> Redirect:
    """Away with them."""
    given = {name: text for name in _CLEARED_BY if (text := asked.form.get(name, "").strip())}
    wanted = _clear_wanted({**given, "dry_run": False, "everything": asked.form.get("everything") == "yes"})
    done = await remove(asked.asked(None, wanted))
    return Redirect(
        "/cache", notice=f"{done.entries:,} {'answer is' if done.entries == 1 else 'answers are'} removed."
    )


def _clear_wanted(facts: Mapping[str, Any]) -> ClearWanted:
    try:
        return msgspec.convert(facts, ClearWanted)
    except msgspec.ValidationError as refused:
        raise Problem("invalid_request", f"this does not fit: {refused}") from None


def _feature(asked: Looking, features: Mapping[str, object]) -> str:
    feature = asked.query.get("feature", "")[:256]
    if feature and feature not in features:
        raise Problem("not_found", "there is no such feature in the configuration")
    return feature


def _plain(told: Any) -> dict[str, Any]:
    """Its fields; moments in nanoseconds, and amounts in nano-dollars, as templates show them."""
    found: dict[str, Any] = {name: getattr(told, name) for name in told.__struct_fields__}
    for name, value in list(found.items()):
        if isinstance(value, datetime):
            found[f"{name}_ns"] = int(value.timestamp() * 1e9)
        elif name == "last_hit" and value is None:
            found[f"{name}_ns"] = 0
        elif name == "cost_usd":
            found["cost_nanos"] = nanos(Decimal(value))
    return found


PAGES = (
    page("GET", "/cache", _REPORT, show, usual="7d"),
    page("GET", "/plots/cache/{name}", _REPORT, drawn),
    page("GET", "/cache/entries", _ENTRIES, browse),
    page("GET", "/cache/entries/{key}", _ENTRY, one),
    page("POST", "/cache/entries/{key}/wrong", _WRONG, wrong),
    page("GET", "/cache/clear", _CLEAR, clearing, example="/cache/clear?feature=support-chat"),
    page("POST", "/cache/clear", _CLEAR, clear),
)
