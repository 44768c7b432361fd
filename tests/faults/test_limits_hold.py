"""The command that measures how exactly a limit holds over three gateways, one of which is killed: `bench/limits_hold.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__: list[str] = []

ROOT = Path(__file__).parents[2]


@pytest.mark.needs("redis")
def test_a_limit_holds_over_three_gateways_also_when_one_is_killed() -> None:
    """Never more than one per cent too many. Too few may pass where this machine is too busy to ask; the command itself,
    run on a quiet one, takes one per cent for too few as well."""
    # Where nothing is compiled yet, a test does not begin with it: that takes minutes.
    form = {} if os.environ.get("HEADGATE_COMPILED") else {"HEADGATE_BENCH_FORM": "source"}
    done = subprocess.run(
        [sys.executable, "bench/limits_hold.py", "--seconds", "8", "--json"],
        cwd=ROOT,
        env={**os.environ, **form, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert -20 < found["difference_percent"] <= 1, found
