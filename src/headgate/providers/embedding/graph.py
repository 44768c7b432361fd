"""MiniLM's weights -> an ONNX file with eight-bit weights that carries its own vocabulary and notices.

One text at a time: no padding, no mask, and what is computed for a text never depends on what came with it
(activations are quantised by their own range). Weights are symmetric per output column; the three projections of
attention are one matrix, and the division by the square root of a head's width is inside the query's weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from headgate.providers.embedding import protobuf
from headgate.providers.embedding.minilm import EPSILON, HEADS, LAYERS, WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LONGEST", "onnx_file"]

LONGEST = 256
"""Tokens of a text that are read: what the model was trained on."""
Weights = Mapping[str, "NDArray[np.float32]"]


def onnx_file(
    weights: Weights, *, vocabulary: Sequence[str], notes: Mapping[str, str], steps: int = 127
) -> bytes:
    """The whole file. Input `ids` (int64, any length up to 256), output `vector` (float32, 384, of length one).

    steps: of the eight-bit weights on each side of zero; 63 for processors that overflow when two products of
    full-range bytes are added in 16 bits (x86 before VNNI)."""
    draft = _Draft(steps)
    x = _embedded(draft, weights)
    for layer in range(LAYERS):
        x = _layer(draft, weights, f"encoder.layer.{layer}", x)
    pooled = draft.add("ReduceMean", x, draft.constant(np.array([0], np.int64)), keepdims=0)
    size = draft.add("ReduceL2", pooled, draft.constant(np.array([0], np.int64)), keepdims=1)
    draft.add("Div", pooled, size, out="vector")
    return protobuf.model(
        name="all-MiniLM-L6-v2, int8",
        nodes=draft.nodes,
        tensors=draft.tensors,
        inputs=[protobuf.value("ids", "int64", ["tokens"])],
        outputs=[protobuf.value("vector", "float32", [WIDTH])],
        notes={**notes, "vocabulary": "\n".join(vocabulary)},
    )


class _Draft:
    """Nodes and tensors in the making; every result gets a name of its own."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []

    def constant(self, array: NDArray[np.generic]) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(protobuf.tensor(name, array))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: protobuf.Attribute) -> str:
        out = out or f"n{len(self.nodes)}"
        self.nodes.append(protobuf.node(operator, inputs, [out], attributes))
        return out

    def add_many(
        self, operator: str, *inputs: str, outputs: int, **attributes: protobuf.Attribute
    ) -> list[str]:
        names = [f"n{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(protobuf.node(operator, inputs, names, attributes))
        return names

    def linear(self, x: str, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """x @ matrix + bias in eight bits; the shape of this is what the runtime fuses into one operation."""
        scale = (np.abs(matrix).max(0) / self.steps).astype(np.float32)
        rounded = np.rint(matrix / scale).astype(np.int8)
        small, x_scale, x_zero = self.add_many("DynamicQuantizeLinear", x, outputs=3)
        product = self.add("MatMulInteger", small, self.constant(rounded), x_zero)
        factor = self.add("Mul", x_scale, self.constant(scale))
        exact = self.add("Mul", self.add("Cast", product, to=1), factor)
        return self.add("Add", exact, self.constant(bias))

    def norm(self, x: str, weights: Weights, name: str) -> str:
        scale, bias = self.constant(weights[f"{name}.weight"]), self.constant(weights[f"{name}.bias"])
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def _embedded(draft: _Draft, weights: Weights) -> str:
    table = weights["embeddings.word_embeddings.weight"]
    scale = (np.abs(table).max(1, keepdims=True) / draft.steps).astype(np.float32)
    # A row of zeros (padding) has no range of its own.
    scale[scale == 0] = 1
    rows = draft.add("Gather", draft.constant(np.rint(table / scale).astype(np.int8)), "ids")
    words = draft.add("Mul", draft.add("Cast", rows, to=1), draft.add("Gather", draft.constant(scale), "ids"))
    places = weights["embeddings.position_embeddings.weight"][:LONGEST]
    places = places + weights["embeddings.token_type_embeddings.weight"][0]
    zero = draft.constant(np.array([0], np.int64))
    placed = draft.add("Slice", draft.constant(places), zero, draft.add("Shape", "ids"))
    return draft.norm(draft.add("Add", words, placed), weights, "embeddings.LayerNorm")


def _layer(draft: _Draft, weights: Weights, at: str, x: str) -> str:
    mixed = _attention(draft, weights, f"{at}.attention.self", x)
    out = f"{at}.attention.output"
    mixed = draft.linear(mixed, weights[f"{out}.dense.weight"].T, weights[f"{out}.dense.bias"])
    x = draft.norm(draft.add("Add", mixed, x), weights, f"{out}.LayerNorm")
    inner = f"{at}.intermediate.dense"
    wide = draft.add("Gelu", draft.linear(x, weights[f"{inner}.weight"].T, weights[f"{inner}.bias"]))
    out = f"{at}.output"
    narrow = draft.linear(wide, weights[f"{out}.dense.weight"].T, weights[f"{out}.dense.bias"])
    return draft.norm(draft.add("Add", narrow, x), weights, f"{out}.LayerNorm")


def _attention(draft: _Draft, weights: Weights, at: str, x: str) -> str:
    shrink = np.float32(1 / math.sqrt(WIDTH // HEADS))
    parts = [(f"{at}.query", shrink), (f"{at}.key", np.float32(1)), (f"{at}.value", np.float32(1))]
    matrix = np.concatenate([weights[f"{name}.weight"].T * factor for name, factor in parts], axis=1)
    bias = np.concatenate([weights[f"{name}.bias"] * factor for name, factor in parts])
    together = draft.linear(x, matrix, bias)
    apart = draft.constant(np.array([-1, 3, HEADS, WIDTH // HEADS], np.int64))
    by_part = draft.add("Transpose", draft.add("Reshape", together, apart), perm=[1, 2, 0, 3])
    q, k, v = (
        draft.add("Gather", by_part, draft.constant(np.array(number, np.int64)), axis=0)
        for number in range(3)
    )
    scores = draft.add("MatMul", q, draft.add("Transpose", k, perm=[0, 2, 1]))
    mixed = draft.add("MatMul", draft.add("Softmax", scores, axis=-1), v)
    flat = draft.constant(np.array([-1, WIDTH], np.int64))
    return draft.add("Reshape", draft.add("Transpose", mixed, perm=[1, 0, 2]), flat)
