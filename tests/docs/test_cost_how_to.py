"""What docs/how-to/plan-costs.md shows is what is printed; the worked example to the last figure."""

from __future__ import annotations

from pathlib import Path

from tests.support.following import at_once, beside_a_gateway, how_to
from tests.support.pages import Reader, blocks, steps

__all__: list[str] = []

PAGE = how_to("plan-costs")


def test_the_plans_come_out_as_shown_figure_by_figure(tmp_path: Path) -> None:
    """Other pages may differ in their numbers from run to run; arithmetic may not."""
    reader = Reader(tmp_path, "", {})
    plans = [
        step for block in blocks(PAGE, "console") for step in steps(block) if "cost plan" in step.command
    ]
    assert len(plans) == 3
    for step in plans:
        printed = reader.run(step.command).splitlines()
        assert [line for line in step.shown if line not in printed] == []


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Its configuration, then every command in order."""
    assert len(blocks(PAGE, "toml")) == 1
    with beside_a_gateway(PAGE, tmp_path, adapted=at_once) as (_, reader):
        commands = [block for block in blocks(PAGE, "console") if "cost plan" not in block.text]
        assert len(commands) == 5
        for block in commands:
            reader.do(block)
