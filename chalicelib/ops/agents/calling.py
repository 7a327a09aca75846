"""Calls of tools: a request through the client, and its answer in an envelope, bounded (T142)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.ops.agents.operations import ARGUMENTS, IS_DATA, KEY, NAMES, WAIT, Tool
from tallybook_client import ApiError, OutcomeUnknown, TallybookError, TlsFailed
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import json_of

RESULT_CHARACTERS_MAX = 40_000
"""Of the JSON of a result: about ten thousand tokens."""
WRAPPING = {"success", "data", "metadata", "code", "error_code", "message", "timestamp"}
"""Members of an answer that wraps its data and says nothing else."""
CUT = {"truncated": "The result was too long and is cut: ask for less (limit, offset, filters)."}
CURSORS = ("cursor", "nc")
"""Members that say where a list goes on: behind the rows that a cut leaves out, so it leaves them out too."""
Envelope = dict[str, Any]
Command = Callable[[Mapping[str, Any]], Envelope]
"""A named command: takes its arguments, returns its result. Raises Refused."""


class Refused(Exception):
    """A tool cannot be called so. code: for programs. retryable: whether the same call may succeed later."""

    def __init__(self, code: str, message: str, *, retryable: bool = False, **more: object) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable, self.more = code, message, retryable, more


@dataclass(frozen=True, slots=True)
class Result:
    """envelope: ``tool``, ``note`` and ``data``, or ``error``. is_error: whether the call failed."""

    envelope: Envelope
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls tools and commands by name. sessions: of the desks, by name; they go to one address only."""

    tools: Mapping[str, Tool]
    sessions: Mapping[str, Session]
    commands: Mapping[str, Command]

    def call(self, name: str, arguments: Mapping[str, Any]) -> Result:
        """Call a tool. Never raises for what the service or its user does."""
        try:
            if name in self.commands:
                found: Any = self.commands[name](arguments)
            elif name in self.tools:
                found = self._called(self.tools[name], arguments)
            else:
                raise Refused("NO_SUCH_TOOL", f"There is no tool {name}, or it writes and this server only reads")
        except Refused as refused:
            told = {"code": refused.code, "message": refused.message, "retryable": refused.retryable, **refused.more}
            return Result({"tool": name, "note": IS_DATA, "error": told}, is_error=True)
        data, is_cut = bounded(found)
        return Result({"tool": name, "note": IS_DATA, **(CUT if is_cut else {}), "data": data})

    def _called(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        try:
            answer = self.sessions[tool.desk].send(request_of(tool, arguments))
        except ValueError as error:
            raise Refused("INVALID_ARGUMENTS", f"an argument cannot be sent: {error}") from error
        except ApiError as error:
            fields = {"fields": error.fields} if error.fields else {}
            cursor = {"cursor": error.cursor} if error.cursor else {}
            raise Refused(error.code, error.message, retryable=error.retryable, **fields, **cursor) from error
        except OutcomeUnknown as error:
            again = f"repeat it with {NAMES[KEY]} {error.key}" if error.key else "look before you repeat it"
            raise Refused("OUTCOME_UNKNOWN", f"It may have been carried out: {again}. {error}") from error
        except TallybookError as error:
            raise Refused("UNREACHABLE", str(error), retryable=not isinstance(error, TlsFailed)) from error
        try:
            body = json.loads(answer.body, parse_float=str)  # exact decimals, as text
        except ValueError as error:
            raise Refused("UNREADABLE", f"It is done, but the answer is no JSON: {error}") from error
        return body["data"] if isinstance(body, dict) and "data" in body and set(body) <= WRAPPING else body


def request_of(tool: Tool, arguments: Mapping[str, Any]) -> Request:
    """Return the request of a call. Raises Refused for arguments that the tool does not have, or lacks."""
    known = tool.arguments["properties"].keys()
    for problem, names in (
        ("has no argument", [name for name in arguments if name not in known]),
        ("needs the argument", [name for name in tool.arguments["required"] if arguments.get(name) in (None, "")]),
    ):
        if names:
            raise Refused("INVALID_ARGUMENTS", f"{tool.name} {problem} {', '.join(names)}; it has {', '.join(known)}")
    body = arguments.get("body")
    if body is not None and not isinstance(body, dict):
        raise Refused("INVALID_ARGUMENTS", "body must be an object")
    wait_s = arguments.get(NAMES[WAIT]) or 0
    if type(wait_s) is not int or not 0 <= wait_s <= ARGUMENTS[WAIT]["maximum"]:
        raise Refused("INVALID_ARGUMENTS", f"{NAMES[WAIT]} must be an integer from 0 to {ARGUMENTS[WAIT]['maximum']}")
    key = (arguments.get(NAMES[KEY]) or secrets.token_urlsafe(18)) if KEY in tool.headers else None
    return Request(
        tool.method,
        path_of(tool.path, **{name: str(arguments[name]) for name in tool.in_path}),
        query_of(**{name: arguments.get(name) for name in tool.query}),
        b"" if body is None else json_of(body),
        {} if key is None else {KEY: str(key)},
        Repeat.ALWAYS if key is not None or tool.method == "GET" else Repeat.IF_NOTHING_WAS_DONE,
        key,
        wait_s=wait_s,
    )


def bounded(found: Any) -> tuple[Any, bool]:
    """Return a result within RESULT_CHARACTERS_MAX, and whether it was cut.

    Rows are left out at the end of its longest list, and the cursor behind them; a result that is too long without them
    is cut as text.
    """
    is_cut = False
    while _length(found) > RESULT_CHARACTERS_MAX:
        is_cut = True
        name, rows = _longest_list(found)
        if not rows:
            return json.dumps(found)[: RESULT_CHARACTERS_MAX // 2 - 2], True  # each quote in it takes two
        kept = rows[: len(rows) // 2]
        if name is None:
            found = kept
        else:
            found = {member: value for member, value in found.items() if member not in CURSORS} | {name: kept}
    return found, is_cut


def _longest_list(found: Any) -> tuple[str | None, list[Any]]:
    """Return a result's longest list, and its name in it; None for a result that is a list."""
    if isinstance(found, list):
        return None, found
    lists = {name: value for name, value in found.items() if isinstance(value, list)} if isinstance(found, dict) else {}
    name = max(lists, key=lambda name: _length(lists[name]), default=None)
    return name, lists[name] if name is not None else []


def _length(value: Any) -> int:
    return len(json.dumps(value))
