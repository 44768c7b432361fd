"""The published weights of all-MiniLM-L6-v2, and its forward pass in plain numpy: the truth our file is checked against.

Source: the model's own `config.json` (BERT, 6 layers of 384, 12 heads, mean pooling, vectors of length one).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EPSILON", "HEADS", "LAYERS", "WIDTH", "forward", "read_safetensors"]

LAYERS, WIDTH, HEADS, EPSILON = 6, 384, 12, 1e-12

Array = "NDArray[np.float32]"
_MOST_HEADER = 1 << 20


def read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Name -> weights of a file in the safetensors format. Raises ValueError for anything but plain float32."""
    size = int.from_bytes(data[:8], "little")
    if not 0 < size < min(len(data), _MOST_HEADER):
        raise ValueError("this is no safetensors file")
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + one for one in about["data_offsets"])
        if about["dtype"] not in ("F32", "I64"):
            raise ValueError(f"`{name}` holds {about['dtype']}, expected float32")
        if about["dtype"] == "F32":
            found[name] = np.frombuffer(data[start:end], "<f4").reshape(about["shape"])
    return found


def _normed(
    x: NDArray[np.float32], weights: Mapping[str, NDArray[np.float32]], name: str
) -> NDArray[np.float32]:
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
    scaled: NDArray[np.float32] = centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return scaled


def _linear(
    x: NDArray[np.float32], weights: Mapping[str, NDArray[np.float32]], name: str
) -> NDArray[np.float32]:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def forward(weights: Mapping[str, NDArray[np.float32]], ids: Sequence[int]) -> NDArray[np.float32]:
    """The vector of one text, exact but slow: for checking what is fast."""
    x = weights["embeddings.word_embeddings.weight"][list(ids)]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = _normed(x + weights["embeddings.token_type_embeddings.weight"][0], weights, "embeddings.LayerNorm")
    erf = np.vectorize(math.erf, otypes=[np.float32])
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        q, k, v = (
            _linear(x, weights, f"{at}.attention.self.{part}").reshape(len(ids), HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(WIDTH // HEADS))
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(ids), WIDTH)
        x = _normed(
            x + _linear(mixed, weights, f"{at}.attention.output.dense"),
            weights,
            f"{at}.attention.output.LayerNorm",
        )
        inner = _linear(x, weights, f"{at}.intermediate.dense")
        inner = inner * (1 + erf(inner / np.float32(math.sqrt(2)))) / 2
        x = _normed(x + _linear(inner, weights, f"{at}.output.dense"), weights, f"{at}.output.LayerNorm")
    pooled = x.mean(0)
    unit: NDArray[np.float32] = pooled / np.linalg.norm(pooled)
    return unit
