"""A request, measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.messages import (
    ChatRequest,
    File,
    Image,
    Message,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from headgate.routing.difficulty.question import LONGEST_TEXT, abilities_of, question_of

__all__: list[str] = []


def said(*parts, role="user"):
    return Message(role=role, parts=list(parts))


def asked(*messages, **more):
    return ChatRequest(model="m", messages=list(messages), **more)


def test_the_last_words_of_the_user_are_what_is_judged():
    """Not the model's, not a tool's answer."""
    request = asked(
        said(Text(text="first")),
        said(Text(text="no"), role="assistant"),
        said(Text(text="second"), Text(text="part")),
        said(ToolResult(call_id="1", content=[Text(text="of a tool")])),
    )
    assert question_of(request).text == "second\npart"


def test_turns_are_the_users():
    """A tool's answer is none."""
    result = said(ToolResult(call_id="1", content=[Text(text="x")]))
    request = asked(
        said(Text(text="a")), said(Text(text="b"), role="assistant"), result, said(Text(text="c"))
    )
    assert question_of(request).turns == 2


def test_what_is_in_a_conversation_is_counted():
    """Also inside answers of tools."""
    request = asked(
        said(Image(url="x"), File(file_id="f"), Text(text="look")),
        said(ToolResult(call_id="1", content=[Image(url="y")])),
        tools=[Tool(name="t"), Tool(name="u")],
        response_format=ResponseFormat(),
        effort="high",
        system=[Text(text="You are brief. " * 100)],
    )
    found = question_of(request)
    assert (found.images, found.files, found.tools, found.json_schema, found.thinking) == (
        2,
        1,
        2,
        True,
        True,
    )
    assert found.system_tokens > 100 and found.tokens > found.system_tokens + 2 * 800


def test_a_long_text_is_cut_for_graders_and_counted_whole():
    """From its beginning, by estimate."""
    found = question_of(asked(said(Text(text="word " * 100_000))))
    assert len(found.text) == LONGEST_TEXT and 80_000 < found.tokens < 150_000


def test_a_request_needs_what_it_uses_and_nothing_else():
    """Also an answer that was begun is answered by everyone."""
    plain = asked(said(Text(text="x")))
    assert abilities_of(question_of(plain)) == ()
    begun = asked(said(Text(text="x"), Image(url="y")), said(Text(text="Well,"), role="assistant"))
    assert abilities_of(question_of(begun)) == ("images",)


def test_reasoning_that_is_switched_off_is_not_needed():
    """A budget of 0, an effort of none or minimal."""
    for more in ({"thinking_budget": 0}, {"effort": "none"}, {"effort": "minimal"}, {}):
        assert not question_of(asked(said(Text(text="x")), **more)).thinking
    assert question_of(asked(said(Text(text="x")), thinking_budget=1024)).thinking


PARTS = st.one_of(
    st.builds(Text, text=st.text()),
    st.builds(Image, url=st.text()),
    st.builds(ToolCall, id=st.text(), name=st.text(), arguments=st.text()),
)


@given(st.lists(st.builds(Message, role=st.sampled_from(["user", "assistant"]), parts=st.lists(PARTS))))
def test_any_conversation_can_be_measured(messages):
    """Empty ones too; lone surrogates are characters like others."""
    found = question_of(asked(*messages))
    assert found.tokens >= 0 and found.turns >= 1
