"""Rules: which one holds, and what it answers."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.core.messages import ChatRequest
from headgate.dispatch.ladder.plan import rule_book
from headgate.dispatch.ladder.rules import RuleBook, any_of, compiled, folded, last_words
from headgate.dispatch.ladder.settings import RulesSettings
from headgate.dispatch.ladder.template import fill, gaps
from headgate.edge.dialects.anthropic_messages import AnthropicMessages

__all__: list[str] = []


def book(*match: dict[str, Any], otherwise: str = "") -> RuleBook:
    return rule_book(msgspec.convert({"match": list(match), "otherwise": otherwise}, RulesSettings))


FAQ = book(
    {"any": ["refund", "money back"], "answer": "Refunds take five days."},
    {"regex": r"order (?:nr\.? )?(?P<number>\d{3,})", "answer": "Order {number} is on its way ({feature})."},
    {"any": ["parcel"], "regex": "late|lost", "answer": "We look for it."},
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I want a REFUND!", "Refunds take five days."),
        ("my money\n  back, please", "Refunds take five days."),
        ("Where is Order nr. 4711?", "Order 4711 is on its way (shop)."),
        ("a refund of order 4711", "Refunds take five days."),
        ("my parcel is late", "We look for it."),
        ("my parcel", None),
        ("I am late", None),
        ("refunds", None),
        ("prerefund", None),
        ("", None),
    ],
)
def test_the_first_rule_that_holds_answers(text: str, answer: str | None) -> None:
    """Keywords as whole words in any case; with keywords and an expression both must hold."""
    assert FAQ.answer(text, "shop") == answer


def test_otherwise_answers_what_no_rule_holds_for() -> None:
    """With rules or without."""
    assert (
        book({"any": ["a"], "answer": "A"}, otherwise="None of {feature}.").answer("b", "shop")
        == "None of shop."
    )
    assert book(otherwise="Hello.").answer("", "") == "Hello."


def holds(text: str, keyword: str) -> bool:
    return any_of([keyword]).found(folded(text)) is not None


@pytest.mark.parametrize(
    ("text", "keyword", "found"),
    [
        ("STRASSE", "straße", True),
        ("die Straße", "strasse", True),
        ("ＲＥＦＵＮＤ", "refund", True),
        ("cafe\u0301", "café", True),
        ("cafe\u0301s", "café", False),
        ("返金したいです", "返金", True),
        ("환불을 원해요", "환불", True),
        ("возврата", "возврат", False),
        ("возврат!", "возврат", True),
        ("I know c++.", "C++", True),
        ("#1 fan", "#1", True),
        ("#12", "#1", False),
        ("refund_policy", "refund", False),
        ("refund-policy", "refund", True),
        ("aa aaa a", "a", True),
        ("करा", "कर", False),
        ("कर.", "कर", True),
        ("a\nb", "A B", True),
        ("axb", "a.b", False),
    ],
)
def test_words_are_told_apart_in_every_script(text: str, keyword: str, found: bool) -> None:
    """In scripts without spaces nothing says where a word ends, so there a keyword may stand anywhere."""
    assert holds(text, keyword) is found


@given(st.lists(st.text(alphabet="abcßÅ", min_size=1, max_size=5), min_size=1, max_size=8), st.data())
def test_a_word_of_a_sentence_is_always_found_and_a_part_of_one_never(words: list[str], data: Any) -> None:
    """Whatever the words are, and in whichever case they are written."""
    sentence = " ".join(words).upper()
    word = data.draw(st.sampled_from(words))
    assert holds(sentence, word)
    assert not holds(sentence.replace(" ", "_") + "_", word)


@given(st.text(), st.text(min_size=1))
def test_matching_takes_any_text(text: str, keyword: str) -> None:
    """No exception, and nothing is found that is not there."""
    assume(folded(keyword))
    assert not holds(text, keyword) or folded(keyword) in folded(text)
    assert holds(keyword, keyword) and holds(f"({keyword})", keyword)


@given(st.text())
def test_a_book_takes_any_message(text: str) -> None:
    """Users write what they like."""
    answer = FAQ.answer(text, "shop")
    assert answer is None or answer


def test_half_of_a_character_is_no_error() -> None:
    """Broken text comes out of broken applications."""
    assert FAQ.answer("\ud800 refund", "shop") == "Refunds take five days."


@pytest.mark.parametrize("expression", ["(a+)+$", "(x+x+)+y", "(a|aa)+$", "(.*)*b"])
def test_no_expression_makes_a_message_slow(expression: str) -> None:
    """Expressions that take other engines longer than the universe are searched in proportion to the text.

    A backtracking engine needs 2 to the power of thousands of steps here; a second is the patience of this test."""
    began = time.process_time()
    book({"regex": expression, "answer": "x"}).answer("a" * 8000 + "x" * 8000, "shop")
    assert time.process_time() - began < 1.0


def test_of_a_long_message_the_beginning_and_the_end_are_read() -> None:
    """Somebody pastes a letter and writes their question above or below it."""
    letter = "lorem ipsum " * 5000
    assert FAQ.answer(f"refund? {letter}", "shop") is not None
    assert FAQ.answer(f"{letter} refund?", "shop") is not None
    assert FAQ.answer(f"{letter} refund? {letter}", "shop") is None


def test_no_message_makes_many_keywords_slow() -> None:
    """A message that is made of almost-keywords; a second is the patience of this test, a thousandth is what it takes."""
    many = [{"any": [f"k{a}{b}" for b in range(20)] + ["k1"], "answer": "x"} for a in range(50)]
    rules = book(*many)
    began = time.process_time()
    assert rules.answer("k1" * 4000, "shop") is None
    assert time.process_time() - began < 1.0


def test_groups_keep_their_case_and_a_group_that_found_nothing_is_empty() -> None:
    """What the user wrote is given back as it was written."""
    rules = book({"regex": "i am (?P<name>[a-z]+)(?: from (?P<town>[a-z]+))?", "answer": "<{name}|{town}>"})
    assert rules.answer("I am Ada", "shop") == "<Ada|>"


def test_the_last_message_of_the_user_counts() -> None:
    """Not the assistant's, not a tool's, and all its text parts."""
    request = AnthropicMessages().read(
        json.dumps(
            {
                "model": "m",
                "max_tokens": 9,
                "messages": [
                    {"role": "user", "content": "first"},
                    {"role": "assistant", "content": "no"},
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                    },
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}],
                    },
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}],
                    },
                ],
            }
        ).encode()
    )
    assert isinstance(request, ChatRequest)
    assert last_words(request) == "a\nb"
    assert last_words(ChatRequest(model="m", messages=[])) == ""


# Templates


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(max_size=50)))
def test_filling_replaces_gaps_and_nothing_else(words: str, values: dict[str, str | None]) -> None:
    """Text without gaps stays as it is; a value that looks like a gap is not filled again."""
    if not gaps(words):
        assert fill(words, values) == words
    assert fill("a{x}b", {"x": "{y}", "y": "no"}) == "a{y}b"


@given(st.text(max_size=300))
def test_a_value_cannot_leave_its_string_in_json(value: str) -> None:
    """What a user wrote must not become a key of the answer."""
    filled = fill('{"text": "You wrote {it}.", "sure": false}', {"it": value}, in_json=True)
    assert json.loads(filled) == {"text": f"You wrote {value}.", "sure": False}


def test_json_and_other_braces_are_no_gaps() -> None:
    """An answer may be JSON as it is."""
    for words in ('{"a": {"b": 1}}', "{ }", "{1}", "{a b}", "{{", "${x", "{x:>9}", "{x.y}", "{x[0]}"):
        assert gaps(words) == []


def test_values_are_bounded() -> None:
    """An answer does not repeat a novel."""
    assert len(fill("{x}", {"x": "y" * 10_000})) == 500


def test_an_expression_is_searched_anywhere_in_any_case() -> None:
    """Whoever wants otherwise writes anchors, or (?-i)."""
    assert compiled("ABC").found("xabcx") == {}
    assert compiled("^abc$").found("xabcx") is None
    assert compiled("(?-i)ABC").found("abc") is None
