"""What went wrong, in words: exceptions of the tables and services as failures of a command."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import wiring
from chalicelib.domain.tenancy.instances import ExistsAlready, NotFound, TenancyRefused
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.table_errors import VARIABLES, code_of, explain
from chalicelib.ops.verify.verifier import BookMoves
from chalicelib.services.books.disagreements import Disproved
from chalicelib.services.books.loading import UnknownBook
from chalicelib.support.clock import now_s
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.books import Books
from chalicelib.tables.rows import UnreadableRow
from chalicelib.tables.tenants import Tenants, UnknownInstance

_CODES: dict[type[Exception], tuple[str, Code]] = {
    NotFound: ("", Code.NOT_FOUND),
    ExistsAlready: ("", Code.EXISTS),
    TenancyRefused: ("", Code.REFUSED),
    Disproved: ("does not agree: ", Code.DISPROVED),
    BookMoves: (
        "moves while it is read, so nothing is proven; pause it (tallybook book pause): ",
        Code.BUSY,
    ),
    UnreadableRow: ("", Code.DISPROVED),
    wiring.NoMasterKey: ("", Code.SETUP),
}
"""Words before an exception's own, and its code; the first that matches."""


def failure_of(error: Exception) -> CommandFailed | None:
    """Return the failure that an exception is to the user; None for a fault of the program."""
    if isinstance(error, UnknownInstance):
        there = (one.instance for one in Tenants(wiring.database(), now_s).all())
        return CommandFailed(f"{error}{_near(error.instance, there)}", Code.NOT_FOUND)
    if isinstance(error, UnknownBook):
        return unknown_book(str(error))
    for kind, (words, code) in _CODES.items():
        if isinstance(error, kind):
            return CommandFailed(f"{words}{error}", code)
    if isinstance(error, Unavailable):
        return CommandFailed(f"the tables did not answer: {explain(error)}", code_of(error))
    if isinstance(error, OutcomeUnknown):
        unknown = "it is not known whether this was done; look before you do it again"
        return CommandFailed(f"{unknown}: {explain(error)}", Code.OUTCOME_UNKNOWN)
    if isinstance(error, (BotoCoreError, ClientError)):  # no region, no such table, no permission; some are ValueErrors
        return CommandFailed(explain(error), code_of(error))
    return _of_endpoint() if isinstance(error, ValueError) else None


def unknown_book(book: str) -> CommandFailed:
    """Return the failure that there is no such book. It names those with names like it."""
    return CommandFailed(f"no such book: {book}{_near(book, Books(wiring.database()).all_keys())}", Code.NOT_FOUND)


def _near(name: str, there: Iterable[str]) -> str:
    near = get_close_matches(name, list(there))
    return f"; there is {' and '.join(near)}" if near else ""


def _of_endpoint() -> CommandFailed | None:
    """Return the failure that a variable names an endpoint that is not a URL, if one does."""
    try:
        wiring.database()
    except ValueError as error:
        told = f"AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL: {error}. {VARIABLES}"
        return CommandFailed(told, Code.SETUP)
    return None
