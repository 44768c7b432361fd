"""Weights put to use: from what a pair looks like to how sure it is that both ask the same."""

from __future__ import annotations

import math
from importlib.resources import files

import msgspec

from headgate.cache.semantic.check.features import FEATURES
from headgate.cache.semantic.port import Verdict

__all__ = ["Model", "load_model"]


class Model(msgspec.Struct, frozen=True):
    """A logistic model; `weights.json` as bench/cache/train.py writes it."""

    made: dict[str, str]
    """Of what, when, by which command."""
    names: list[str]
    base: float
    weights: list[float]
    """By name."""

    def judge(self, values: list[float]) -> Verdict:
        """values: in the order of FEATURES."""
        total = self.base
        worst, worst_by = "", 0.0
        for name, weight, value in zip(self.names, self.weights, values, strict=True):
            part = weight * value
            total += part
            if part < worst_by and name != "cosine":
                worst, worst_by = name, part
        score = 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))
        return Verdict(score, _WORDS.get(worst, "") if score < 0.995 else "")


_WORDS = {
    "far": "they are not about the same",
    "over_sum": "words without counterpart",
    "over_most": "a word without counterpart",
    "over_words": "words without counterpart",
    "swapped": "other words in their place",
    "added": "one says more",
    "same": "other words for the same",
    "near": "words that are only near",
    "spelling": "spelling",
    "family": "other forms of words",
    "few_words": "too short to be sure",
    "asks_close": "asked in another way",
    "asks_differ": "another kind of question",
    "modal": "may, should and must differ",
    "tense": "another time",
    "places": "small words differ",
    "counts": "how many, how often or in which order differs",
    "light": "small words differ",
    "inverted": "another order",
    "weakly_apart": "words that are often opposites",
    "names": "only one has a rare word",
    "somebody": "about somebody else",
}


def load_model() -> Model:
    """The weights of this release. They belong to FEATURES: other names are a broken package, and raise."""
    text = (files("headgate.cache.semantic.check") / "weights.json").read_bytes()
    model = msgspec.json.decode(text, type=Model)
    if tuple(model.names) != FEATURES or len(model.weights) != len(FEATURES):
        raise ValueError("weights.json does not belong to these features; run `python -m bench.cache.train`")
    return model
