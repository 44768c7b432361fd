"""Install the peers Headgate is measured against, each into its own environment under `.build/bench/`.

    python bench/setup.py                  install what is not there yet
    python bench/setup.py --force litellm  install again, the newest release

A peer that cannot be installed is noted with the reason, and `make bench` prints it. nginx and wrk are Debian
packages: apt-get install nginx-light wrk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.installation import Installation

__all__ = ["install", "install_missing"]

_MINUTES_10 = 600


class CannotInstall(Exception):
    """A peer is not installable here; the message is the reason that is reported."""


def install_missing(names: list[str], *, force: bool = False) -> None:
    """Install those of `names` that have no note yet, and print what came of it."""
    for name in names:
        place = Installation(name)
        if force or (place.missing() or "").startswith("not installed: run"):
            print(f"installing {name} into its own environment ...", flush=True)
            install(place)
        reason = place.missing()
        print(f"{name}: {reason}" if reason else f"{name}: {place.versions()}")


def install(place: Installation) -> None:
    """Install one peer and note its versions, or note why not."""
    place.home.mkdir(parents=True, exist_ok=True)
    try:
        place.succeeded(**_INSTALLERS[place.name](place.home))
    except CannotInstall as reason:
        place.failed(str(reason))


def _litellm(home: Path) -> dict[str, str]:
    python = _environment(home, minimum=(3, 11), below=(3, 14))
    _run([*_pip(python), "litellm[proxy]"])
    return {"litellm": _version(python, "litellm"), "python": _python_version(python)}


def _otari(home: Path) -> dict[str, str]:
    python = _environment(home, minimum=(3, 11), below=(3, 15))
    _run([*_pip(python), "otari"])
    release = _version(python, "otari")
    commands = sorted(set(_scripts(python, "otari")))
    if not commands:
        raise CannotInstall(
            f"the package index holds otari's client alone (otari {release} brings no server command); "
            "the gateway is published as a container image, which needs a container runtime"
        )
    return {"otari": release, "python": _python_version(python), "commands": " ".join(commands)}


def _portkey(home: Path) -> dict[str, str]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise CannotInstall("Node is not installed: apt-get install nodejs npm")
    # With a newer server part every streamed answer fails: Portkey-AI/gateway issue 1389, open.
    held = {"@hono/node-server": "1.14.1"}
    wanted = {"private": True, "dependencies": {"@portkey-ai/gateway": "latest"}, "overrides": held}
    shutil.rmtree(home / "node_modules", ignore_errors=True)
    (home / "package-lock.json").unlink(missing_ok=True)
    (home / "package.json").write_text(json.dumps(wanted))
    _run([npm, "install", "--no-fund", "--no-audit", "--prefix", str(home)])
    package = home / "node_modules" / "@portkey-ai" / "gateway" / "package.json"
    version = json.loads(package.read_text())["version"]
    return {
        "portkey": version,
        "node": _run([node, "--version"]).strip(),
        "server": held["@hono/node-server"],
    }


_INSTALLERS = {"litellm": _litellm, "portkey": _portkey, "otari": _otari}


def _environment(home: Path, *, minimum: tuple[int, int], below: tuple[int, int]) -> Path:
    """A virtual environment in `home` on the newest Python that fits; returns its interpreter."""
    newest = max(_pythons(), key=lambda found: (minimum <= found[0] < below, found[0]))
    if not minimum <= newest[0] < below:
        raise CannotInstall(f"needs Python {minimum[0]}.{minimum[1]} or newer, below {below[0]}.{below[1]}")
    shutil.rmtree(home / "venv", ignore_errors=True)
    _run([str(newest[1]), "-m", "venv", str(home / "venv")])
    return home / "venv" / "bin" / "python"


def _pythons() -> list[tuple[tuple[int, int], Path]]:
    """Interpreters that really answer: a name on the path may be a shim for a version that is not switched on."""
    named = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [Path(sys.executable), *(Path(name) for name in named if name)]
    candidates += sorted(versions.glob("3.*/bin/python"))
    found = []
    for candidate in candidates:
        code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
        said = subprocess.run([str(candidate), "-c", code], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            major, minor = said.stdout.split()
            found.append(((int(major), int(minor)), candidate))
    return found


def _pip(python: Path) -> list[str]:
    # uv, where the project's environment has it, is ten times as fast.
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        return [str(uv), "pip", "install", "-q", "--upgrade", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "-q", "--upgrade"]


def _run(command: list[str]) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MINUTES_10)
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"`{' '.join(command[:4])} ...` did not end within ten minutes") from None
    if said.returncode:
        last = (said.stderr or said.stdout).strip().splitlines()[-3:]
        raise CannotInstall(
            f"`{Path(command[0]).name} {' '.join(command[1:3])} ...` failed: {' '.join(last)[:400]}"
        )
    return said.stdout


def _python_version(python: Path) -> str:
    return _run([str(python), "-c", "import platform; print(platform.python_version())"]).strip()


def _version(python: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _run([str(python), "-c", code]).strip()


def _scripts(python: Path, package: str) -> list[str]:
    code = (
        f"import importlib.metadata as m; print(*(e.name for e in m.distribution({package!r}).entry_points))"
    )
    return _run([str(python), "-c", code]).split()


def main() -> None:
    """Read the names and install."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument(
        "names", nargs="*", metavar="PEER", help=f"of {', '.join(_INSTALLERS)}; none means all"
    )
    parser.add_argument("--force", action="store_true", help="install again, also what is there")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(_INSTALLERS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(_INSTALLERS)}")
    install_missing(chosen.names or list(_INSTALLERS), force=chosen.force)


if __name__ == "__main__":
    main()
