"""LiteLLM's proxy, one worker, a master key, no database (it records nothing here)."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from bench.contestants.contestant import Contestant, Launch, Target
from bench.installation import Installation
from bench.places import clean_environment
from bench.shapes import LANES, UPSTREAM_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from bench.shapes import Lane
    from bench.upstream import Upstream

__all__ = ["LiteLlm"]

_KEY = "sk-bench-litellm"
_PLACE = Installation("litellm")


class LiteLlm(Contestant):
    """The reference product of the field."""

    name = "litellm"
    title = "LiteLLM proxy"
    does = "checks its master key and routes by model name; without PostgreSQL it has no keys, budgets or records"
    start_seconds = 90.0
    slow = True
    hit_header = ("x-litellm-cache-key", "")

    def version(self) -> str:
        return _PLACE.versions()["litellm"]

    def missing(self) -> str | None:
        return _PLACE.missing()

    def launch(self, upstream: Upstream, port: int, work: Path) -> Launch:
        models = [
            {
                "model_name": self.model(lane),
                "litellm_params": {
                    "model": f"openai/{UPSTREAM_MODEL}",
                    "api_base": upstream.base_url(lane),
                    "api_key": "unused",
                },
            }
            for lane in LANES.values()
        ]
        settings = {
            "model_list": models,
            "general_settings": {"master_key": _KEY},
            "litellm_settings": {"num_retries": 0, "telemetry": False, "turn_off_message_logging": True}
            # Only who asks for it is answered from the cache: all other scenarios are calls.
            | {"cache": True, "cache_params": {"type": "local", "mode": "default_off"}},
        }
        # JSON is YAML too.
        (work / "config.yaml").write_text(json.dumps(settings, indent=1))
        program = str(_PLACE.home / "venv" / "bin" / "litellm")
        command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
        quiet = clean_environment(
            LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR", LITELLM_MODE="PRODUCTION"
        )
        return Launch([*command, "--num_workers", "1", "--telemetry", "False"], quiet, work)

    def target(self, lane: Lane, upstream: Upstream, port: int) -> Target:
        target = super().target(lane, upstream, port)
        if not lane.cached:
            return target
        return dataclasses.replace(target, body=target.body[:-1] + b',"cache":{"use-cache":true}}')

    def headers(self, lane: Lane, upstream: Upstream) -> dict[str, str]:
        return {"authorization": f"Bearer {_KEY}"}
