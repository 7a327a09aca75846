"""``tallybook mcp`` as an agent uses it: a scripted client of the protocol, against the whole service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from infra.settings import ROOT
from tests.infra.stack import RunningStack

pytestmark = pytest.mark.stack

WHOLE = 10**18
BASE, QUOTE = "0x" + "a6" * 20, "0x" + "a7" * 20


def server(stack: RunningStack, *options: str) -> StdioServerParameters:
    """Return how the server is started: credentials of the demo, and the tables that verify reads."""
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
        "TALLYBOOK_URL": stack.base_url,
        "TALLYBOOK_API_KEY": stack.demo["book_desk"]["api_key"],
        "TALLYBOOK_TABLE_PREFIX": stack.prefix,
        "AWS_ENDPOINT_URL_DYNAMODB": stack.aws_endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "chalicelib.ops.cli", "mcp", *options]
    return StdioServerParameters(command=command[0], args=command[1:], env=environment, cwd=ROOT)


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool; return the data of its result."""
    result = await client.call_tool(tool, arguments)
    envelope = result.structured_content
    assert envelope is not None
    assert not result.is_error, envelope
    assert json.loads(result.content[0].text) == envelope  # type: ignore[union-attr]
    return envelope["data"]


def test_an_agent_opens_a_venue_trades_and_verifies(stack: RunningStack) -> None:
    async def script() -> None:
        async with Client(server(stack, "--allow-writes")) as client:
            for address, symbol in ((BASE, "AGB"), (QUOTE, "AGQ")):
                token = {"tokenAddress": address, "name": f"Agent {symbol}", "symbol": symbol}
                await call(client, "book_registerToken", body=token)
                for customer in ("agent/ann", "agent/ben"):
                    funds = {"customerRef": customer, "tokenAddress": address, "amount": str(100 * WHOLE)}
                    await call(client, "book_credit", body=funds)
            settings = {"tokenAddress": BASE, "quoteTokenAddress": QUOTE, "name": "Agents", "symbol": "AGB/AGQ"}
            book = (await call(client, "book_createOrderBook", body=settings))["id"]
            cursor = (await call(client, "book_followEvents", bookId=book))["cursor"]
            order = {"orderBookId": book, "orderType": "LIMIT", "price": str(2 * WHOLE), "quantity": str(WHOLE)}
            bid: Mapping[str, Any] = {**order, "customerRef": "agent/ann", "side": "BUY"}
            ask = {**order, "customerRef": "agent/ben", "side": "SELL"}
            placed = await call(client, "book_placeOrder", body=bid, waitSeconds=10)
            sold = await call(client, "book_placeOrder", body=ask, waitSeconds=10)
            assert sold["status"] == "FILLED"
            events = await call(client, "book_followEvents", bookId=book, after=cursor, waitSeconds=10)
            assert "trade.executed" in {event["type"] for event in events["events"]}
            shown = await call(client, "book_getOrder", orderId=placed["id"], customerRef="agent/ann")
            assert shown["status"] == "FILLED"
            assert [row["quantity"] for row in await call(client, "book_listTrades", orderBookId=book)] == [str(WHOLE)]
            proven = await call(client, "verify", book=f"inst_demo0001/{book}")
            assert [(one["book"], one["orders"]) for one in proven["books"]] == [(f"inst_demo0001/{book}", 2)]

    asyncio.run(script())


def test_an_agent_that_may_only_read_is_offered_no_write_and_can_call_none(stack: RunningStack) -> None:
    async def script() -> None:
        async with Client(server(stack)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {"book_listOrders", "verify"} <= set(tools)
            assert not {"book_placeOrder", "book_credit", "trade_listOrders"} & set(tools)
            assert all("instruction" in (tool.description or "") for tool in tools.values())
            refused = await client.call_tool("book_credit", {"body": {}})
            assert refused.is_error
            assert (refused.structured_content or {})["error"]["code"] == "NO_SUCH_TOOL"
            unknown = await client.call_tool("verify", {"book": "inst_demo0001/ob_none"})
            assert (unknown.structured_content or {})["error"]["code"] == "NOT_FOUND"
            odd = await client.call_tool("verify", {"book": "--all"})
            assert (odd.structured_content or {})["error"]["code"] == "INVALID_ARGUMENTS"

    asyncio.run(script())


def test_the_configuration_of_the_page_about_agents_names_what_there_is() -> None:
    page = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    (block,) = [part.partition("```")[0] for part in page.split("```json\n")[1:]]
    configured = json.loads(block)["mcpServers"]["tallybook"]
    assert configured["args"][0] == "mcp"
    assert Path(configured["command"]).name == "tallybook"
    assert set(configured["env"]) == {"TALLYBOOK_URL", "TALLYBOOK_API_KEY"}
