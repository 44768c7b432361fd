"""Where keys stand: for every file that TOML accepts, however it is written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.config.lines import locate
from headgate.config.toml_text import toml_text

__all__: list[str] = []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = 2", {("a",): 1, ("b",): 2}),
        ("\n# x\n[t]\n\na = 1 # = 2\n", {("t",): 3, ("t", "a"): 5}),
        ("[a.b]\nc.d = 1", {("a", "b", "c", "d"): 2, ("a",): 1}),
        ('[ "x.y" . z ]\n"k\\n" = 1', {("x.y", "z", "k\n"): 2}),
        ("a = [\n 1,\n # 2\n {b = 3},\n]\nc = 1", {("a", 0): 2, ("a", 1, "b"): 4, ("c",): 6}),
        (
            "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1",
            {("a", 0, "b"): 2, ("a", 1, "b"): 4, ("a", 1, "c", "d"): 6},
        ),
        ('a = """\n[b]\nc = 1\n"""\nd = 1', {("a",): 1, ("d",): 5}),
        ("a = '''x'\n''''\nd = 1", {("d",): 3}),
        ('a = "\\"]#{"\nd = 1', {("d",): 2}),
        ("a = '\\'\nd = 1", {("d",): 2}),
        ("a = {b = '}', c = {d = 1}, e = [1, 2]}\nf = 1", {("a", "c", "d"): 1, ("a", "e", 1): 1, ("f",): 2}),
        ("a = 1979-05-27 07:32:00 # x\nb = 1", {("b",): 2}),
        ("a = 1\r\n\r\nb = 2\r\n", {("b",): 3}),
    ],
)
def test_every_key_has_its_line(text, expected):
    """Tables, dotted and quoted keys, inline tables, lists over lines, all kinds of strings."""
    tomllib.loads(text)
    found = locate(text)
    assert {key: found.get(key) for key in expected} == expected


def test_what_has_no_line_has_that_of_what_is_around_it():
    """A key that is missing is told at its section."""
    lines = locate("[a]\nb = 1")
    assert lines.near(("a", "c", "d")) == 1
    assert lines.near(("x",)) is None


KEYS = st.text(min_size=1, max_size=6)
VALUES = st.recursive(
    st.booleans() | st.integers(-99, 99) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def keys_of(value, key=()):
    if isinstance(value, dict):
        for name, each in value.items():
            yield (*key, name)
            yield from keys_of(each, (*key, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield (*key, number)
            yield from keys_of(each, (*key, number))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_no_key_of_any_file_is_missed(data):
    """Whatever the file holds, its problems can be pointed at; and what `config show` writes reads back the same."""
    text = toml_text(data)
    assert tomllib.loads(text) == data
    found = locate(text)
    for key in keys_of(data):
        assert key in found
        if all(isinstance(part, str) for part in key):
            continue
        assert found[key] <= text.count("\n") + 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab=[]{}\"'.,#\n \\1", max_size=60))
def test_it_ends_on_any_text(text):
    """Also on what TOML refuses."""
    locate(text)
