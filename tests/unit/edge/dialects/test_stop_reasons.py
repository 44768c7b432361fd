"""Each dialect has a word for every reason an answer can stop."""

from __future__ import annotations

from typing import get_args

import pytest
from anthropic.types.stop_reason import StopReason as AnthropicStopReason
from openai.types.chat.chat_completion import Choice as OpenAIChoice
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_status import ResponseStatus

from headgate.core.messages import StopReason
from headgate.edge.dialects.anthropic_messages.reply import STOP_REASONS
from headgate.edge.dialects.openai_chat.reply import FINISH_REASONS
from headgate.edge.dialects.openai_responses.reply import STATUSES

REASONS = set(get_args(StopReason))


def test_chat_words_are_total_and_openais() -> None:
    """Every reason, and only words of the SDK's type."""
    assert set(FINISH_REASONS) == REASONS
    assert set(FINISH_REASONS.values()) <= set(
        get_args(OpenAIChoice.model_fields["finish_reason"].annotation)
    )


def test_message_words_are_total_and_anthropics() -> None:
    """Every reason, and only words of the SDK's type."""
    assert set(STOP_REASONS) == REASONS
    assert set(STOP_REASONS.values()) == set(get_args(AnthropicStopReason))


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_response_words_are_total_and_openais(reason: StopReason) -> None:
    """Every reason, and only words of the SDK's types."""
    status, why = STATUSES[reason]
    assert status in get_args(ResponseStatus)
    known = str(IncompleteDetails.model_fields["reason"].annotation)
    assert why is None or f"'{why}'" in known
    assert (status == "incomplete") == (why is not None)
