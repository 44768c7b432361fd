"""The parts of the demonstration that can be looked at alone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from headgate.cli.demo_callers import LIKED, PROMPTS, Callers, choice, text_of
from headgate.cli.demo_desk import Told, over_http
from headgate.cli.demo_plants import PLANTS
from headgate.cli.demo_scenarios import SCENARIOS
from headgate.cli.demo_settings import demonstration
from headgate.cli.demo_summary import found, places
from headgate.cli.demo_traffic import total_of
from headgate.config.loader import parse
from tests.support.ports import free_port

__all__: list[str] = []

TEXT = demonstration("127.0.0.1:8080", "sqlite:///headgate.db")
ANSWER = b'{"choices": [{"message": {"content": "Yes."}}]}'
BY_NAME = {each.name: each for each in SCENARIOS}
KEYS = {"first": "hg_1", "shop": "hg_2", "office": "hg_3"}


def test_the_configuration_is_one_that_serves() -> None:
    """It has what the pages show: contracts, budgets, a ladder, rules; and every feature that is asked for."""
    settings = parse(TEXT, {}).settings
    asked = {
        json.loads(call.body).get("model")
        for scenario in SCENARIOS
        if (call := Callers(KEYS).call(scenario)).body.endswith(b"}")
    }
    assert asked - {"sim/sim-small", "assistant"} <= set(settings.features)
    assert {name for name, each in settings.features.items() if each.contract} >= {
        "support-chat",
        "order-status",
    }
    assert {rule.name for rule in settings.watch.rules} == {plant.rule for plant in PLANTS.values()}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_changes_what_it_says_and_no_more(name: str) -> None:
    """A plant is an edit that somebody could make: one line of the file, or another version of the prompt."""
    plant, before = PLANTS[name], parse(TEXT, {}).settings
    if not plant.old:
        assert plant.prompt in PROMPTS and plant.liked < LIKED[plant.prompt]
        return
    after = parse(plant.in_text(TEXT), {}).settings
    changed = [part for part in before.__struct_fields__ if getattr(before, part) != getattr(after, part)]
    assert changed == (["models"] if name == "slower-model" else ["features"])


def test_both_edits_can_be_made_one_after_the_other() -> None:
    """Several plants at once."""
    text = TEXT
    for plant in PLANTS.values():
        if plant.old:
            text = plant.in_text(text)
    settings = parse(text, {}).settings
    assert settings.features["support-chat"].route == "premium"
    assert settings.models["large"].endpoints[0].model == "sim-large-next"


def test_an_edit_that_has_no_place_is_refused() -> None:
    """A file that somebody has changed is not changed somewhere else instead."""
    with pytest.raises(ValueError, match="once"):
        PLANTS["slower-model"].in_text("[models]\n")


def answered(callers: Callers, count: int) -> list[bool]:
    """What users say of so many chats, up or down."""
    said = []
    for _ in range(count):
        call = callers.call(BY_NAME["chat"])
        callers.heard(call, ANSWER)
        for judged in callers.judged(call, "req_1", ANSWER):
            assert judged.by == "user" and judged.item["request"] == "req_1"
            said.append(judged.item["thumbs"] == "up")
    return said


def test_nine_of_ten_are_nine_of_ten_in_any_stretch() -> None:
    """A rule that watches thumbs never cries by bad luck: opinions are dealt from a deck."""
    said = answered(Callers(KEYS, trying=False), 400)
    assert len(said) > 200
    for start in range(len(said) - 30):
        assert sum(said[start : start + 30]) >= 0.8 * 30


def test_a_switched_prompt_is_in_use_everywhere_and_less_liked() -> None:
    """Also in conversations that are under way."""
    callers = Callers(KEYS)
    answered(callers, 50)
    callers.switch("greeting@8", 0.5)
    said = answered(callers, 400)
    assert 0.45 < sum(said) / len(said) < 0.55
    call = callers.call(BY_NAME["chat"])
    assert json.loads(call.body)["messages"][0]["content"] == PROMPTS["greeting@8"]
    assert "prompt=greeting@8" in call.headers["x-headgate-tags"]


def test_conversations_have_turns_and_end() -> None:
    """A turn brings along what was said before; nobody talks while waiting for an answer; none goes on for ever."""
    callers = Callers(KEYS)
    lengths = []
    for _ in range(200):
        call = callers.call(BY_NAME["chat"])
        messages = json.loads(call.body)["messages"]
        assert [each["role"] for each in messages[1:]] == (["user", "assistant"] * 9)[: len(messages) - 1]
        lengths.append(len(messages))
        callers.heard(call, b'{"choices": [{"message": {"content": "Yes."}}]}')
    assert max(lengths) == 8 and len(set(lengths)) > 2
    waiting = callers.call(BY_NAME["chat"])
    others = {callers.call(BY_NAME["chat"]).headers["x-headgate-session"] for _ in range(5)}
    assert waiting.headers["x-headgate-session"] not in others
    assert len(others) == 5


@pytest.mark.parametrize(
    ("words", "kept"),
    [('{\\"topic\\": \\"return\\", \\"urgent\\": true}', True), ("a return, I think", False), ("[]", False)],
)
def test_a_program_judges_what_has_a_schema(words: str, kept: bool) -> None:
    """Every answer that should be a ticket is looked at."""
    callers = Callers(KEYS)
    call = callers.call(BY_NAME["classify into a schema"])
    answer = f'{{"choices": [{{"message": {{"content": "{words}"}}}}]}}'.encode()
    (judged,) = callers.judged(call, "req_1", answer)
    assert judged == ("code", {"request": "req_1", "name": "schema_kept", "boolean": kept})


def test_each_kind_of_call_comes_once() -> None:
    """However short the demonstration is."""
    callers = Callers(KEYS)
    assert {each.name for each in choice(callers.dice, total_of(0.1))} == set(BY_NAME)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"choices": [{"message": {"content": "Hello"}}]}', "Hello"),
        (b'{"choices": [{"message": {"content": null, "tool_calls": []}}]}', ""),
        (
            (
                b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\ndata: {"choices": [{"delta": {"content": "Hel"}}]}\n\n'
                b': headgate {}\n\ndata: {"choices": [{"delta": {"content": "lo"}}]}\n\ndata: [DONE]\n\n'
            ),
            "Hello",
        ),
        (b'{"error": {"message": "no"}}', ""),
        (b"", ""),
        (b"<html>", ""),
    ],
)
def test_the_words_of_an_answer_are_found(answer: bytes, words: str) -> None:
    """Whole and streamed; what is no answer has none."""
    assert text_of(answer) == words


def test_a_rule_is_found_among_others() -> None:
    """The first time that it came into alert, whatever came after."""
    told = [
        Told(3, "info", "well again", "a", "ok"),
        Told(2, "critical", "again", "a", "alert"),
        Told(1, "critical", "first", "a", "alert"),
        Told(0, "warning", "of another", "b", "alert"),
    ]
    assert found("a", told) == told[2]
    assert found("c", told) is None


def test_only_pages_that_are_there_are_named() -> None:
    """Each line an address that can be opened."""
    lines = places("http://127.0.0.1:1").splitlines()
    assert lines[0].startswith("  http://127.0.0.1:1/ ") and len(lines) >= 5


def test_nobody_there_is_an_answer_too() -> None:
    """A gateway that has gone does not end the demonstration with a traceback."""
    answer = asyncio.run(over_http(f"http://127.0.0.1:{free_port()}")("GET", "/", {}))
    assert answer.status == 0


def test_time_jumps_only_where_nobody_works() -> None:
    """In a process that is told the time an hour's sleep takes none of ours, each context has its own date, and a process beside it
    is left alone."""
    program = """
        import asyncio, time
        from contextvars import copy_context
        from headgate.cli.demo_clock import tell
        real = time.monotonic
        clock = tell(1_700_000_000_000_000_000)
        async def main():
            began, began_really = time.monotonic(), real()
            with clock.hurry():
                await asyncio.sleep(3600)
                slow = await asyncio.to_thread(sum, range(1000))
            assert 3600 <= time.monotonic() - began < 7200, time.monotonic() - began
            assert real() - began_really < 20
            assert time.time() == 1_700_000_000
            context = copy_context()
            context.run(clock.at, 1_800_000_000_000_000_000)
            async def dated():
                first = time.time_ns()
                with clock.hurry():
                    await asyncio.sleep(60)
                return first // 10**9, time.time() - first / 1e9
            date, passed = await asyncio.create_task(dated(), context=context)
            assert date == 1_800_000_000 and 60 <= passed < 70, (date, passed)
            before = real()
            await asyncio.sleep(0.05)
            assert real() - before >= 0.049
        with asyncio.Runner(loop_factory=clock.loop) as runner:
            runner.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert time.time() > 1_780_000_000


def test_the_past_imports_nothing_of_the_gateway_before_it_has_its_clock() -> None:
    """A part that took the real clock along would write down times of today."""
    program = """
        import sys
        import headgate.cli.demo_past, headgate.cli.demo_clock
        print([name for name in sys.modules if name.startswith("headgate.") and not name.startswith("headgate.cli")])
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
