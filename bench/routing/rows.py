"""The data sets: questions with what each model scored on them. Read only, never shipped."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.places import ROOT

__all__ = ["DataMissing", "Rows", "folder", "load_nine", "load_pair"]


class DataMissing(RuntimeError):
    """The rows are not on this machine."""


@dataclass(frozen=True)
class Rows:
    """One data set."""

    name: str
    texts: list[str]
    models: list[str]
    """For a pair: strong, weak."""
    scores: np.ndarray
    """By question and model, 0 to 1."""
    sha256: str
    left_out: int
    """Rows flagged as contaminated."""

    @property
    def strong(self) -> np.ndarray:
        return self.scores[:, 0]

    @property
    def weak(self) -> np.ndarray:
        return self.scores[:, 1]


def folder() -> Path:
    """`HEADGATE_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("HEADGATE_DATA") or ROOT.parent / "shared" / "data")


def _read(name: str) -> tuple[list[dict], str]:
    path = folder() / f"routing-{name}" / "dev.jsonl.gz"
    if not path.is_file():
        raise DataMissing(
            f"{path} is not there. Set HEADGATE_DATA to the folder that holds routing-routellm-mmlu,"
            " routing-routellm-gsm8k and routing-llmrouter-9models, each with a dev.jsonl.gz."
        )
    data = path.read_bytes()
    return [json.loads(line) for line in gzip.decompress(data).splitlines()], hashlib.sha256(data).hexdigest()


def load_pair(name: str) -> Rows:
    """`routellm-mmlu` or `routellm-gsm8k`, contaminated rows left out as RouteLLM does."""
    every, sha256 = _read(name)
    rows = [row for row in every if not row["contaminated"]]
    return Rows(
        name=name,
        texts=[row["prompt"] for row in rows],
        models=["gpt-4-1106-preview", "mixtral-8x7b"],
        scores=_table(rows, ("strong_ok", "weak_ok")),
        sha256=sha256,
        left_out=len(every) - len(rows),
    )


def load_nine() -> Rows:
    """`llmrouter-9models`: nine open models, fourteen families of tasks."""
    rows, sha256 = _read("llmrouter-9models")
    models = sorted(rows[0]["scores"])
    scores = np.array([[row["scores"][name] for name in models] for row in rows], float)
    return Rows("llmrouter-9models", [row["question"] for row in rows], models, scores, sha256, 0)


def _table(rows: Sequence[dict], columns: Sequence[str]) -> np.ndarray:
    return np.array([[row[column] for column in columns] for row in rows], float)
