"""What was learned: a head per model, how vectors are scaled, a sample of questions; as an object and as bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from headgate.routing.learned.heads import Head, untaught
from headgate.routing.learned.surface import SURFACE, surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Expected", "LearnedModel", "LearnedModelUnusable", "Scaling"]

_VERSION = 1
_MOST_BYTES = 64 << 20
_MOST_MODELS = 256
_SAMPLE = 256
_SURFACE_WEIGHT = 0.1
"""A feature's standard deviation beside an embedding of length one; chosen once, in docs/decisions/0013."""
_FARTHEST = 3.0
"""Standard deviations: a question unlike any seen must not carry a linear model to the moon."""
_NOISE_BEFORE = 0.25
"""Variance of an outcome before any was seen: of a coin."""
_WORTH_OF_BEGINNING = 10.0
"""Outcomes after which a model's own mean quality counts as much as the one it was given to begin with."""


class LearnedModelUnusable(ValueError):
    """A file of the learned router cannot be read: damaged, of another version, or made with another embedder."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Brings embeddings and surface features to one scale; learned from the training questions, without their scores."""

    embedding_mean: Floats
    surface_mean: Floats
    surface_spread: Floats

    @classmethod
    def of(cls, embeddings: Floats, surfaces: Floats) -> Scaling:
        """From the questions a model is trained on."""
        return cls(embeddings.mean(0), surfaces.mean(0), surfaces.std(0) + 1e-6)

    def vectors(self, embeddings: Floats, surfaces: Floats) -> Floats:
        """A row per question: 1, the centred embedding, the standardised features."""
        unusual = np.clip((surfaces - self.surface_mean) / self.surface_spread, -_FARTHEST, _FARTHEST)
        ones = np.ones((len(embeddings), 1))
        return np.hstack([ones, embeddings - self.embedding_mean, _SURFACE_WEIGHT * unusual])


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model is expected to reach on one question."""

    quality: float
    """0 to 1."""
    variance: float
    """Of that expectation, not of a single outcome."""


@dataclass(slots=True)
class LearnedModel:
    """Heads by model name. Not thread-safe: whoever learns and whoever asks share one event loop."""

    fingerprint: str
    """Of the embedder; vectors of another one mean nothing here."""
    scaling: Scaling
    strength: float
    """Prior precision, for models met later."""
    beginning: tuple[Floats, Floats] | None = None
    """Weights of a weak and of a strong model, for models met later; None: what the known ones have in common."""
    heads: dict[str, Head] = field(default_factory=dict)
    sample: deque[tuple[Floats, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLE))
    """The latest questions: vector, and tokens or 0 if nobody knows; what a budget is spread over."""

    def vector(self, text: str, embedding: NDArray[np.float32]) -> Floats:
        """A question as the heads read it. embedding: of its excerpt."""
        row: Floats = self.scaling.vectors(
            np.asarray(embedding, np.float64)[None, :], np.array([surface(text)])
        )[0]
        return row

    def expect(self, vector: Floats, models: Iterable[str]) -> dict[str, Expected]:
        """What each of `models` is expected to reach; models never seen get what models usually reach, unsurely."""
        found = {}
        for name in models:
            quality, variance = self._head(name).expect(vector[None, :])
            found[name] = Expected(float(np.clip(quality[0], 0.0, 1.0)), float(variance[0]))
        return found

    def expect_sample(self, models: Sequence[str]) -> tuple[Floats, list[int]]:
        """Expected qualities of the sample's questions (rows) by model (columns), and the questions' tokens."""
        if not self.sample:
            return np.zeros((0, len(models))), []
        rows = np.stack([vector for vector, _ in self.sample])
        means = np.stack([self._head(name).mean for name in models], axis=1)
        return np.clip(rows @ means, 0.0, 1.0), [tokens for _, tokens in self.sample]

    def seen(self, model: str) -> float:
        """Outcomes learned about `model`, by weight."""
        head = self.heads.get(model)
        return head.seen if head else 0.0

    def meet(self, model: str, standing: float) -> None:
        """Make a head for a model that was never seen, if there is a beginning to give it.

        standing: from 0, serves the simple questions, to 1, serves the hard ones."""
        if self.beginning and model not in self.heads and len(self.heads) < _MOST_MODELS:
            weak, strong = self.beginning
            start = weak + standing * (strong - weak)
            self.heads[model] = untaught(start, self.strength, _NOISE_BEFORE, sure=_WORTH_OF_BEGINNING)

    def update(self, vector: Floats, model: str, quality: float, weight: float = 1.0) -> None:
        """Learn one outcome, in about a millisecond. Values outside their range are brought into it.

        quality: 0 to 1. weight: above 0, at most 10. A model beyond the first 256 is not learned: names come from
        outside, memory does not."""
        if model not in self.heads:
            if len(self.heads) >= _MOST_MODELS:
                return
            self.heads[model] = self._head(model)
        quality, weight = min(max(quality, 0.0), 1.0), min(max(weight, 0.0), 10.0)
        if np.isfinite(quality) and np.isfinite(weight):
            self.heads[model].learn(vector, quality, weight)

    def remember(self, vector: Floats, tokens: int) -> None:
        """Keep a question for the sample; the oldest goes."""
        self.sample.append((vector, tokens))

    def dump(self) -> bytes:
        """All of it, readable by `load`. Half a megabyte if all heads were taught on the same rows, 330 kB more for each
        that was taught otherwise."""
        spreads = {id(head.covariance): head.covariance for head in self.heads.values()}
        places = {key: at for at, key in enumerate(spreads)}
        stored = _Stored(
            version=_VERSION,
            features=list(SURFACE),
            fingerprint=self.fingerprint,
            embedding_mean=_packed(self.scaling.embedding_mean),
            surface_mean=_packed(self.scaling.surface_mean),
            surface_spread=_packed(self.scaling.surface_spread),
            strength=self.strength,
            beginning=[_packed(one) for one in self.beginning or ()],
            heads={
                name: _StoredHead(_packed(head.mean), places[id(head.covariance)], head.noise, head.seen)
                for name, head in self.heads.items()
            },
            covariances=[_packed(one[np.triu_indices(len(one))]) for one in spreads.values()],
            sample=[(_packed(vector, np.float16), tokens) for vector, tokens in self.sample],
        )
        return msgspec.msgpack.encode(stored)

    @classmethod
    def load(cls, data: bytes, *, fingerprint: str, dimensions: int = 0) -> LearnedModel:
        """What `dump` wrote. fingerprint, dimensions: of the embedder in use; 0: any. Raises LearnedModelUnusable, saying
        what to do."""
        again = "; train again with `headgate route learn FILE`"
        if len(data) > _MOST_BYTES:
            raise LearnedModelUnusable(f"the learned router's file is over {_MOST_BYTES >> 20} MiB{again}")
        try:
            head = msgspec.msgpack.decode(data, type=_Versioned)
            if head.version != _VERSION:
                raise LearnedModelUnusable(
                    f"the learned router's file is of version {head.version}, this is {_VERSION}{again}"
                )
            stored = msgspec.msgpack.decode(data, type=_Stored)
            if stored.fingerprint != fingerprint or stored.features != list(SURFACE):
                raise LearnedModelUnusable(
                    f"the learned router's file was made with another embedder or release{again}"
                )
            # Before anything is made: the memory needed grows with the square of it.
            if dimensions and len(stored.embedding_mean) != 4 * dimensions:
                raise LearnedModelUnusable(
                    f"the learned router's file has vectors of another length than the embedder{again}"
                )
            return _restored(stored)
        except LearnedModelUnusable:
            raise
        except (msgspec.MsgspecError, ValueError, IndexError) as fault:
            raise LearnedModelUnusable(f"the learned router's file is damaged{again}") from fault

    def _head(self, name: str) -> Head:
        known = self.heads.get(name)
        if known:
            return known
        width = 1 + len(self.scaling.embedding_mean) + len(self.scaling.surface_mean)
        start = np.zeros(width)
        start[0] = 0.5
        if self.beginning:
            start = np.mean(self.beginning, axis=0)
        elif self.heads:
            start = np.mean([head.mean for head in self.heads.values()], axis=0)
        return untaught(start, self.strength, _NOISE_BEFORE)


class _Versioned(msgspec.Struct):
    version: int


class _StoredHead(msgspec.Struct, array_like=True):
    mean: bytes
    covariance: int
    noise: float
    seen: float


class _Stored(msgspec.Struct):
    version: int
    features: list[str]
    fingerprint: str
    embedding_mean: bytes
    surface_mean: bytes
    surface_spread: bytes
    strength: float
    beginning: list[bytes]
    heads: dict[str, _StoredHead]
    covariances: list[bytes]
    sample: list[tuple[bytes, int]]


def _packed(array: Floats, kind: type[np.floating] = np.float32) -> bytes:
    return array.astype(np.dtype(kind).newbyteorder("<")).tobytes()


def _unpacked(data: bytes, size: int, kind: str = "<f4") -> Floats:
    # A damaged number may be one that warns when it is widened; the check below is what counts.
    with np.errstate(invalid="ignore"):
        found = np.frombuffer(data, kind).astype(np.float64)
    if len(found) != size or not np.isfinite(found).all():
        raise ValueError("not the numbers that were written")
    return found


def _restored(stored: _Stored) -> LearnedModel:
    wide, narrow = len(stored.embedding_mean) // 4, len(SURFACE)
    width = 1 + wide + narrow
    covariances = [_square(data, width) for data in stored.covariances]
    heads: Mapping[str, Head] = {
        name: Head(_unpacked(one.mean, width), covariances[one.covariance], one.noise, one.seen)
        for name, one in stored.heads.items()
    }
    scaling = Scaling(
        _unpacked(stored.embedding_mean, wide),
        _unpacked(stored.surface_mean, narrow),
        _unpacked(stored.surface_spread, narrow),
    )
    if not stored.strength > 0 or not (scaling.surface_spread > 0).all():
        raise ValueError("a scale of zero")
    beginning = None
    if stored.beginning:
        weak, strong = (_unpacked(one, width) for one in stored.beginning)
        beginning = weak, strong
    model = LearnedModel(stored.fingerprint, scaling, stored.strength, beginning, dict(heads))
    for vector, tokens in stored.sample:
        model.remember(_unpacked(vector, width, "<f2"), tokens)
    return model


def _square(data: bytes, width: int) -> Floats:
    square = np.zeros((width, width))
    above = np.triu_indices(width)
    square[above] = _unpacked(data, len(above[0]))
    return square + np.triu(square, 1).T
