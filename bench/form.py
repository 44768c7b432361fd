"""The form in which Headgate is measured: with its compiled path of a request, as a wheel has it; else as plain Python.

HEADGATE_BENCH_FORM=source measures plain Python. Without a C compiler nothing else can be had.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys

from bench.places import ROOT, clean_environment

__all__ = ["compiled", "gateway_environment", "measured_compiled"]


@functools.cache
def compiled() -> str:
    """Where the compiled package is, made anew if the sources have changed; "" for plain Python."""
    if os.environ.get("HEADGATE_BENCH_FORM") == "source":
        return ""
    command = [sys.executable, str(ROOT / "scripts" / "compiled.py"), "--if-possible"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def gateway_environment(**more: str) -> dict[str, str]:
    """As `clean_environment`, for a process that is to run the measured form."""
    place = compiled()
    return clean_environment(**({"PYTHONPATH": place} if place else {}), **more)


def measured_compiled() -> None:
    """Start this program again with the measured form, unless it runs with it. For benchmarks within one process."""
    place = compiled()
    path = os.environ.get("PYTHONPATH", "")
    if place and not path.startswith(place):
        rest = ":".join(part for part in path.split(":") if part and part not in ("src", str(ROOT / "src")))
        environment = os.environ | {"PYTHONPATH": f"{place}:{rest or ROOT}"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    print(f"measured: {'compiled' if place else 'plain Python'}", flush=True)
