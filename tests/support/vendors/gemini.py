"""Google's Gemini API."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.recording_upstream import Answered, Handler, Received
from tests.support.vendors.vendor import VECTORS, Asked, Said, Vendor, any_word, cut, sse

__all__ = ["Gemini"]


class Gemini(Vendor):
    """Google's Gemini API."""

    provider, model = "gemini", "gemini-2.5-flash"
    thinks, counts, embeds = True, True, True
    chat_path = "/v1beta/models/gemini-2.5-flash:generateContent"
    stream_path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"

    def section(self, url: str) -> str:
        return f'[providers.gemini]\nkind = "gemini"\napi_key = "goog-ours"\nbase_url = "{url}/v1beta"\n'

    def authenticated(self, received: Received) -> bool:
        return received.header("x-goog-api-key") == "goog-ours" and received.header("authorization") is None

    def says(self, said: Said) -> Handler:
        chat = super().says(said)

        def handler(received: Received) -> Answered:
            if received.target.endswith(":countTokens"):
                return Answered(b'{"totalTokens": 42}')
            if received.target.endswith(":batchEmbedContents"):
                wanted = len(received.json["requests"])
                return Answered(
                    json.dumps({"embeddings": [{"values": vector} for vector in VECTORS[:wanted]]}).encode()
                )
            return chat(received)

        return handler

    def _usage(self, said: Said) -> dict[str, Any]:
        return {
            "promptTokenCount": said.prompt,
            "cachedContentTokenCount": said.cached,
            "candidatesTokenCount": said.completion - said.reasoning,
            "thoughtsTokenCount": said.reasoning,
            "totalTokenCount": said.prompt + said.completion,
        }

    def _reply(self, parts: list[Any], said: Said, *, last: bool) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if last:
            candidate["finishReason"] = "STOP"
        reply = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r-1"}
        return reply | {"usageMetadata": self._usage(said)} if last else reply

    def _calls(self, said: Said) -> list[Any]:
        return [
            {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
            for call in said.calls
        ]

    def whole(self, said: Said) -> bytes:
        parts: list[Any] = [{"text": said.thinking, "thought": True}] if said.thinking else []
        parts += [{"text": said.text}] if said.text else []
        return json.dumps(
            self._reply(parts + self._calls(said), said, last=True), ensure_ascii=False
        ).encode()

    def pieces(self, said: Said) -> list[bytes]:
        parts: list[Any] = [{"text": piece, "thought": True} for piece in cut(said.thinking)]
        parts += [{"text": piece} for piece in cut(said.text)]
        replies = [self._reply([part], said, last=False) for part in parts + self._calls(said)]
        return sse(*replies, self._reply([{"text": ""}], said, last=True))

    def asked(self, received: Received) -> Asked:
        body = received.json
        matched = re.fullmatch(r".*/models/([^:]+):(\w+)(\?alt=sse)?", received.target)
        assert matched, received.target
        found = Asked(matched[1], matched[2] == "streamGenerateContent")
        settings = body.get("generationConfig", {})
        found.stop = settings.get("stopSequences") or []
        calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
        found.choice = "".join(calling.get("allowedFunctionNames", ())) or any_word(calling.get("mode"))
        found.max_tokens = settings.get("maxOutputTokens")
        found.schema = settings.get("responseJsonSchema", settings.get("responseSchema"))
        found.system = "".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ()))
        for content in body.get("contents", ()):
            for part in content["parts"]:
                if "functionCall" in part:
                    found.calls.append((part["functionCall"]["name"], part["functionCall"]["args"]))
                elif "functionResponse" in part:
                    result = part["functionResponse"]
                    found.results.append(
                        (result.get("id", result["name"]), json.dumps(result["response"], ensure_ascii=False))
                    )
                elif "inlineData" in part:
                    found.images += 1
                elif content["role"] == "user":
                    found.texts.append(part["text"])
        found.tools = [
            one["name"] for tool in body.get("tools") or () for one in tool["functionDeclarations"]
        ]
        return found

    def error(self, status: int, message: str) -> bytes:
        kind = {
            400: "INVALID_ARGUMENT",
            401: "UNAUTHENTICATED",
            404: "NOT_FOUND",
            429: "RESOURCE_EXHAUSTED",
            503: "UNAVAILABLE",
        }.get(status, "INTERNAL")
        return json.dumps({"error": {"code": status, "message": message, "status": kind}}).encode()
