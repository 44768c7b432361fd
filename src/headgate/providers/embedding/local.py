"""MiniLM on this machine's processor: one thread, one text at a time, a bounded line in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from headgate.providers.embedding.graph import LONGEST
from headgate.providers.embedding.minilm import WIDTH
from headgate.providers.embedding.place import BUILD_COMMAND
from headgate.providers.embedding.port import EmbedderBusy, EmbedderMissing
from headgate.providers.embedding.wordpiece import WordPiece

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LocalEmbedder"]

_TOGETHER = 32
"""Texts of one call that stand in the line at once: who indexes a library does not keep a request from its turn."""


class LocalEmbedder:
    """An Embedder. Deterministic on one machine; eight-bit rounding may differ in the last digits between processors."""

    dimensions = WIDTH

    def __init__(self, source: Path | bytes, *, waiting: int = 256) -> None:
        """source: the file `python -m headgate.providers.embedding.build` made, or its content.
        waiting: texts that may stand in the line. Raises EmbedderMissing if the file is not there or not ours."""
        self._session, notes = _session(source)
        self.fingerprint: str = notes["fingerprint"]
        self._pieces = WordPiece(notes["vocabulary"].split("\n"))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed")
        self._limit = waiting
        self._waiting = 0

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one per text. Raises EmbedderBusy when the line is full."""
        rows = np.empty((len(texts), WIDTH), np.float32)
        for start in range(0, len(texts), _TOGETHER):
            part = texts[start : start + _TOGETHER]
            rows[start : start + len(part)] = await asyncio.gather(*self._queue(part))
        return rows

    def embed_here(self, text: str) -> NDArray[np.float32]:
        """The vector of one text, computed by whoever calls; for programs that have nothing else to do."""
        ids = np.array(self._pieces.encode(text, LONGEST), np.int64)
        vector: NDArray[np.float32] = self._session.run(["vector"], {"ids": ids})[0]
        return vector

    def close(self) -> None:
        """Forget what waits. The text being read is finished."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _queue(self, texts: Sequence[str]) -> list[asyncio.Future[NDArray[np.float32]]]:
        if self._waiting + len(texts) > self._limit:
            raise EmbedderBusy(f"{self._waiting} texts wait for the local embedder already")
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(self._thread, self.embed_here, text) for text in texts]
        self._waiting += len(jobs)
        for job in jobs:
            job.add_done_callback(self._served)
        return jobs

    def _served(self, _job: asyncio.Future[NDArray[np.float32]]) -> None:
        self._waiting -= 1


def _session(source: Path | bytes) -> tuple[onnxruntime.InferenceSession, dict[str, str]]:
    if isinstance(source, Path) and not source.is_file():
        raise EmbedderMissing(
            f"the local embedder's file {source} is not there; make it with `{BUILD_COMMAND}`,"
            " or set HEADGATE_EMBEDDER to where it is"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    given = str(source) if isinstance(source, Path) else source
    try:
        session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as fault:  # the runtime's errors have no base of their own
        raise EmbedderMissing(
            f"the local embedder's file cannot be read; make it again with `{BUILD_COMMAND} --force`"
        ) from fault
    notes = session.get_modelmeta().custom_metadata_map
    if not {"fingerprint", "vocabulary"} <= notes.keys():
        raise EmbedderMissing(
            f"the local embedder's file was not made by `{BUILD_COMMAND}`; make it with that"
        )
    return session, notes
