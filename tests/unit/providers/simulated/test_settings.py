"""The configuration of the simulated provider is read whole, and what is wrong in it is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from headgate.core.section import decode_value
from headgate.providers.simulated.faults import FAULTS, FaultOrder
from headgate.providers.simulated.profiles import BUILT_IN, profiles_of
from headgate.providers.simulated.settings import BUILT_IN_MODELS, ProfileSettings, SimulatedSettings

__all__: list[str] = []

DOCS = Path(__file__).resolve().parents[4] / "docs"
REFERENCE = (DOCS / "reference" / "simulated-provider.md").read_text(encoding="utf-8")
HOW_TO = (DOCS / "how-to" / "rehearse-an-outage.md").read_text(encoding="utf-8")


def read(text: str) -> SimulatedSettings:
    return msgspec.convert(tomllib.loads(text), SimulatedSettings, dec_hook=decode_value)


def test_a_model_is_built_in_with_what_is_written() -> None:
    """What is left out comes from the model of the same name, or the one that `like` names."""
    settings = read(
        """
        seed = 3
        [models.sim-small]
        error_rate = 0.5
        [models.mine]
        like = "sim-large"
        first_token = { median = "1s", p95 = "3s" }
        price = { input = 1.5, output = 6 }
        faults = ["cut:9"]
        outage = ["10s..20s reset"]
        """
    )
    profiles = profiles_of(settings.models, settings.outage)
    assert profiles["sim-small"].error_rate == 0.5
    assert profiles["sim-small"].faults == BUILT_IN["sim-small"].faults
    mine = profiles["mine"]
    assert (mine.first_token.p95, str(mine.price.input), mine.faults) == (
        3.0,
        "1.5",
        (FaultOrder("cut", "9"),),
    )
    assert mine.context_window == BUILT_IN["sim-large"].context_window
    assert (mine.outage[0].begins, mine.outage[0].ends, mine.outage[0].fault.name) == (10.0, 20.0, "reset")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('models.a.faults = ["rest"]', "did you mean `reset`"),
        ('models.a.like = "huge"', "`like` names no built-in model"),
        ('models.a.capabilities = ["sing"]', "no capability is called `sing`"),
        ('models.a.outage = ["soon"]', "is no outage"),
        ('outage = ["60s..30s"]', "ends before it begins"),
        ('outage = ["1s..2s never"]', "no fault is called `never`"),
        ("models.a.quality = 2", "<= 1"),
        ("speed = -1", ">= 0"),
        ("models.a.colour = 1", "unknown field `colour`"),
    ],
)
def test_a_mistake_is_refused_when_it_is_read(text: str, message: str) -> None:
    """Not when the first request meets it."""
    with pytest.raises(msgspec.ValidationError, match=message):
        read(text)


def test_the_names_of_the_built_in_models_are_known_to_the_settings() -> None:
    """Two lists in two files, the same names."""
    assert tuple(BUILT_IN) == BUILT_IN_MODELS


def test_a_clear_configuration_is_the_default() -> None:
    """No setting must be given."""
    assert read("") == SimulatedSettings()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_the_manual_has_every_fault_as_the_table_says_it(fault: object) -> None:
    """Name, argument, default and meaning stand in one row."""
    kind = FAULTS[getattr(fault, "name", "")]
    argument = f"{kind.argument} ({kind.default})" if kind.argument and kind.default else kind.argument
    assert f"| `{kind.name}` | {argument} | {kind.meaning} |\n" in REFERENCE


def test_the_manual_has_no_fault_that_is_not_there() -> None:
    """A fault that is taken away leaves the manual too."""
    table = REFERENCE.split("## Faults", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert rows == list(FAULTS)


@pytest.mark.parametrize("section", [SimulatedSettings, ProfileSettings])
def test_the_manual_has_every_setting(section: type[msgspec.Struct]) -> None:
    """Of the provider and of a model."""
    inherited = set(SimulatedSettings.__struct_fields__) - set(SimulatedSettings.__annotations__)
    own = [name for name in section.__struct_fields__ if name not in inherited]
    assert [name for name in own if f"| `{name}` |" not in REFERENCE] == []


def test_the_manual_has_every_built_in_model() -> None:
    """With a row of its own."""
    assert [name for name in BUILT_IN if f"| `{name}` |" not in REFERENCE] == []


@pytest.mark.parametrize("page", [REFERENCE, HOW_TO], ids=["reference", "how-to"])
def test_the_examples_can_be_read(page: str) -> None:
    """Every block of TOML in the manual is a configuration of the simulated provider."""
    blocks = [part.split("```", 1)[0] for part in page.split("```toml\n")[1:]]
    assert blocks
    for block in blocks:
        for provider in tomllib.loads(block).get("providers", {}).values():
            assert provider.pop("kind") == "simulated"
            msgspec.convert(provider, SimulatedSettings, dec_hook=decode_value)
