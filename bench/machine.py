"""What the measurements were made on."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, str]:
    """Processor, memory, kernel, limits, and how busy the machine was with other work."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) / 1024 / 1024:.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "Python of Headgate and the load clients": platform.python_version(),
        "wrk": _wrk_version(),
        "descriptors a process may open": f"{resource.getrlimit(resource.RLIMIT_NOFILE)[1]:,}",
        "load average before the run (1, 5, 15 minutes)": load,
    }


def _wrk_version() -> str:
    try:
        said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return "not installed"
    return " ".join(said.split("\n", 1)[0].split()[1:2])
