"""Amazon Bedrock's Converse API."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from tests.support.recording_upstream import Answered, Handler, Received
from tests.support.vendors.vendor import Asked, Said, Vendor, any_word, cut
from tests.unit.providers.bedrock.eventstream import event as bedrock_event

__all__ = ["Bedrock"]


class Bedrock(Vendor):
    """Amazon Bedrock's Converse API, signed."""

    provider, model = "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"
    thinks, counts = True, True
    chat_path = "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    stream_path = f"{chat_path}-stream"

    def section(self, url: str) -> str:
        return f'[providers.bedrock]\nkind = "bedrock"\nregion = "eu-central-1"\nendpoint_url = "{url}"\n'

    def authenticated(self, received: Received) -> bool:
        signed = received.header("authorization") or ""
        scope = (
            r"AWS4-HMAC-SHA256 Credential=AKIATESTTESTTEST0000/\d{8}/eu-central-1/bedrock/aws4_request, .*"
        )
        return re.fullmatch(scope, signed) is not None and "Signature=" in signed

    def stream_headers(self) -> list[tuple[str, str]]:
        return [("content-type", "application/vnd.amazon.eventstream")]

    def says(self, said: Said) -> Handler:
        chat = super().says(said)

        def handler(received: Received) -> Answered:
            if received.target.endswith("/count-tokens"):
                return Answered(b'{"inputTokens": 42}')
            return chat(received)

        return handler

    def _usage(self, said: Said) -> dict[str, int]:
        return {
            "inputTokens": said.prompt - said.cached,
            "outputTokens": said.completion,
            "totalTokens": said.prompt + said.completion,
            "cacheReadInputTokens": said.cached,
            "cacheWriteInputTokens": 0,
        }

    def whole(self, said: Said) -> bytes:
        content: list[Any] = []
        if said.thinking:
            thought = {"text": said.thinking, "signature": "c2lnbmVk"}
            content.append({"reasoningContent": {"reasoningText": thought}})
        if said.text:
            content.append({"text": said.text})
        for call in said.calls:
            content.append({"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}})
        answer = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "tool_use" if said.calls else "end_turn",
            "usage": self._usage(said),
            "metrics": {"latencyMs": 12},
        }
        return json.dumps(answer, ensure_ascii=False).encode()

    def pieces(self, said: Said) -> list[bytes]:
        def delta(inner: Any) -> tuple[str, Any]:
            return "contentBlockDelta", {"contentBlockIndex": index, "delta": inner}

        index = 0
        events: list[tuple[str, Any]] = [("messageStart", {"role": "assistant"})]
        if said.thinking:
            events += [delta({"reasoningContent": {"text": piece}}) for piece in cut(said.thinking)]
            events.append(delta({"reasoningContent": {"signature": "c2lnbmVk"}}))
            events.append(("contentBlockStop", {"contentBlockIndex": index}))
            index += 1
        if said.text:
            events += [delta({"text": piece}) for piece in cut(said.text)]
            events.append(("contentBlockStop", {"contentBlockIndex": index}))
            index += 1
        for call in said.calls:
            start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
            events += [delta({"toolUse": {"input": piece}}) for piece in cut(call.text)]
            events.append(("contentBlockStop", {"contentBlockIndex": index}))
            index += 1
        events.append(("messageStop", {"stopReason": "tool_use" if said.calls else "end_turn"}))
        events.append(("metadata", {"usage": self._usage(said), "metrics": {"latencyMs": 12}}))
        return [bedrock_event(name, body) for name, body in events]

    def asked(self, received: Received) -> Asked:
        body = received.json
        matched = re.fullmatch(r"/model/([^/]+)/([\w-]+)", received.target)
        assert matched, received.target
        found = Asked(unquote(matched[1]), matched[2] == "converse-stream")
        if matched[2] == "count-tokens":
            body = body["input"]["converse"]
        found.system = "".join(block.get("text", "") for block in body.get("system", ()))
        found.max_tokens = body.get("inferenceConfig", {}).get("maxTokens")
        found.stop = body.get("inferenceConfig", {}).get("stopSequences") or []
        choice = body.get("toolConfig", {}).get("toolChoice", {})
        found.choice = choice.get("tool", {}).get("name") or any_word("any" if "any" in choice else None)
        for message in body["messages"]:
            for block in message["content"]:
                if "toolUse" in block:
                    found.calls.append((block["toolUse"]["name"], block["toolUse"]["input"]))
                elif "toolResult" in block:
                    result = block["toolResult"]
                    text = "".join(part.get("text", "") for part in result["content"])
                    found.results.append((result["toolUseId"], text))
                elif "image" in block:
                    found.images += 1
                elif "reasoningContent" in block:
                    thought = block["reasoningContent"]["reasoningText"]
                    found.thoughts.append((thought["text"], thought["signature"]))
                elif message["role"] == "user" and "text" in block:
                    found.texts.append(block["text"])
        found.tools = [tool["toolSpec"]["name"] for tool in body.get("toolConfig", {}).get("tools", ())]
        text_format = body.get("outputConfig", {}).get("textFormat", {})
        written = text_format.get("structure", {}).get("jsonSchema", {}).get("schema")
        found.schema = json.loads(written) if written else None
        return found

    def error(self, status: int, message: str) -> bytes:
        return json.dumps({"message": message}).encode()

    def refuses(self, status: int, message: str, *headers: tuple[str, str]) -> Handler:
        kind = {
            400: "ValidationException",
            401: "UnrecognizedClientException",
            404: "ResourceNotFoundException",
            429: "ThrottlingException",
            503: "ServiceUnavailableException",
        }.get(status, "InternalServerException")
        return super().refuses(status, message, ("x-amzn-errortype", kind), *headers)
