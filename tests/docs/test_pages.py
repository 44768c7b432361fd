"""The reader of pages can be disappointed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import Block, Reader, Step, blocks, like, steps

__all__: list[str] = []


def test_commands_and_what_they_print_are_told_apart() -> None:
    """Long commands go over several lines; empty lines do not count."""
    found = list(steps(Block("console", "$ headgate a \\\n    --b\none\n\ntwo\n$ headgate c\n")))
    assert found == [Step("headgate a --b", ["one", "two"]), Step("headgate c", [])]


def test_only_what_differs_from_run_to_run_is_overlooked() -> None:
    """Numbers, ids and paths do; words do not."""
    assert like("req_0aks7zk3zr800  support-chat   200  0.000074 967ms ok") == like(
        "req_1bbb  support-chat 200 0.1 3ms ok"
    )
    assert like("refused: invalid_api_key") != like("refused: unknown_model")


def test_a_line_that_was_not_printed_is_noticed(tmp_path: Path) -> None:
    """A line that is shown twice has to be printed twice."""
    reader = Reader(tmp_path, "http://127.0.0.1:1", {})
    reader.compare(Step("x", ["first 1", "second 2"]), "second 7\nmore\nfirst 8\n")
    for shown in (["third"], ["first", "first"]):
        with pytest.raises(AssertionError, match="did not print"):
            reader.compare(Step("x", shown), "first\nsecond\n")


def test_an_id_of_the_page_becomes_the_one_that_was_printed(tmp_path: Path) -> None:
    """So that a later command on the page asks for a request that exists."""
    reader = Reader(tmp_path, "http://127.0.0.1:1", {})
    reader.compare(Step("x", ["req_page ok"]), "req_real ok\n")
    assert reader.ids == {"req_page": "req_real"}


def test_a_command_that_fails_and_a_program_that_breaks_are_noticed(tmp_path: Path) -> None:
    """Whatever the page shows."""
    reader = Reader(tmp_path, "http://127.0.0.1:1", {})
    with pytest.raises(AssertionError):
        reader.do(Block("console", "$ headgate show req_0aks7zk3zr800\n"))
    with pytest.raises(AssertionError):
        reader.do(Block("python", "raise SystemExit(3)"))
    with pytest.raises(AssertionError, match="not rm"):
        reader.do(Block("console", "$ rm -r /\n"))


def test_blocks_come_in_order_and_in_the_languages_asked_for(tmp_path: Path) -> None:
    """Others are for reading only."""
    page = tmp_path / "page.md"
    page.write_text("```toml\na = 1\n```\n\n```text\nno\n```\n\n```python\nprint(1)\n```\n")
    assert [block.language for block in blocks(page, "python", "toml")] == ["toml", "python"]
