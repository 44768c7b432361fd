"""In which form the path of a request runs, compiled or as plain Python: what is started says so, and what a compiled wheel has in it.

Nothing is compiled here: it takes minutes. That what was compiled works is shown by `make test COMPILED=yes`, which starts it everywhere.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

from headgate import __version__
from tests.support.gateway import KEY, running_gateway

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
COMPILED = bool(os.environ.get("HEADGATE_COMPILED"))
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
BUILD = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]


def test_a_started_command_says_in_which_form_it_runs() -> None:
    """Compiled in a run of the tests with COMPILED=yes, plain otherwise: the run measures what it says."""
    for arguments in (["--version"], ["version", "--json"]):
        command = [sys.executable, "-m", "headgate", *arguments]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        if arguments == ["--version"]:
            assert told == f"headgate {__version__}{' (compiled)' if COMPILED else ''}\n"
        else:
            assert json.loads(told)["form"] == ("compiled" if COMPILED else "plain Python")


def test_the_page_settings_says_in_which_form_the_gateway_runs(tmp_path: Path) -> None:
    """So does a gateway that somebody else has started."""
    with running_gateway(tmp_path, '[providers.sim]\nkind = "simulated"\n') as gateway:
        who = base64.b64encode(f"any:{KEY}".encode()).decode()
        asked = urllib.request.Request(f"{gateway.url}/settings", headers={"authorization": f"Basic {who}"})
        with urllib.request.urlopen(asked, timeout=10) as reply:
            page = reply.read().decode()
    form = "compiled" if COMPILED else "plain Python"
    assert f"<dt>Headgate</dt><dd>{__version__}, {form}</dd>" in page


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel is made of, where nobody edits it meanwhile."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scripts").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements-image.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("compile.lock", "compiled.py", "hatch_build.py"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def environment(**said: str) -> dict[str, str]:
    """This process's, with nothing in it about forms but what is `said`."""
    ours = ("HEADGATE_COMPILED", "HEADGATE_COMPILE_AGAINST", "HATCH_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | said


def test_a_wheel_is_plain_unless_asked_for(checkout: Path, tmp_path: Path) -> None:
    """For every machine, and nothing is compiled for it."""
    command = [*BUILD, "--directory", str(tmp_path)]
    subprocess.run(command, cwd=checkout, env=environment(), check=True, capture_output=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == [f"headgate-{__version__}-py3-none-any.whl"]


def test_a_compiled_wheel_has_modules_beside_their_sources_and_the_name_of_its_machine(
    checkout: Path, tmp_path: Path
) -> None:
    """What all compiled modules share lies at the top, where they import it from; nothing else of a build comes along."""
    made = tmp_path / "made"
    modules = [f"headgate/journey{SUFFIX}", f"headgate/core/ids{SUFFIX}", f"0a1b2c__mypyc{SUFFIX}"]
    for name in (*modules, "headgate/journey.py", "build/temp/left.o"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(name.encode())
    asked = environment(HEADGATE_COMPILED=str(made), HATCH_BUILD_HOOK_ENABLE_CUSTOM="true")
    stamp = "import sys; sys.path.insert(0, '.'); from scripts.compiled import made_from; print(made_from(), end='')"
    state = subprocess.check_output([sys.executable, "-c", stamp], cwd=checkout, env=asked, timeout=60)
    (made / ".made-from").write_bytes(state)
    command = [*BUILD, "--directory", str(tmp_path / "dist")]
    subprocess.run(command, cwd=checkout, env=asked, check=True, capture_output=True, timeout=60)
    (wheel,) = (tmp_path / "dist").iterdir()
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name == f"headgate-{__version__}-{python}-{python}-{platform}.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert archive.read(modules[-1]) == modules[-1].encode()
        assert archive.read("headgate/journey.py") == (checkout / "src/headgate/journey.py").read_bytes()
    sources = {str(path.relative_to(checkout / "src")) for path in (checkout / "src").rglob("*")}
    files = {name for name in sources if (checkout / "src" / name).is_file() and "__pycache__" not in name}
    assert names == files | set(modules)


def test_without_a_compiler_the_build_says_in_a_sentence_what_is_missing(
    checkout: Path, tmp_path: Path
) -> None:
    """No traceback, no wheel that looks compiled and is not."""
    asked = environment(CC=str(tmp_path / "cc"), HATCH_BUILD_HOOK_ENABLE_CUSTOM="true")
    done = subprocess.run(
        [*BUILD, "--directory", str(tmp_path / "dist")],
        cwd=checkout,
        env=asked,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "not compiled: this machine lacks a C compiler (Debian: apt-get install gcc libc6-dev)"
    ]
    assert not [*tmp_path.rglob("*.whl")]


def test_without_pythons_headers_benchmarks_run_as_plain_python(checkout: Path, tmp_path: Path) -> None:
    """And say so. A compiler that finds no header is as good as none."""
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o700)
    done = subprocess.run(
        [sys.executable, checkout / "scripts" / "compiled.py", "--if-possible"],
        env=environment(CC=str(compiler)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    (told,) = done.stderr.splitlines()
    assert told.startswith("not compiled: this machine lacks ") and told.endswith(
        "; Headgate runs as plain Python"
    )
    assert "headers" in told
