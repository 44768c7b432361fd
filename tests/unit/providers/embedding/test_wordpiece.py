"""Text becomes the tokens the model was trained on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.embedding.place import embedder_file
from headgate.providers.embedding.wordpiece import WordPiece, words
from tests.unit.providers.embedding.random_weights import VOCABULARY

__all__: list[str] = []

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
SMALL = WordPiece(VOCABULARY)


def ids(*tokens: str) -> list[int]:
    return [VOCABULARY.index(token) for token in ("[CLS]", *tokens, "[SEP]")]


def test_tokens_are_those_of_an_independent_implementation() -> None:
    """Accents, CJK, control signs, emoji, code and over-long words give the ids of another implementation."""
    session = onnxruntime.InferenceSession(embedder_file(os.environ), providers=["CPUExecutionProvider"])
    published = WordPiece(session.get_modelmeta().custom_metadata_map["vocabulary"].split("\n"))
    wrong = [one["text"] for one in EXPECTED["ids"] if published.encode(one["text"], 1000) != one["ids"]]
    assert len(EXPECTED["ids"]) >= 25
    assert wrong == []


def test_the_longest_piece_wins() -> None:
    """`the` is one token though its letters are tokens too; what no piece covers makes the word unknown."""
    assert SMALL.encode("The catx cat!") == ids("the", "cat", "##x", "cat", "[UNK]")
    assert SMALL.encode("axyq axy") == ids("[UNK]", "a", "##x", "##y")


def test_a_text_cannot_smuggle_in_marks() -> None:
    """`[SEP]` written by a user is brackets and letters, not the mark that ends a text."""
    assert SMALL.encode("[SEP]").count(VOCABULARY.index("[SEP]")) == 1


def test_a_vocabulary_without_marks_is_refused() -> None:
    """Without them no text can be read as in training."""
    with pytest.raises(ValueError, match=r"\[CLS\], \[SEP\]"):
        WordPiece(["[UNK]", "a"])


def test_what_is_beyond_the_limit_is_not_read() -> None:
    """The marks count; the end mark is always there."""
    assert SMALL.encode("a b c d e", 4) == ids("a", "b")


@given(st.text(max_size=300), st.integers(2, 40))
def test_any_text_can_be_read(text: str, limit: int) -> None:
    """No text fails, none is longer than the limit, every id is in the vocabulary."""
    found = SMALL.encode(text, limit)
    assert 2 <= len(found) <= limit
    assert all(0 <= one < len(VOCABULARY) for one in found)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=100))
def test_ascii_takes_a_shortcut_to_the_same_words(text: str) -> None:
    """The fast way for ASCII and the general way split alike."""
    general = list(words(text + " é"))
    assert list(words(text)) == general[:-1]
