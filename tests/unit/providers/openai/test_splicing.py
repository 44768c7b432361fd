"""A caller's body with the model's name replaced and nothing else."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import GatewayError, MalformedBody
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from headgate.providers.wires.openai_responses import OpenAIResponses
from headgate.providers.wires.splicing import replace_model
from tests.support.wires import JSON_VALUES, UNHURRIED

__all__: list[str] = []

USAGE = b'"stream_options":{"include_usage":true}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a","t":1.50}', b'{"model":"m","t":1.50}'),
        (b' { "t" : 1e0 , "model" : "a\\"b" } ', b' { "t" : 1e0 , "model" : "m" } '),
        (b'{"model":"a","x":["model", "model" ],"y":"\\"model\\":\\"z\\""}',) * 2,
        ('{"model":"a","x":"ü\\u00fc"}'.encode(), '{"model":"m","x":"ü\\u00fc"}'.encode()),
    ],
)
def test_only_the_value_changes(body, expected):
    """White space, numbers and escapes stay as the caller wrote them."""
    assert replace_model(body, "m") == expected.replace(b'"model":"a"', b'"model":"m"')


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"m":{"model":"x","t":1.0},"model":"a"}', b'{"m":{"model":"x","t":1.0},"model":"q"}'),
        (b'{"model":"a","model":"b","t":1.0}', b'{"model":"q","t":1.0}'),
        (b'{"mod\\u0065l":"a","m":{"model":"x"}}', b'{"model":"q","m":{"model":"x"}}'),
        (b'{"model":7}', b'{"model":"q"}'),
        (b"{}", b'{"model":"q"}'),
    ],
)
def test_a_nested_double_or_hidden_model_does_not_fool_it(body, expected):
    """The name that routes is the one that is replaced, however it was written."""
    assert replace_model(body, "q") == expected


def test_an_equal_name_returns_the_body_itself():
    """No copy of a body that needs none."""
    body = b'{"model":"m","messages":[]}'
    assert replace_model(body, "m") is body


def test_a_name_is_escaped():
    """A model's name cannot break out of its string."""
    assert json.loads(replace_model(b'{"model":"a","t":1}', 'x","t":"\u2028')) == {
        "model": 'x","t":"\u2028',
        "t": 1,
    }


@UNHURRIED
@given(
    st.dictionaries(st.text(max_size=6) | st.just("model"), JSON_VALUES, max_size=5),
    st.text(max_size=8),
    st.booleans(),
)
def test_every_object_keeps_its_other_fields(fields, model, ascii_only):
    """Read again, the object is the same but for the model."""
    spliced = replace_model(
        json.dumps(fields, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"), model
    )
    assert json.loads(spliced) == fields | {"model": model}


NAMES = st.sampled_from(
    ["model", "mod\u0065l", 'say "model', '"model"', "model\\", '\\"model', "MODEL", "messages", "x"]
)
"""What is, is not, or nearly is the word, as keys and as values."""
WRITTEN = st.builds(
    lambda text, hidden: (
        "".join(f"\\u{ord(each):04x}" for each in text) if hidden else json.dumps(text)[1:-1]
    ),
    NAMES,
    st.sampled_from([False, False, True]),
).map(lambda text: f'"{text}"')
VALUES = st.recursive(
    WRITTEN | st.just("7"),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.lists(st.tuples(WRITTEN, inner).map(" : ".join), max_size=3).map(
            lambda each: f"{{{','.join(each)}}}"
        )
    ),
    max_leaves=6,
)


@UNHURRIED
@given(
    st.lists(st.tuples(WRITTEN, VALUES), max_size=4),
    st.lists(st.tuples(WRITTEN, VALUES), max_size=4),
    st.sampled_from([":", " : "]),
)
def test_no_server_can_read_another_model_in_it(before, after, colon):
    """Not in a second key of that name, nor in one with escapes, whichever of them a server takes for it; what is nested stays."""
    fields = [*before, ('"model"', '"a"'), *after]
    body = ("{" + ",".join(key + colon + value for key, value in fields) + "}").encode()
    pairs: list[tuple[str, object]] = []

    def keep(each: list[tuple[str, object]]) -> dict[str, object]:
        pairs[:] = each  # of the outermost object, which is read last
        return dict(each)

    read = json.loads(replace_model(body, "q"), object_pairs_hook=keep)
    assert [value for key, value in pairs if key == "model"] == ["q"]
    assert read == json.loads(body) | {"model": "q"}


@UNHURRIED
@given(st.binary(max_size=80) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_nonsense_is_refused_with_our_own_error(body):
    """No decoder's error escapes."""
    for wire in (OpenAIChat(), OpenAIResponses(), OpenAIEmbeddings()):
        with contextlib.suppress(GatewayError):
            wire.splice(body, "m")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a","stream":true} ', b'{"model":"m","stream":true,' + USAGE + b"} "),
        (b'{"model":"a","stream":false}', b'{"model":"m","stream":false}'),
        (b'{"model":"a","x":"stream"}', b'{"model":"m","x":"stream"}'),
        (b'{"model":"a","messages":[{"stream":true}]}', b'{"model":"m","messages":[{"stream":true}]}'),
        (b'{"model":"a","str\\u0065am":true}', b'{"model":"m","stream":true,' + USAGE + b"}"),
        (b'{"model":"a","stream":true,"stream_options":null}', b'{"model":"m","stream":true,' + USAGE + b"}"),
        (
            b'{"model":"a","stream":true,"stream_options":{"include_usage":false,"x":1.0},"t":1.0}',
            b'{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1.0},"t":1.0}',
        ),
        (b'{"stream":true,' + USAGE + b',"model":"a"}', b'{"stream":true,' + USAGE + b',"model":"m"}'),
    ],
)
def test_a_chat_stream_is_made_to_report_usage(body, expected):
    """Added where it lacks, merged where other options stand, and left alone where it is there or nothing streams."""
    assert OpenAIChat().splice(body, "m") == expected


def test_nothing_about_a_stream_is_looked_for_where_none_is_asked_for():
    """Whoever has read the body says so; the model's name is put in all the same."""
    assert (
        OpenAIChat().splice(b'{"model":"a","stream":false}', "m", stream=False)
        == b'{"model":"m","stream":false}'
    )


def test_usage_is_not_asked_of_a_server_that_refuses_it():
    """The setting reaches the passed body too."""
    assert (
        OpenAIChat(ask_usage=False).splice(b'{"model":"a","stream":true}', "m")
        == b'{"model":"m","stream":true}'
    )


@pytest.mark.parametrize(
    "body", [b'{"model":"a","stream":"yes"}', b'{"model":"a","stream":true,"stream_options":3}']
)
def test_a_stream_flag_of_the_wrong_type_is_the_callers_mistake(body):
    """It is not passed on in the hope that the provider understands."""
    with pytest.raises(MalformedBody):
        OpenAIChat().splice(body, "m")


@pytest.mark.parametrize("wire", [OpenAIResponses(), OpenAIEmbeddings()], ids=lambda wire: wire.name)
def test_other_bodies_change_in_the_model_alone(wire):
    """Responses report usage unasked, and embeddings do not stream."""
    assert wire.splice(b'{"model":"a","stream":true}', "m") == b'{"model":"m","stream":true}'
