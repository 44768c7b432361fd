"""Embeddings and surface features of the data sets; embeddings are kept in `.build`, for they take a minute."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.places import BUILD
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.place import embedder_file
from headgate.routing.learned.surface import excerpt, surface

__all__ = ["Vectors", "open_embedder", "vectors_of"]


@dataclass(frozen=True)
class Vectors:
    """What a router may see of each question."""

    embeddings: np.ndarray
    surfaces: np.ndarray


def open_embedder() -> LocalEmbedder:
    """The one on this machine. Raises EmbedderMissing, with the command that makes it."""
    return LocalEmbedder(embedder_file(os.environ))


def vectors_of(texts: Sequence[str], embedder: LocalEmbedder, tick: Callable[[], None]) -> Vectors:
    """One row per text. tick: called for each text, embedded now or earlier."""
    excerpts = [excerpt(text) for text in texts]
    key = hashlib.sha256("\0".join([embedder.fingerprint, *excerpts]).encode(errors="replace")).hexdigest()
    kept = BUILD / "routing" / f"{key[:24]}.npy"
    if kept.is_file():
        embeddings = np.load(kept)
        for _ in texts:
            tick()
    else:
        embeddings = np.empty((len(texts), embedder.dimensions), np.float32)
        for at, text in enumerate(excerpts):
            embeddings[at] = embedder.embed_here(text)
            tick()
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, embeddings)
    return Vectors(embeddings, np.array([surface(text) for text in texts]))
