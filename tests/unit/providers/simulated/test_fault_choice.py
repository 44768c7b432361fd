"""Who decides whether something goes wrong: the request, orders at run time, the schedule, chance."""

from __future__ import annotations

import msgspec
import pytest

from headgate.core.section import decode_value
from headgate.providers.simulated.settings import ProfileSettings, SimulatedSettings
from tests.support.aio import aio
from tests.support.simulated import Rehearsal, chat

__all__: list[str] = []


def settings(**fields: object) -> SimulatedSettings:
    return msgspec.convert({"speed": 0} | fields, SimulatedSettings, dec_hook=decode_value)


async def statuses(rehearsal: Rehearsal, questions: list[str], **body: object) -> list[int]:
    return [(await rehearsal.send("openai.chat", chat(text, **body))).status for text in questions]


FORTY = [f"question {number}" for number in range(40)]


@aio
async def test_a_rate_is_kept_and_repeats() -> None:
    """Some requests fail and some do not; the very same ones every time."""
    half = settings(models={"steady": {"error_rate": 0.5, "faults": ["error_500"]}})
    once, again = await statuses(Rehearsal(half), FORTY), await statuses(Rehearsal(half), FORTY)
    assert once == again
    assert 10 <= once.count(500) <= 30
    assert once.count(200) + once.count(500) == 40


@aio
async def test_all_faults_of_a_profile_come_up() -> None:
    """Each as likely as the next."""
    mixed = settings(
        models={"steady": {"error_rate": 1, "faults": ["error_500", "rate_limit", "overloaded_529"]}}
    )
    assert set(await statuses(Rehearsal(mixed), FORTY)) == {500, 429, 529}


@aio
async def test_the_same_request_meets_the_same_luck_unless_told_to_vary() -> None:
    """With `vary` a retry may succeed, in the same order every time; the words never change."""
    model = {"steady": {"error_rate": 0.5, "faults": ["error_500"], "quality": 1}}
    fixed = await statuses(Rehearsal(settings(models=model)), ["a"] * 20)
    assert len(set(fixed)) == 1
    varied = [await statuses(Rehearsal(settings(models=model, vary=True)), ["a"] * 20) for _ in range(2)]
    assert varied[0] == varied[1]
    assert set(varied[0]) == {200, 500}
    rehearsal = Rehearsal(settings(models=model, vary=True))
    texts = {(await rehearsal.answer("openai.chat", chat(), fault="none")).text for _ in range(5)}
    assert len(texts) == 1


@aio
async def test_an_outage_begins_and_ends() -> None:
    """Counted from the start of the process; the end no longer belongs to it."""
    rehearsal = Rehearsal(
        settings(outage=["30s..60s"], models={"steady": {"error_rate": 0, "outage": ["2m.. quota"]}})
    )
    seen = []
    for seconds in (0, 29, 1, 29, 1, 59, 1, 999):
        rehearsal.time.seconds += seconds
        seen += await statuses(rehearsal, ["a"])
    assert seen == [200, 200, 503, 503, 200, 200, 429, 429]


@aio
async def test_orders_at_run_time_hold_until_they_end() -> None:
    """For one model or for all; a model's own order goes before the one for all."""
    rehearsal = Rehearsal()
    rehearsal.upstream.set_faults(["error_500"])
    rehearsal.upstream.set_faults(["quota"], model="other")
    assert [(await statuses(rehearsal, ["a"], model=name))[0] for name in ("steady", "other")] == [500, 429]
    rehearsal.upstream.set_faults([])
    assert [(await statuses(rehearsal, ["a"], model=name))[0] for name in ("steady", "other")] == [200, 429]
    rehearsal.upstream.set_faults(["error_500"], rate=0.5, model="steady")
    assert set(await statuses(rehearsal, FORTY)) == {200, 500}


@pytest.mark.parametrize(("faults", "rate"), [(["nonsense"], 1.0), (["reset"], 1.5), (["reset"], -1)])
def test_a_wrong_order_is_refused(faults: list[str], rate: float) -> None:
    """An unknown fault, or a rate that is no share."""
    with pytest.raises(ValueError, match=r"no fault|a rate lies"):
        Rehearsal().upstream.set_faults(faults, rate=rate)


@aio
async def test_the_built_in_models_behave_as_they_are_called() -> None:
    """sim-down never answers, sim-flaky sometimes, sim-large nearly always, an unknown name always."""
    rehearsal = Rehearsal(SimulatedSettings(speed=0))

    async def answered(model: str) -> int:
        count = 0
        for text in FORTY:
            try:
                await rehearsal.answer("openai.chat", chat(text, model=model))
            except Exception:
                continue
            count += 1
        return count

    assert await answered("sim-down") == 0
    assert 10 < await answered("sim-flaky") < 36
    assert await answered("sim-large") >= 38
    assert await answered("gpt-never-heard-of") == 40


def test_unknown_names_cost_what_the_small_model_costs() -> None:
    """Prices are there for every model, as endpoints carry them."""
    upstream = Rehearsal(SimulatedSettings(models={"mine": ProfileSettings(like="sim-large")})).upstream
    assert upstream.own_price("anything") == upstream.own_price("sim-small")
    assert upstream.own_price("mine") == upstream.own_price("sim-large") != upstream.own_price("sim-small")
