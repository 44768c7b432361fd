"""What a file may say of the cache, how it is told, and what is worth a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.config import cache_checks
from headgate.config.explain import explain
from headgate.config.loader import parse
from headgate.config.problems import ConfigurationRefused

__all__: list[str] = []

BASE = "[providers.sim]\nkind = 'simulated'\n[models.m]\nendpoints = [{ provider = 'sim', model = 'x' }]\n"
FEATURE = "[features.f]\nroute = 'm'\ncache = { %s }\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        parse(BASE + text, {})
    return [f"{each.where}: {each.message}" for each in refused.value.problems]


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ("semantic = 0.9", "features.f.cache.semantic: needs `exact`"),
        ("stale = '1h'", "features.f.cache.stale: needs `exact`"),
        ("if_error = '1h'", "features.f.cache.if_error: needs `exact`"),
        ("refresh = 0.1", "features.f.cache.refresh: needs `exact`"),
        ("exact = '0s'", "features.f.cache.exact: must be more than 0"),
        ("exact = '1h', shadow = true", "features.f.cache.shadow: measures semantic answers"),
        ("exact = '1h', semantic = 'adaptive', sample = 0", "features.f.cache.sample: is 0"),
        ("exact = '1h', scope = 'all'", "scope"),
        ("exact = '1h', exect = 1", "exact"),
        ("exact = '1h', let = ['dats']", "let"),
        ("exact = '1h', semantic = 1.5", "semantic"),
    ],
)
def test_a_features_cache_that_cannot_work_is_refused(cache: str, said: str) -> None:
    """With what would be right."""
    (problem,) = problems(FEATURE % cache)
    assert said in problem


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ("engine = 'redis'", "cache.engine: is `redis`, and there is none"),
        ("memory = 0", "cache.memory: must be more than 0"),
        ("longest = '0s'", "cache.longest: must be more than 0"),
        ("slow = 0", "cache.slow: must be more than 0"),
        ("embed = 'locl'", "cache.embed: no model `locl`; did you mean `local`?"),
        ("embed = 'mm'", "cache.embed: no model `mm`; did you mean `m`?"),
        ("embed = 'simm/x'", "cache.embed: no provider `simm`; did you mean `sim`?"),
    ],
)
def test_a_cache_that_cannot_work_is_refused(cache: str, said: str) -> None:
    """Near names are told."""
    (problem,) = problems(f"[cache]\n{cache}\n")
    assert said in problem


@pytest.mark.parametrize("embed", ["local", "m", "sim/x"])
def test_questions_are_compared_by_the_local_embedder_or_a_model_that_exists(embed: str) -> None:
    """By its name of ours, or the provider's."""
    parse(f"{BASE}[cache]\nembed = '{embed}'\n", {})


@pytest.mark.parametrize("scope", ["team", "feature"])
def test_sensitive_data_is_not_said_to_be_shared(scope: str) -> None:
    """It would not be; and who reads the file shall not believe it."""
    text = BASE + FEATURE % f"exact = '1h', scope = '{scope}'" + "data = 'sensitive'\n"
    with pytest.raises(ConfigurationRefused, match="sensitive"):
        parse(text, {})
    parse(text.replace(f"'{scope}'", "'user'"), {})


def test_what_the_cache_does_is_told() -> None:
    """In `headgate check`."""

    def told(cache: str, more: str = "") -> str:
        return next(
            story.text()
            for story in explain(parse(BASE + FEATURE % cache + more, {}), lambda *_: "")
            if story.name == "f"
        )

    assert "answers to requests with temperature 0 are given again for 60 min, to the same user;" in told(
        "exact = '1h'"
    )
    assert "also to questions in other words, if it is 95 % sure" in told("exact = '1h', semantic = 0.95")
    assert "at most 1 % of them wrong" in told("exact = '1h', semantic = 'adaptive'")
    assert "only measured" in told("exact = '1h', semantic = 0.95, shadow = true")
    assert "given again for 10 min" in told("exact = '1h'", "[cache]\nlongest = '10m'\n")
    assert "given again" not in told("exact = '1h'", "[cache]\nenabled = false\n")
    assert "given again" not in told("")
    full = told(
        "exact = '1h', when = 'always', scope = 'feature', let = ['dates'], stale = '5m', if_error = '1d'"
    )
    assert (
        "answers are given again for 60 min, to all its callers within a tenant, even if they are about dates"
        in full
    )
    assert "old ones for 5 min more while a new one is fetched, for 1440 min more if no model answers" in full


def test_what_would_surprise_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is off as a whole, keeps less long than the feature says, or cannot tell similar questions."""

    def notes(text: str, environ: dict[str, str] | None = None) -> str:
        return " ".join(parse(BASE + text, environ or {}).notes)

    assert notes("") == notes(FEATURE % "exact = '1h'") == ""
    assert "`cache.enabled` is off" in notes(FEATURE % "exact = '1h'" + "[cache]\nenabled = false\n")
    assert "shorter than its `exact`" in notes(FEATURE % "exact = '30d'")
    alike = FEATURE % "exact = '1h', semantic = 0.9"
    place = {"HEADGATE_EMBEDDER": str(tmp_path / "none.onnx")}
    monkeypatch.setattr(cache_checks, "find_spec", lambda _name: None)
    assert "pip install" in notes(alike, place)
    monkeypatch.setattr(cache_checks, "find_spec", lambda name: name)
    assert "the model's file is missing" in notes(alike, place)
    (tmp_path / "none.onnx").touch()
    assert notes(alike, place) == ""
    assert notes(alike + "[cache]\nembed = 'm'\n", {}) == ""
