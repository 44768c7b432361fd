"""What a configuration says of each feature's answers."""

from __future__ import annotations

from pathlib import Path

from headgate.cache.policy import CachePolicy
from headgate.compose.caching import policies_of
from headgate.config.loader import load

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
[models.small]
endpoints = [{ provider = "sim", model = "one" }]
[features.faq]
route = "small"
cache = { exact = "1h" }
[features.hushed]
route = "small"
content = false
data = "sensitive"
cache = { exact = "30d" }
[features.plain]
route = "small"
"""


def policies(tmp_path: Path, text: str) -> dict[str, CachePolicy]:
    file = tmp_path / "headgate.toml"
    file.write_text(text)
    return policies_of(load(file).settings)


def test_only_features_with_a_cache_have_a_policy(tmp_path: Path) -> None:
    """And none has where the cache is switched off."""
    found = policies(tmp_path, CONFIG)
    assert sorted(found) == ["faq", "hushed"] and found["faq"].model == "small"
    assert found["faq"].durable and not found["hushed"].durable and found["hushed"].sensitive
    assert found["hushed"].longest == 7 * 86_400
    assert policies(tmp_path, CONFIG + "[cache]\nenabled = false\n") == {}


def test_another_model_behind_the_same_name_gives_other_answers(tmp_path: Path) -> None:
    """What was kept before is not found; a price or a longer time changes nothing."""
    before = policies(tmp_path, CONFIG)["faq"].route
    assert policies(tmp_path, CONFIG.replace('model = "one"', 'model = "two"'))["faq"].route != before
    assert policies(tmp_path, CONFIG.replace('exact = "1h"', 'exact = "2h"'))["faq"].route == before
    assert (
        policies(tmp_path, CONFIG.replace('exact = "1h"', 'exact = "1h", let = ["names"]'))["faq"].route
        != before
    )
