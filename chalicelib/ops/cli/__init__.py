"""``tallybook``: the operator's command line (T1).

It manages instances, API keys, tokens, books, credits and debits, the settings and keys of the trade, taker and escrow
desks, merchants, and webhooks; it prints events; it redrives, rebuilds and verifies books. The standard AWS variables
name the tables.
``--json`` prints one JSON object; amounts in it are strings of base units. A secret is printed once, by the command
that creates it, and stored as a digest only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import wiring
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.domain.tenancy.instances import TenancyRefused
from chalicelib.ops.cli import (
    api_tokens,
    books,
    customers,
    escrow,
    events,
    exports,
    fees,
    ledger,
    taker_desk,
    taker_keys,
    tenants,
    webhook,
)
from chalicelib.ops.cli.arguments import CommandFailed, Printed
from chalicelib.ops.cli.arguments import add_command as _command
from chalicelib.ops.cli.table_errors import VARIABLES, explain
from chalicelib.ops.verify import report
from chalicelib.ops.verify.verifier import BookMoves, Verifier, unwatched
from chalicelib.services.books import redrive
from chalicelib.services.books.disagreements import Disproved
from chalicelib.services.books.loading import UnknownBook
from chalicelib.services.books.parking import BookParked
from chalicelib.services.books.rebuilding import BookAtWork, Rebuilding, RowsAhead
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.books import Books
from chalicelib.tables.journal import EntryExists

T = TypeVar("T")
OUTPUT_NOT_READ = 141
"""Exit status where the output's reader has gone: what shells say of a program that SIGPIPE ended."""


def run(arguments: Sequence[str]) -> Printed:
    """Run a command. Return what ``--json`` prints. Raises CommandFailed, or SystemExit for wrong usage."""
    return _carry_out(_parser().parse_args(arguments))


def _carry_out(options: argparse.Namespace) -> Printed:
    command: Callable[[argparse.Namespace], Printed] = options.command
    try:
        _require_url()
        return command(options)
    except TenancyRefused as error:
        raise CommandFailed(str(error)) from error
    except UnknownBook as error:
        raise CommandFailed(f"no such book: {error}") from error
    except Disproved as error:
        raise CommandFailed(f"does not agree: {error}") from error
    except BookMoves as error:
        raise CommandFailed(
            f"moves while it is read, so nothing is proven; pause it (tallybook book pause): {error}"
        ) from error
    except wiring.NoMasterKey as error:
        raise CommandFailed(str(error)) from error
    except Unavailable as error:
        raise CommandFailed(f"the tables did not answer: {explain(error)}") from error
    except OutcomeUnknown as error:
        unknown = "it is not known whether this was done; look before you do it again"
        raise CommandFailed(f"{unknown}: {explain(error)}") from error
    except (BotoCoreError, ClientError) as error:  # no region, no such table, no permission
        raise CommandFailed(explain(error)) from error


def _require_url() -> None:
    """Raise CommandFailed if a variable names an endpoint that is not a URL."""
    try:
        wiring.database()
    except BotoCoreError:  # an invalid region is a ValueError too
        raise
    except ValueError as error:
        raise CommandFailed(f"AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL: {error}. {VARIABLES}") from error


def main() -> int:
    """Run the process's command line. Return its exit status."""
    try:
        return _main()
    except BrokenPipeError:  # whoever read the output has enough, as ``head`` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end
        return OUTPUT_NOT_READ


def _main() -> int:
    options = _parser().parse_args(sys.argv[1:])
    try:
        printed = _carry_out(options)
    except CommandFailed as error:
        print(f"tallybook: {error}", file=sys.stderr)
        return 1
    lines: Callable[[Printed], Iterable[str]] = options.lines
    for line in [json.dumps(printed)] if options.json else lines(printed):
        print(line)
    sys.stdout.flush()
    return 0


def _redrive(options: argparse.Namespace) -> Printed:
    database, matcher = wiring.database(), wiring.matcher()
    if options.all:
        decided = redrive.redrive_all(database, matcher)
        failed = [book for book, commands in decided.items() if commands is None]
        if failed:
            raise CommandFailed(f"not redriven, see the log: {', '.join(failed)}")
        return {"commands": sum(filter(None, decided.values())), "books": len(decided)}
    books.require_book(options.book)
    try:
        return {"commands": redrive.redrive(database, matcher, options.book), "books": 1}
    except BookParked as error:
        raise CommandFailed(f"the book is parked; tallybook book release redrives it: {error}") from error
    except (BrokenJournal, LedgerBroken, EntryExists) as error:
        raise CommandFailed(f"not redriven: {error}") from error


def _rebuild(options: argparse.Namespace) -> Printed:
    database = wiring.database()
    keys = sorted(Books(database).all_keys()) if options.all else [options.book]
    counts = {"books": 0, "orders": 0, "fills": 0, "candles": 0, "expiries": 0, "terms": 0}
    for book in keys:
        try:
            rebuilt = Rebuilding(database).rebuild(book)
        except (BrokenJournal, LedgerBroken, RowsAhead) as error:
            raise CommandFailed(f"not rebuilt: {error}") from error
        except BookAtWork as error:
            raise CommandFailed(
                f"at work while it was rebuilt; stop the match function and do it again: {error}"
            ) from error
        counts["books"] += 1
        counts["orders"] += rebuilt.orders
        counts["fills"] += rebuilt.fills
        counts["candles"] += rebuilt.candles
        counts["expiries"] += rebuilt.expiries
        counts["terms"] += rebuilt.has_other_terms
    return dict(counts)


def _verify(options: argparse.Namespace) -> Printed:
    shows_progress = sys.stderr.isatty() and not options.json
    verifier = Verifier(wiring.database(), _progress_bar if shows_progress else unwatched)
    if options.instance is not None:
        tenants.tenants().get(options.instance)
    return report.printed(verifier.verify(options.book, options.instance))


def _progress_bar(items: Iterable[T], what: str, total: int | None) -> Iterable[T]:
    from tqdm import tqdm  # imported here, because no Lambda function needs it

    return tqdm(items, desc=what, total=total, leave=False, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    what = "Run a Tallybook deployment's tenants and ledger."
    parser = argparse.ArgumentParser(prog="tallybook", description=what, epilog=VARIABLES)
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    tenants.add_commands(groups)

    api_tokens.add_commands(groups)

    books.add_commands(groups)

    ledger.add_commands(groups)
    fees.add_commands(groups)
    customers.add_commands(groups)
    exports.add_commands(groups)

    taker_keys.add_commands(groups)

    taker_desk.add_commands(groups)

    escrow.add_commands(groups)

    webhook.add_commands(groups)
    events.add_commands(groups)

    command = _command(groups, "redrive", _redrive, "decide commands of the inbox that the stream has lost")
    _add_books_argument(command)

    command = _command(groups, "rebuild", _rebuild, "give books the rows that their journals give and tables have lost")
    _add_books_argument(command)

    command = _command(groups, "verify", _verify, "prove books: their journals, and all rows and money by them")
    which = _add_books_argument(command)
    which.add_argument("--instance", help="every book and every desk of one instance, with or without books")
    command.set_defaults(lines=report.lines)
    return parser


def _add_books_argument(command: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("book", metavar="BOOK", nargs="?", help=books.BOOK_HELP)
    which.add_argument("--all", action="store_true", help="every book of every instance")
    return which
