"""What is recorded, and how carefully."""

from __future__ import annotations

from typing import Literal

from headgate.core.section import Duration, Section, Size
from headgate.records.retention import KeepSettings

__all__ = ["RecordSettings"]

_SMALLEST_SEGMENT = 100_000


class RecordSettings(Section, frozen=True):
    """What is recorded, and how carefully. Spans (who, when, which model, tokens, cost) are always recorded."""

    content: bool = True
    """Keep prompts and answers. Off: they are written nowhere, not into the journal either."""
    content_limit: Size = Size(1_000_000)
    """Bytes kept of one prompt or answer; what is over is cut off and marked."""
    vectors: bool = False
    """Keep the vectors of embeddings, too: some 20 kB each, which nobody reads and the same text gives again. The texts
    are kept as `content` says."""
    fsync: bool = False
    """Wait for the disk at every write to the journal. Off, a killed process loses nothing; a power cut may lose the
    last second. On, each turn of the event loop waits for the disk."""
    segment: Size = Size(64_000_000)
    """Size at which the journal begins a new file; files that are stored are deleted."""
    writer: Literal["process", "thread"] = "process"
    """Where `headgate serve` moves the journal to the database. `process`: in a process beside the gateway, so that storing takes
    nothing from requests; some 50 MB of memory more. `thread`: in the gateway's own process."""
    keep: KeepSettings = KeepSettings()
    """How long what is kept: `keep = { content = "7d", spans = "90d" }`. A feature may say otherwise of its own requests."""
    drain: Duration = Duration(5.0)
    """How long shutting down waits for the journal to be stored; the rest is stored at the next start."""

    def __post_init__(self) -> None:
        if self.segment < _SMALLEST_SEGMENT:
            raise ValueError(f"`segment = {self.segment}` is too small: at least {_SMALLEST_SEGMENT} bytes")
