"""What the simulated model says: about the question, within the caller's limits, the same again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ContextTooLong, ProviderRejected
from headgate.core.messages import Answer, Text, Thinking, ToolCall
from headgate.providers.simulated.settings import ProfileSettings, SimulatedSettings
from headgate.providers.simulated.words import LANGUAGES, cut, language_of, topic_of
from tests.support.aio import aio
from tests.support.simulated import STEADY, Rehearsal, chat, messages, responses

__all__: list[str] = []

BODIES = {"openai.chat": chat, "openai.responses": responses, "anthropic.messages": messages}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city"],
}
TOOLS = {
    "openai.chat": [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}],
    "openai.responses": [{"type": "function", "name": "get_weather", "parameters": WEATHER}],
    "anthropic.messages": [{"name": "get_weather", "input_schema": WEATHER}],
}
each_wire = pytest.mark.parametrize("wire", BODIES)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def calls(answer: Answer) -> list[tuple[str, str]]:
    """Tool and city of every call."""
    parts = [part for part in answer.choices[0].parts if isinstance(part, ToolCall)]
    return [(part.name, json.loads(part.arguments)["city"]) for part in parts]


@each_wire
@both_ways
@aio
async def test_an_answer_speaks_of_the_question(wire: str, stream: bool) -> None:
    """The question is repeated, the answer ends well, tokens are counted."""
    answer = await Rehearsal().answer(wire, BODIES[wire](stream=stream, **_usage(wire, stream)))
    assert "How do I bake good bread at home?" in answer.text
    assert answer.choices[0].stop_reason == "end"
    assert answer.model == "steady"
    assert answer.usage is not None
    assert answer.usage.input > 5
    assert answer.usage.output > 20


@each_wire
@aio
async def test_a_stream_says_what_the_whole_answer_says(wire: str) -> None:
    """Streaming changes how an answer comes, not what it is or costs."""
    rehearsal = Rehearsal()
    whole = await rehearsal.answer(wire, BODIES[wire]())
    streamed = await rehearsal.answer(wire, BODIES[wire](stream=True, **_usage(wire, stream=True)))
    assert (whole.text, whole.usage, whole.id) == (streamed.text, streamed.usage, streamed.id)


@aio
async def test_the_same_question_gets_the_same_answer_in_every_wire() -> None:
    """The words depend on seed, model and conversation, not on who asks how."""
    texts = {(await Rehearsal().answer(wire, body())).text for wire, body in BODIES.items()}
    assert len(texts) == 1


@aio
async def test_seed_model_and_question_change_the_answer() -> None:
    """Each of the three, and the caller's own seed."""
    other = SimulatedSettings(seed=7, speed=0, models=STEADY.models)
    answers = [
        await Rehearsal().answer("openai.chat", chat()),
        await Rehearsal(other).answer("openai.chat", chat()),
        await Rehearsal().answer("openai.chat", chat(model="another")),
        await Rehearsal().answer("openai.chat", chat(seed=3)),
        await Rehearsal().answer("openai.chat", chat("How do I bake good bread at sea?")),
    ]
    assert len({answer.id for answer in answers}) == 5


@each_wire
@both_ways
@aio
async def test_the_limit_of_tokens_holds(wire: str, stream: bool) -> None:
    """The answer is cut there, says so, and costs no more."""
    limit = "max_output_tokens" if wire == "openai.responses" else "max_tokens"
    answer = await Rehearsal().answer(wire, BODIES[wire](stream=stream, **{limit: 7}, **_usage(wire, stream)))
    assert answer.choices[0].stop_reason == "max_tokens"
    assert answer.usage is not None
    assert answer.usage.completion == 7
    assert answer.text.startswith("You asked")


@pytest.mark.parametrize(
    ("wire", "field"), [("openai.chat", "stop"), ("anthropic.messages", "stop_sequences")]
)
@aio
async def test_a_stop_sequence_ends_the_answer_before_it(wire: str, field: str) -> None:
    """The sequence itself is not said."""
    answer = await Rehearsal().answer(wire, BODIES[wire](**{field: ["never said", " good"]}))
    assert answer.text == "You asked: “How do I bake"
    if wire == "anthropic.messages":
        assert answer.choices[0].stop_sequence == " good"


@each_wire
@both_ways
@aio
async def test_a_tool_is_called_when_the_words_ask_for_it(wire: str, stream: bool) -> None:
    """With arguments of the schema, filled from the question."""
    body = BODIES[wire]("What is the weather in Paris?", tools=TOOLS[wire], stream=stream)
    answer = await Rehearsal().answer(wire, body)
    assert answer.choices[0].stop_reason == "tool_use"
    assert calls(answer) == [("get_weather", "Paris")]


@each_wire
@both_ways
@aio
async def test_two_places_are_two_calls(wire: str, stream: bool) -> None:
    """`and` asks for calls in parallel."""
    body = BODIES[wire]("What is the weather in Paris and in New York?", tools=TOOLS[wire], stream=stream)
    assert calls(await Rehearsal().answer(wire, body)) == [
        ("get_weather", "Paris"),
        ("get_weather", "New York"),
    ]


@aio
async def test_parallel_calls_can_be_forbidden() -> None:
    """Each vendor's own way of saying so is obeyed."""
    question = "What is the weather in Paris and in Rome?"
    one = chat(question, tools=TOOLS["openai.chat"], parallel_tool_calls=False)
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    two = messages(question, tools=TOOLS["anthropic.messages"], tool_choice=choice)
    assert len(calls(await Rehearsal().answer("openai.chat", one))) == 1
    assert len(calls(await Rehearsal().answer("anthropic.messages", two))) == 1


@pytest.mark.parametrize(
    ("wire", "choice", "called"),
    [
        ("openai.chat", "none", False),
        ("openai.chat", "auto", False),
        ("openai.chat", "required", True),
        ("openai.chat", {"type": "function", "function": {"name": "get_weather"}}, True),
        ("openai.responses", "none", False),
        ("openai.responses", "required", True),
        ("openai.responses", {"type": "function", "name": "get_weather"}, True),
        ("anthropic.messages", {"type": "none"}, False),
        ("anthropic.messages", {"type": "auto"}, False),
        ("anthropic.messages", {"type": "any"}, True),
        ("anthropic.messages", {"type": "tool", "name": "get_weather"}, True),
    ],
)
@aio
async def test_the_callers_choice_of_tools_is_obeyed(wire: str, choice: object, called: bool) -> None:
    """Demanded, forbidden, or left to the model, which has no reason to call here."""
    answer = await Rehearsal().answer(
        wire, BODIES[wire]("Good morning!", tools=TOOLS[wire], tool_choice=choice)
    )
    assert bool(calls(answer)) == called


@aio
async def test_a_tools_result_is_told() -> None:
    """After the tool has answered the model talks about it instead of calling again."""
    body = chat("What is the weather in Paris?", tools=TOOLS["openai.chat"])
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "18 degrees and rain"},
    ]
    answer = await Rehearsal().answer("openai.chat", body)
    assert "18 degrees and rain" in answer.text


@pytest.mark.parametrize(
    ("wire", "more"),
    [
        ("openai.chat", {"response_format": {"type": "json_schema", "json_schema": {"schema": WEATHER}}}),
        ("openai.responses", {"text": {"format": {"type": "json_schema", "name": "x", "schema": WEATHER}}}),
        ("anthropic.messages", {"output_config": {"format": {"type": "json_schema", "schema": WEATHER}}}),
    ],
)
@aio
async def test_structure_that_is_asked_for_comes(wire: str, more: dict[str, object]) -> None:
    """The text is JSON of that shape."""
    answer = await Rehearsal().answer(wire, BODIES[wire]("Is it hot in Cairo, in celsius?", **more))
    assert json.loads(answer.text) == {"city": "Cairo", "unit": "celsius"}


@aio
async def test_json_without_a_shape_is_an_object() -> None:
    """OpenAI's `json_object`."""
    answer = await Rehearsal().answer("openai.chat", chat(response_format={"type": "json_object"}))
    assert isinstance(json.loads(answer.text), dict)


@both_ways
@aio
async def test_several_answers_differ(stream: bool) -> None:
    """OpenAI's `n`."""
    answer = await Rehearsal().answer("openai.chat", chat(n=3, stream=stream))
    texts = ["".join(part.text for part in one.parts if isinstance(part, Text)) for one in answer.choices]
    assert len(set(texts)) == 3


@pytest.mark.parametrize(
    ("wire", "more"),
    [
        ("openai.chat", {"model": "sim-reasoning"}),
        ("openai.chat", {"reasoning_effort": "low"}),
        ("openai.responses", {"reasoning": {"effort": "low"}}),
        ("anthropic.messages", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("anthropic.messages", {"thinking": {"type": "adaptive"}}),
    ],
)
@both_ways
@aio
async def test_reasoning_comes_first_and_is_counted(wire: str, more: dict[str, object], stream: bool) -> None:
    """Where a model reasons by itself or is asked to."""
    body = BODIES[wire](stream=stream, **_usage(wire, stream), **more)
    answer = await Rehearsal().answer(wire, body, fault="none")
    first = answer.choices[0].parts[0]
    assert isinstance(first, Thinking)
    assert len(first.text) > 40
    assert answer.text
    assert answer.usage is not None
    if wire != "anthropic.messages":  # which counts it as output
        assert answer.usage.reasoning > 10


@aio
async def test_reasoning_can_be_switched_off() -> None:
    """Anthropic shows none unless asked; `none` is an effort too."""
    quiet = await Rehearsal().answer("anthropic.messages", messages(model="sim-reasoning"), fault="none")
    none = chat(model="sim-reasoning", reasoning_effort="none")
    silent = await Rehearsal().answer("openai.chat", none, fault="none")
    kinds = {type(part) for answer in (quiet, silent) for part in answer.choices[0].parts}
    assert kinds == {Text}


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie backe ich ein gutes Brot und was ist nicht zu vergessen?", "de"),
        ("Comment est-ce que je fais le pain dans une poêle ?", "fr"),
        ("¿Cómo hago el pan para los niños?", "es"),
        ("Как испечь хлеб?", "ru"),
        ("怎么做面包?", "zh"),
        ("パンはどう焼きますか?", "ja"),
        ("كيف أخبز الخبز؟", "ar"),
        ("How do I bake bread?", "en"),
        ("Tausend Brote", "en"),
    ],
)
@aio
async def test_the_answer_is_in_the_language_of_the_question(question: str, language: str) -> None:
    """And the question's words come back whole, whatever they are written in."""
    assert language_of(question).code == language
    for stream in (False, True):
        answer = await Rehearsal().answer("openai.chat", chat(question, stream=stream))
        assert topic_of(question) in answer.text
        assert LANGUAGES[language].closing in answer.text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 17 * 23?", "17 * 23 = 391"),
        ("What is 7 minus 9.5?", "7 minus 9.5 = -2.5"),
        ("1/0", "Dividing by zero has no result."),
        ("Please reply with exactly “pong”", "pong"),
        ("Say only hello there", "hello there"),
    ],
)
@aio
async def test_what_it_knows_it_answers(question: str, answer: str) -> None:
    """Sums and repetition."""
    assert (await Rehearsal().answer("openai.chat", chat(question))).text == answer


@aio
async def test_passages_are_quoted() -> None:
    """Where the prompt brings the text to answer from, the sentence that fits best is quoted."""
    context = (
        "Use this context. Our shop in Lyon was opened in 1987 by two sisters. Deliveries leave the warehouse every "
        "Tuesday before noon. Refunds are paid within fourteen days after the parcel has come back. Chairs are blue."
    )
    body = chat("When are refunds paid for a parcel?")
    body["messages"].insert(0, {"role": "system", "content": context})
    answer = await Rehearsal().answer("openai.chat", body)
    assert "Refunds are paid within fourteen days" in answer.text


@aio
async def test_a_list_has_as_many_points_as_asked() -> None:
    """Three tips are three."""
    answer = await Rehearsal().answer("openai.chat", chat("Give me three useful tips."))
    assert [line[:2] for line in answer.text.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]


@each_wire
@aio
async def test_pictures_are_noticed(wire: str) -> None:
    """An image part is counted, paid for and spoken of."""
    parts = {
        "openai.chat": {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        "openai.responses": {"type": "input_image", "image_url": "https://example.com/a.png"},
        "anthropic.messages": {
            "type": "image",
            "source": {"type": "url", "url": "https://example.com/a.png"},
        },
    }
    text = {"type": "input_text" if wire == "openai.responses" else "text", "text": "What is on it?"}
    body = BODIES[wire]()
    field = "input" if wire == "openai.responses" else "messages"
    body[field] = [{"role": "user", "content": [text, parts[wire]]}]
    answer = await Rehearsal().answer(wire, body)
    assert "1 picture" in answer.text
    assert answer.usage is not None
    assert answer.usage.input >= 500


@aio
async def test_a_wrong_answer_is_wrong_and_a_garbled_one_nonsense() -> None:
    """`quality` is the share of right answers; the same question stays right or wrong."""
    poor = SimulatedSettings(speed=0, models={"steady": ProfileSettings(error_rate=0, quality=0.5)})
    sums = [(await Rehearsal(poor).answer("openai.chat", chat(f"What is {n} + 1?"))).text for n in range(60)]
    right = [text == f"{n} + 1 = {n + 1}" for n, text in enumerate(sums)]
    wrong = [
        not ok and text.startswith(f"{n} + 1 = ")
        for n, (text, ok) in enumerate(zip(sums, right, strict=True))
    ]
    assert 20 < sum(right) < 40
    assert 6 < sum(wrong) < 25
    assert sums == [
        (await Rehearsal(poor).answer("openai.chat", chat(f"What is {n} + 1?"))).text for n in range(60)
    ]


@each_wire
@aio
async def test_a_prompt_over_the_window_is_refused(wire: str) -> None:
    """With the error class that lets a router choose a model with more room."""
    small = SimulatedSettings(speed=0, models={"steady": ProfileSettings(context_window=50)})
    error = await Rehearsal(small).failure(wire, BODIES[wire]("word " * 100), fault="none")
    assert isinstance(error, ContextTooLong)


@pytest.mark.parametrize(
    ("missing", "body"),
    [
        ("chat", chat()),
        ("tools", chat(tools=TOOLS["openai.chat"])),
        ("json", chat(response_format={"type": "json_object"})),
        ("thinking", chat(reasoning_effort="high")),
        ("images", chat() | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
    ],
)
@aio
async def test_what_a_model_cannot_do_is_refused(missing: str, body: dict[str, object]) -> None:
    """`capabilities` are enforced, each by itself."""
    able = [name for name in ("chat", "tools", "images", "json", "thinking") if name != missing]
    settings = SimulatedSettings(speed=0, models={"steady": ProfileSettings(error_rate=0, capabilities=able)})
    assert isinstance(await Rehearsal(settings).failure("openai.chat", body), ProviderRejected)
    assert (await Rehearsal().answer("openai.chat", body)).usage is not None


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    """Nothing is lost between tokens, whatever the script."""
    assert "".join(cut(text)) == text


def _usage(wire: str, stream: bool) -> dict[str, object]:
    return {"stream_options": {"include_usage": True}} if wire == "openai.chat" and stream else {}
