"""The page that sends a request again, in a real gateway: the form, what it will cost, and both answers side by side."""

from __future__ import annotations

import dataclasses
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from headgate.core.ids import request_id_text
from tests.support.aio import aio
from tests.support.looking import Browser
from tests.support.replaying import KEY, Playing, playing

__all__: list[str] = []


def browser(site: Playing) -> Browser:
    looked: Any = SimpleNamespace(site=site.gateway.app)
    return Browser(looked, headers={"authorization": f"Bearer {KEY}"})


@aio
async def test_a_request_is_sent_again_from_a_form(tmp_path: Path) -> None:
    """First what it costs, then both answers with their difference; the list keeps what was sent."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat("Is it <b>high</b>?", temperature=1)).id)
        reader, path = browser(site), f"/traces/{name}/replay"
        form = await reader.get(path)
        assert form.status == 200 and "There are none yet" in form.text
        assert '<option value="support">' in form.text and '<option value="large">' in form.text
        token = await reader.csrf(path)
        asked = {"csrf": token, "model": "large", "temperature": "0.5", "stream": ""}
        estimate = await reader.post(path, {**asked, "estimate_only": "true"})
        assert (
            estimate.status == 200
            and "It would go to sim/large" in unescape(estimate.text)
            and "Nobody was called" in estimate.text
        )
        assert 'value="large"' in estimate.text and 'value="0.5"' in estimate.text
        sent = await reader.post(path, asked)
        assert sent.status == 303
        shown = await reader.get(unquote(sent.header("location")))
        assert shown.status == 200 and "<ins>" in shown.text and "<del>" in shown.text
        assert "<b>high</b>" not in shown.text
        replay = next(row for row in await site.rows() if row.purpose == "replay")
        assert request_id_text(replay.id) in shown.text and replay.requested_model == "large"
        assert "style=" not in shown.text


@aio
async def test_what_the_form_asks_for_wrongly_is_told_on_the_page(tmp_path: Path) -> None:
    """What was filled in stays there."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat()).id)
        reader, path = browser(site), f"/traces/{name}/replay"
        token = await reader.csrf(path)
        got = await reader.post(path, {"csrf": token, "model": "nobody/knows", "temperature": "0.5"})
        assert (
            got.status == 400 and 'role="alert"' in got.text and 'value="nobody/knows"' in unescape(got.text)
        )
        none = await reader.post(path, {"csrf": token, "no_system": "true", "system": "x"})
        assert none.status == 303


@aio
async def test_who_may_not_is_told_who_may(tmp_path: Path) -> None:
    """Instead of a form; and the form of somebody else does nothing."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat()).id)
        guest = dataclasses.replace(browser(site), headers={})
        got = await guest.get(f"/traces/{name}/replay")
        assert got.status == 200 and "<textarea" not in got.text and "the role owner may" in got.text
        refused = await guest.post(f"/traces/{name}/replay", {"csrf": "x"})
        assert refused.status == 403
        assert not any(row.purpose for row in await site.rows())


@aio
async def test_what_cannot_be_sent_again_has_no_form(tmp_path: Path) -> None:
    """But the reason."""
    async with playing(tmp_path, "[records]\ncontent = false\n") as site:
        name = request_id_text((await site.chat()).id)
        got = await browser(site).get(f"/traces/{name}/replay")
        assert got.status == 200 and "was not kept" in got.text and "<textarea" not in got.text
        assert (await browser(site).get("/traces/req_0000000000000/replay")).status == 404
        assert (await browser(site).get("/traces/nonsense/replay")).status == 404
