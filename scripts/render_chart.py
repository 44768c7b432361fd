"""Render deploy/helm/headgate with the values in tests/golden/helm: `python scripts/render_chart.py`.

For whoever changes the chart; it needs `helm`, and `kubernetes-validate` (a Python package that brings Kubernetes' own schemas) to
see whether a cluster would take what comes out. tests/journeys/test_deploy.py reads the results and notices when the chart
was changed without them: Helm itself is in no Debian package, so it cannot be had wherever the tests run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["CASES", "CHART", "fingerprint", "rendered_by"]

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "deploy" / "helm" / "headgate"
CASES = ROOT / "tests" / "golden" / "helm"
KUBERNETES = ("1.27.0", "1.31.0")
"""Oldest that the chart takes, and one of today's."""
REFUSED = {
    "config=[server]\nlisten = 1": "leave [server] out",
    "server.nodes=3": "the chart says it itself",
    "replica=3": "additional properties 'replica' not allowed",
    "journal.kind=memory": "value must be one of",
}
"""What must not be rendered, and what Helm then says."""


def fingerprint(values: Path) -> str:
    """Changes with the chart and with the values it is rendered with."""
    told = hashlib.sha256()
    for path in (values, *sorted(path for path in CHART.rglob("*") if path.is_file())):
        told.update(path.name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()


def rendered_by(values: Path) -> str:
    """The first line of what is rendered with these values."""
    return f"# Written by scripts/render_chart.py. Do not edit. Of {fingerprint(values)}"


def main() -> int:
    """Lint, render and check every case. 1 if anything is wrong."""
    helm, validate = shutil.which("helm"), shutil.which("kubernetes-validate")
    if helm is None or validate is None:
        print(
            "needs helm and kubernetes-validate on the PATH: "
            "go install helm.sh/helm/v3/cmd/helm@latest; pip install kubernetes-validate"
        )
        return 1
    for values in sorted(CASES.glob("*.values.yaml")):
        given = ["--kube-version", KUBERNETES[-1], "--values", str(values)]
        subprocess.run([helm, "lint", "--strict", "--quiet", *given, str(CHART)], check=True)
        ran = subprocess.run(
            [helm, "template", "gate", *given, str(CHART)], check=True, stdout=subprocess.PIPE, text=True
        )
        found = values.with_name(values.name.replace(".values.", "."))
        found.write_text(f"{rendered_by(values)}\n{ran.stdout}", encoding="utf-8")
        for version in KUBERNETES:
            subprocess.run([validate, "--strict", "--quiet", "-k", version, str(found)], check=True)
        print(f"{found.relative_to(ROOT)}: as Kubernetes {' and '.join(KUBERNETES)} take it")
    for wrong, why in REFUSED.items():
        ran = subprocess.run(
            [helm, "template", "gate", "--kube-version", KUBERNETES[-1], "--set", wrong, str(CHART)],
            check=False,
            capture_output=True,
            text=True,
        )
        if ran.returncode == 0 or why not in ran.stderr:
            print(f"--set {wrong!r} should be refused with {why!r}, not with {ran.stderr!r}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
