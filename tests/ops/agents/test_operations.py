"""Which operations agents are offered, and how: the allow-list and the OpenAPI descriptions agree (T141)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.ops.agents.operations import IS_DATA, READS, WRITES, Tool, tools

DESKS = tuple(READS)
EVERY = tools(DESKS, with_writes=True)


def test_reading_tools_are_offered_without_writes_and_only_those_of_the_desks_that_are_asked_for() -> None:
    read_only = tools(["book"], with_writes=False)
    assert set(read_only) == {f"book_{name}" for name in READS["book"]}
    assert not any(tool.is_write for tool in read_only.values())
    assert set(EVERY) == {f"{desk}_{name}" for desk in DESKS for name in (*READS[desk], *WRITES[desk])}


def test_what_reads_is_a_get_and_what_writes_is_none() -> None:
    """Of the reads, validateOrder alone has a body: it looks at an order that does not exist yet."""
    for name, tool in EVERY.items():
        assert tool.is_write == (tool.method != "GET" and name != "taker_validateOrder"), name


def test_no_tool_shows_a_secret_or_decides_in_the_operators_place() -> None:
    never = re.compile("webhook|secret|ticket|connect|export|payout.*confirm|confirm|deny|deposit|block", re.IGNORECASE)
    assert [name for name in EVERY if never.search(name) and name != "escrow_listTransactions"] == []


@pytest.mark.parametrize("tool", EVERY.values(), ids=lambda tool: tool.name)
def test_a_tool_says_what_it_takes_and_that_its_answer_is_data(tool: Tool) -> None:
    Draft202012Validator.check_schema(tool.arguments)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
    assert tool.description.endswith(IS_DATA)
    assert set(re.findall(r"{(\w+)}", tool.path)) == set(tool.in_path) <= set(tool.arguments["required"])
    _every_reference_is_within(tool.arguments)


def _every_reference_is_within(schema: Any) -> None:
    names = schema.get("$defs", {}).keys()
    found: list[str] = re.findall(r"'\$ref': '([^']*)'", str(schema))
    assert {name.removeprefix("#/$defs/") for name in found} <= names
