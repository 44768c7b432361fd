"""`headgate replay REQUEST --url`: the running gateway sends it again, and its key pays."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from headgate.cli.output import fail, print_json, say

if TYPE_CHECKING:
    from headgate.quality.replay.changing import Changes

__all__ = ["KEY", "replay_there"]

KEY = "HEADGATE_KEY"
"""The environment variable with the key that asks, and pays."""
_SECONDS = 600.0


def replay_there(
    url: str, request: str, changes: Changes, *, cap_nanos: int | None, estimate_only: bool, as_json: bool
) -> int:
    """The exit code. cap_nanos: nothing is sent if it may cost more."""
    import msgspec

    from headgate.cli.replay_many import CAPPED
    from headgate.cli.replay_text import comparison_lines, estimate_line
    from headgate.quality.replay.planning import Estimate

    path = f"{url.rstrip('/')}/api/requests/{request}/replay"
    wanted = msgspec.to_builtins(changes)
    told = _post(path, {**wanted, "estimate_only": True})["estimate"]
    nanos = {
        f"{name}_nanos": None if told[f"{name}_usd"] is None else round(float(told[f"{name}_usd"]) * 1e9)
        for name in ("expected", "least", "most")
    }
    estimate = msgspec.convert({**told, **nanos}, Estimate)
    if not as_json:
        say(estimate_line(estimate))
    if (
        not estimate_only
        and cap_nanos is not None
        and (estimate.most_nanos is None or estimate.most_nanos > cap_nanos)
    ):
        say("not sent: --most-usd does not allow what it may cost")
        return CAPPED
    if estimate_only:
        if as_json:
            print_json(told)
        return 0
    made = _post(path, wanted)["comparison"]
    if as_json:
        print_json({"estimate": told, **made})
    else:
        comparison_lines(_comparison(made))
    return 0


def _comparison(told: dict[str, Any]) -> Any:
    import msgspec

    from headgate.quality.replay.comparing import Comparison

    diff = None
    if told["similarity"] is not None:
        diff = {
            "identical": told["similarity"] == 1,
            "similarity": told["similarity"],
            "pieces": told["diff"],
            "unit": told["diff_unit"],
            "cut": told["diff_cut"],
        }
    return msgspec.convert({**told, "diff": diff}, Comparison)


def _post(url: str, body: dict[str, Any]) -> Any:
    key = os.environ.get(KEY, "")
    if not key:
        fail(f"--url asks a running gateway: put a key that may do this into {KEY}", code=2)
    if not url.startswith(("http://", "https://")):
        fail("--url: write http://HOST:PORT", code=2)
    request = urllib.request.Request(  # noqa: S310 - http and https only
        url,
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310 - as above
            return json.load(reply)
    except urllib.error.HTTPError as refused:
        detail = _detail(refused)
        fail(f"{detail} ({refused.code})", code=2 if refused.code == 400 else 1)
    except (urllib.error.URLError, TimeoutError, OSError) as failure:
        fail(f"{url}: {getattr(failure, 'reason', failure)}")


def _detail(refused: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(refused)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(refused.reason)
