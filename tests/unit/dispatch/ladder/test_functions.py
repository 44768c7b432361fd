"""Functions of the operator's: loaded by name, called in a thread, bounded in time and number."""

from __future__ import annotations

import asyncio
import os.path
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from headgate.dispatch.ladder.answer import NoAnswer
from headgate.dispatch.ladder.entry_point import Functions, load
from tests.support.aio import aio
from tests.support.ladders import asked, ladder, said

__all__: list[str] = []


def kind(request: dict[str, Any]) -> str:
    return f"{request['text']} {request['error']['code']} {request['messages'][0]['role']}"


async def waiting(request: dict[str, Any]) -> str:
    await asyncio.sleep(0)
    return "awaited"


def broken(request: dict[str, Any]) -> str:
    raise StopIteration("broken")


def leaving(request: dict[str, Any]) -> str:
    raise SystemExit(3)


FUNCTIONS: dict[str, Any] = {
    "m:kind": kind,
    "m:waiting": waiting,
    "m:broken": broken,
    "m:leaving": leaving,
    "m:silent": lambda request: None,
    "m:number": lambda request: 3,
    "m:empty": lambda request: "",
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kind", "Where is my parcel? provider_overloaded user"),
        ("waiting", "awaited"),
        ("broken", None),
        ("leaving", None),
        ("silent", None),
        ("number", None),
        ("empty", None),
    ],
)
@aio
async def test_a_function_answers_with_text_or_not_at_all(name: str, answer: str | None) -> None:
    """Plain or async; one that raises, or returns something else, leaves the next rung its turn."""
    assert await said(ladder(f"python:m:{name}", functions=FUNCTIONS), asked()) == answer


@aio
async def test_why_a_function_gave_no_answer_is_on_record() -> None:
    """The operator looks there first."""
    exchange = asked()
    await said(ladder("python:m:broken", "python:m:number", "say:x", functions=FUNCTIONS), exchange)
    assert exchange.notes["degraded"] == (
        "say, after provider_overloaded; before it python: it raised StopIteration; "
        "python: it returned a int, not text"
    )


@aio
async def test_a_slow_function_is_left_alone_and_stops_nobody() -> None:
    """The loop goes on meanwhile; the thread counts until it is done, then its place is free again."""
    release = threading.Event()
    functions = Functions(most_at_once=1)
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer within"):
        await functions.ask(lambda request: str(release.wait(20)), {}, seconds=0.05)
    assert time.monotonic() - began < 10
    with pytest.raises(NoAnswer, match="still running"):
        await functions.ask(kind, {}, seconds=5)
    release.set()
    while functions._running:
        await asyncio.sleep(0.001)
    assert await functions.ask(lambda request: "x", {}, seconds=5) == "x"


@aio
async def test_a_slow_async_function_is_cancelled() -> None:
    """In its own thread, at its own deadline."""
    cancelled = threading.Event()

    async def slow(request: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "late"

    with pytest.raises(NoAnswer):
        await Functions().ask(slow, {}, seconds=0.05)
    assert await asyncio.to_thread(cancelled.wait, 5)


@aio
async def test_a_function_gets_a_copy() -> None:
    """What it does to it reaches neither the request nor the next rung."""

    def greedy(request: dict[str, Any]) -> None:
        request["messages"].clear()

    exchange = asked()
    steps = ladder("python:m:greedy", "python:m:kind", functions={**FUNCTIONS, "m:greedy": greedy})
    assert await said(steps, exchange) == "Where is my parcel? provider_overloaded user"


def test_functions_are_loaded_by_name() -> None:
    """Also one of a class."""
    found: list[Any] = [load("os.path:basename"), load("pathlib:Path.cwd")]
    assert found == [os.path.basename, Path.cwd]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("no_such_module:f", "is it installed, or its folder on PYTHONPATH?"),
        ("os.path:no_such_function", "AttributeError"),
        ("os.path:sep", "is no function but a str"),
        ("h5_raises_on_import:f", "ZeroDivisionError"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_told_at_the_start(
    target: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the outage."""
    (tmp_path / "h5_raises_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"cannot load|is no function") as refused:
        load(target)
    assert told in str(refused.value)
