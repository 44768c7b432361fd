"""Which names may be asked for when nothing but the simulated provider is there to answer them."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import UnknownModel
from headgate.providers.port import Endpoint
from headgate.routing.directory import Directory


def directory(*, catch_all: str = "sim") -> Directory:
    unused: Any = None

    def make(provider: str, model: str) -> Endpoint:
        return Endpoint(provider=provider, model=model, adapter=unused, upstream=unused)

    return Directory(
        features={"support-chat": ["small"]},
        models={"small": [make("sim", "sim-small")]},
        providers={"sim": "simulated"},
        make=make,
        catch_all=catch_all,
    )


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "o3-mini",
        "claude-haiku-4-5",
        "gemini-2.5-flash",
        "text-embedding-3-small",
        "sim-slow",
        "llama-3-8b",
        "Mistral-7B",
        "qwen3",
        "deepseek-chat",
    ],
)
def test_a_vendors_model_is_simulated_when_there_is_no_vendor(name: str) -> None:
    """Code written for a real model can be rehearsed as it is."""
    (candidate,) = directory().resolve(name).candidates
    assert (candidate.provider, candidate.model) == ("sim", name)


@pytest.mark.parametrize("name", ["suport-chat", "support_chat", "summarize", "", "smal"])
def test_a_mistyped_feature_is_told_and_not_answered(name: str) -> None:
    """The simulated provider would answer any name; a typing error must not look like success."""
    with pytest.raises(UnknownModel, match=r"support-chat|small"):
        directory().resolve(name)


def test_the_near_names_are_offered() -> None:
    """Whoever mistypes sees what was meant."""
    with pytest.raises(UnknownModel, match="did you mean `support-chat`"):
        directory().resolve("suport-chat")


def test_without_a_simulated_provider_a_vendors_model_needs_its_vendor() -> None:
    """A name that looks like a vendor's is not sent to somebody else."""
    with pytest.raises(UnknownModel):
        directory(catch_all="").resolve("claude-haiku-4-5")
