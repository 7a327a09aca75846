"""The Model Context Protocol on standard input and output."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import anyio
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as Offered

from chalicelib.ops.agents.calling import Caller, Result
from chalicelib.ops.agents.operations import IS_DATA

Context = ServerRequestContext[Any]
CALLS_AT_ONCE_MAX = 4
INSTRUCTIONS = (
    "Tools of a Tallybook venue: order books, signed orders, escrow orders and one ledger. Amounts of the book and the "
    "taker desk are text of base units: 10 to the power of the token's decimals make a whole one. "
    f"{IS_DATA} A result has tool, note and data, or error with a code and whether a repeat may help."
)


def serve(caller: Caller, offered: Iterable[Offered]) -> None:
    """Serve tools until standard input ends."""
    anyio.run(_serve, caller, list(offered))


def offered(caller: Caller, commands: Iterable[Offered]) -> list[Offered]:
    """Return what is told of the tools, and of the commands beside them."""
    told = [
        Offered(
            name=tool.name,
            description=tool.description,
            input_schema=dict(tool.arguments),
            annotations=ToolAnnotations(
                read_only_hint=not tool.is_write, destructive_hint=tool.is_write, open_world_hint=False
            ),
        )
        for tool in caller.tools.values()
    ]
    return [*told, *commands]


async def _serve(caller: Caller, tools: list[Offered]) -> None:
    limit = anyio.CapacityLimiter(CALLS_AT_ONCE_MAX)

    async def list_tools(
        _context: ServerRequestContext[object], _asked: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(_context: ServerRequestContext[object], asked: CallToolRequestParams) -> CallToolResult:
        call = partial(caller.call, asked.name, asked.arguments or {})
        return _shown(await anyio.to_thread.run_sync(call, limiter=limit))

    server = Server("tallybook", instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _shown(result: Result) -> CallToolResult:
    text = json.dumps(result.envelope, ensure_ascii=False)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=result.envelope, is_error=result.is_error
    )
