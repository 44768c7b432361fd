"""What is printed when a gateway stands: where it is, what it serves, and how to make the first call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headgate import __version__

if TYPE_CHECKING:
    from headgate.config.model import Configuration

__all__ = ["curl_line", "first_call", "python_snippet", "standing", "usual_model"]


def standing(configuration: Configuration, url: str) -> list[str]:
    """Lines that tell where a gateway listens and what it is made of. No secret is in them."""
    from headgate.stores.address import shown_database

    settings = configuration.settings
    source = str(configuration.path) if configuration.path else "the environment"
    keys = (
        "every request brings a key"
        if settings.server.auth == "keys"
        else 'NO KEY IS ASKED FOR (auth = "none")'
    )
    told = [
        ("configuration", f"{source} ({configuration.hash})"),
        ("records", shown_database(settings.server.database)),
        ("providers", _names(list(settings.providers))),
        ("models", _names(list(settings.models))),
        ("features", _names(list(settings.features))),
        ("keys", keys),
        ("dashboard", f"{url}/"),
    ]
    lines = [f"Headgate {__version__} listens on {url}", ""]
    lines += [f"  {name:<14} {text}" for name, text in told]
    return lines + [f"  note           {note}" for note in configuration.notes]


def first_call(configuration: Configuration, url: str, key: str) -> list[str]:
    """Lines that show a key, for the only time, and what to do with it."""
    return [
        "",
        "Your first key. It is shown now and never again; `headgate keys create` makes others:",
        "",
        f"  {key}",
        "",
        "Try it:",
        "",
        f"  {curl_line(url, key, usual_model(configuration))}",
        "",
    ]


def usual_model(configuration: Configuration) -> str:
    """A name that can be asked for."""
    settings = configuration.settings
    for names in (settings.features, settings.models):
        if names:
            return next(iter(names))
    usual = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "gemini": "gemini-2.5-flash"}
    provider = next(iter(settings.providers), "provider")
    return f"{provider}/{usual.get(provider, 'MODEL')}"


def curl_line(url: str, key: str, model: str) -> str:
    """One copyable line."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
    bearer = f'-H "Authorization: Bearer {key}" ' if key else ""
    return f"curl {url}/v1/chat/completions {bearer}-H \"Content-Type: application/json\" -d '{body}'"


def python_snippet(url: str, key: str, model: str) -> str:
    """A copyable program for OpenAI's SDK."""
    return (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{url}/v1", api_key="{key}")\n'
        "reply = client.chat.completions.create(\n"
        f'    model="{model}", messages=[{{"role": "user", "content": "Hello!"}}]\n'
        ")\n"
        "print(reply.choices[0].message.content)"
    )


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"
