"""A random llama of two layers in a GGUF file: small enough to be made for a test, real enough for llama.cpp.

`python -m tests.support.tiny_model FILE` writes it for other uses. It talks nonsense, fast.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

__all__ = ["write_tiny_model"]

_WIDTH, _HEADS, _LAYERS, _HIDDEN, _CONTEXT = 64, 4, 2, 128, 4096
_WORDS = "the water is high low rising falling gate river canal and of to in at it was now"
_TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


def _vocabulary() -> tuple[list[str], list[float], list[int]]:
    """Texts, scores and kinds of the tokens: control, every byte, printable ASCII, a few words."""
    kinds = gguf.TokenType
    tokens = [("<unk>", 0.0, kinds.UNKNOWN), ("<s>", 0.0, kinds.CONTROL), ("</s>", 0.0, kinds.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", 0.0, kinds.BYTE) for byte in range(256)]
    single = ["▁", *(chr(code) for code in range(0x21, 0x7F))]
    tokens += [(text, -1000.0, kinds.NORMAL) for text in single]
    # Words are built up from pairs, so each beginning of a word is a token too.
    pieces: list[str] = []
    for word in _WORDS.split():
        pieces += [f"▁{word[:end]}" for end in range(1, len(word) + 1)]
    tokens += [(text, float(-n), kinds.NORMAL) for n, text in enumerate(dict.fromkeys(pieces))]
    texts, scores, types = zip(*tokens, strict=True)
    return list(texts), list(scores), [int(kind) for kind in types]


def write_tiny_model(path: Path, *, seed: int = 7) -> None:
    """Write the model. The same seed gives the same file."""
    chance = np.random.default_rng(seed)
    texts, scores, types = _vocabulary()

    def tensor(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.5).astype(np.float32)

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_HIDDEN)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(texts))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)  # the template has it
    writer.add_add_space_prefix(False)  # or the grammar of a JSON schema meets a space it has not asked for
    writer.add_chat_template(_TEMPLATE)
    writer.add_tensor("token_embd.weight", tensor(len(texts), _WIDTH))
    output = tensor(len(texts), _WIDTH)
    # Neither control tokens nor lone bytes are ever the likeliest: answers are text, and as long as is asked for.
    output[: 3 + 256] = 0
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{name}.weight", np.ones(_WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}.{name}.weight", tensor(_WIDTH, _WIDTH))
        writer.add_tensor(f"{block}.ffn_gate.weight", tensor(_HIDDEN, _WIDTH))
        writer.add_tensor(f"{block}.ffn_up.weight", tensor(_HIDDEN, _WIDTH))
        writer.add_tensor(f"{block}.ffn_down.weight", tensor(_WIDTH, _HIDDEN))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
