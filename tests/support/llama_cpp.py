"""llama.cpp's own server in a process of its own, on a tiny random model: a provider nobody here wrote.

`python -m tests.support.llama_cpp MODEL.gguf [--embeddings]` serves until its standard input closes.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xllamacpp

from tests.support.tiny_model import write_tiny_model

__all__ = ["llama_cpp"]

_ROOT = Path(__file__).parents[2]


def _serve(model: str, *, embeddings: bool) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"tiny"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.n_threads_http = 4
    parameters.warmup = False
    parameters.use_jinja = True
    parameters.embedding = embeddings
    if embeddings:
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(parameters)
    print(f"ready {server.listening_address}", flush=True)
    sys.stdin.read()


@contextmanager
def llama_cpp(folder: Path, *, embeddings: bool = False) -> Iterator[str]:
    """Its address, once it serves. embeddings: serve vectors instead of chats."""
    model = folder / "tiny.gguf"
    write_tiny_model(model)
    more = ["--embeddings"] if embeddings else []
    command = [sys.executable, "-m", "tests.support.llama_cpp", str(model), *more]
    log = folder / "llama.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    limit = threading.Timer(60, process.kill)
    limit.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ready "):
                break
        else:
            raise AssertionError(f"llama.cpp did not start:\n{log.read_text(errors='replace')[-3000:]}")
        limit.cancel()
        # Its log goes on; a full pipe would stop the server.
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        yield line.removeprefix(b"ready ").decode().strip()
    finally:
        limit.cancel()
        process.kill()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


if __name__ == "__main__":
    _serve(sys.argv[1], embeddings="--embeddings" in sys.argv)
