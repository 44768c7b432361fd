"""An alert as each kind of receiver reads it. Pure. Names in an alert may come from callers: nothing in them is markup."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from headgate.stores.alerts import Alert

__all__ = ["facts_in_words", "message_id", "one_line", "slack_body", "subject_line", "webhook_body"]

_MARKS = {
    "info": "\N{INFORMATION SOURCE}",
    "warning": "\N{WARNING SIGN}",
    "critical": "\N{POLICE CARS REVOLVING LIGHT}",
}
_LONGEST_TEXT = 2800  # of a Slack block; it takes 3,000 characters
_LONGEST_LINE = 140
_LONGEST_VALUE = 200


def message_id(event: str, receiver: str) -> str:
    """The same for every try of one alert to one receiver, so that who gets it twice can tell; different for each receiver."""
    return "msg_" + hashlib.blake2b(f"{receiver}\n{event}".encode(), digest_size=16).hexdigest()


def webhook_body(alert: Alert) -> bytes:
    """JSON: `type`, `timestamp` and `data`, as Standard Webhooks has them."""
    return msgspec.json.encode(
        {
            "type": f"alert.{alert.kind}",
            "timestamp": _moment(alert.at_ns),
            "data": {
                "event": alert.event,
                "subject": alert.subject,
                "severity": alert.severity,
                "text": alert.text,
                "facts": dict(alert.facts),
            },
        }
    )


def slack_body(alert: Alert) -> bytes:
    """JSON: `text` for notifications and for those who do not know blocks, and `blocks`."""
    text = f"{_MARKS[alert.severity]} {_unmarked(_cut(one_line(alert.text), _LONGEST_TEXT))}"
    small = [f"{alert.severity} · {alert.kind.replace('_', ' ')} · {_moment(alert.at_ns)}", *_facts(alert)]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": _cut(_unmarked("   ".join(small)), _LONGEST_TEXT)}],
        },
    ]
    return msgspec.json.encode({"text": text, "blocks": blocks})


def subject_line(alert: Alert) -> str:
    """Of a mail: one line."""
    return f"[headgate] {alert.severity}: {_cut(one_line(alert.text), _LONGEST_LINE)}"


def facts_in_words(alert: Alert) -> str:
    """Of a mail: the text and what is known, a line each."""
    lines = [
        # A caller's name with line breaks in it would write lines of its own.
        one_line(alert.text),
        "",
        f"when: {_moment(alert.at_ns)}",
        f"about: {one_line(alert.subject)}",
        f"kind: {alert.kind}, {alert.severity}",
        *_facts(alert),
        "",
        "You are told this once. `headgate alerts log` lists what was told, and to whom.",
    ]
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """Without line breaks and whatever else would move a cursor or begin a header."""
    return "".join(each if each.isprintable() else " " for each in text)


def _facts(alert: Alert) -> list[str]:
    return [
        f"{one_line(name).replace('_', ' ')}: {_cut(one_line(str(value)), _LONGEST_VALUE)}"
        for name, value in alert.facts.items()
    ]


def _unmarked(text: str) -> str:
    # What Slack asks for; without it `<!channel>` in a caller's name would wake everybody up.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
