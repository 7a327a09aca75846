"""Command: tools for agents, by the Model Context Protocol (docs/agents.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from chalicelib.ops.agents.calling import Caller, Command, Refused
from chalicelib.ops.agents.operations import IS_DATA, tools
from chalicelib.ops.cli.arguments import Printed, read_by
from chalicelib.ops.cli.failures import Code, CommandFailed
from tallybook_client import BookDesk, EscrowDesk, TakerDesk, TradeDesk
from tallybook_client.transport import Session, address_of

VERIFY = "verify"
VERIFY_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "book": {"type": "string", "description": "INSTANCE/ORDER_BOOK_ID, as in inst_demo0001/ob_offchain_001"},
        "instance": {"type": "string", "description": "in place of a book: every book and desk of an instance"},
    },
    "additionalProperties": False,
}

app = App(name="mcp")


def _from(variable: str, help: str) -> Any:
    return Parameter(env_var=variable, help=help, show_default=False)


@app.default
def serve(
    *,
    url: Annotated[
        str,
        read_by(address_of, "address of the API; every call goes there", env_var="TALLYBOOK_URL", show_default=False),
    ],
    allow_writes: Annotated[bool, Parameter(help="offer the tools that change something, too")] = False,
    api_key: Annotated[str | None, _from("TALLYBOOK_API_KEY", "of the book desk")] = None,
    token: Annotated[str | None, _from("TALLYBOOK_API_TOKEN", "of the trade desk")] = None,
    token_secret: Annotated[str | None, _from("TALLYBOOK_API_TOKEN_SECRET", "of the trade desk's token")] = None,
    taker_key: Annotated[str | None, _from("TALLYBOOK_TAKER_KEY", "of the taker desk")] = None,
    taker_secret: Annotated[str | None, _from("TALLYBOOK_TAKER_SECRET", "of the taker desk's key")] = None,
    escrow_key: Annotated[str | None, _from("TALLYBOOK_ESCROW_KEY", "a merchant's, of the escrow desk")] = None,
) -> Printed:
    """Serve tools for agents on standard input and output, until the input ends.

    Tools are those of the desks whose credentials are there; they only read, unless writes are allowed. ``verify``
    proves books from the tables that the AWS variables name.

    $ tallybook mcp --url http://127.0.0.1:8000
    """
    try:
        from mcp.types import Tool

        from chalicelib.ops.agents.serving import offered
        from chalicelib.ops.agents.serving import serve as run
    except ImportError as error:
        missing = f"the library of the protocol is missing (make mcp installs it): {error}"
        raise CommandFailed(missing, Code.SETUP) from error
    if bool(token) != bool(token_secret):
        raise CommandFailed("--token and --token-secret are given together, or neither", Code.USAGE)
    if taker_secret and not taker_key:
        raise CommandFailed("--taker-secret is of no use without --taker-key", Code.USAGE)
    sessions: dict[str, Session] = {}
    if api_key:
        sessions["book"] = BookDesk(url, api_key).session
    if token and token_secret:
        sessions["trade"] = TradeDesk(url, token, token_secret).session
    if taker_key:
        sessions["taker"] = TakerDesk(url, taker_key, taker_secret).session
    if escrow_key:
        sessions["escrow"] = EscrowDesk(url, escrow_key).session
    commands: dict[str, Command] = {VERIFY: _verify}
    caller = Caller(tools(sessions, with_writes=allow_writes), sessions, commands)
    about = f"Prove a book, or all of an instance: its journal, and all rows and money by it. {IS_DATA}"
    run(caller, offered(caller, [Tool(name=VERIFY, description=about, input_schema=VERIFY_ARGUMENTS)]))
    return {}


def _verify(arguments: Mapping[str, Any]) -> Printed:
    from chalicelib.ops import cli

    if unknown := arguments.keys() - VERIFY_ARGUMENTS["properties"].keys():
        raise Refused("INVALID_ARGUMENTS", f"verify has no argument {', '.join(sorted(unknown))}")
    book, instance = arguments.get("book"), arguments.get("instance")
    if (book is None) == (instance is None) or not re.fullmatch(r"(?a)\w[^\s]*", str(book or instance)):
        raise Refused("INVALID_ARGUMENTS", "verify needs a book or an instance, and not both")
    try:
        return cli.run(["verify", str(book)] if book is not None else ["verify", "--instance", str(instance)])
    except CommandFailed as failed:
        raise Refused(failed.code.value, failed.message, retryable=failed.code.is_retryable) from failed
    except SystemExit as wrong:
        raise Refused("INVALID_ARGUMENTS", "no such book or instance") from wrong
