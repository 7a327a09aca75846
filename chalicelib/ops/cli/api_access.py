"""How commands that act as a client reach the API: its address, a key of the book desk, what failures mean (T146)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chalicelib.ops.cli.arguments import read_by
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.support.consistency import Inconsistent
from tallybook_client import ApiError, BookDesk, OutcomeUnknown, TallybookError, TlsFailed, Unreachable, Unreadable
from tallybook_client.book.errors import OrderBookNotFound
from tallybook_client.transport import address_of

DEMO_FILE = Path(".local/demo.json")
"""Written by a local run, beside which a command may be run without saying where the API is."""
WHERE = (
    "--url and --api-key, or TALLYBOOK_URL and TALLYBOOK_API_KEY, say where the API is and who asks; "
    f"beside a local run (make run) {DEMO_FILE} says it"
)
_STATUSES = {
    400: Code.REFUSED,
    401: Code.CREDENTIALS,
    403: Code.REFUSED,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    410: Code.REFUSED,
    429: Code.RATE_LIMITED,
}
"""Codes of a desk's answers; of 5xx it is UNAVAILABLE, for they may pass."""


def book_id(text: str) -> str:
    """Return an order book's id, which is given with its instance or without."""
    return re.sub(r"^inst_[A-Za-z0-9]{8}/", "", text)


def _named(_type: Any, tokens: Any) -> str:
    return book_id(tokens[0].value)


def _address(text: str) -> str:
    """Return an address to which requests can be sent, or "": a variable that is empty says nothing."""
    return text and address_of(text)


BookId = Annotated[str, Parameter(converter=_named, help="its id, with its instance or without: ob_offchain_001")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Access:
    """Where the API is, and a key of the book desk."""

    url: Annotated[str | None, read_by(_address, "of the API (a local run's)", env_var="TALLYBOOK_URL")] = None
    api_key: Annotated[str | None, Parameter(env_var="TALLYBOOK_API_KEY", help="of the book desk (a local run's)")] = (
        None
    )

    @contextmanager
    def desk(self, book: str | None = None, **options: Any) -> Iterator[BookDesk]:
        """Provide the book desk. What it raises becomes CommandFailed. book: that the command names.

        The key of a local run goes to that run alone, never to an address that was given.
        """
        demo = _demo()
        url = self.url or demo.get("base_url")
        key = self.api_key or (demo["book_desk"]["api_key"] if demo and url == demo["base_url"] else None)
        if not url or not key:
            missing = "the address of the API" if not url else f"a key for {url}"
            raise CommandFailed(f"{missing} is missing. {WHERE}", Code.SETUP)
        desk = BookDesk(url, key, **options)
        try:
            yield desk
        except TallybookError as error:
            raise failure_of(error, url, _near(desk, book) if isinstance(error, OrderBookNotFound) else "") from error


def _demo() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(DEMO_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _near(desk: BookDesk, book: str | None) -> str:
    try:
        near = get_close_matches(book or "", [row.id for row in desk.books.all()], cutoff=0.5)
    except TallybookError:
        return ""
    return f": {book}" + (f"; there is {' and '.join(near)}" if near else "")


def failure_of(error: TallybookError, url: str, hint: str = "") -> CommandFailed:
    """Return what a failed call is to the user. hint: more words about a desk's answer."""
    if isinstance(error, TlsFailed):
        return CommandFailed(f"{error}; {WHERE}", Code.SETUP)
    if isinstance(error, Unreachable):
        return CommandFailed(f"nothing answers at {url}. {WHERE}. ({error})", Code.UNREACHABLE)
    if isinstance(error, OutcomeUnknown):
        again = f"; with --key {error.key} it is done once, however often asked" if error.key else ""
        return CommandFailed(f"it is not known whether this was done{again}. ({error})", Code.OUTCOME_UNKNOWN)
    if isinstance(error, Unreadable):
        return CommandFailed(f"what answers at {url} is not Tallybook's API, or a later one. ({error})", Code.SETUP)
    if not isinstance(error, ApiError):
        raise Inconsistent(f"an error of the client that is unknown here: {error!r}")
    code = _STATUSES.get(error.status, Code.UNAVAILABLE)
    if error.code == "INSUFFICIENT_BALANCE":
        code = Code.INSUFFICIENT_BALANCE
    if error.is_pending:
        code = Code.BUSY
    if code is Code.CREDENTIALS:
        hint = f". {WHERE}; tallybook key create makes a key"
    fields = "".join(f"; {name}: {words}" for name, words in error.fields.items())
    return CommandFailed(f"{error.message}{hint}{fields} ({error.code})", code)


def iso(time: datetime | None) -> str | None:
    """Return a time as the other commands print it."""
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
