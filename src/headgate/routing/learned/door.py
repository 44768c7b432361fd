"""Open the learned grader, or say what is missing. Importing this needs none of the extra `[embed]`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from headgate.providers.embedding.place import INSTALL_COMMAND
from headgate.providers.embedding.port import Embedder, EmbedderMissing
from headgate.routing.difficulty.port import Grader

if TYPE_CHECKING:
    from headgate.routing.learned.choosing import Aim
    from headgate.routing.learned.grader import LearnedGrader, UsdOf

__all__ = ["open_learned_grader"]


def open_learned_grader(
    data: bytes,
    embedder: Embedder,
    *,
    usd_of: UsdOf,
    otherwise: Grader,
    usd_per_1000: float | None = None,
    quality: float | None = None,
) -> LearnedGrader:
    """The grader for what `headgate route learn` wrote. usd_per_1000, quality: see `choosing.Aim`.

    Raises EmbedderMissing without the extra, LearnedModelUnusable for a file that cannot be read."""
    try:
        # By name: numpy comes with an extra, and only who uses it should wait for it.
        grader = importlib.import_module("headgate.routing.learned.grader")
    except ModuleNotFoundError as fault:
        raise EmbedderMissing(f"the learned router needs {fault.name}: {INSTALL_COMMAND}") from fault
    model = grader.LearnedModel.load(data, fingerprint=embedder.fingerprint, dimensions=embedder.dimensions)
    aim: Aim = grader.Aim(usd_per_1000=usd_per_1000, quality=quality)
    opened: LearnedGrader = grader.LearnedGrader(model, embedder, usd_of=usd_of, aim=aim, otherwise=otherwise)
    return opened
