"""OpenAI, a server of one's own that speaks its chats, and OpenAI's models at Azure."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, ClassVar

from tests.support.recording_upstream import Answered, Handler, Received
from tests.support.vendors.vendor import VECTORS, Asked, Said, Vendor, any_word, cut, sse

__all__ = ["Azure", "House", "OpenAI"]


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
        chunks += [chunk({"content": piece}) for piece in cut(said.text)]
        for index, call in enumerate(said.calls):
            begin = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            chunks.append(chunk({"tool_calls": [begin]}))
            for piece in cut(call.text):
                chunks.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        chunks.append(chunk({}, "tool_calls" if said.calls else "stop"))
        chunks.append(base | {"choices": [], "usage": self._usage(said)})
        return sse(*chunks, done=True)

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
                for piece in cut(said.text)
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
                for piece in cut(call.text)
            ]
            events.append({"type": "response.function_call_arguments.done", **at, "arguments": call.text})
            items.append(item | {"status": "completed", "arguments": call.text})
            events.append({"type": "response.output_item.done", "output_index": number, "item": items[-1]})
        final = self._response(said, output=items, status="completed")
        if not received.json.get("stream"):
            return Answered(json.dumps(final, ensure_ascii=False).encode())
        events.append({"type": "response.completed", "response": final})
        numbered = [one | {"sequence_number": number} for number, one in enumerate(events)]
        return Answered(sse(*numbered, named=True), headers=self.stream_headers())

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
        found.stop = body.get("stop") or []
        choice = body.get("tool_choice")
        found.choice = choice["function"]["name"] if isinstance(choice, dict) else any_word(choice)
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
        choice = body.get("tool_choice")
        found.choice = choice["name"] if isinstance(choice, dict) else any_word(choice)
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
            f'[providers.azure]\nkind = "azure-openai"\nendpoint = "{url}"\napi_key = "az-ours"\n'
            'api_version = "2024-10-21"\n'
        )

    def authenticated(self, received: Received) -> bool:
        return received.header("api-key") == "az-ours" and received.header("authorization") is None
