"""The rules of tests/conftest.py, each shown on a small suite of its own in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__: list[str] = []

PARALLEL = ("-p", "xdist", "-n", "1")
CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

SUITE = """
import pytest

def test_plain():
    pass

@pytest.mark.needs("nginx")
def test_with_a_server():
    pass
"""


def run(
    folder: Path, suite: str, *, ci: bool = False, path: str = "", arguments: tuple[str, ...] = ()
) -> str:
    """What pytest prints for `suite`, with only `path` to find programs on."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_suite.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI"))}
    environment |= {"PATH": path, "CI": "true" if ci else "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, str(folder)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


def closing(output: str) -> str:
    """Pytest's last line without its figures of time, and the exit code."""
    lines = [line for line in output.splitlines() if re.search(r" in [\d.]+s", line)]
    return re.sub(r" in [\d.]+s.*", "", lines[-1]).strip("= ") + ", " + output.splitlines()[-1]


@pytest.mark.parametrize("arguments", [(), PARALLEL])
def test_what_cannot_run_here_is_left_out_loudly(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Without the program the rest passes, and the summary says what was not run and how it would."""
    output = run(tmp_path, SUITE, arguments=arguments)
    assert "NOT RUN: 1 tests need nginx (apt-get install nginx-light)" in output
    assert closing(output).startswith("1 passed")
    assert output.endswith("exit 0")


def test_what_can_run_here_runs(tmp_path: Path) -> None:
    """With the program on the PATH the test is like any other."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nginx").write_text("#!/bin/sh\n")
    (programs / "nginx").chmod(0o755)
    output = run(tmp_path, SUITE, path=str(programs))
    assert "NOT RUN" not in output
    assert closing(output) == "2 passed, exit 0"


def test_in_ci_a_missing_program_is_a_failure(tmp_path: Path) -> None:
    """CI has everything; what is missing there is a fault of the build."""
    output = run(tmp_path, SUITE, ci=True)
    assert "CI must run every test, and this one needs nginx: apt-get install nginx-light" in output
    assert output.endswith("exit 1")


@pytest.mark.parametrize(
    "suite",
    [
        "import pytest\n@pytest.mark.skip(reason='later')\ndef test_a():\n    pass\n",
        "import pytest\ndef test_a():\n    pytest.skip('later')\n",
        "import pytest\npytest.skip('later', allow_module_level=True)\n",
        "import pytest\npytest.importorskip('no_such_package')\n",
    ],
    ids=["marked", "called", "module", "import"],
)
@pytest.mark.parametrize("arguments", [(), PARALLEL], ids=["alone", "parallel"])
def test_in_ci_a_skip_is_a_failure(tmp_path: Path, suite: str, arguments: tuple[str, ...]) -> None:
    """However a test is skipped, CI does not end well."""
    output = run(tmp_path, suite, ci=True, arguments=arguments)
    assert "skipped, which CI does not accept" in output
    assert "skipped" not in closing(output)
    assert not output.endswith(("exit 0", "exit 5"))


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    """A known fault written down as `xfail` stays allowed in CI."""
    suite = (
        "import pytest\n@pytest.mark.xfail(reason='known', strict=True)\ndef test_a():\n    assert False\n"
    )
    assert closing(run(tmp_path, suite, ci=True)) == "1 xfailed, exit 0"


def test_an_unknown_need_is_a_mistake(tmp_path: Path) -> None:
    """A misspelt need would leave its test out forever."""
    output = run(tmp_path, "import pytest\n@pytest.mark.needs('ngnix')\ndef test_a():\n    pass\n")
    assert "needs ['ngnix']" in output
    assert output.endswith("exit 4")
