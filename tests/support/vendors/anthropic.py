"""Anthropic's Messages API."""

from __future__ import annotations

import json
from typing import Any

from tests.support.recording_upstream import Answered, Handler, Received
from tests.support.vendors.vendor import Asked, Said, Vendor, any_word, cut, sse

__all__ = ["Anthropic"]


class Anthropic(Vendor):
    """Anthropic's Messages API."""

    provider, model = "claude", "claude-opus-4-7"
    thinks, counts = True, True
    overload = 529
    chat_path = "/v1/messages"

    def section(self, url: str) -> str:
        return f'[providers.claude]\nkind = "anthropic"\napi_key = "sk-ant-ours"\nbase_url = "{url}"\n'

    def authenticated(self, received: Received) -> bool:
        return received.header("x-api-key") == "sk-ant-ours" and received.header("authorization") is None

    def says(self, said: Said) -> Handler:
        chat = super().says(said)

        def handler(received: Received) -> Answered:
            if received.target.endswith("/count_tokens"):
                return Answered(b'{"input_tokens": 42}')
            return chat(received)

        return handler

    def _blocks(self, said: Said) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = []
        if said.thinking:
            blocks.append({"type": "thinking", "thinking": said.thinking, "signature": "c2lnbmVk"})
        if said.text:
            blocks.append({"type": "text", "text": said.text})
        for call in said.calls:
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
        return blocks

    def _message(self, said: Said) -> dict[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-7-20260115",
            "content": self._blocks(said),
            "stop_reason": "tool_use" if said.calls else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": said.prompt - said.cached,
                "cache_read_input_tokens": said.cached,
                "cache_creation_input_tokens": 0,
                "output_tokens": said.completion,
                "service_tier": "standard",
            },
            "x_unheard_of": {"kept": [1.5]},
        }

    def whole(self, said: Said) -> bytes:
        return json.dumps(self._message(said), ensure_ascii=False).encode()

    def pieces(self, said: Said) -> list[bytes]:
        message = self._message(said)
        usage = message["usage"]
        opening = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": opening}, {"type": "ping"}]
        for index, block in enumerate(message["content"]):
            kind = block["type"]
            empty: dict[str, Any] = {
                "text": {"type": "text", "text": ""},
                "thinking": {"type": "thinking", "thinking": "", "signature": ""},
            }.get(kind, block | {"input": {}})
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            if kind == "text":
                deltas = [{"type": "text_delta", "text": piece} for piece in cut(block["text"])]
            elif kind == "thinking":
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            else:
                written = json.dumps(block["input"], ensure_ascii=False)
                deltas = [
                    {"type": "input_json_delta", "partial_json": piece} for piece in ["", *cut(written)]
                ]
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": said.completion}})
        events.append({"type": "message_stop"})
        return sse(*events, named=True)

    def asked(self, received: Received) -> Asked:
        body = received.json
        found = Asked(body["model"], body.get("stream", False), max_tokens=body.get("max_tokens"))
        system = body.get("system") or []
        found.system = system if isinstance(system, str) else "".join(block["text"] for block in system)
        for message in body["messages"]:
            content = message["content"]
            for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if block["type"] == "text" and message["role"] == "user":
                    found.texts.append(block["text"])
                elif block["type"] == "tool_use":
                    found.calls.append((block["name"], block["input"]))
                elif block["type"] == "tool_result":
                    inner = block["content"]
                    text = inner if isinstance(inner, str) else "".join(part["text"] for part in inner)
                    found.results.append((block["tool_use_id"], text))
                elif block["type"] == "image":
                    found.images += 1
                elif block["type"] == "thinking":
                    found.thoughts.append((block["thinking"], block["signature"]))
        found.stop = body.get("stop_sequences") or []
        choice = body.get("tool_choice", {})
        found.choice = choice.get("name") or any_word(choice.get("type"))
        found.tools = [tool["name"] for tool in body.get("tools") or ()]
        found.schema = body.get("output_config", {}).get("format", {}).get("schema")
        return found

    def error(self, status: int, message: str) -> bytes:
        kind = {
            400: "invalid_request_error",
            401: "authentication_error",
            404: "not_found_error",
            429: "rate_limit_error",
            529: "overloaded_error",
        }.get(status, "api_error")
        return json.dumps(
            {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_9"}
        ).encode()
