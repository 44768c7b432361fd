"""The measure of the judge of answers, and the streams that the adaptive bound is tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cache import page as pages
from bench.cache.adaptive import Judge, Near, cell, judges, stream
from bench.cache.adaptive_page import adaptive_section, judge_section
from bench.cache.answers import AnswerPair, AnswerSet, written
from bench.cache.judging import Mistakes, mistakes, table
from bench.cache.page import with_sections, write_section

__all__: list[str] = []

PERFECT = Judge("never mistaken", 0.0, 0.0)
ALL_RIGHT = Near("all right", lambda _most: lambda _chance: (0.96, True))
BAD = Near("every tenth wrong", lambda _most: lambda chance: (0.96, chance.random() < 0.9))


def test_written_answers_are_paired_within_their_question(tmp_path: Path) -> None:
    """Answers of one question say the same; what stands under `!` says something else than each of them. A slash is the end of a line."""
    file = tmp_path / "answers.txt"
    file.write_text(
        "# why\n? a\n= one / two\n= three\n! number: four\n\n? b\n= five\n= six\n! scope: seven\n"
    )
    same, different, number, scope = written(file)
    assert same.same and not different.same
    assert same.pairs == [AnswerPair("one\ntwo", "three", "a"), AnswerPair("five", "six", "b")]
    assert number.pairs == [AnswerPair("one\ntwo", "four", "a"), AnswerPair("three", "four", "a")]
    assert (number.name, scope.name) == ("written, number", "written, scope")
    assert different.pairs == number.pairs + scope.pairs


def test_the_answers_that_ship_are_whole() -> None:
    """To each question two answers that say the same and two that do not, all different texts."""
    same, different, *_ = written()
    questions = {pair.group for pair in same.pairs}
    assert len(questions) == len(same.pairs) == 40
    for question in questions:
        traps = {pair.other for pair in different.pairs if pair.group == question}
        ones = {pair.one for pair in different.pairs if pair.group == question}
        assert len(traps) == len(ones) == 2 and traps.isdisjoint(ones)


def test_a_mistake_is_what_the_judge_calls_otherwise_than_it_is() -> None:
    """Said to be the same though it is not, or the other way; pairs of one group are drawn together."""
    pairs = [AnswerPair("a", "b", group) for group in "xxyy"]
    different, same = AnswerSet("d", False, pairs), AnswerSet("s", True, pairs)
    found = mistakes(different, [True, True, False, False])
    assert (found.share, found.pairs, found.groups) == (0.5, 4, 2)
    assert found.interval == (0.0, 1.0), "two groups, one all wrong and one all right"
    assert mistakes(same, [True, True, True, False]).share == 0.25


def test_no_mistake_is_no_proof_of_none() -> None:
    """The interval then comes from the number of groups, not of pairs."""
    pairs = [AnswerPair("a", "b", str(number % 10)) for number in range(100)]
    found = mistakes(AnswerSet("d", False, pairs), [False] * 100)
    assert found.share == 0.0 and found.interval == pytest.approx((0.0, 0.3085), abs=1e-3)
    found = mistakes(AnswerSet("d", False, pairs), [True] * 100)
    assert found.share == 1.0 and found.interval == pytest.approx((0.6915, 1.0), abs=1e-3)


def test_a_stream_gives_nothing_before_enough_is_known_and_then_gives() -> None:
    """The product's own rules: 121 judgements without a mistake for 5 %."""
    draw = ALL_RIGHT.draw(0.05)
    before = stream(draw, PERFECT, 0.05, 1, asked=121)
    assert (before.given, before.first, before.judged) == (0, None, 121)
    after = stream(draw, PERFECT, 0.05, 1, asked=400)
    assert after.first is not None and 121 <= after.first < 121 + 20, "it is looked again after 20 right ones"
    assert after.given == 400 - after.first and after.wrong == 0
    assert 121 < after.judged < 200, "of hits only a sample is judged"


def test_a_judge_that_sees_nothing_lets_wrong_answers_pass() -> None:
    """The streams show what a blind judge does; one that sees gives nothing here."""
    blind = cell(BAD, Judge("blind", 0.0, 1.0), 0.05, seeds=2, asked=2_000)
    assert blind.wrong == pytest.approx(0.1, abs=0.03) and blind.over == blind.gave == 2
    seeing = cell(BAD, PERFECT, 0.05, seeds=2, asked=2_000)
    assert (seeing.served, seeing.wrong, seeing.wrong_interval, seeing.first, seeing.gave) == (
        0,
        None,
        None,
        None,
        0,
    )


def test_what_was_never_asked_the_check_is_not_judged() -> None:
    """A question that the check forbids has no score: it is not given, and teaches nothing."""
    found = stream(lambda _chance: (0.0, False), PERFECT, 0.05, 1, asked=100)
    assert (found.given, found.judged, found.looks) == (0, 0, 0)


def test_the_section_holds_every_set_and_every_kind_of_stream() -> None:
    """With intervals; what gave nothing has no share that was wrong."""
    names = [
        ("written", True), ("written", False), ("written, direction", False), ("claims, one true and one not", False),
        ("claims, of these a word or two apart", False), ("questions, read as if they were answers", True),
    ]  # fmt: skip
    found = [Mistakes(name, same, 20, 10, 0.11, (0.05, 0.19)) for name, same in names]
    assert table(found).count("| 20 (10) | 11.0% (5.0% to 19.0%) |") == len(names)
    some = judges(found)
    nears = [ALL_RIGHT, BAD, Near("again", BAD.draw)]
    cells = [cell(near, judge, 0.05, seeds=1, asked=200) for near in nears for judge in some]
    text = judge_section(found) + adaptive_section(cells, seeds=1, asked=200)
    given = 200 - int(cells[1].first or 0)
    most = 1 - 0.025 ** (1 / given)
    assert (
        f"| 5% | all right | {given / 200:.1%} ({given / 200:.1%} to {given / 200:.1%}) | 0.00% (0.00% to {most:.2%}) | 0 |"
        in text
    )
    assert "| 5% | every tenth wrong | 0.0% (0.0% to 0.0%) | - | 0 | - |" in text
    assert all(f"| 5% | {judge.name} |" in text for judge in some)


def test_a_section_takes_its_own_place_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever is written first; the page that is written anew keeps them."""
    monkeypatch.setattr(pages, "PAGE", tmp_path / "page.md")
    pages.PAGE.write_text("# Page\n")
    write_section("lookup", "## L")
    write_section("adaptive", "## A")
    marks = [f"<!-- written by python -m bench.cache.{name} -->" for name in ("adaptive", "lookup")]
    assert pages.PAGE.read_text() == f"# Page\n\n{marks[0]}\n\n## A\n\n{marks[1]}\n\n## L\n"
    write_section("adaptive", "## B\n")
    assert with_sections("# New\n\ntext\n") == f"# New\n\ntext\n\n{marks[0]}\n\n## B\n\n{marks[1]}\n\n## L\n"
