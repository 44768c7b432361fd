"""Compile the path of a request to machine code: the modules that pyproject.toml lists under [tool.headgate] compiled.

    python scripts/compiled.py                  make .build/compiled, unless it is there; PYTHONPATH=.build/compiled uses it
    python scripts/compiled.py --if-possible    the same; without a C compiler say so and end well
    python scripts/compiled.py --extensions DIR    only the compiled modules, for a wheel; those that are there, if they are of these sources

mypyc translates typed Python to C. The sources stay as they are and run uncompiled too: in tests, in `make demo`, while one works on them.
Needs a C compiler and Python's headers (Debian: gcc, libc6-dev, python3-dev), and for Python what scripts/compile.lock names.
Takes one to three minutes. docs/decisions/0051-compiled-path.md says why.

    HEADGATE_COMPILED           where else than in .build/compiled they may be there
    HEADGATE_COMPILE_AGAINST    a Python of the same version that has what Headgate imports, if this one has not
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["compile_modules", "installed", "listed", "made_from", "missing", "taken_over"]

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / ".build" / "compiled"
_STATE = ".made-from"
# What else than the sources decides on the outcome; scripts/compile.lock has the tools, requirements-image.lock whose types they read.
_OTHERS = ("pyproject.toml", "requirements-image.lock", "scripts/compile.lock", "scripts/compiled.py")


def listed(root: Path = ROOT) -> list[str]:
    """The modules to compile, as paths below src, sorted."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    modules: list[str] = settings["tool"]["headgate"]["compiled"]
    return sorted(modules)


def missing() -> str:
    """What compiling needs and this machine lacks; "" if nothing."""
    if any(importlib.util.find_spec(name) is None for name in ("mypyc", "setuptools")):
        return "mypyc (pip install --require-hashes -r scripts/compile.lock)"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return "a C compiler (Debian: apt-get install gcc libc6-dev)"
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").is_file():
        return "Python's headers (Debian: apt-get install python3-dev)"
    command = [*compiler, "-E", f"-I{include}", "-"]
    tried = subprocess.run(command, input=b"#include <Python.h>\n", capture_output=True, check=False)
    return "the C library's headers (Debian: apt-get install libc6-dev)" if tried.returncode else ""


def compile_modules(target: Path, root: Path = ROOT) -> None:
    """Put the compiled modules below `target`, at their places. Raises SystemExit with the compiler's words."""
    print(f"compiling {len(listed(root))} modules, one to three minutes", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # A copy: nothing is left beside the sources, where it would be imported in their stead when they change.
        shutil.copytree(root / "src", work / "src", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        # By another name: setuptools would read it too, and it is hatchling's.
        shutil.copy(root / "pyproject.toml", work / "mypy.toml")
        files = [f"src/{module}" for module in listed(root)]
        # Named, or mypy looks for the Python whose version its configuration has, and reads what that one has installed.
        types_of = os.environ.get("HEADGATE_COMPILE_AGAINST") or sys.executable
        options = ["--config-file", "mypy.toml", "--python-executable", types_of]
        options += ["--follow-imports", "silent", *files]
        (work / "setup_compiled.py").write_text(
            "from mypyc.build import mypycify\n"
            "from setuptools import setup\n"
            f"modules = mypycify({options!r}, opt_level='2', debug_level='0', multi_file=True)\n"
            "setup(name='headgate-compiled', packages=[], py_modules=[], ext_modules=modules)\n"
        )
        command = [sys.executable, "setup_compiled.py", "--quiet", "build_ext", "--build-lib", str(target)]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"compiling failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def made_from() -> str:
    """Names what a build is made from: sources, settings, tools, this Python."""
    outside = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "LDFLAGS")]
    digest = hashlib.sha256(f"{sys.version}{sysconfig.get_platform()}{outside}".encode())
    for path in (*_inputs(), *(ROOT / name for name in _OTHERS)):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _inputs() -> Iterator[Path]:
    for path in sorted((ROOT / "src").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _is_of(out: Path, state: str) -> bool:
    stamp = out / _STATE
    return stamp.is_file() and stamp.read_text() == state


def installed(out: Path = OUT) -> Path:
    """`out` with the whole package in it, compiled where listed; made anew if the sources have changed since."""
    state = made_from()
    if _is_of(out, state):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        made = Path(folder) / "made"
        shutil.copytree(ROOT / "src", made, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        compile_modules(made)
        (made / _STATE).write_text(state)
        shutil.rmtree(out, ignore_errors=True)
        made.replace(out)
    return out


def taken_over(target: Path) -> bool:
    """Put compiled modules that are there below `target`, if they are of these sources. False: nothing was done."""
    out = Path(os.environ.get("HEADGATE_COMPILED") or OUT)
    if not _is_of(out, made_from()):
        return False
    for path in out.rglob("*.so"):
        into = target / path.relative_to(out)
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into)
    return True


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--if-possible", action="store_true", help="without a C compiler say so and end well")
    parser.add_argument("--extensions", type=Path, metavar="DIR", help="only the compiled modules, into DIR")
    parser.add_argument(
        "--sources", type=Path, metavar="DIR", help="with --extensions: src and pyproject.toml are there"
    )
    options = parser.parse_args()
    if options.extensions and not options.sources and taken_over(options.extensions.resolve()):
        return
    if lacking := missing():
        said = f"not compiled: this machine lacks {lacking}"
        if not options.if_possible:
            raise SystemExit(said)
        print(f"{said}; Headgate runs as plain Python", file=sys.stderr)
    elif options.extensions:
        compile_modules(options.extensions.resolve(), (options.sources or ROOT).resolve())
    else:
        print(installed())


if __name__ == "__main__":
    main()
