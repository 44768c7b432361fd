"""The pages about requests: what they show, what they hide, and that nothing a caller wrote is ever markup."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from headgate.core.ids import oldest_id, parse_request_id, request_id_text
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []

EVIL = "<script>alert(1)</script>"


def looked(*given: dict[str, Any]) -> tuple[Looked, list[str]]:
    """A site with requests of the last minutes, newest last; their ids as text."""
    site = Looked()
    now = time.time_ns()
    rows, contents, attempts = [], [], []
    for number, each in enumerate(given):
        at = now - (len(given) - number) * 1_000_000_000
        prompt = msgspec.json.encode({"messages": [{"role": "user", "content": each.pop("asked", "Hello")}]})
        reply = msgspec.json.encode({"choices": [{"message": {"content": each.pop("answered", "Hi")}}]})
        for place, data in enumerate((prompt, reply)):
            contents.append(
                Content(hash=f"{number * 2 + place:032x}", kind="openai.chat", data=data, size=len(data))
            )
        row = RequestRow(
            oldest_id(at + 60_000_000_000),
            at,
            "t",
            **({"request_content": f"{number * 2:032x}", "reply_content": f"{number * 2 + 1:032x}"} | each),
        )
        rows.append(row)
        if each.get("cache") == "exact":
            continue  # nobody was asked
        attempts.append(
            AttemptRow(
                row.id + 1,
                row.id,
                1,
                "house",
                "m",
                started_us=10,
                sent_us=20,
                first_byte_us=500,
                ended_us=900,
            )
        )
    site.spans.write(
        Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, contents=contents)
    )
    return site, [request_id_text(row.id) for row in rows]


def browser(site: Looked, role: str = "owner") -> Browser:
    return Browser(site, "10.0.0.9", "gate.example", {"authorization": f"Bearer {role}"})


@aio
async def test_the_list_shows_the_newest_first_and_filters():
    """Links lead to each; a filter leaves what has it."""
    site, ids = looked(
        {"feature": "chat"}, {"feature": "mail", "outcome": "failed", "error_class": "timeout"}
    )
    got = await browser(site).get("/traces")
    assert got.status == 200 and 0 < got.text.index(ids[1]) < got.text.index(ids[0])
    got = await browser(site).get("/traces?feature=mail&retried=no")
    assert ids[1] in got.text and ids[0] not in got.text
    assert "No request like this" in (await browser(site).get("/traces?feature=none")).text


@aio
async def test_what_cannot_be_looked_for_is_said_beside_the_form():
    """And what was typed stays."""
    site, _ = looked({})
    got = await browser(site).get("/traces?slower=soon&user=ann")
    assert (
        got.status == 400
        and "a duration like" in got.text
        and 'value="soon"' in got.text
        and 'value="ann"' in got.text
    )


@aio
async def test_a_hit_leads_to_the_request_whose_answer_it_was_given():
    """And that one to those that were given it; memory has a lane of its own, and variables are content."""
    site, ids = looked(
        {"cache": "miss"},
        {
            "cache": "exact", "origin_id": 0, "avoided_nanos": 1_200_000, "avoided_us": 2_300_000, "total_us": 900,
            "prompt": "greeting@7", "variables": '{"name": "Zora"}',
        },
    )  # fmt: skip
    first = parse_request_id(ids[0])
    (hit,) = [row for row in (await site.spans.latest(9)).rows if row.cache == "exact"]
    msgspec.structs.force_setattr(hit, "origin_id", first)
    got = await browser(site).get(f"/traces/{ids[1]}")
    assert f'Exact hit of <a href="/traces/{ids[0]}">' in got.text and "saved $0.0012 and 2.3 s" in got.text
    assert 'class="phase memory"' in got.text and "Zora" in got.text and "greeting@7" in got.text
    assert "Zora" not in (await browser(site, "viewer").get(f"/traces/{ids[1]}")).text
    got = await browser(site).get(f"/traces/{ids[0]}")
    assert "given again once" in got.text and f"given_from={ids[0]}" in got.text and ids[1] in got.text
    got = await browser(site).get(f"/traces?given_from={ids[0]}")
    assert ids[1] in got.text and "exact hit" in got.text
    assert "No request like this" in (await browser(site).get("/traces?cache=semantic")).text


@aio
async def test_text_is_looked_for_by_whoever_may_read_it():
    """To others the field is not offered, and asking all the same is refused: it would tell what stands there."""
    site, ids = looked({"asked": "the blue whale"}, {"asked": "nothing"})
    got = await browser(site).get("/traces?text=Blue")
    assert ids[0] in got.text and ids[1] not in got.text
    assert 'name="text"' not in (await browser(site, "viewer").get("/traces")).text
    assert (await browser(site, "viewer").get("/traces?text=Blue")).status == 403


@aio
async def test_one_request_is_shown_whole_as_far_as_the_role_may_read():
    """Figures, waterfall, attempts; prompt and answer for those who may."""
    site, (name,) = looked(
        {"asked": "secret question", "answered": "secret answer", "user": "ann", "total_us": 1000}
    )
    got = await browser(site).get(f"/traces/{name}")
    assert got.status == 200 and "secret question" in got.text and "secret answer" in got.text
    assert "house/m" in got.text and 'class="phase wait"' in got.text and "style=" not in got.text
    got = await browser(site, "viewer").get(f"/traces/{name}")
    assert got.status == 200 and "secret" not in got.text and "may not read" in got.text
    assert (await browser(site).get("/traces/req_0000000000000")).status == 404


@aio
async def test_what_callers_wrote_is_never_markup():
    """Names, tags, prompts, answers, words of errors."""
    site, (name,) = looked(
        {
            "asked": EVIL, "answered": EVIL, "user": EVIL, "session": EVIL, "feature": EVIL, "requested_model": EVIL,
            "error_detail": EVIL, "tags": msgspec.json.encode({EVIL: EVIL}).decode(), "notes": msgspec.json.encode({EVIL: EVIL}).decode(),
        }
    )  # fmt: skip
    for path in (
        "/traces",
        f"/traces/{name}",
        "/session?session=%3Cscript%3Ealert(1)%3C/script%3E",
        "/sessions",
    ):
        got = await browser(site).get(path)
        assert got.status == 200 and EVIL not in got.text, path
    assert "&lt;script" in (await browser(site).get(f"/traces/{name}")).text


@aio
async def test_a_conversation_is_read_in_its_order():
    """What was asked last in each request, and what was answered."""
    site, ids = looked(
        {"session": "s", "asked": "first?", "answered": "one"},
        {"session": "other"},
        {"session": "s", "asked": "second?", "answered": "two"},
    )
    got = await browser(site).get("/session?session=s")
    places = [got.text.index(words) for words in ("first?", "one", "second?", "two")]
    assert places == sorted(places) and ids[1] not in got.text
    assert "first?" not in (await browser(site, "viewer").get("/session?session=s")).text
    assert (await browser(site).get("/session")).status == 303
    assert (await browser(site).get("/session?session=none")).status == 404


@aio
async def test_pages_lead_from_one_to_the_next():
    """By a link that keeps the filters."""
    site, ids = looked(*({"feature": "chat"} for _ in range(60)))
    got = await browser(site).get("/traces?feature=chat&range=1h")
    link = got.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    link = link.replace("&#x2f;", "/").replace("&amp;", "&")
    assert "feature=chat" in link and ids[9] not in got.text
    older = await browser(site).get(link)
    assert (
        older.status == 200
        and ids[9] in older.text
        and ids[10] not in older.text
        and "data-live" not in older.text
    )


@aio
async def test_an_empty_installation_says_what_to_do():
    """Not an empty table."""
    site, _ = looked()
    assert "make a call" in (await browser(site).get("/traces")).text
    assert "x-headgate-session" in (await browser(site).get("/sessions")).text
