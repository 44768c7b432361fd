"""Just enough of the protobuf wire format to write an ONNX file, so that no package is needed for it.

Source: field numbers from onnx.proto3 of the ONNX specification, IR version 10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["model", "node", "tensor", "value"]

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_IR_VERSION = 10
_OPERATORS = 20
"""The operator set, of ONNX 1.15: the first with Gelu."""

Attribute = int | float | Sequence[int]


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers are written as their 64-bit complement
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _blob(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, array: NDArray[np.generic]) -> bytes:
    """A TensorProto with the array's bytes, little-endian, rows first."""
    dimensions = b"".join(_number(1, size) for size in array.shape)
    kind = _number(2, _TYPES[array.dtype.name])
    return (
        dimensions + kind + _blob(8, name) + _blob(9, array.astype(array.dtype.newbyteorder("<")).tobytes())
    )


def value(name: str, kind: str, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto: an input or output of the graph; a word in `shape` is a size known only at run time."""
    sizes = b"".join(_blob(1, _number(1, s) if isinstance(s, int) else _blob(2, s)) for s in shape)
    return _blob(1, name) + _blob(2, _blob(1, _number(1, _TYPES[kind]) + _blob(2, sizes)))


def node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Attribute]
) -> bytes:
    """A NodeProto of the standard operators."""
    wires = b"".join(_blob(1, one) for one in inputs) + b"".join(_blob(2, one) for one in outputs)
    more = b"".join(_blob(5, _attribute(name, one)) for name, one in attributes.items())
    return wires + _blob(4, operator) + more


def _attribute(name: str, content: Attribute) -> bytes:
    if isinstance(content, int):
        return _blob(1, name) + _number(3, content) + _number(20, 2)
    if isinstance(content, float):
        return _blob(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", content) + _number(20, 1)
    return _blob(1, name) + b"".join(_number(8, one) for one in content) + _number(20, 7)


def model(
    *,
    name: str,
    nodes: Iterable[bytes],
    tensors: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    notes: Mapping[str, str],
) -> bytes:
    """A whole ModelProto. notes: kept in the file for whoever opens it."""
    parts = [(1, nodes), (5, tensors), (11, inputs), (12, outputs)]
    graph = b"".join(_blob(field, one) for field, many in parts for one in many) + _blob(2, name)
    kept = b"".join(_blob(14, _blob(1, key) + _blob(2, text)) for key, text in notes.items())
    return (
        _number(1, _IR_VERSION)
        + _blob(2, "headgate")
        + _blob(7, graph)
        + _blob(8, _blob(1, "") + _number(2, _OPERATORS))
        + kept
    )
