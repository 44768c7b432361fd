"""Rungs as an operator writes them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.section import decode_value
from headgate.dispatch.ladder.plan import ladders_of
from headgate.dispatch.ladder.settings import (
    CallbackRung,
    CallbackSettings,
    ModelRung,
    PythonRung,
    RulesRung,
    RulesSettings,
    Rung,
    SayRung,
    StaleRung,
    in_words,
    model_names,
    parse_rung,
    problems,
)

__all__: list[str] = []

SOUND: dict[str, Rung] = {
    "stale": StaleRung(86400.0),
    "stale:90m": StaleRung(5400.0),
    "model:small": ModelRung("small"),
    "model:openai/gpt-4o-mini": ModelRung("openai/gpt-4o-mini"),
    "own:house": ModelRung("house"),
    "rules: faq": RulesRung("faq"),
    "http:https://help.example.com/answer": CallbackRung("https://help.example.com/answer"),
    "http:desk": CallbackRung("desk"),
    "python:shop.degrade:answer": PythonRung("shop.degrade:answer"),
    "python:shop:Desk.answer": PythonRung("shop:Desk.answer"),
    "say:We rest: write to us.": SayRung("We rest: write to us."),
}


@pytest.mark.parametrize("text", SOUND)
def test_a_rung_is_read(text: str) -> None:
    """What stands behind the first colon belongs to the rung."""
    assert parse_rung(text) == SOUND[text]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stail", "did you mean `stale`?"),
        ("rule:faq", "did you mean `rules`?"),
        ("Our assistant is resting.", "for fixed words write `say:...`"),
        ("", "rungs are `stale:24h`"),
        ("stale:soon", "is not a duration"),
        ("stale:0s", "some age"),
        ("model:", "which model?"),
        ("rules:", "which rules?"),
        ("http:", "which address?"),
        ("http://help.example.com/", "`http:https://help.example.com/`"),
        ("http:https://me:secret@help.example.com/", "has a name or password in it"),
        ("http:https:///nowhere", "must be an address"),
        ("python:shop", "`python:package.module:function`"),
        ("python:os:system('x')", "is no function"),
        ("say:", "which words?"),
        ("say:Dear {user}", "a gap `{user}` that nothing fills; known are `{feature}`"),
    ],
)
def test_a_wrong_rung_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    """Whoever mistypes finds the way in the message."""
    with pytest.raises(ValueError) as refused:
        parse_rung(text)
    assert told in str(refused.value)


def test_a_secret_in_a_wrong_address_is_not_shown() -> None:
    """Messages end up in logs."""
    with pytest.raises(ValueError) as refused:
        parse_rung("http:https://me:secret@help.example.com/")
    assert "secret" not in str(refused.value)


def test_rungs_that_name_what_is_not_there_are_told_with_their_place() -> None:
    """All at once, with the nearest name."""
    degrade = ["stale", "rules:fag", "http:disk", "htpp:x", "model:gone", "say:x", "rules:zzz"]
    found = list(problems(degrade, rules={"faq"}, callbacks={"desk"}))
    assert [position for position, _ in found] == [1, 2, 3, 6]
    assert found[0][1] == "no rules `fag`; did you mean `faq`?"
    assert found[1][1] == "no callback `disk`; did you mean `desk`?"
    assert found[3][1] == "no rules `zzz`; add a [rules.NAME] section"


def test_models_of_a_ladder_are_known_by_their_place() -> None:
    """Routing must know them before anything fails."""
    assert list(model_names(["stale", "model:small", "nonsense", "own:house"])) == [
        (1, "small"),
        (3, "house"),
    ]


def test_a_ladder_is_told_in_plain_words() -> None:
    """For `headgate check`; of an address only the host, of words only that there are some."""
    degrade = [
        "stale",
        "own:house",
        "rules:faq",
        "http:https://h.example.com/a?key=1",
        "python:a.b:c",
        "say:x",
    ]
    assert in_words(degrade) == (
        "if every model fails: the last good answer (up to 24 h old), then the model `house`, then rules `faq`, "
        "then a callback to h.example.com, then the function a.b:c, then fixed words"
    )
    assert in_words(["stale:90m"]).endswith("(up to 90 min old)")


def test_what_a_rung_is_called_outside_tells_no_address() -> None:
    """The mark stands in a header that every caller sees."""
    marks = [parse_rung(text).mark for text in SOUND]
    assert marks[6:] == ["http", "http:desk", "python", "python", "say"]
    assert "example" not in "".join(marks)


@given(st.text(max_size=60))
def test_any_text_is_a_rung_or_refused_in_words(text: str) -> None:
    """No other exception, whatever somebody writes."""
    try:
        rung = parse_rung(text)
    except ValueError as refused:
        assert str(refused)
    else:
        assert rung.mark and rung.words()


def test_a_plan_refuses_rules_and_callbacks_that_are_not_there() -> None:
    """Also where nobody checked before."""
    with pytest.raises(ValueError, match="no rules `faq`"):
        ladders_of({"f": ["rules:faq"]}, {}, {})
    with pytest.raises(ValueError, match="no callback `desk`"):
        ladders_of({"f": ["http:desk"]}, {}, {})


def test_a_feature_without_rungs_has_no_plan() -> None:
    """And the longest age of several `stale` counts for keeping."""
    plans = ladders_of({"a": [], "b": ["stale:1h", "stale:2h"]}, {}, {})
    assert plans.keys() == {"b"}
    assert plans["b"].stale_seconds == 7200.0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "missing required field `match`"),
        ({"match": []}, "no rules"),
        ({"match": [{"answer": "x"}]}, "`any` (keywords) or `regex`"),
        ({"match": [{"any": [" "], "answer": "x"}]}, "empty keyword"),
        ({"match": [{"regex": "(", "answer": "x"}]}, "is not an expression that RE2 knows: missing )"),
        ({"match": [{"regex": r"(a)\1", "answer": "x"}]}, "is not an expression"),
        ({"match": [{"any": ["a"], "answer": "{number}"}]}, "a gap `{number}`"),
        ({"match": [{"regex": "(?P<id>a)", "answer": "{number}"}]}, "known are `{feature}`, `{id}`"),
        ({"match": [], "otherwise": "{x}"}, "`otherwise` has a gap `{x}`"),
        ({"match": [{"regex": "x{1000}{1000}", "answer": "x"}]}, "is not an expression"),
    ],
)
def test_wrong_rules_are_refused_in_words(settings: object, told: str) -> None:
    """When the configuration is read, not in the outage."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(settings, RulesSettings, dec_hook=decode_value)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "help.example.com"},
        {"url": "https://a:b@help.example.com"},
        {"url": "https://help.example.com", "timeout": 0},
        {"url": "https://help.example.com", "token": "a\r\nb"},
    ],
)
def test_a_wrong_callback_is_refused(settings: object) -> None:
    """An address is whole, has time, and its token fits into a header."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, CallbackSettings, dec_hook=decode_value)


def test_a_token_is_not_shown() -> None:
    """Settings end up in logs."""
    assert "s3cret" not in repr(CallbackSettings(url="https://help.example.com", token="s3cret"))
