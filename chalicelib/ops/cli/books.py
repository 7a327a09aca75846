"""Commands for books: pause, resume, close, show and release (T1, T32, T53)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, TypeVar

from cyclopts import App

from chalicelib import wiring
from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.ledger.owners import book_key, split_book_key
from chalicelib.ops.cli import tenants
from chalicelib.ops.cli.arguments import (
    Book,
    Instance,
    Printed,
    amount,
    read_by,
)
from chalicelib.ops.cli.explaining import unknown_book
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.services.books import redrive
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.halts import with_halts
from chalicelib.support.clock import iso, now_ms
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.batch_failures import BatchFailures, FailedBatches
from chalicelib.tables.books import Books, MalformedConfig
from chalicelib.tables.depth_views import DepthViews, MalformedView
from chalicelib.tables.journal import Journal

Outcome = TypeVar("Outcome", BookConfig, str)
CHANGE_WAIT_S, CHANGE_POLL_S = 5.0, 0.1
_CODES = {RefusalCode.ORDER_BOOK_EXISTS: Code.EXISTS, RefusalCode.ORDER_BOOK_NOT_FOUND: Code.NOT_FOUND}

app = App(name="book", help="Order books.")
app.command("chalicelib.ops.cli.book_creation:create", name="create")
app.command("chalicelib.ops.cli.watching:watch", name="watch")


@app.command
def pause(book: Book, /) -> Printed:
    """Take no new orders and match none; resting orders stay and can be cancelled.

    $ tallybook book pause inst_demo0001/ob_offchain_001
    """
    return _with_status(book, BookStatus.PAUSED)


@app.command
def close(book: Book, /) -> Printed:
    """Close a book for good: cancel all resting orders and release their holds.

    $ tallybook book close inst_demo0001/ob_coin
    """
    return _with_status(book, BookStatus.CLOSED)


def _with_status(book: str, status: BookStatus) -> Printed:
    instance, book_id = split_book_key(book)
    config = done(Configuring(wiring.database()).change(instance, book_id, {"status": status}))
    return {"order_book_id": book_id, "status": status.value, "took_effect": _took_effect(book, config)}


@app.command
def resume(
    book: Book,
    /,
    *,
    reference: Annotated[
        int | None,
        read_by(
            amount,
            "of the price band until the next trade, base units of the quote asset; default: the last price",
            metavar="PRICE",
        ),
    ] = None,
) -> Printed:
    """Match again: end a pause, and a halt of the circuit breaker. Waits for the turns of both.

    $ tallybook book resume inst_demo0001/ob_offchain_001
    """
    instance, book_id = split_book_key(book)
    database = wiring.database()
    views, configuring = DepthViews(database), Configuring(database)
    was_halted, has_resumed = bool(views.halts([book])), True
    if was_halted or reference is not None:
        shown = views.of(book).sequence
        command_id = done(configuring.resume(instance, book_id, reference))
        has_resumed = _in_time(lambda: _is_resumed(Journal(database), book, shown, command_id))
    config = done(configuring.change(instance, book_id, {"status": BookStatus.ACTIVE}))
    return {
        "order_book_id": book_id,
        "status": config.status.value,
        "was_halted": was_halted,
        "took_effect": _took_effect(book, config) and has_resumed,
    }


def _is_resumed(journal: Journal, book: str, sequence: int, command_id: str) -> bool:
    """Return whether an entry after this one has the outcome of a resume."""
    entries = journal.after(book, sequence)
    return any(event.get("command") == command_id for entry in entries for event in entry.events)


@app.command
def show(book: Book, /) -> Printed:
    """Show a book's status, its place in the journal, and whether and why it is parked.

    $ tallybook book show inst_demo0001/ob_offchain_001
    """
    return _shown(*_found(book))


@app.command(name="list")
def list_books(instance: Instance, /) -> Printed:
    """List an instance's books, as show does each.

    $ tallybook book list inst_demo0001
    """
    tenants.tenants().get(instance)
    keys = [book_key(instance, config.book_id) for config in Books(wiring.database()).of_instance(instance)]
    return {"instance": instance, "books": [_shown(*_found(key)) for key in keys]}


def _shown(config: BookConfig, failures: BatchFailures) -> Printed:
    book, views = book_key(config.instance, config.book_id), DepthViews(wiring.database())
    (config,) = with_halts(views, [config], now_ms())
    until_ms = views.halts([book]).get(book)
    at_ms = failures.parked_at_ms
    return {
        "order_book_id": config.book_id,
        "name": config.name,
        "symbol": config.symbol,
        "status": config.status.value,
        "shown_status": config.shown_status.value,
        "trading_state": config.trading_state.value,
        "halted_until": None if until_ms is None else iso(until_ms),
        "sequence": _sequence(views, book),
        "parked_at": None if at_ms is None else iso(at_ms),
        "failed_batches": failures.failed_batches,
        "failed_at": iso(failures.failed_at_ms) if failures.failed_batches else None,
        "failure": failures.reason,
    }


def _sequence(views: DepthViews, book: str) -> int | None:
    """Return the sequence of the last projected entry; None if the depth view is unreadable (``tallybook rebuild``)."""
    try:
        return views.of(book).sequence
    except MalformedView:
        return None


@app.command
def parked() -> Printed:
    """Name the books that are parked, of all instances.

    $ tallybook book parked
    """
    return {"books": FailedBatches(wiring.database()).parked()}


@app.command
def release(book: Book, /) -> Printed:
    """Redrive a parked book and let it match again.

    $ tallybook book release inst_demo0001/ob_offchain_001
    """
    _, before = _found(book)
    try:
        commands = redrive.release(wiring.database(), wiring.releasing_matcher(), book)
    except (Unavailable, OutcomeUnknown) as error:
        raise CommandFailed(f"not finished, do it again: {error}", Code.UNAVAILABLE) from error
    except Exception as error:
        logger.exception("the book still fails", book=book)
        raise CommandFailed(f"the book still fails; see the log: {type(error).__name__}: {error}") from error
    config, _ = _found(book)
    was_parked = before.parked_at_ms is not None
    return {
        "order_book_id": config.book_id,
        "was_parked": was_parked,
        "is_parked": config.is_parked,
        "commands": commands,
    }


def require_book(book: str) -> None:
    """Raise CommandFailed if there is no such book."""
    if Books(wiring.database()).config(book) is None:
        raise unknown_book(book)


def _found(book: str) -> tuple[BookConfig, BatchFailures]:
    try:
        found = Books(wiring.database()).with_failures(book)
    except MalformedConfig as error:
        failures = FailedBatches(wiring.database()).of(book)
        told = f"; parked, for the last failure was {failures.reason}" if failures and failures.parked_at_ms else ""
        raise CommandFailed(f"{error}{told}. Its row of the table of books is to be mended by hand") from error
    if found is None:
        raise unknown_book(book)
    return found


def _took_effect(book: str, config: BookConfig) -> bool:
    """Wait until the book has applied these settings. Return False on timeout."""
    views = DepthViews(wiring.database())
    return _in_time(lambda: views.of(book).version >= config.version)


def _in_time(is_done: Callable[[], bool]) -> bool:
    """Wait until something is done. Return False on timeout."""
    deadline_s = time.monotonic() + CHANGE_WAIT_S
    while not is_done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(CHANGE_POLL_S)
    return True


def done(outcome: Outcome | Refusal) -> Outcome:
    """Return the outcome. Raises CommandFailed if it was refused."""
    if isinstance(outcome, Refusal):
        code = _CODES.get(outcome.code, Code.REFUSED)
        raise CommandFailed(f"exists already: {outcome.message}" if code is Code.EXISTS else outcome.message, code)
    return outcome
