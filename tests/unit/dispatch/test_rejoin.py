"""Joining a text that broke off with one that tells it again, or tells the rest of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from headgate.dispatch.rejoin import SLACK, Continued, ContinuedJson, Diverged, Joint, Restarted
from tests.support.wires import UNHURRIED

__all__: list[str] = []

STORY = (
    "Open the upper gate first. Wait until the levels are equal, which takes about four minutes.\n\n"
    "Then close the paddles:\n- the left one\n- the right one\n\n"
    "Naïve boats — 小舟 and 🛶🏽 and e\u0301clairs — wait outside.  Done. "
)


def pieces_of(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def joined(joint: Joint, pieces: Sequence[str]) -> str:
    """Everything that is to be said after what was."""
    return "".join([joint.feed(piece) for piece in pieces] + [joint.finish()])


def as_a_model_would(full: str, at: int) -> str:
    """The continuation of `full[:at].rstrip()`, by a model that would have said `full`."""
    return full[len(full[:at].rstrip()) :]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_text_told_again_is_joined_at_every_offset(size: int) -> None:
    """Inside words, between white space, between a letter and its accent: nothing twice, nothing missing."""
    for at in range(len(STORY) + 1):
        assert STORY[:at] + joined(Restarted(STORY[:at]), pieces_of(STORY, size)) == STORY


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_text_told_on_is_joined_at_every_offset(size: int) -> None:
    """The same for continuations, which begin with the white space that the beginning was not allowed to end with."""
    for at in range(len(STORY) + 1):
        rest = as_a_model_would(STORY, at)
        assert STORY[:at] + joined(Continued(STORY[:at]), pieces_of(rest, size)) == STORY


@UNHURRIED
@given(st.text(), st.data())
@example("\ud83d\ude00 half a pair", None)
def test_any_text_can_be_told_again(full: str, data: st.DataObject | None) -> None:
    """Whatever characters it has, wherever it broke off, and however the new text is cut into pieces."""
    at = data.draw(st.integers(0, len(full))) if data else 1
    size = data.draw(st.integers(1, 40)) if data else 1
    for anchored in (True, False):
        joint = Restarted(full[:at], anchored=anchored)
        assert full[:at] + joined(joint, pieces_of(full, size)) == full


@UNHURRIED
@given(st.text(alphabet="ab \n", max_size=60), st.text(max_size=60), st.data())
def test_any_text_can_be_told_on(start: str, end: str, data: st.DataObject) -> None:
    """Unless the rest begins with a dozen characters that were just said: that is taken for a repetition."""
    full = start + end
    at = data.draw(st.integers(0, len(full)))
    rest = as_a_model_would(full, at)
    assume(rest.lstrip()[:12] not in full[:at] or len(rest.lstrip()) < 12)
    size = data.draw(st.integers(1, 20))
    assert full[:at] + joined(Continued(full[:at]), pieces_of(rest, size)) == full


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("said", "new", "told"),
    [
        ("Wait until the levels are equal", "the levels are equal, then open.", ", then open."),
        ("Wait until the levels are equal", " until the levels are equal, then open.", ", then open."),
        ("Wait until the levels are equal ", "the levels are equal then open.", "then open."),
        ("Wait until the levels are equal", "Wait until the levels are equal. Open.", ". Open."),
        ("Wait until the lev", "the levels are equal.", "the levels are equal."),
        ("It was very, very, ", "very, very long", "very, very long"),
        ("Say no:\n no no no no no no no no", " no no no no no no no no!", " no no no no no no no no!"),
        ("The gate is ", "open.", "open."),
        ("The gate is ", " open.", "open."),
        ("The gate is ", "\n\nopen.", "\n\nopen."),
        ("The gate is\n\n", "\n\nopen.", "open."),
        ("The gate is\n\n", "\nopen.", "open."),
        ("The gate is\n", " open.", "open."),
        ("The ga", "te is open.", "te is open."),
        ("The gate is open.", "", ""),
        ("The gate is open. ", "  ", " "),
    ],
)
def test_a_continuation_may_say_the_last_words_again(said: str, new: str, told: str, size: int) -> None:
    """A dozen characters at a word's border count as said again; fewer, or a text that repeats itself anyway, do not."""
    assert joined(Continued(said), pieces_of(new, size)) == told


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_continuation_that_begins_from_the_start_is_joined_like_one(size: int) -> None:
    """Models that cannot go on with an answer tell it again, in the same words or soon in others."""
    said = "Please open the upper gate slowly and wait until the levels"
    again = "Please open the upper gate, all of it, and then wait for it; then and wait until the levels are equal."
    assert joined(Continued(said), pieces_of(again, size)) == " are equal."
    other = "Please open the upper gate and do something else until you are tired of it."
    with pytest.raises(Diverged):
        joined(Continued(said), pieces_of(other, size))


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("Sure! First, open the upper gate and wait until the levels are equal. Go.", " are equal. Go."),
        (
            "You should open the upper gate and wait until the levels match.",
            " match.",
        ),
    ],
)
def test_other_words_are_joined_after_the_same_ones(new: str, told: str, size: int) -> None:
    """Two dozen characters that stand for the place where the first text broke off."""
    said = "Please open the upper gate and wait until the levels"
    assert joined(Restarted(said), pieces_of(new, size)) == told


def test_words_far_before_the_place_are_no_anchor() -> None:
    """A refrain stands at several places; after the first, half of the text would be told twice."""
    refrain = "and the water rises in the lock, "
    said = "One boat comes in " + refrain + "two boats come in. " * 20 + "Now three wait " + refrain
    new = (
        "A boat comes in " + refrain + "a second one. " * 30 + "In the end three wait " + refrain + "and go."
    )
    assert joined(Restarted(said), pieces_of(new, 7)) == "and go."


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "new",
    [
        "",
        "Please open",
        "Please open the upper gate and wait until the l",
        "The lower gate is closed by turning the wheel to the left, slowly.",
    ],
)
def test_a_text_that_never_comes_to_the_place_is_told_so(new: str, size: int) -> None:
    """Too short, or about something else: nothing of it is said."""
    joint = Restarted("Please open the upper gate and wait until the levels")
    said = [joint.feed(piece) for piece in pieces_of(new, size)]
    with pytest.raises(Diverged):
        joint.finish()
    assert not any(said) and not joint.joined


def test_a_short_text_is_only_joined_if_it_is_the_same() -> None:
    """Fewer than two dozen characters stand for no place."""
    with pytest.raises(Diverged, match="differs after 4"):
        Restarted("The gate").feed("The lock is full. The gate")


def test_what_must_be_exact_is_joined_nowhere_else() -> None:
    """The anchor would fit, and make nonsense of it."""
    said = '{"steps": ["open the upper gate and wait until the levels'
    new = '{"notes": ["open the upper gate and wait until the levels are equal"]}'
    assert joined(Restarted(said), [new]) == ' are equal"]}'
    with pytest.raises(Diverged, match="differs after 2"):
        Restarted(said, anchored=False).feed(new)


def test_what_goes_by_unsaid_is_bounded() -> None:
    """A model that talks on about something else is not listened to for ever."""
    joint = Restarted("Please open the upper gate and wait until the levels")
    with pytest.raises(Diverged, match="did not come to the place"):
        for _ in range(SLACK):
            assert joint.feed("something else ") == ""


def test_an_anchor_that_repeats_itself_grows_until_it_does_not() -> None:
    """Rows of the same characters are everywhere; what stands before them is not."""
    said = "The first row is this: " + "0, " * 40 + "and the second row is this: " + "0, " * 40
    new = "As asked. The first row is this: " + "0, " * 40 + "and the second row is this: " + "0, " * 60
    assert said + joined(Restarted(said), pieces_of(new, 9)) == new.removeprefix("As asked. ")


@UNHURRIED
@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.data(),
)
def test_json_that_is_told_on_is_whole(value: object, data: st.DataObject) -> None:
    """At every offset, and given in one piece at the end."""
    full = json.dumps(value)
    at = data.draw(st.integers(0, len(full)))
    rest = as_a_model_would(full, at)
    joint = ContinuedJson(full[:at])
    assert "".join(map(joint.feed, pieces_of(rest, 3))) == ""
    try:
        told = joint.finish()
    except Diverged:
        # What looks like a repetition of a dozen characters is taken for one; then it must not be told as JSON.
        assert len(rest) >= 12 and rest.lstrip()[:12] in full[:at]
    else:
        json.loads(full[:at] + told)
        assert full[:at] + told == full or rest.lstrip()[:12] in full[:at]


def test_a_second_json_text_is_no_continuation() -> None:
    """Servers that bind the model to a grammar begin it anew."""
    joint = ContinuedJson('{"height": 4, "na')
    joint.feed('{"name": "upper", "height": 4}')
    with pytest.raises(Diverged):
        joint.finish()
