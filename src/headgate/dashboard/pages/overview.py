"""`/`: what is happening now, what is wrong, and how to make the first call where nothing has happened yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from headgate.admission.rights import DASHBOARD
from headgate.control.contracts import contract_reports, contracts_in
from headgate.control.happening import PLOTS, plot, pulse, troubles
from headgate.control.http.problems import Problem
from headgate.control.http.rules import list_rules
from headgate.control.overview import Overview
from headgate.core.ids import request_id_text
from headgate.dashboard.looking import Data, Looking, Shown, page
from headgate.quality.contracts.judging import STATES

__all__ = ["PAGES"]

_NOW_SECONDS = 300
_LATEST = 12


async def show(asked: Looking) -> Shown:
    """The overview of this moment; in an empty installation, how to make the first call."""
    desk, stretch = asked.desk, asked.stretch
    now = await desk.overview()
    if not now.requests and not now.trouble:
        return Shown(
            "first.html",
            {"title": "Make the first call", "calls": first_calls(now, asked.address), "now": now},
        )
    if asked.query.get("first") == "yes" and now.requests:
        # The page that waited for it asks with this word: it is led to what it waited for.
        where = f"/traces/{request_id_text(now.requests[0].id)}"
        return Shown("arrived.html", {"title": "The first call has arrived", "where": where})
    second = asked.now_ns // 1_000_000_000
    midnight = int(datetime.fromtimestamp(second, tz=UTC).replace(hour=0, minute=0, second=0).timestamp())
    minute = second // 60 * 60
    return Shown(
        "overview.html",
        {
            "title": "Overview",
            "now": now,
            "lately": await pulse(desk.rollups, minute - _NOW_SECONDS + 60, second + 1),
            "today": await pulse(desk.rollups, midnight, second + 1, times=False),
            "whole": await pulse(desk.rollups, stretch.since, stretch.until),
            "troubles": await troubles(desk.rollups, stretch.since, stretch.until),
            "latest": list(now.requests[:_LATEST]),
            "contracts": await _contracts(asked),
            "standing": await _standing(asked),
            "plots": [(name, drawing.title) for name, drawing in PLOTS.items()],
        },
    )


async def _contracts(asked: Looking) -> list[dict[str, Any]]:
    """How each feature's contract stands, the worst first."""
    desk = asked.desk
    contracts = contracts_in(desk.configuration().settings)
    found = await contract_reports(
        desk.rollups, desk.scores, contracts, asked.now_ns // 1_000_000_000, desk.rules
    )
    order = sorted(found, key=lambda each: (-STATES.index(each.state), each.feature))
    return [
        {
            "feature": each.feature,
            "state": each.state,
            "left": min(
                (kept.budget_left for kept in each.promises if kept.budget_left is not None), default=None
            ),
            "broken": [kept.promise.name for kept in each.promises if kept.state in ("at risk", "broken")],
        }
        for each in order
    ]


async def _standing(asked: Looking) -> list[dict[str, Any]]:
    """Rules that are in alarm now."""
    if not asked.viewer.may("api.rules.list"):
        return []
    known = await list_rules(asked.asked())
    return [
        {"rule": rule.name, "subject": each.subject, "state": each.state}
        for rule in known.items
        if rule.state != "paused"
        for each in rule.standings
        if each.state in ("alert", "warning")
    ]


async def drawn(asked: Looking) -> Data:
    """The data of one plot."""
    name, stretch = asked.path["name"], asked.stretch
    if name not in PLOTS:
        raise Problem("not_found", f"there is no such plot; there are {', '.join(PLOTS)}")
    now = asked.now_ns // 1_000_000_000
    return Data(await plot(asked.desk.rollups, name, stretch.since, stretch.until, stretch.step, now))


def first_calls(now: Overview, address: str) -> list[dict[str, str]]:
    """The same small call in three languages, against this address, with a model that works now."""
    names = [name for name, _ in (*now.features, *now.models)]
    model = names[0] if names else "PROVIDER/MODEL"
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    bearer = '  -H "Authorization: Bearer $HEADGATE_KEY" \\\n' if now.keys_required else ""
    curl = f"curl {address}/v1/chat/completions \\\n{bearer}  -H \"Content-Type: application/json\" \\\n  -d '{body}'"
    key = 'os.environ["HEADGATE_KEY"]' if now.keys_required else '"none"'
    python = (
        f"{'import os' if now.keys_required else ''}\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{address}/v1", api_key={key})\n'
        "reply = client.chat.completions.create(\n"
        f'    model="{model}",\n    messages=[{{"role": "user", "content": "Hello"}}],\n)\n'
        "print(reply.choices[0].message.content)"
    ).lstrip()
    secret = "process.env.HEADGATE_KEY" if now.keys_required else '"none"'
    node = (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{address}/v1", apiKey: {secret} }});\n'
        "const reply = await client.chat.completions.create({\n"
        f'  model: "{model}",\n  messages: [{{ role: "user", content: "Hello" }}],\n}});\n'
        "console.log(reply.choices[0].message.content);"
    )
    return [
        {"name": "curl", "needs": "", "text": curl},
        {"name": "Python", "needs": "pip install openai", "text": python},
        {"name": "Node", "needs": "npm install openai", "text": node},
    ]


PAGES = (
    page("GET", "/", DASHBOARD, show, usual="6h"),
    page("GET", "/plots/overview/{name}", DASHBOARD, drawn),
)
