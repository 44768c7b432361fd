"""For a wheel with compiled modules: HATCH_BUILD_HOOK_ENABLE_CUSTOM=true python -m hatchling build --target wheel."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["CompiledWheel"]


class CompiledWheel(BuildHookInterface):  # type: ignore[type-arg]
    """Adds what scripts/compiled.py makes, and says in the wheel's name which machines it is for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """As hatchling calls it. version: `editable` or `standard`."""
        if version == "editable":
            return
        self._made = tempfile.TemporaryDirectory()
        made = Path(self._made.name)
        done = subprocess.run(
            [sys.executable, str(Path(self.root) / "scripts" / "compiled.py"), "--extensions", str(made)],
            check=False,
        )
        if done.returncode:
            # It has said what is wrong; a traceback of this file would bury it.
            raise SystemExit(done.returncode)
        # The library that all of them share lies at the top: that is where they import it from.
        for path in made.rglob("*.so"):
            build_data["force_include"][str(path)] = str(path.relative_to(made))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """As hatchling calls it."""
        if version != "editable":
            self._made.cleanup()
