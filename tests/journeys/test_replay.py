"""Replays in a real gateway: recorded requests sent again through the whole journey, one and many, with a cap that holds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.admission.keys import hash_key
from headgate.control.campaigns import chosen, estimate_many, replay_many
from headgate.control.replays import MayNot, estimated, find, may_ask, replay, replays_of
from headgate.core.ids import parse_request_id, request_id_text
from headgate.quality.replay.capping import SpendCap
from headgate.quality.replay.changing import ChangeRefused, Changes
from headgate.quality.replay.rebuilding import NotReplayable
from headgate.stores.keys import KeyRecord
from headgate.stores.searching import Search
from tests.support.aio import aio, aio_within
from tests.support.replaying import ME, Playing, playing

__all__: list[str] = []

AS_IT_WAS = Changes()


async def again(site: Playing, request_id: int, changes: Changes = AS_IT_WAS):
    store, sending = site.gateway.spans, site.gateway.replaying
    return await replay(store, sending, await find(store, request_id), changes, ME)


@aio
async def test_a_request_is_sent_again_as_it_was(tmp_path: Path) -> None:
    """The same bytes take the whole journey; the record says whose it is, what it repeats, and keeps user, session and tags."""
    async with playing(tmp_path) as site:
        body = b'{ "model":"support", "messages":[{"role":"user","content":"Hello \\u00e4"}], "x_own": 1 }'
        _, first = await site.ask(
            body, x_headgate_user="ann", x_headgate_session="s1", x_headgate_tags="a=b,prompt=hi@3"
        )
        before = await site.row(first)
        done = await again(site, first)
        row, original = done.replay, await find(site.gateway.spans, done.id)
        assert original.body == body
        assert (row.purpose, row.replay_of, row.key_id, row.team) == ("replay", first, "key_me", "lab")
        assert (row.user, row.session, row.feature, row.prompt) == ("ann", "s1", "support", "hi@3")
        assert json.loads(row.tags) == {"a": "b", "prompt": "hi@3", "replay_of": request_id_text(first)}
        assert row.trace_id == before.trace_id
        assert done.comparison.identical and done.comparison.similarity == 1.0
        assert row.cost_nanos == before.cost_nanos and row.cost_nanos
        sides, following = await replays_of(site.gateway.spans, first)
        assert [side.id for side in sides] == [request_id_text(done.id)] and not following


@aio
async def test_another_model_answers_and_both_are_compared(tmp_path: Path) -> None:
    """Model, price, tokens and words differ; the feature stays, so that its rules go on holding."""
    async with playing(tmp_path) as site:
        first = (await site.chat()).id
        done = await again(site, first, Changes(model="large"))
        comparison = done.comparison
        assert (comparison.original.model, comparison.replay.model) == ("small", "large")
        assert done.replay.feature == "support" and done.replay.requested_model == "large"
        assert done.replay.cost_nanos and done.original.cost_nanos
        assert done.replay.cost_nanos > done.original.cost_nanos
        assert comparison.diff is not None and not comparison.identical
        assert "".join(p.text for p in comparison.diff.pieces if p.kind != "ins") == comparison.original_text
        assert "".join(p.text for p in comparison.diff.pieces if p.kind != "del") == comparison.replay_text


@aio
async def test_a_stream_is_sent_again_as_a_stream(tmp_path: Path) -> None:
    """So that the times to the first content compare; as a whole answer only if that is asked for."""
    async with playing(tmp_path) as site:
        first = (await site.chat(stream=True)).id
        done = await again(site, first)
        assert done.replay.stream and done.replay.first_content_us
        assert done.comparison.identical
        whole = await again(site, first, Changes(stream=False))
        assert not whole.replay.stream and whole.comparison.identical


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"model": "support", "input": "How deep?", "instructions": "Be brief."}),
        (
            "/v1/messages",
            {
                "model": "support",
                "max_tokens": 99,
                "system": "Be brief.",
                "messages": [{"role": "user", "content": "How deep?"}],
            },
        ),
    ],
)
@aio
async def test_every_dialect_can_be_sent_again(tmp_path: Path, path: str, body: dict[str, object]) -> None:
    """As it was, and with another system prompt and temperature; what else it says stays."""
    async with playing(tmp_path) as site:
        _, first = await site.ask(body, path)
        await site.row(first)
        assert (await again(site, first)).comparison.identical
        changed = await again(site, first, Changes(system="Be long.", temperature=0.5, prompt="tone@2"))
        sent = json.loads((await find(site.gateway.spans, changed.id)).body)
        key = "instructions" if "responses" in path else "system"
        assert sent == {**body, key: "Be long.", "temperature": 0.5}
        assert changed.replay.outcome == "ok" and changed.replay.prompt == "tone@2"


@aio
async def test_embeddings_can_be_sent_again_and_have_no_text_to_compare(tmp_path: Path) -> None:
    """Figures are compared; what only chats have is refused."""
    async with playing(tmp_path) as site:
        _, first = await site.ask({"model": "sim/sim-embed", "input": "hello"}, "/v1/embeddings")
        await site.row(first)
        done = await again(site, first)
        assert (
            done.replay.outcome == "ok" and done.comparison.identical is None and done.comparison.diff is None
        )
        with pytest.raises(ChangeRefused, match="no temperature"):
            await again(site, first, Changes(temperature=1.0))


@aio
async def test_a_failure_of_the_replay_is_a_result(tmp_path: Path) -> None:
    """It is compared as one, and recorded."""
    async with playing(tmp_path) as site:
        first = (await site.chat()).id
        done = await again(site, first, Changes(model="down"))
        assert done.replay.outcome == "failed" and not done.pair.ok_after and done.pair.ok_before
        assert done.comparison.replay.error == done.replay.error_class != ""


@aio
async def test_what_cannot_be_sent_again_is_told_why(tmp_path: Path) -> None:
    """Prompts that were cut, or not kept: half a prompt is another question."""
    async with playing(tmp_path, "[records]\ncontent_limit = 200\n") as site:
        long = (await site.chat("water " * 100)).id
        with pytest.raises(NotReplayable, match="was cut when it was recorded") as cut:
            await again(site, long)
        assert cut.value.reason == "truncated"
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    async with playing(quiet, "[records]\ncontent = false\n") as site:
        unkept = (await site.chat()).id
        with pytest.raises(NotReplayable, match="not kept"):
            await again(site, unkept)


@aio
async def test_the_estimate_is_the_recorded_tokens_at_the_new_price(tmp_path: Path) -> None:
    """Between its bounds; where no price is known it says so."""
    async with playing(tmp_path) as site:
        row = await site.chat()
        original = await find(site.gateway.spans, row.id)
        found = await estimated(site.gateway.replaying, original, Changes(model="large"), ME)
        assert found.places == ["sim/large"]
        assert found.expected_nanos == row.input_tokens * 10_000 + row.output_tokens * 40_000
        bounds = (found.least_nanos, found.expected_nanos, found.most_nanos)
        assert None not in bounds and sorted(bounds, key=lambda nanos: nanos or 0) == list(bounds)
        unknown = await estimated(site.gateway.replaying, original, Changes(model="unpriced"), ME)
        assert unknown.expected_nanos is None and unknown.unpriced == ["free/nobody-knows-it"]


@aio
async def test_rules_on_data_hold_for_whose_request_it_was(tmp_path: Path) -> None:
    """A rule about the asker's team, or data said to be sensitive, keeps the request where it may be, whoever replays it."""
    rules = """
[require.sensitive]
region = ["eu"]
"""
    async with playing(tmp_path, rules) as site:
        body = {"model": "support", "messages": [{"role": "user", "content": "my diagnosis"}]}
        _, refused = await site.ask(body, x_headgate_data="sensitive")
        assert (await site.row(refused)).error_class == "no_endpoint_allowed"
        done_at = (await site.row(refused)).id
        with pytest.raises(Exception, match="sensitive"):
            await estimated(
                site.gateway.replaying, await find(site.gateway.spans, done_at), Changes(model="large"), ME
            )


@aio
async def test_budgets_hold_for_whoever_replays(tmp_path: Path) -> None:
    """The replay is paid for by the key of whoever sends it, not by the original's."""
    budget = """
[[budgets]]
name = "lab"
usd = 0.000001
per = "day"
only.team = ["lab"]
"""
    async with playing(tmp_path, budget) as site:
        first = await site.chat()
        assert first.outcome == "ok"
        done = await again(site, first.id)
        assert (done.replay.outcome, done.replay.error_class) == ("refused", "too_dear_for_budget")
        assert not done.capped


async def some(site: Playing, count: int) -> None:
    for number in range(count):
        await site.chat(f"Question {number}: how high is the water?", max_tokens=50)


@aio
async def test_many_are_compared_pair_by_pair(tmp_path: Path) -> None:
    """Those that match, and no replays of replays; the summary is over pairs."""
    async with playing(tmp_path) as site:
        await some(site, 6)
        await site.chat("not this one", model="small")
        store, sending = site.gateway.spans, site.gateway.replaying
        search = Search(only={"feature": "support"})
        rows = await chosen(store, search, limit=100)
        assert len(rows) == 6
        forecast, able = await estimate_many(store, sending, rows, Changes(model="large"), ME)
        assert forecast.requests == len(able) == 6 and not forecast.unpriced
        seen = []

        async def told(done) -> None:
            seen.append(done.id)

        campaign = await replay_many(store, sending, able, Changes(model="large"), ME, told=told)
        found = campaign.summary
        assert len(seen) == found.pairs == found.flips.both == 6 and not campaign.left_out
        cost = next(metric for metric in found.metrics if metric.name == "cost")
        assert cost.mean_difference > 0 and cost.low is not None and cost.low > 0
        assert campaign.spent_nanos == sum(
            row.cost_nanos or 0 for row in await site.rows() if row.purpose == "replay"
        )
        assert campaign.spent_nanos <= forecast.most_nanos
        again_chosen = await chosen(store, search, limit=100)
        assert [row.id for row in again_chosen] == [row.id for row in rows]
        drawn = await chosen(store, search, limit=100, sample=3, seed=1)
        assert len(drawn) == 3 and drawn == await chosen(store, search, limit=100, sample=3, seed=1)


@aio
async def test_the_cap_holds_with_many_at_once(tmp_path: Path) -> None:
    """What was spent never passes it, and it ends before a call could."""
    async with playing(tmp_path) as site:
        await some(site, 12)
        store, sending = site.gateway.spans, site.gateway.replaying
        rows = await chosen(store, Search(), limit=100)
        forecast, able = await estimate_many(store, sending, rows, Changes(model="large"), ME)
        cap = SpendCap(forecast.most_nanos // 3)
        campaign = await replay_many(store, sending, able, Changes(model="large"), ME, cap=cap, concurrency=5)
        assert campaign.capped and not campaign.stopped
        assert 3 <= len(campaign.pairs) < 12
        assert campaign.spent_nanos == cap.spent <= cap.nanos
        assert not cap.held
        # None of them was begun only to be refused.
        assert {row.outcome for row in await site.rows() if row.purpose == "replay"} == {"ok"}


@aio
async def test_under_a_cap_nothing_without_a_price_is_called(tmp_path: Path) -> None:
    """Nobody could tell whether the cap holds."""
    async with playing(tmp_path) as site:
        await some(site, 2)
        store, sending = site.gateway.spans, site.gateway.replaying
        rows = await chosen(store, Search(), limit=100)
        cap = SpendCap(10**9)
        campaign = await replay_many(store, sending, rows, Changes(model="unpriced"), ME, cap=cap)
        assert campaign.left_out == {"price_unknown": 2} and not campaign.pairs
        assert not any(row.purpose for row in await site.rows())


@aio
async def test_an_answer_without_a_limit_gets_one_under_a_cap(tmp_path: Path) -> None:
    """Else nobody could tell what it may cost; the recorded request says so too."""
    async with playing(tmp_path) as site:
        row = await site.chat()
        store, sending = site.gateway.spans, site.gateway.replaying
        cap = SpendCap(10**9)
        campaign = await replay_many(store, sending, [row], AS_IT_WAS, ME, cap=cap)
        assert len(campaign.pairs) == 1 and campaign.pairs[0].identical
        assert cap.spent == campaign.spent_nanos > 0


@aio
async def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    """What is under way ends as usual and counts; nothing new is begun."""
    async with playing(tmp_path) as site:
        await some(site, 8)
        store, sending = site.gateway.spans, site.gateway.replaying
        rows, stop = await chosen(store, Search(), limit=100), asyncio.Event()

        async def told(done) -> None:
            stop.set()

        campaign = await replay_many(store, sending, rows, AS_IT_WAS, ME, concurrency=2, stop=stop, told=told)
        assert campaign.stopped and 1 <= len(campaign.pairs) <= 2
        replays = [row for row in await site.rows() if row.purpose == "replay"]
        assert len(replays) == len(campaign.pairs) and {row.outcome for row in replays} == {"ok"}


@aio
async def test_the_api_sends_one_again_and_shows_both(tmp_path: Path) -> None:
    """With an estimate, a difference of the texts, and the list of replays; each can be looked at again."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat()).id)
        status, told = await site.api(
            f"/api/requests/{name}/replay", {"model": "large", "estimate_only": True}
        )
        assert status == 200 and told["id"] is None and told["comparison"] is None
        assert float(told["estimate"]["least_usd"]) < float(told["estimate"]["most_usd"])
        status, told = await site.api(
            f"/api/requests/{name}/replay", {"model": "large", "system": "Be brief.", "set": {"top_p": 0.9}}
        )
        assert status == 200 and told["original"] == name
        comparison = told["comparison"]
        assert comparison["replay"]["model"] == "large" and comparison["identical"] is False
        assert (
            "".join(run["text"] for run in comparison["diff"] if run["kind"] != "del")
            == comparison["replay_text"]
        )
        status, listed = await site.api(f"/api/requests/{name}/replays")
        assert (
            status == 200
            and [item["id"] for item in listed["items"]] == [told["id"]]
            and listed["next"] is None
        )
        status, shown = await site.api(f"/api/requests/{name}/replays/{told['id']}")
        assert status == 200 and shown == comparison
        assert (await site.api(f"/api/requests/{name}/replays/{name}"))[0] == 404
        row = await site.row(parse_request_id(told["id"]))
        assert row.key_id == (await site.row(parse_request_id(name))).key_id != ""


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": "nobody/knows"}, "invalid_request", "model"),
        ({"set": {"model": "x"}}, "invalid_request", "set"),
        ({"unset": ["nothing"]}, "invalid_request", "unset"),
        ({"set": {"messages": 5}}, "invalid_request", "messages"),
        ({"temperature": -1}, "invalid_request", "temperature"),
        ({"modle": "x"}, "invalid_request", "modle"),
    ],
)
@aio
async def test_the_api_says_what_is_wrong(
    tmp_path: Path, body: dict[str, object], code: str, param: str
) -> None:
    """Before anything is sent, with the field that is at fault."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat()).id)
        status, told = await site.api(f"/api/requests/{name}/replay", body)
        assert (status, told["code"], told["param"]) == (400, code, param), told
        assert not any(row.purpose for row in await site.rows())


@aio
async def test_only_who_may_ask_and_read_may_replay(tmp_path: Path) -> None:
    """One role may not suffice: a developer asks models and reads no content, a reviewer the other way round."""
    async with playing(tmp_path) as site:
        name = request_id_text((await site.chat()).id)
        ring = site.gateway.keys
        made = {}
        for number, roles in enumerate(
            [("developer",), ("reviewer",), ("developer", "reviewer"), ("viewer",)]
        ):
            key = f"hg_{number}_key_0123456789abcdefghijklmnopqrstuv"
            digest = hash_key(key.encode(), await ring.secret()).hex()
            await ring.add(
                KeyRecord(id=f"key_{number}", name=str(number), hash=digest, created_ns=1, roles=roles)
            )
            made[roles] = key
        while (await site.api("/api/me", key=made[("viewer",)]))[0] != 200:
            await asyncio.sleep(0.05)
        statuses = {}
        for roles, key in made.items():
            statuses[roles] = (await site.api(f"/api/requests/{name}/replay", {}, key=key))[0]
        assert statuses == {
            ("developer",): 403,
            ("reviewer",): 403,
            ("developer", "reviewer"): 200,
            ("viewer",): 403,
        }
        assert (await site.api(f"/api/requests/{name}/replays", key=made[("viewer",)]))[0] == 200


@aio
async def test_a_key_that_may_ask_for_little_may_replay_little(tmp_path: Path) -> None:
    """What a caller of /v1 may not ask for is not reached by way of a replay."""
    async with playing(tmp_path) as site:
        original = await find(site.gateway.spans, (await site.chat()).id)
        narrow = replace(ME, models=("support",))
        may_ask(narrow, original, AS_IT_WAS)
        with pytest.raises(MayNot, match="may not ask for `large`; it may ask for support"):
            may_ask(narrow, original, Changes(model="large"))
        with pytest.raises(MayNot, match="feature"):
            may_ask(replace(ME, features=("other",)), original, AS_IT_WAS)
        with pytest.raises(MayNot, match="may not ask models"):
            may_ask(replace(ME, routes=frozenset()), original, AS_IT_WAS)


@aio
async def test_rules_of_use_hold_for_a_replay_and_not_for_another_model(tmp_path: Path) -> None:
    """As it was, a policy decides as it would for the caller, by the caller's team; who names a model gets that one."""
    policy = """
[[policies]]
name = "ours goes to large"
when = { feature = "support" }
use = "large"
"""
    async with playing(tmp_path, policy) as site:
        first = await site.chat()
        assert first.routed_model == "large"
        assert (await again(site, first.id)).replay.routed_model == "large"
        assert (await again(site, first.id, Changes(model="small"))).replay.routed_model == "small"


@aio
async def test_rules_about_a_team_go_by_whose_request_it_was(tmp_path: Path) -> None:
    """Not by who looks: else a rule on where a team's data may go would end with a replay."""
    policy = """
[[policies]]
name = "the team hr goes to large"
when = { team = "hr" }
use = "large"
"""
    async with playing(tmp_path, policy) as site:
        original = await find(site.gateway.spans, (await site.chat()).id)
        theirs = replace(original, row=msgspec.structs.replace(original.row, team="hr"))
        sending = site.gateway.replaying
        assert (await estimated(sending, original, AS_IT_WAS, replace(ME, team="hr"))).places == ["sim/small"]
        assert (await estimated(sending, theirs, AS_IT_WAS, ME)).places == ["sim/large"]


@aio
async def test_data_said_to_be_sensitive_stays_so(tmp_path: Path) -> None:
    """By a header, which is not on record: the tag that says the same is."""
    async with playing(tmp_path) as site:
        body = {"model": "support", "messages": [{"role": "user", "content": "my diagnosis"}]}
        _, first = await site.ask(body, x_headgate_data="Sensitive", x_headgate_tags="data=normal,a=b")
        assert json.loads((await site.row(first)).tags) == {"data": "sensitive", "a": "b"}
        assert json.loads((await again(site, first)).replay.tags)["data"] == "sensitive"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_FIELD = st.sampled_from(
    [
        "messages",
        "messages.x",
        "tools",
        "stop",
        "n",
        "top_p",
        "metadata",
        "response_format.type",
        "user",
        "\u0000",
        "a.b",
    ]
)
_WANTED = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["small", "large", "support", "", "nobody/x", "sim/", "\u0000"]),
        "system": st.text(max_size=5) | st.none(),
        "temperature": st.floats(0, 10) | st.none(),
        "max_tokens": st.integers(1, 2**31 - 1),
        "set": st.dictionaries(_FIELD | st.text(max_size=4), _JSON, max_size=2),
        "unset": st.lists(_FIELD, max_size=2),
        "stream": st.booleans() | st.none(),
    },
)


def test_nothing_that_may_be_asked_for_breaks_it(tmp_path: Path) -> None:
    """It is sent, or refused with a reason; and whatever was sent is on record."""

    async def try_all(bodies: list[dict[str, object]]) -> None:
        async with playing(tmp_path) as site:
            name = request_id_text((await site.chat("How high?", max_tokens=20)).id)
            for body in bodies:
                status, told = await site.api(f"/api/requests/{name}/replay", body)
                assert status == 200 or (status == 400 and told["detail"]), (body, told)
                if status == 200:
                    assert told["comparison"]["replay"]["outcome"] in ("ok", "refused", "failed"), (
                        body,
                        told,
                    )

    collected: list[dict[str, object]] = []

    @settings(max_examples=60, database=None, deadline=None)
    @given(_WANTED)
    def collect(body: dict[str, object]) -> None:
        collected.append(body)

    collect()
    aio_within(60)(try_all)(collected)
