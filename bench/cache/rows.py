"""Pairs of questions: the published ones, read and never shipped, and those that our generator makes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cache.places import folder
from bench.places import BUILD
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.place import embedder_file

__all__ = ["DataMissing", "Pairs", "cosines", "load_conversations", "load_pairs", "load_rows"]


class DataMissing(RuntimeError):
    """The rows are not on this machine."""


@dataclass(frozen=True)
class Pairs:
    """Questions asked beside questions whose answer is at hand."""

    name: str
    asked: list[str]
    kept: list[str]
    same: np.ndarray
    """May the answer be given?"""
    kinds: list[str]
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.asked)


def load_pairs() -> Pairs:
    """cache-fow-pairs, the part for development. Raises DataMissing."""
    rows, sha256 = load_rows("cache-fow-pairs")
    return Pairs(
        "cache-fow-pairs",
        [row["b"] for row in rows],
        [row["a"] for row in rows],
        np.array([row["same_answer"] for row in rows]),
        [row["category"] for row in rows],
        sha256,
    )


def load_conversations() -> tuple[list[dict[str, Any]], str]:
    """cache-fow-conversations, the part for development, as it is. Raises DataMissing."""
    return load_rows("cache-fow-conversations")


def load_rows(name: str) -> tuple[list[dict[str, Any]], str]:
    """The part for development of a set, and the hash of its file. Raises DataMissing."""
    path = folder() / name / "dev.jsonl.gz"
    if not path.is_file():
        raise DataMissing(f"{path} is not there. Set HEADGATE_DATA to the folder that holds {name}.")
    data = path.read_bytes()
    return [json.loads(line) for line in gzip.decompress(data).splitlines()], hashlib.sha256(data).hexdigest()


def cosines(asked: Sequence[str], kept: Sequence[str]) -> np.ndarray:
    """Of the product's own embedder. Vectors are kept in `.build`. Raises EmbedderMissing."""
    vectors = _vectors(list(dict.fromkeys([*asked, *kept])))
    return np.array([float(vectors[a] @ vectors[b]) for a, b in zip(asked, kept, strict=True)])


def _vectors(texts: list[str]) -> dict[str, np.ndarray]:
    embedder = LocalEmbedder(embedder_file(os.environ))
    try:
        key = hashlib.sha256("\0".join([embedder.fingerprint, *texts]).encode()).hexdigest()[:24]
        file = BUILD / "cache" / f"{key}.npy"
        if file.is_file():
            return dict(zip(texts, np.load(file), strict=True))
        rows = np.array([embedder.embed_here(text) for text in texts], np.float32)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, rows)
        return dict(zip(texts, rows, strict=True))
    finally:
        embedder.close()
