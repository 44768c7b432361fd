"""A MiniLM with weights drawn by chance and a small vocabulary: the real graph, without the real file."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np

from headgate.providers.embedding.graph import LONGEST, onnx_file
from headgate.providers.embedding.minilm import LAYERS, WIDTH

__all__ = ["VOCABULARY", "model_file", "safetensors", "weights"]

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", "##x", "##y", "the", "cat"]


@functools.cache
def weights() -> dict[str, Any]:
    chance = np.random.default_rng(0)
    found: dict[str, Any] = {}

    def linear(name: str, wide: int, narrow: int) -> None:
        found[f"{name}.weight"] = chance.normal(0, 0.05, (wide, narrow)).astype(np.float32)
        found[f"{name}.bias"] = chance.normal(0, 0.02, wide).astype(np.float32)

    def norm(name: str) -> None:
        found[f"{name}.weight"] = chance.normal(1, 0.1, WIDTH).astype(np.float32)
        found[f"{name}.bias"] = chance.normal(0, 0.1, WIDTH).astype(np.float32)

    for name, count in (("word", len(VOCABULARY)), ("position", 2 * LONGEST), ("token_type", 2)):
        table = chance.normal(0, 0.05, (count, WIDTH)).astype(np.float32)
        found[f"embeddings.{name}_embeddings.weight"] = table
    found["embeddings.word_embeddings.weight"][0] = 0  # as the published weights have it
    norm("embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{at}.attention.self.{part}", WIDTH, WIDTH)
        linear(f"{at}.attention.output.dense", WIDTH, WIDTH)
        norm(f"{at}.attention.output.LayerNorm")
        linear(f"{at}.intermediate.dense", 4 * WIDTH, WIDTH)
        linear(f"{at}.output.dense", WIDTH, 4 * WIDTH)
        norm(f"{at}.output.LayerNorm")
    return found


@functools.cache
def model_file() -> bytes:
    return onnx_file(weights(), vocabulary=VOCABULARY, notes={"fingerprint": "by-chance"})


def safetensors(arrays: dict[str, Any], kind: str = "F32") -> bytes:
    """The published format: length of the header, header, numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    parts, end = [], 0
    for name, array in arrays.items():
        data = array.tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(parts)
