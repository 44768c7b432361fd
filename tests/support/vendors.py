"""Vendors as their documentation describes them: what each answers on the wire, and how its requests are read.

Written apart from the product's own wires, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from tests.support.recording_upstream import Answered, Handler, Received
from tests.unit.providers.bedrock.eventstream import event as bedrock_event

__all__ = ["VECTORS", "VENDORS", "Asked", "Said", "ToolUse", "Vendor"]

VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -1.5]]
"""What every vendor here answers to two inputs; exact in 32 bits."""
_SSE = [("content-type", "text/event-stream")]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call the model makes."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in nobody's wire format."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolUse, ...] = ()
    prompt: int = 25
    """Tokens of the prompt, cached ones included."""
    cached: int = 10
    completion: int = 7
    """Tokens of the answer, reasoning included."""
    reasoning: int = 0


@dataclass(slots=True)
class Asked:
    """What a vendor would understand from a request."""

    model: str
    stream: bool
    system: str = ""
    texts: list[str] = field(default_factory=list)
    """The user's words, in order."""
    tools: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Earlier calls of the assistant: name and arguments."""
    results: list[tuple[str, str]] = field(default_factory=list)
    """Results of tools: id of the call and text."""
    schema: Any = None
    max_tokens: int | None = None
    images: int = 0


def _sse(*events: Any, named: bool = False, done: bool = False) -> list[bytes]:
    pieces = []
    for one in events:
        name = f"event: {one['type']}\n" if named else ""
        pieces.append(f"{name}data: {json.dumps(one, ensure_ascii=False)}\n\n".encode())
    return [*pieces, b"data: [DONE]\n\n"] if done else pieces


def _cut(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


class Vendor:
    """One provider of the gateway under test."""

    provider: ClassVar[str]
    model: ClassVar[str]
    thinks: ClassVar[bool] = False
    """Can it hand out its reasoning?"""
    counts: ClassVar[bool] = False
    """Does it count tokens?"""
    embeds: ClassVar[bool] = False
    overload: ClassVar[int] = 503
    """The status with which it says that it is overloaded."""
    chat_path: ClassVar[str]
    stream_path: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What a caller asks for."""
        return f"{self.provider}/{self.model}"

    def section(self, url: str) -> str:
        """The provider's part of the configuration."""
        raise NotImplementedError

    def whole(self, said: Said) -> bytes:
        raise NotImplementedError

    def pieces(self, said: Said) -> list[bytes]:
        """The same as a stream."""
        raise NotImplementedError

    def asked(self, received: Received) -> Asked:
        raise NotImplementedError

    def authenticated(self, received: Received) -> bool:
        """Did our own credentials come, and nobody else's?"""
        raise NotImplementedError

    def error(self, status: int, message: str) -> bytes:
        """The body of a refusal."""
        raise NotImplementedError

    def says(self, said: Said) -> Handler:
        """Answer every chat with `said`, whole or streamed as was asked."""

        def handler(received: Received) -> Answered:
            if self.asked(received).stream:
                return Answered(self.pieces(said), headers=self.stream_headers())
            return Answered(self.whole(said))

        return handler

    def refuses(self, status: int, message: str, *headers: tuple[str, str]) -> Handler:
        body = self.error(status, message)
        return lambda _received: Answered(body, status, [("content-type", "application/json"), *headers])

    def stream_headers(self) -> list[tuple[str, str]]:
        return list(_SSE)


class OpenAI(Vendor):
    """OpenAI itself: chats, responses, embeddings."""

    provider, model = "openai", "gpt-4.1"
    embeds = True
    native_responses: ClassVar[bool] = True
    chat_path = "/v1/chat/completions"

    def section(self, url: str) -> str:
        return f'[providers.openai]\nkind = "openai"\napi_key = "sk-ours"\nbase_url = "{url}/v1"\nresponses = true\n'

    def authenticated(self, received: Received) -> bool:
        return received.header("authorization") == "Bearer sk-ours"

    def says(self, said: Said) -> Handler:
        chat = super().says(said)

        def handler(received: Received) -> Answered:
            if "/embeddings" in received.target:
                return Answered(self._vectors(received))
            if "/responses" in received.target:
                return self._respond(said, received)
            return chat(received)

        return handler

    def _vectors(self, received: Received) -> bytes:
        body = received.json
        packed = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": number,
                "embedding": base64.b64encode(struct.pack("<3f", *vector)).decode() if packed else vector,
            }
            for number, vector in enumerate(VECTORS[: len(body["input"])])
        ]
        usage = {"prompt_tokens": 6, "total_tokens": 6}
        return json.dumps({"object": "list", "data": data, "model": body["model"], "usage": usage}).encode()

    def _usage(self, said: Said) -> dict[str, Any]:
        return {
            "prompt_tokens": said.prompt,
            "completion_tokens": said.completion,
            "total_tokens": said.prompt + said.completion,
            "prompt_tokens_details": {"cached_tokens": said.cached},
            "completion_tokens_details": {"reasoning_tokens": said.reasoning},
        }

    def whole(self, said: Said) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
                for call in said.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if said.calls else "stop"}
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1755100000,
            "model": "gpt-4.1-2025-04-14",
            "choices": [choice | {"logprobs": None}],
            "usage": self._usage(said),
            "service_tier": "default",
            "x_unheard_of": {"kept": [1.50]},
        }
        return json.dumps(answer, ensure_ascii=False).encode()

    def pieces(self, said: Said) -> list[bytes]:
        def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
            return base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

        base: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1755100000,
            "model": "gpt-4.1-2025-04-14",
            "x_unheard_of": "kept",
        }
        chunks = [chunk({"role": "assistant", "content": "" if said.text else None, "refusal": None})]
        chunks += [chunk({"content": piece}) for piece in _cut(said.text)]
        for index, call in enumerate(said.calls):
            begin = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            chunks.append(chunk({"tool_calls": [begin]}))
            for piece in _cut(call.text):
                chunks.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        chunks.append(chunk({}, "tool_calls" if said.calls else "stop"))
        chunks.append(base | {"choices": [], "usage": self._usage(said)})
        return _sse(*chunks, done=True)

    def _response(self, said: Said, *, output: list[Any], status: str) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1755100000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "model": "gpt-4.1-2025-04-14",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None,
            "x_unheard_of": "kept",
        }
        if status == "completed":
            answer["usage"] = {
                "input_tokens": said.prompt,
                "input_tokens_details": {"cached_tokens": said.cached},
                "output_tokens": said.completion,
                "output_tokens_details": {"reasoning_tokens": said.reasoning},
                "total_tokens": said.prompt + said.completion,
            }
        return answer

    def _respond(self, said: Said, received: Received) -> Answered:
        items: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        for status in ("response.created", "response.in_progress"):
            events.append({"type": status, "response": self._response(said, output=[], status="in_progress")})
        if said.text:
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
            done = part | {"text": said.text}
            item: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant"}
            at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
            opened = item | {"status": "in_progress", "content": []}
            events.append({"type": "response.output_item.added", "output_index": 0, "item": opened})
            events.append({"type": "response.content_part.added", **at, "part": part})
            events += [
                {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
                for piece in _cut(said.text)
            ]
            events.append({"type": "response.output_text.done", **at, "text": said.text, "logprobs": []})
            events.append({"type": "response.content_part.done", **at, "part": done})
            items.append(item | {"status": "completed", "content": [done]})
            events.append({"type": "response.output_item.done", "output_index": 0, "item": items[-1]})
        for call in said.calls:
            number = len(items)
            item = {"id": f"fc_{number}", "type": "function_call", "call_id": call.id, "name": call.name}
            at = {"item_id": item["id"], "output_index": number}
            opened = item | {"status": "in_progress", "arguments": ""}
            events.append({"type": "response.output_item.added", "output_index": number, "item": opened})
            events += [
                {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                for piece in _cut(call.text)
            ]
            events.append({"type": "response.function_call_arguments.done", **at, "arguments": call.text})
            items.append(item | {"status": "completed", "arguments": call.text})
            events.append({"type": "response.output_item.done", "output_index": number, "item": items[-1]})
        final = self._response(said, output=items, status="completed")
        if not received.json.get("stream"):
            return Answered(json.dumps(final, ensure_ascii=False).encode())
        events.append({"type": "response.completed", "response": final})
        numbered = [one | {"sequence_number": number} for number, one in enumerate(events)]
        return Answered(_sse(*numbered, named=True), headers=self.stream_headers())

    def asked(self, received: Received) -> Asked:
        body = received.json
        if "/responses" in received.target:
            return self._asked_for_response(body)
        found = Asked(body["model"], body.get("stream", False))
        found.max_tokens = body.get("max_completion_tokens", body.get("max_tokens"))
        for message in body.get("messages", ()):
            content = message.get("content")
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
            text = "".join(part.get("text", "") for part in parts)
            found.images += sum(part["type"] == "image_url" for part in parts)
            if message["role"] in ("system", "developer"):
                found.system += text
            elif message["role"] == "user":
                found.texts.append(text)
            elif message["role"] == "tool":
                found.results.append((message["tool_call_id"], text))
            for call in message.get("tool_calls") or ():
                found.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
        found.tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
        found.schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        return found

    def _asked_for_response(self, body: Any) -> Asked:
        found = Asked(body["model"], body.get("stream", False), body.get("instructions") or "")
        given = body["input"]
        for item in given if isinstance(given, list) else [{"role": "user", "content": given}]:
            if item.get("type") == "function_call":
                found.calls.append((item["name"], json.loads(item["arguments"])))
            elif item.get("type") == "function_call_output":
                found.results.append((item["call_id"], item["output"]))
            elif item.get("role") == "user":
                content = item["content"]
                found.texts.append(content if isinstance(content, str) else content[0]["text"])
        found.tools = [tool["name"] for tool in body.get("tools") or ()]
        found.schema = body.get("text", {}).get("format", {}).get("schema")
        found.max_tokens = body.get("max_output_tokens")
        return found

    def error(self, status: int, message: str) -> bytes:
        kind = {401: "invalid_request_error", 429: "requests", 404: "invalid_request_error"}.get(
            status, "server_error"
        )
        code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
        if status == 400:
            kind = "invalid_request_error"
        return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


class House(OpenAI):
    """A server of one's own that speaks OpenAI's chats and nothing newer."""

    provider, model = "house", "llama-3-8b"
    native_responses = False

    def section(self, url: str) -> str:
        return f'[providers.house]\nkind = "openai"\nbase_url = "{url}/v1"\nself_hosted = true\n'

    def authenticated(self, received: Received) -> bool:
        return received.header("authorization") is None


class Azure(OpenAI):
    """OpenAI's models at Azure, on the classic path."""

    provider, model = "azure", "chat-deployment"
    chat_path = "/openai/deployments/chat-deployment/chat/completions?api-version=2024-10-21"

    def section(self, url: str) -> str:
        return (
            f'[providers.azure]\nkind = "azure_openai"\nendpoint = "{url}"\napi_key = "az-ours"\n'
            'api_version = "2024-10-21"\n'
        )

    def authenticated(self, received: Received) -> bool:
        return received.header("api-key") == "az-ours" and received.header("authorization") is None


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
                deltas = [{"type": "text_delta", "text": piece} for piece in _cut(block["text"])]
            elif kind == "thinking":
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            else:
                written = json.dumps(block["input"], ensure_ascii=False)
                deltas = [
                    {"type": "input_json_delta", "partial_json": piece} for piece in ["", *_cut(written)]
                ]
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": said.completion}})
        events.append({"type": "message_stop"})
        return _sse(*events, named=True)

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
        parts: list[Any] = [{"text": piece, "thought": True} for piece in _cut(said.thinking)]
        parts += [{"text": piece} for piece in _cut(said.text)]
        replies = [self._reply([part], said, last=False) for part in parts + self._calls(said)]
        return _sse(*replies, self._reply([{"text": ""}], said, last=True))

    def asked(self, received: Received) -> Asked:
        body = received.json
        matched = re.fullmatch(r".*/models/([^:]+):(\w+)(\?alt=sse)?", received.target)
        assert matched, received.target
        found = Asked(matched[1], matched[2] == "streamGenerateContent")
        settings = body.get("generationConfig", {})
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
            events += [delta({"reasoningContent": {"text": piece}}) for piece in _cut(said.thinking)]
            events.append(delta({"reasoningContent": {"signature": "c2lnbmVk"}}))
            events.append(("contentBlockStop", {"contentBlockIndex": index}))
            index += 1
        if said.text:
            events += [delta({"text": piece}) for piece in _cut(said.text)]
            events.append(("contentBlockStop", {"contentBlockIndex": index}))
            index += 1
        for call in said.calls:
            start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
            events += [delta({"toolUse": {"input": piece}}) for piece in _cut(call.text)]
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
        found.system = "".join(block["text"] for block in body.get("system", ()))
        found.max_tokens = body.get("inferenceConfig", {}).get("maxTokens")
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


VENDORS: tuple[Vendor, ...] = (OpenAI(), House(), Azure(), Anthropic(), Gemini(), Bedrock())
