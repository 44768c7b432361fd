"""How far our own count of tokens is off."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.costs.accuracy import Errors, accuracy
from headgate.control.costs.prices import parse_price, rates_of_price
from headgate.records.estimate import tokens_of_body
from headgate.stores.spans import Content
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.cost_rows import priced, request, store_of

__all__: list[str] = []

RATES = rates_of_price(parse_price("1/M"))
PROMPT = b'{"model":"m","messages":[{"role":"user","content":"How high is the water today?"}]}'


def chat(number: int, reported: int, *, model: str = "m-1", content: str = "", **given: Any) -> Any:
    """A chat that a provider counted."""
    cost = {"cost_label": given.pop("cost_label", "exact")}
    row = request(
        number,
        operation="chat",
        dialect="openai.chat",
        bytes_in=given.pop("bytes_in", 4 * reported),
        request_content=content,
        **given,
    )
    return row, priced(row, 1, RATES, (reported - 1, 1, 0, 0, 7, 7), reported_model=model, **cost)


def stored(*pairs: Any, contents: tuple[Content, ...] = ()) -> Any:
    return store_of(*(row for row, _ in pairs), attempts=[one for _, one in pairs], contents=contents)


def kept(name: str, data: bytes = PROMPT, size: int = 0) -> Content:
    return Content(hash=name, kind="openai.chat", data=data, size=size or len(data))


def test_errors_are_parts_of_what_was_reported() -> None:
    """Too much and too little cancel in the bias and not in the mean; the 95th percentile forgets one in twenty."""
    errors = Errors()
    for estimated in [90] * 10 + [110] * 9 + [300]:
        errors.add(estimated, 100)
    assert errors.requests == 20
    assert errors.bias == pytest.approx((900 + 990 + 300 - 2000) / 2000)
    assert errors.mean_absolute == pytest.approx((19 * 0.1 + 2) / 20)
    assert errors.p95 == pytest.approx(2.0)
    errors.add(100, 100)
    assert errors.p95 == pytest.approx(0.1)


def test_nothing_measured_is_no_error() -> None:
    """And no division by nought."""
    errors = Errors()
    assert (errors.bias, errors.mean_absolute, errors.p95, errors.requests) == (0, 0, 0, 0)


@aio
async def test_each_model_and_dialect_is_judged_by_itself() -> None:
    """Most frequent first; the length is a quarter of a token per byte, against all prompt tokens, cached ones too."""
    store = stored(
        chat(1, 100, bytes_in=400),
        chat(2, 100, bytes_in=800),
        chat(3, 50, model="n-1", bytes_in=100),
    )
    first, second = (await accuracy(store, Which(), sample=0)).groups
    assert (first.model, first.by_length.requests, first.by_length.bias) == ("m-1", 2, 0.5)
    assert (second.model, second.by_length.mean_absolute) == ("n-1", 0.5)
    assert first.by_text.requests == 0


@aio
async def test_kept_prompts_are_counted_as_they_are_before_a_call() -> None:
    """With the very function that counts them there; a prompt that was cut or deleted is not judged."""
    estimate = tokens_of_body(PROMPT)
    store = stored(
        chat(1, estimate * 2, content="whole"),
        chat(2, 10, content="cut"),
        chat(3, 10, content="deleted"),
        contents=(kept("whole"), kept("cut", size=10_000)),
    )
    (found,) = (await accuracy(store, Which(), sample=10)).groups
    assert (found.by_length.requests, found.by_text.requests, found.by_text.bias) == (3, 1, -0.5)


@aio
async def test_estimates_are_not_compared_with_themselves() -> None:
    """Nor is a row whose label does not tell where its tokens come from; those are counted."""
    store = stored(
        chat(1, 10, cost_label="estimated"),
        chat(2, 10, cost_label="unknown"),
        chat(3, 10, cost_label="reconciled"),
    )
    found = await accuracy(store, Which(), sample=0)
    assert [one.by_length.requests for one in found.groups] == [1]
    assert found.unpriced == 1


@aio
async def test_a_sample_is_shared_between_models_and_told_of_as_it_is_read() -> None:
    """A rare model is judged as well as a frequent one; the same records give the same sample."""
    pairs = [chat(n, 20, content=f"c{n}", model="rare" if n % 10 == 0 else "often") for n in range(1, 101)]
    store = stored(*pairs, contents=tuple(kept(f"c{n}") for n in range(1, 101)))
    told: list[tuple[int, int]] = []
    found = await accuracy(store, Which(), sample=20, progress=lambda done, whole: told.append((done, whole)))
    assert {one.model: one.by_text.requests for one in found.groups} == {"often": 10, "rare": 10}
    assert told == [(n, 20) for n in range(1, 21)]
