"""The provider's prompt cache: which beginnings of prompts it has seen lately, so that usage can say so."""

from __future__ import annotations

from collections import OrderedDict

from headgate.core.usage import Usage
from headgate.providers.simulated.prompt import Prompt, tokens_in

__all__ = ["PromptCache", "prompt_tokens"]

_KEPT_SECONDS = 300.0
_MOST = 10_000
_STEP = 128  # OpenAI reports cached tokens in steps of this many
_PER_MESSAGE = 3
_PER_MEDIUM = 500


def prompt_tokens(prompt: Prompt) -> int:
    """Everything that goes in: texts, some for each message, pictures and files, tools."""
    texts = sum(tokens_in(passage.text) + _PER_MESSAGE for passage in prompt.passages)
    tools = sum(8 + tokens_in(tool.description) + len(repr(tool.schema)) // 4 for tool in prompt.tools)
    return texts + _PER_MESSAGE + _PER_MEDIUM * (prompt.images + prompt.files) + tools


class PromptCache:
    """Remembers hashed beginnings for five minutes after their last use, at most ten thousand of them."""

    def __init__(self, least_tokens: int) -> None:
        self._least = least_tokens
        self._seen: OrderedDict[int, float] = OrderedDict()

    def usage(self, prompt: Prompt, total: int, now: float) -> Usage:
        """The prompt's side of the usage. total: as `prompt_tokens`; now: seconds, monotonic."""
        if not self._least or total < self._least or prompt.cached_passages == 0:
            return Usage(input=total)
        key, tokens = hash(prompt.model), 0
        read = marked = 0
        for number, passage in enumerate(prompt.passages, 1):
            # Strings keep their hash, so a long history costs as much as its last message.
            key = hash((key, passage.role, passage.text))
            tokens += tokens_in(passage.text) + _PER_MESSAGE
            if tokens < self._least or (
                prompt.cached_passages is not None and number > prompt.cached_passages
            ):
                continue
            if self._fresh(key, now):
                read = tokens
            marked = tokens
            self._remember(key, now)
        if prompt.cached_passages is None:
            read = min(read // _STEP * _STEP, total)
            return Usage(input=total - read, cache_read=read)
        return Usage(input=total - marked, cache_read=read, cache_write=marked - read)

    def _fresh(self, key: int, now: float) -> bool:
        return now - self._seen.get(key, -_KEPT_SECONDS) < _KEPT_SECONDS

    def _remember(self, key: int, now: float) -> None:
        self._seen[key] = now
        self._seen.move_to_end(key)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
