"""Commands for books: create, pause, resume, close, show and release (T1, T32, T53)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib import wiring
from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.config import BookConfig, SettlementMode, TokenType
from chalicelib.domain.books.vocabulary import BookStatus, SelfTradePrevention
from chalicelib.domain.ledger.owners import split_book_key
from chalicelib.ops.cli.arguments import (
    Command,
    CommandFailed,
    Printed,
    add_command,
    add_group,
    amount,
    amount_or_zero,
    asset,
    count,
    pattern,
)
from chalicelib.services.books.configuring import Configuring
from chalicelib.services.books.halts import with_halts
from chalicelib.services.books.redrive import release
from chalicelib.support.clock import iso, new_id, now_ms
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.books import BatchFailures, Books, MalformedConfig, MalformedView
from chalicelib.tables.journal import Journal

BOOK_HELP = "INSTANCE/ORDER_BOOK_ID, as in inst_demo0001/ob_offchain_001"
Outcome = TypeVar("Outcome", BookConfig, str)
CHANGE_WAIT_S, CHANGE_POLL_S = 5.0, 0.1
_BOOK_ID = pattern(r"[^\x00-\x1f\x7f]{1,100}", "must be 1 to 100 characters without control characters")


def add_commands(groups: Any) -> None:
    """Add the group ``book``."""
    group = add_group(groups, "book", "order books")
    _add_settings(add_command(group, "create", _create, "make an order book of two registered tokens"))
    for word, status, text in (
        ("pause", BookStatus.PAUSED, "no new orders, no matching; resting orders stay and can be cancelled"),
        ("close", BookStatus.CLOSED, "for good: cancel all resting orders and release their holds"),
    ):
        add_command(group, word, _change_status(status), text).add_argument("book", metavar="BOOK", help=BOOK_HELP)
    resume = add_command(group, "resume", _resume, "match again: end a pause, and a halt of the circuit breaker")
    resume.add_argument("book", metavar="BOOK", help=BOOK_HELP)
    words = "of the price band until the next trade, base units of the quote asset; default: the last price"
    resume.add_argument("--reference", type=amount, metavar="PRICE", help=words)
    show = add_command(group, "show", _show, "status, place in the journal, and whether and why it is parked")
    show.add_argument("book", metavar="BOOK", help=BOOK_HELP)
    add_command(group, "parked", _parked, "name the books that are parked, of all instances")
    release = add_command(group, "release", _release, "redrive a parked book and let it match again")
    release.add_argument("book", metavar="BOOK", help=BOOK_HELP)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--instance", required=True)
    command.add_argument("--id", type=_BOOK_ID, help="default: a new one")
    command.add_argument("--name", required=True)
    command.add_argument("--symbol", required=True)
    command.add_argument("--token-address", type=asset, required=True, help="base asset")
    command.add_argument("--quote-token-address", type=asset, required=True, help="quote asset")
    command.add_argument("--min-order-size", type=amount, help="base units of the base asset")
    command.add_argument("--max-order-size", type=amount, help="base units of the base asset")
    command.add_argument("--tick-size", type=amount, help="base units of the quote asset")
    command.add_argument(
        "--lot-size",
        type=amount,
        help="base units of the base asset; 1: none; default: a whole one where the quote has fewer than 4 decimals",
    )
    command.add_argument(
        "--min-order-value",
        type=amount_or_zero,
        help="base units of the quote asset; 0: none; default: 100 where the quote has 4 decimals or more",
    )
    command.add_argument("--maker-fee-bps", type=count, default=0)
    command.add_argument("--taker-fee-bps", type=count, default=0)
    command.add_argument("--market-collar-bps", type=count, default=500)
    command.add_argument("--price-band-bps", type=count, default=0, help="0: no price band")
    command.add_argument("--halt-bps", type=count, default=0, help="0: no circuit breaker; set with the next two")
    command.add_argument("--halt-window-seconds", type=count, default=0, help="1 to 3600")
    command.add_argument("--halt-seconds", type=count, default=0, help="1 to 86400")
    command.add_argument("--self-trade-prevention", choices=[*SelfTradePrevention], default="NONE")
    command.add_argument("--status", choices=[*BookStatus], default="ACTIVE")
    command.add_argument("--token-type", choices=[*TokenType], default="LIGHT_TOKEN")
    command.add_argument("--stock-token-id", help="what the base asset stands for, in the venue's own books")
    command.add_argument("--settlement-mode", choices=[*SettlementMode], default="OFF_CHAIN")


def _create(options: argparse.Namespace) -> Printed:
    config = BookConfig(
        instance=options.instance,
        book_id=options.id or new_id("ob"),
        name=options.name,
        symbol=options.symbol,
        base_asset=options.token_address,
        quote_asset=options.quote_token_address,
        status=BookStatus(options.status),
        settlement_mode=SettlementMode(options.settlement_mode),
        order_size_min=options.min_order_size,
        order_size_max=options.max_order_size,
        tick_size=options.tick_size,
        maker_fee_bps=options.maker_fee_bps,
        taker_fee_bps=options.taker_fee_bps,
        self_trade_prevention=SelfTradePrevention(options.self_trade_prevention),
        market_collar_bps=options.market_collar_bps,
        token_type=TokenType(options.token_type),
        stock_token_id=options.stock_token_id,
        created_at_ms=now_ms(),
        price_band_bps=options.price_band_bps,
        halt_bps=options.halt_bps,
        halt_window_s=options.halt_window_seconds,
        halt_s=options.halt_seconds,
    )
    made = _done(
        Configuring(wiring.database()).create(
            config, lot_size=options.lot_size, min_order_value=options.min_order_value
        )
    )
    return {
        "instance": made.instance,
        "order_book_id": made.book_id,
        "symbol": made.symbol,
        "lot_size": str(made.lot_size),
        "min_order_value": str(made.min_order_value),
    }


def _change_status(status: BookStatus) -> Command:
    def command(options: argparse.Namespace) -> Printed:
        instance, book_id = split_book_key(options.book)
        config = _done(Configuring(wiring.database()).change(instance, book_id, {"status": status}))
        return {"order_book_id": book_id, "status": status.value, "took_effect": _took_effect(options.book, config)}

    return command


def _resume(options: argparse.Namespace) -> Printed:
    """End a halt, or set the reference, and then a pause; wait for the turns of both."""
    instance, book_id = split_book_key(options.book)
    database = wiring.database()
    books, configuring = Books(database), Configuring(database)
    was_halted, has_resumed = bool(books.halts([options.book])), True
    if was_halted or options.reference is not None:
        shown = books.depth(options.book).sequence
        command_id = _done(configuring.resume(instance, book_id, options.reference))
        has_resumed = _in_time(lambda: _is_resumed(Journal(database), options.book, shown, command_id))
    config = _done(configuring.change(instance, book_id, {"status": BookStatus.ACTIVE}))
    return {
        "order_book_id": book_id,
        "status": config.status.value,
        "was_halted": was_halted,
        "took_effect": _took_effect(options.book, config) and has_resumed,
    }


def _is_resumed(journal: Journal, book: str, sequence: int, command_id: str) -> bool:
    """Return whether an entry after this one has the outcome of a resume."""
    entries = journal.after(book, sequence)
    return any(event.get("command") == command_id for entry in entries for event in entry.events)


def _show(options: argparse.Namespace) -> Printed:
    books = Books(wiring.database())
    config, failures = _found(books, options.book)
    (config,) = with_halts(books, [config], now_ms())
    until_ms = books.halts([options.book]).get(options.book)
    at_ms = failures.parked_at_ms
    return {
        "order_book_id": config.book_id,
        "name": config.name,
        "symbol": config.symbol,
        "status": config.status.value,
        "shown_status": config.shown_status.value,
        "trading_state": config.trading_state.value,
        "halted_until": None if until_ms is None else iso(until_ms),
        "sequence": _sequence(books, options.book),
        "parked_at": None if at_ms is None else iso(at_ms),
        "failed_batches": failures.failed_batches,
        "failed_at": iso(failures.failed_at_ms) if failures.failed_batches else None,
        "failure": failures.reason,
    }


def _sequence(books: Books, book: str) -> int | None:
    """Return the sequence of the last projected entry; None if the depth view is unreadable (``tallybook rebuild``)."""
    try:
        return books.depth(book).sequence
    except MalformedView:
        return None


def _parked(_options: argparse.Namespace) -> Printed:
    return {"books": Books(wiring.database()).parked()}


def _release(options: argparse.Namespace) -> Printed:
    books = Books(wiring.database())
    _, before = _found(books, options.book)
    try:
        commands = release(wiring.database(), wiring.releasing_matcher(), options.book)
    except (Unavailable, OutcomeUnknown) as error:
        raise CommandFailed(f"not finished, do it again: {error}") from error
    except Exception as error:
        logger.exception("the book still fails", book=options.book)
        raise CommandFailed(f"the book still fails; see the log: {type(error).__name__}: {error}") from error
    config, _ = _found(books, options.book)
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
        raise CommandFailed(f"no such book: {book}")


def _found(books: Books, book: str) -> tuple[BookConfig, BatchFailures]:
    try:
        found = books.with_failures(book)
    except MalformedConfig as error:
        failures = books.failures(book)
        told = f"; parked, for the last failure was {failures.reason}" if failures and failures.parked_at_ms else ""
        raise CommandFailed(f"{error}{told}. Its row of the table of books is to be mended by hand") from error
    if found is None:
        raise CommandFailed(f"no such book: {book}")
    return found


def _took_effect(book: str, config: BookConfig) -> bool:
    """Wait until the book has applied these settings. Return False on timeout."""
    books = Books(wiring.database())
    return _in_time(lambda: books.depth(book).version >= config.version)


def _in_time(is_done: Callable[[], bool]) -> bool:
    """Wait until something is done. Return False on timeout."""
    deadline_s = time.monotonic() + CHANGE_WAIT_S
    while not is_done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(CHANGE_POLL_S)
    return True


def _done(outcome: Outcome | Refusal) -> Outcome:
    """Return the outcome. Raises CommandFailed if it was refused."""
    if isinstance(outcome, Refusal):
        is_there = outcome.code is RefusalCode.ORDER_BOOK_EXISTS
        raise CommandFailed(f"exists already: {outcome.message}" if is_there else outcome.message)
    return outcome
