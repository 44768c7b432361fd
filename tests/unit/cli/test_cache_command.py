"""`headgate cache`: mistakes are told by the option that was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import main

__all__: list[str] = []

CONFIG = """
[server]
database = "sqlite:///{database}"
[providers.sim]
kind = "simulated"
[features.shop]
route = "sim/any"
cache = {{ exact = "1h" }}
"""


@pytest.mark.parametrize(
    ("arguments", "option"),
    [(("stats", "--since", "soon"), "--since"), (("clear", "--before", "soon", "--dry-run"), "--before")],
    ids=["since", "before"],
)
def test_a_moment_that_is_none_is_told_by_the_option_it_stands_in(
    tmp_path: Path, arguments: tuple[str, ...], option: str
) -> None:
    """Code 2, and nothing is looked at."""
    file = tmp_path / "headgate.toml"
    file.write_text(CONFIG.format(database=tmp_path / "headgate.db"))
    done = CliRunner().invoke(main, ["cache", *arguments, "--config", str(file)])
    assert done.exit_code == 2, done.output
    assert f"`{option}` is neither" in done.output
