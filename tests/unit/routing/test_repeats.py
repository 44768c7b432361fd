"""Who asks the same again: the same person, the same thing, soon."""

from __future__ import annotations

import json

import pytest

from headgate.exchange.caller import Caller
from headgate.routing.repeats import MOST, SECONDS, Repeats
from tests.support.routes import NOW, request

__all__: list[str] = []

TEXT = "How high is the water in the old canal today?"
ANSWER = {"role": "assistant", "content": "Two metres."}


def asked(*messages, text=TEXT, session="s", user="", key="key_1", feature="chat"):
    """Messages before the last one, and who sends it."""
    exchange = request(text, session=session, feature=feature)
    body = json.loads(exchange.body)
    body["messages"] = [*messages, *body["messages"]]
    exchange.body = json.dumps(body).encode()
    exchange.user, exchange.caller = user, Caller(key)
    return exchange


def again(second, *, first=None, text=TEXT, seconds=1.0):
    """What is said when `second` comes so long after `first` was answered."""
    repeats = Repeats()
    repeats.answered(first or asked(), TEXT, "small", NOW)
    return repeats.asked_again(second, text, NOW + seconds)


def test_the_same_again_names_the_model_that_answered():
    """As a button "try again" sends it, and as somebody types it again under the answer."""
    assert again(asked()) == "small"
    assert again(asked({"role": "user", "content": TEXT}, ANSWER)) == "small"
    assert again(asked(), seconds=SECONDS) == "small"


@pytest.mark.parametrize(
    "other", [{"session": "t"}, {"key": "key_2"}, {"feature": "letters"}, {"session": "", "user": "ann"}]
)
def test_another_persons_question_is_another(other):
    """Or that of another key, session or feature."""
    assert again(asked(**other)) == ""


def test_other_words_and_later_ones_are_other_questions():
    """Two minutes from the end of the answer."""
    assert again(asked(text="And now?"), text="And now?") == ""
    assert again(asked(), seconds=SECONDS + 1) == ""


def test_without_a_session_a_user_will_do_and_without_both_nobody_is_known():
    """Many people may be behind one key."""
    ann = asked(session="", user="ann")
    assert again(asked(session="", user="ann"), first=ann) == "small"
    assert again(asked(session="", user="bob"), first=ann) == ""
    nobody = asked(session="")
    assert again(asked(session=""), first=nobody) == ""


def test_go_on_may_be_said_twice():
    """Short words come again in a longer conversation without reproach; alone they are the same request."""
    repeats = Repeats()
    repeats.answered(asked(text="go on"), "go on", "small", NOW)
    longer = asked({"role": "user", "content": "go on"}, ANSWER, text="go on")
    assert repeats.asked_again(longer, "go on", NOW) == ""
    assert repeats.asked_again(asked(text="go on"), "go on", NOW) == "small"


def test_a_step_of_a_tool_loop_is_no_question():
    """Its last words are the user's, said once."""
    step = asked()
    body = json.loads(step.body)
    call = {"id": "c1", "type": "function", "function": {"name": "gauge", "arguments": "{}"}}
    body["messages"] += [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "2 m"},
    ]
    step.body = json.dumps(body).encode()
    assert again(step) == ""


def test_an_answer_is_blamed_once():
    """The next time it is the next answer's turn."""
    repeats = Repeats()
    repeats.answered(asked(), TEXT, "small", NOW)
    assert [repeats.asked_again(asked(), TEXT, NOW) for _ in range(2)] == ["small", ""]


def test_memory_is_bounded_and_holds_no_words():
    """The oldest goes."""
    repeats = Repeats(most=3)
    for number in range(5):
        repeats.answered(asked(session=str(number)), TEXT, "small", NOW)
    assert len(repeats) == 3 and MOST == 10_000
    assert [repeats.asked_again(asked(session=str(n)), TEXT, NOW) for n in (1, 2)] == ["", "small"]
    assert "canal" not in repr(vars(repeats))
