"""Commands that prove books and mend their rows: redrive, rebuild and verify."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, TypeVar

from cyclopts import App, Parameter

from chalicelib import wiring
from chalicelib.domain.books.journal import BrokenJournal
from chalicelib.ops.cli import arguments, books, tenants
from chalicelib.ops.cli.arguments import Printed, exclusive
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.ops.cli.output import Asked, prints
from chalicelib.ops.verify import report
from chalicelib.ops.verify.verifier import Verifier, unwatched
from chalicelib.services.books import redrive as redriving
from chalicelib.services.books.parking import BookParked
from chalicelib.services.books.rebuilding import BookAtWork, Rebuilding, RowsAhead
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.support.clock import now_ms
from chalicelib.tables.accounts import LedgerBroken
from chalicelib.tables.books import Books
from chalicelib.tables.journal import EntryExists

T = TypeVar("T")
_ONE = exclusive(1)[1]
Book = Annotated[arguments.Book | None, Parameter(group=("Arguments", _ONE))]
All = Annotated[bool, Parameter(group=("Parameters", _ONE), help="every book of every instance")]

redrive = App(name="redrive")
rebuild = App(name="rebuild")
verify = App(name="verify")


@redrive.default
def redrive_books(book: Book = None, /, *, all: All = False) -> Printed:
    """Decide commands of the inbox that the stream has lost.

    $ tallybook redrive inst_demo0001/ob_offchain_001
    """
    database, matcher = wiring.database(), wiring.matcher()
    if all or book is None:
        decided = redriving.redrive_all(database, matcher)
        failed = [name for name, commands in decided.items() if commands is None]
        if failed:
            raise CommandFailed(f"not redriven, see the log: {', '.join(failed)}")
        return {"commands": sum(filter(None, decided.values())), "books": len(decided)}
    books.require_book(book)
    try:
        return {"commands": redriving.redrive(database, matcher, book), "books": 1}
    except BookParked as error:
        raise CommandFailed(f"the book is parked; tallybook book release redrives it: {error}") from error
    except (BrokenJournal, LedgerBroken, EntryExists) as error:
        raise CommandFailed(f"not redriven: {error}") from error


@rebuild.default
def rebuild_books(book: Book = None, /, *, all: All = False) -> Printed:
    """Give books the rows that their journals give and tables have lost.

    $ tallybook rebuild inst_demo0001/ob_offchain_001
    """
    database = wiring.database()
    keys = sorted(Books(database).all_keys()) if all or book is None else [book]
    counts = {"books": 0, "orders": 0, "fills": 0, "candles": 0, "expiries": 0, "terms": 0}
    for key in keys:
        try:
            rebuilt = Rebuilding(database).rebuild(key)
        except (BrokenJournal, LedgerBroken, RowsAhead) as error:
            raise CommandFailed(f"not rebuilt: {error}") from error
        except BookAtWork as error:
            told = f"at work while it was rebuilt; stop the match function and do it again: {error}"
            raise CommandFailed(told, Code.BUSY) from error
        counts["books"] += 1
        counts["orders"] += rebuilt.orders
        counts["fills"] += rebuilt.fills
        counts["candles"] += rebuilt.candles
        counts["expiries"] += rebuilt.expiries
        counts["terms"] += rebuilt.has_other_terms
    if all:
        counts["expiries"] += DeadManSwitches(database, now_ms).schedule_all()
    return dict(counts)


@verify.default
@prints(report.lines)
def verify_books(
    book: Book = None,
    /,
    *,
    all: All = False,
    instance: Annotated[
        str | None,
        Parameter(group=("Parameters", _ONE), help="every book and every desk of one instance, with or without books"),
    ] = None,
    asked: Asked,
) -> Printed:
    """Prove books: their journals, and all rows and money by them.

    $ tallybook verify inst_demo0001/ob_offchain_001
    """
    shows_progress = sys.stderr.isatty() and not asked.wants_json
    verifier = Verifier(wiring.database(), _progress_bar if shows_progress else unwatched)
    if instance is not None:
        tenants.tenants().get(instance)
    return report.printed(verifier.verify(None if all else book, instance))


def _progress_bar(items: Iterable[T], what: str, total: int | None) -> Iterable[T]:
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total, console=Console(stderr=True), transient=True)
