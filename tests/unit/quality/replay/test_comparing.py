"""Two answers side by side: texts, tool calls, figures."""

from __future__ import annotations

from headgate.core.messages import Answer, Choice, Opaque, Text, Thinking, ToolCall
from headgate.quality.replay.comparing import Heard, ReplayCall, compared, heard_in, side_of, succeeded
from headgate.stores.spans import RequestRow

__all__: list[str] = []


def row(**more: object) -> RequestRow:
    return RequestRow(id=5, started_ns=0, trace_id="", **more)  # type: ignore[arg-type]


def calls(*arguments: str) -> Heard:
    return Heard(calls=tuple(ReplayCall("find", each) for each in arguments))


def test_an_answer_says_its_text_and_its_calls() -> None:
    """Of the first choice; what the model thought is not what it said."""
    answer = Answer(
        choices=[
            Choice(
                parts=[
                    Thinking(text="hm"),
                    Text(text="It is "),
                    ToolCall(id="1", name="find", arguments='{"a":1}'),
                    Opaque(wire="x", raw=b"{}"),  # type: ignore[arg-type]
                    Text(text="high."),
                ]
            ),
            Choice(parts=[Text(text="another")]),
        ]
    )
    assert heard_in(answer) == Heard(text="It is high.", calls=(ReplayCall("find", '{"a":1}'),))
    assert heard_in(Answer()) == Heard()
    assert not heard_in(None).known


def test_calls_are_the_same_if_they_mean_the_same() -> None:
    """Spaces and order of fields are the model's mood; the order of calls is not."""
    assert compared(row(), calls('{"a":1,"b":2}'), row(), calls('{ "b":2, "a":1 }')).same_calls
    assert not compared(row(), calls('{"a":1}'), row(), calls('{"a":2}')).same_calls
    assert not compared(row(), calls("1", "2"), row(), calls("2", "1")).same_calls
    assert compared(row(), calls("{broken"), row(), calls("{broken")).same_calls
    assert compared(row(), calls("1"), row(), calls("2")).identical is False


def test_what_is_not_known_is_not_compared() -> None:
    """An answer that was not kept is no empty answer."""
    found = compared(row(), Heard(known=False), row(), Heard(text="high"))
    assert found.identical is None and found.similarity is None and found.diff is None
    assert compared(row(), Heard(text="a"), row(), Heard(text="a"), diff=False).diff is None


def test_figures_are_of_the_whole_request() -> None:
    """Cached tokens are tokens of the prompt, reasoning is of the answer; the model is the one that answered."""
    side = side_of(
        row(
            input_tokens=1,
            cache_read_tokens=2,
            cache_write_tokens=4,
            cache_write_1h_tokens=8,
            output_tokens=16,
            reasoning_tokens=32,
            cost_nanos=1_500_000_000,
            requested_model="chat",
            routed_model="small",
            total_us=1_500,
        )
    )
    assert (side.input_tokens, side.output_tokens, side.cost_usd) == (15, 48, "1.500000000")
    assert (side.model, side.requested_model, side.total_ms) == ("small", "chat", 1.5)
    assert side_of(row(reported_model="gpt", routed_model="small")).model == "gpt"
    assert side_of(row()).cost_usd is None


def test_words_of_a_degrade_ladder_are_no_success() -> None:
    """No model has answered."""
    assert succeeded(row()) and not succeeded(row(degraded="say")) and not succeeded(row(outcome="failed"))
