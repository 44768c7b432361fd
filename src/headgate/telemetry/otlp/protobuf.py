"""OTLP's messages in protobuf, written by hand: the numbers of the fields stand in the published `.proto` files.

Spans are encoded one by one, so that whoever sends them can measure and divide a batch without encoding it again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

from headgate.telemetry.otlp.names import SCHEMA_URL, SCOPE
from headgate.telemetry.otlp.signals import Attributes, Histogram, MetricPoints, Span, Value

__all__ = ["CONTENT_TYPE", "encode_metrics", "encode_resource", "encode_span", "rejected", "traces_of"]

CONTENT_TYPE = b"application/x-protobuf"

_KINDS = {"internal": b"\x30\x01", "server": b"\x30\x02", "client": b"\x30\x03"}
_ERROR = b"\x18\x02"
_CUMULATIVE = b"\x10\x02"
_MONOTONIC = b"\x18\x01"
_MASK = (1 << 64) - 1
_LONG = 100
"""Texts from here on are not kept in memory."""
_ONE_BYTE = tuple(bytes((number,)) for number in range(0x80))
_fixed = struct.Struct("<Q").pack
_signed = struct.Struct("<q").pack
_double = struct.Struct("<d").pack
_times = struct.Struct("<cQcQ").pack


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _ONE_BYTE[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(tag: bytes, data: bytes) -> bytes:
    """A field of bytes. tag: its number and kind, encoded."""
    return tag + _varint(len(data)) + data


def _text(tag: bytes, text: str) -> bytes:
    # A lone half of a surrogate pair may come out of a model; protobuf has only whole characters.
    return _field(tag, text.encode("utf-8", "replace"))


@lru_cache(1024)
def _key(name: str) -> bytes:
    return _text(b"\x0a", name)


def _value(value: Value) -> bytes:
    """An AnyValue."""
    if type(value) is str:
        return _text(b"\x0a", value)
    if type(value) is int:
        return b"\x18" + _varint(value & _MASK)
    if type(value) is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if type(value) is float:
        return b"\x21" + _double(value)
    assert isinstance(value, list)
    return _field(b"\x2a", b"".join([_field(b"\x0a", _value(each)) for each in value]))


def _attributes(tag: bytes, attributes: Attributes) -> bytes:
    parts = []
    for name, value in attributes:
        parts.append(tag)
        parts.append(_known(name, value) if type(value) is str and len(value) < _LONG else _pair(name, value))
    return b"".join(parts)


def _pair(name: str, value: Value) -> bytes:
    """A KeyValue with its length."""
    data = _value(value)
    size = _varint(len(data))
    key = _key(name)
    return b"".join((_varint(len(key) + 1 + len(size) + len(data)), key, b"\x12", size, data))


@lru_cache(8192)
def _known(name: str, value: str) -> bytes:
    """The same, for texts: those of most attributes are few."""
    return _pair(name, value)


def encode_resource(attributes: Attributes) -> bytes:
    """Who sends: goes with every batch."""
    return _attributes(b"\x0a", attributes)


def encode_span(span: Span) -> bytes:
    """One span."""
    parts = [
        _field(b"\x0a", span.trace_id),
        _field(b"\x12", span.span_id),
        _field(b"\x22", span.parent_id) if span.parent_id else b"",
        _text(b"\x2a", span.name),
        _KINDS[span.kind],
        _times(b"\x39", span.start_ns, b"\x41", span.end_ns),
        _attributes(b"\x4a", span.attributes),
    ]
    if span.error is not None:
        parts.append(_field(b"\x7a", _text(b"\x12", span.error) + _ERROR))
    return b"".join(parts)


def _request(resource: bytes, version: str, items: Iterable[bytes]) -> bytes:
    """An export request: one resource, one scope. Spans and metrics have the same numbers here."""
    scope = _field(b"\x0a", _text(b"\x0a", SCOPE) + _text(b"\x12", version))
    inner = b"".join([scope, *[_field(b"\x12", item) for item in items], _text(b"\x1a", SCHEMA_URL)])
    return _field(b"\x0a", _field(b"\x0a", resource) + _field(b"\x12", inner) + _text(b"\x1a", SCHEMA_URL))


def traces_of(resource: bytes, version: str, spans: Sequence[bytes]) -> bytes:
    """The body for `/v1/traces`. resource, spans: encoded."""
    return _request(resource, version, spans)


def encode_metrics(resource: bytes, version: str, metrics: Iterable[MetricPoints], now_ns: int) -> bytes:
    """The body for `/v1/metrics`; metrics without a series are left out."""
    encoded = (_metric(each, now_ns) for each in metrics)
    return _request(resource, version, [each for each in encoded if each])


def _metric(metric: MetricPoints, now_ns: int) -> bytes:
    begun = b"" if metric.kind == "gauge" else b"\x11" + _fixed(metric.start_ns)
    times = begun + b"\x19" + _fixed(now_ns)
    if metric.histogram is not None:
        points = _histogram_points(metric.histogram, times)
    else:
        points = [
            times + (b"\x31" + _signed(each.value) if isinstance(each.value, int) else b"\x21" + _double(each.value))
            + _attributes(b"\x3a", each.attributes)
            for each in metric.points
        ]  # fmt: skip
    if not points:
        return b""
    data = b"".join([_field(b"\x0a", point) for point in points])
    if metric.kind == "gauge":
        shaped = _field(b"\x2a", data)
    elif metric.kind == "counter":
        shaped = _field(b"\x3a", data + _CUMULATIVE + _MONOTONIC)
    else:
        shaped = _field(b"\x4a", data + _CUMULATIVE)
    head = _text(b"\x0a", metric.name) + _text(b"\x12", metric.help) + _text(b"\x1a", metric.unit)
    return head + shaped


def _histogram_points(histogram: Histogram, times: bytes) -> list[bytes]:
    bounds = _field(b"\x3a", b"".join(map(_double, histogram.bounds)))
    return [
        b"".join(
            [
                times,
                b"\x21" + _fixed(sum(series.counts)),
                b"\x29" + _double(series.total),
                _field(b"\x32", b"".join(map(_fixed, series.counts))),
                bounds,
                _attributes(b"\x4a", attributes),
                b"\x59" + _double(series.least) + b"\x61" + _double(series.most)
                if series.least <= series.most
                else b"",
            ]
        )
        for attributes, series in histogram.series.items()
    ]


def rejected(answer: bytes) -> tuple[int, str]:
    """What a collector says in an answer of 200 that it did not take: how many, and why. (0, "") for all others, and for
    what is no such answer."""
    try:
        partial = _fields(answer).get(1)
        found = _fields(partial) if isinstance(partial, bytes) else {}
    except (IndexError, ValueError):
        return 0, ""
    count, words = found.get(1, 0), found.get(2, b"")
    return (
        count if isinstance(count, int) else 0,
        words.decode("utf-8", "replace") if isinstance(words, bytes) else "",
    )


def _fields(data: bytes) -> dict[int, int | bytes]:
    """A message of varints and bytes. Raises ValueError, IndexError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            found[number], at = _read_varint(data, at)
        elif kind == 2:
            size, at = _read_varint(data, at)
            if at + size > len(data):
                raise ValueError("cut off")
            found[number], at = data[at : at + size], at + size
        else:
            raise ValueError(f"no field of kind {kind} is expected")
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
