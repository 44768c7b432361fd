"""May the model call tools, or has it called some? Then an answer is half of something that happens elsewhere."""

from __future__ import annotations

from headgate.core.messages import ChatRequest, Opaque, ToolCall, ToolResult

__all__ = ["uses_tools"]

_SERVER_TOOLS = frozenset(
    {
        "web_search_options",
        "plugins",
        "mcp_servers",
        "container",
        "tool_resources",
        "functions",
        "data_sources",
    }
)
"""Fields by which vendors let a model search and run things by itself."""
_NOTHING = (b"null", b"[]", b"false")
_MARKS = (b"tool", b"_call", b"search_result", b"mcp_", b"code_execution")


def uses_tools(request: ChatRequest) -> bool:
    """Offered and not forbidden, or in the conversation already."""
    forbidden = request.tool_choice is not None and request.tool_choice.mode == "none"
    if request.tools and not forbidden:
        return True
    if any(bytes(value) not in _NOTHING for name, value in request.extra.items() if name in _SERVER_TOOLS):
        return True
    return any(
        isinstance(part, ToolCall | ToolResult) or (isinstance(part, Opaque) and _is_tool(bytes(part.raw)))
        for message in request.messages
        for part in message.parts
    )


def _is_tool(raw: bytes) -> bool:
    return any(mark in raw for mark in _MARKS)
