"""Write src/headgate/routing/learned/prior_table.py: `python -m bench.routing.write_prior`.

The table is learned from the questions of MMLU and GSM8K in RouteLLM's rows (Apache-2.0; the questions MIT): 23 features,
four numbers each, no text. How it does on questions it was not made of is measured by `make bench-routing`, each data
set asked with a prior made of the other.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from bench.places import ROOT
from bench.routing.rows import load_pair
from headgate.routing.learned.beginning import prior_of
from headgate.routing.learned.surface import SURFACE, surface

__all__: list[str] = []

TARGET = ROOT / "src" / "headgate" / "routing" / "learned" / "prior_table.py"
HEAD = '''"""Numbers of the prior that is shipped; written by bench/routing/write_prior.py, not by hand.

Learned from 6,037 questions of MMLU and GSM8K and whether gpt-4-1106-preview (strong) and Mixtral 8x7B (weak) answered
them rightly, as published by RouteLLM (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["BASES", "PRIOR"]

'''


def main() -> int:
    """Learn, write, format."""
    sets = [load_pair("routellm-mmlu"), load_pair("routellm-gsm8k")]
    surfaces = np.array([surface(text) for rows in sets for text in rows.texts])
    strong, weak = (np.concatenate([getattr(rows, name) for rows in sets]) for name in ("strong", "weak"))
    prior = prior_of(surfaces, strong, weak)
    lines = [HEAD, f"BASES = ({prior.weak[0]:.4f}, {prior.strong[0]:.4f})\n"]
    lines.append('"""Mean quality, weak and strong."""\n\nPRIOR = {\n')
    for at, name in enumerate(SURFACE):
        numbers = (prior.mean[at], prior.spread[at], prior.weak[1 + at], prior.strong[1 + at])
        lines.append(f'    "{name}": ({", ".join(f"{one:.5g}" for one in numbers)}),\n')
    lines.append('}\n"""Feature: its mean, its spread, its weight for a weak model, for a strong one."""\n')
    TARGET.write_text("".join(lines), encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(TARGET)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
