"""The local embedder: exact enough, the same for the same text, and never an endless line."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headgate.providers.embedding import door
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.minilm import forward
from headgate.providers.embedding.place import BUILD_COMMAND, INSTALL_COMMAND, embedder_file
from headgate.providers.embedding.port import EmbedderBusy, EmbedderMissing
from headgate.providers.embedding.wordpiece import WordPiece
from tests.support.aio import aio
from tests.unit.providers.embedding.random_weights import VOCABULARY, model_file, weights

__all__: list[str] = []

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())


@pytest.fixture(scope="module")
def by_chance() -> Iterator[LocalEmbedder]:
    embedder = LocalEmbedder(model_file())
    yield embedder
    embedder.close()


@pytest.fixture(scope="module")
def real() -> Iterator[LocalEmbedder]:
    embedder = LocalEmbedder(embedder_file(os.environ))  # `make test` has made it
    yield embedder
    embedder.close()


@pytest.mark.parametrize("text", ["cat", "the cat a b c", "x y z " * 20])
def test_the_eight_bit_graph_computes_what_the_exact_pass_computes(
    by_chance: LocalEmbedder, text: str
) -> None:
    """With weights nobody tuned the rounding for, a word and a paragraph."""
    exact = forward(weights(), WordPiece(VOCABULARY).encode(text))
    assert float(exact @ by_chance.embed_here(text)) > 0.98


def test_the_real_file_agrees_with_the_published_weights(real: LocalEmbedder) -> None:
    """Vectors of an exact pass over the published weights were written down; the file stays near them."""
    for one in EXPECTED["vectors"]:
        exact = np.frombuffer(base64.b64decode(one["vector"]), "<f2").astype(np.float32)
        assert float(exact @ real.embed_here(one["text"])) > 0.985, one["text"]


def test_what_means_the_same_is_nearer_than_what_does_not(real: LocalEmbedder) -> None:
    """Paraphrases with few words in common against questions of another subject."""
    asked = real.embed_here("How do I reset my password?")
    same = real.embed_here("I cannot remember my login, how can I get a new one?")
    other = real.embed_here("How do I bake sourdough bread?")
    assert float(asked @ same) > float(asked @ other) + 0.3


@aio
async def test_a_row_does_not_depend_on_its_company(by_chance: LocalEmbedder) -> None:
    """Alone, in a batch, in another order: bit for bit the same, and of length one."""
    texts = ["the cat", "a", "x y z " * 50, ""]
    together = await by_chance.embed(texts)
    alone = np.concatenate([await by_chance.embed([text]) for text in reversed(texts)])[::-1]
    assert together.shape == (4, by_chance.dimensions)
    assert together.dtype == np.float32
    assert (together == alone).all()
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


@aio
async def test_no_texts_are_no_rows(by_chance: LocalEmbedder) -> None:
    """An empty batch is answered like any other."""
    assert (await by_chance.embed([])).shape == (0, by_chance.dimensions)


@aio
async def test_a_full_line_refuses_and_recovers() -> None:
    """More than may wait: refused at once, nothing of it queued; when the line is short again, served."""
    embedder = LocalEmbedder(model_file(), waiting=3)
    held, seen = hold(embedder)
    first = asyncio.ensure_future(embedder.embed(["a", "b"]))
    await asyncio.to_thread(seen.wait)
    with pytest.raises(EmbedderBusy):
        await embedder.embed(["c", "d"])
    held.set()
    assert len(await first) == 2
    assert len(await embedder.embed(["c", "d", "e"])) == 3
    embedder.close()


@aio
async def test_a_caller_who_gives_up_leaves_the_line() -> None:
    """A cancelled call's texts that wait are not read, and make room."""
    embedder = LocalEmbedder(model_file(), waiting=3)
    held, seen = hold(embedder)
    first = asyncio.ensure_future(embedder.embed(["a"]))
    await asyncio.to_thread(seen.wait)
    second = asyncio.ensure_future(embedder.embed(["b", "c"]))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.ensure_future(embedder.embed(["d", "e"]))
    await asyncio.sleep(0)
    held.set()
    assert len(await first) == 1
    assert len(await third) == 2
    embedder.close()


@aio
async def test_a_large_batch_does_not_hold_the_whole_line() -> None:
    """Who embeds a library waits for himself: only 32 of his texts stand in the line."""
    embedder = LocalEmbedder(model_file(), waiting=40)
    held, seen = hold(embedder)
    library = asyncio.ensure_future(embedder.embed(["a"] * 100))
    await asyncio.to_thread(seen.wait)
    request = asyncio.ensure_future(embedder.embed(["b"]))
    held.set()
    assert len(await request) == 1
    assert len(await library) == 100
    embedder.close()


def hold(embedder: LocalEmbedder) -> tuple[threading.Event, threading.Event]:
    """Make the worker wait for the first event; the second tells that it does."""
    held, seen = threading.Event(), threading.Event()
    compute = embedder.embed_here

    def held_up(text: str) -> object:
        seen.set()
        held.wait(10)
        return compute(text)

    embedder.embed_here = held_up  # type: ignore[method-assign,assignment]
    return held, seen


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    """Nothing is fetched when it is missed."""
    with pytest.raises(EmbedderMissing, match=BUILD_COMMAND):
        door.open_embedder(tmp_path / "none.onnx")


def test_a_damaged_file_is_told_from_a_missing_one(tmp_path: Path) -> None:
    """Cut short or not a model at all: make it again, by force."""
    (tmp_path / "cut.onnx").write_bytes(model_file()[:100_000])
    with pytest.raises(EmbedderMissing, match="--force"):
        LocalEmbedder(tmp_path / "cut.onnx")


def test_without_the_extra_the_door_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core installs neither numpy nor onnxruntime."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "headgate.providers.embedding.local")
    with pytest.raises(EmbedderMissing, match=INSTALL_COMMAND.replace("[", r"\[")):
        door.open_embedder(tmp_path / "any.onnx")


def test_knocking_at_the_door_loads_nothing_heavy() -> None:
    """Who does not embed does not wait for numpy: the ports and doors import without the extra."""
    program = (
        "import sys; sys.modules['numpy'] = sys.modules['onnxruntime'] = None\n"
        "import headgate.providers.embedding.door, headgate.routing.learned.door\n"
        "import headgate.providers.embedding.port, headgate.providers.embedding.place\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_is_in_the_cache_unless_named(tmp_path: Path) -> None:
    """`HEADGATE_EMBEDDER` goes first, then the user's cache folder."""
    assert embedder_file({"HEADGATE_EMBEDDER": "/x/y.onnx", "XDG_CACHE_HOME": "/c"}) == Path("/x/y.onnx")
    in_cache = embedder_file({"XDG_CACHE_HOME": str(tmp_path)})
    assert in_cache.parent == tmp_path / "headgate"
    assert embedder_file({}).parent == Path.home() / ".cache" / "headgate"
