"""Configuring: create and change books, by API or by the operator.

A book's row has its newest settings, and orders are admitted by them at once. Settings that concern matching (the
terms: status, fees, self-trades) also take their turn among the book's orders, as a command. Row and command are
written in one transaction, so the row never shows terms whose command was not queued.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain.books.admission import Refusal, RefusalCode
from chalicelib.domain.books.config import BookConfig, default_lot_size, default_min_order_value, problems_of
from chalicelib.domain.books.vocabulary import BookStatus, ChangeBook, ResumeBook
from chalicelib.domain.ledger.owners import book_key
from chalicelib.support.clock import new_id, now_s
from chalicelib.support.outcomes import ReceiptExists, Unavailable
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.books import BookExists, Books
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.tokens import Tokens
from chalicelib.tables.writes import TransactionRefused, Write

WORTH = ("lot_size", "min_order_value")
"""Settings whose defaults depend on the tokens' decimals (T45)."""
TRIES_MAX = 5
"""Tries of a change when other changes come first."""


class Configuring:
    """Creates and changes books. now_s: Unix seconds. new_id: returns prefix + ULID, ascending."""

    def __init__(
        self, database: Database, now_s: Callable[[], int] = now_s, new_id: Callable[[str], str] = new_id
    ) -> None:
        self._database = database
        self._now_s = now_s
        self._new_id = new_id
        self._books = Books(database)
        self._inbox = Inbox(database)
        self._tokens = Tokens(database)

    def create(
        self,
        config: BookConfig,
        receipt: Write | None = None,
        *,
        lot_size: int | None = None,
        min_order_value: int | None = None,
    ) -> BookConfig | Refusal:
        """Create a book with the decimals of its tokens, or return the refusal.

        lot_size, min_order_value: None for the default (T45). Raises ReceiptExists or Unavailable (nothing changed), or
        OutcomeUnknown.
        """
        if config.base_asset == config.quote_asset:
            return Refusal(RefusalCode.INVALID_PAIR, "Base and quote token are the same")
        base, quote = (self._tokens.get(config.instance, asset) for asset in (config.base_asset, config.quote_asset))
        if base is None or quote is None or not (base.is_active and quote.is_active):
            return Refusal(RefusalCode.TOKEN_NOT_REGISTERED, "A token of the book is not registered, or inactive")
        made = replace(config, base_decimals=base.decimals, quote_decimals=quote.decimals)
        made = replace(made, **_worth(made, {"lot_size": lot_size, "min_order_value": min_order_value}))
        problems = problems_of(made)
        if problems:
            return Refusal(RefusalCode.INVALID_CONFIG, "; ".join(problems))
        try:
            self._books.create(made, receipt)
        except BookExists as error:
            return Refusal(RefusalCode.ORDER_BOOK_EXISTS, f"The pair, the symbol or the id is taken: {error}")
        return made

    def change(self, instance: str, book_id: str, settings: Mapping[str, Any]) -> BookConfig | Refusal:
        """Change settings of a book (names and values as in BookConfig); return the book or the refusal. Idempotent.

        lot_size, min_order_value: None for the default of a new book (T45). Raises Unavailable (nothing changed) or
        OutcomeUnknown.
        """

        def once() -> BookConfig | Refusal:
            before = self._books.config(book_key(instance, book_id))
            if before is None:
                return Refusal(RefusalCode.ORDER_BOOK_NOT_FOUND, "Order book does not exist")
            if before.status is BookStatus.CLOSED:
                return Refusal(RefusalCode.INVALID_CONFIG, "Order book is closed for good")
            after = replace(before, **self._resolved(before, settings))
            if after == before:
                return before
            after = replace(after, version=before.version + 1, first=before.first_terms)
            problems = problems_of(after)
            if problems:
                return Refusal(RefusalCode.INVALID_CONFIG, "; ".join(problems))
            self._write(before, after)
            return after

        return until_written(once, TRIES_MAX, self._database.pause, Unavailable("the book keeps changing"))

    def resume(
        self, instance: str, book_id: str, reference: int | None, receipt: Callable[[str], Write] | None = None
    ) -> str | Refusal:
        """Queue the command that ends a halt and sets the price band's reference (O11, O12); return its id.

        reference: quote base units; None: as it is. The book's status stays. receipt: returns one more write for the
        transaction, made from the command's id. Raises ReceiptExists or Unavailable (nothing changed), or
        OutcomeUnknown.
        """
        book = book_key(instance, book_id)
        config = self._books.config(book)
        if config is None:
            return Refusal(RefusalCode.ORDER_BOOK_NOT_FOUND, "Order book does not exist")
        if config.status is BookStatus.CLOSED:
            return Refusal(RefusalCode.INVALID_CONFIG, "Order book is closed for good")
        if reference is not None and not 1 <= reference <= config.price_max:
            return Refusal(RefusalCode.INVALID_PRICE, f"Reference must be 1 to {config.price_max}")
        command = ResumeBook(self._new_id("rsm"), reference)
        writes = [self._inbox.send(book, command, self._now_s())]
        if receipt is not None:
            writes.append(receipt(command.command_id))
        try:
            self._database.transact(writes, lambda: bool(self._inbox.progress([(book, command.command_id)])))
        except TransactionRefused as error:
            raise ReceiptExists(command.command_id) from error
        return command.command_id

    def _resolved(self, book: BookConfig, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the settings with the book's defaults in place of None (T45)."""
        if all(settings.get(name, 0) is not None for name in WORTH):
            return settings
        quote = self._tokens.get(book.instance, book.quote_asset)  # rows of old books lack its decimals
        return _worth(book if quote is None else replace(book, quote_decimals=quote.decimals), settings)

    def _write(self, before: BookConfig, after: BookConfig) -> None:
        """Write the settings and queue the terms. Raises Contended where the book has changed since ``before``."""
        command = ChangeBook(self._new_id("chg"), after.terms)
        send = self._inbox.send(book_key(after.instance, after.book_id), command, self._now_s())
        try:
            self._database.transact([*self._books.change(before, after), send], lambda: self._is_changed(before, after))
        except TransactionRefused as error:
            raise Contended from error

    def _is_changed(self, before: BookConfig, after: BookConfig) -> bool | None:
        found = self._books.config(book_key(after.instance, after.book_id))
        return {after: True, before: False}.get(found) if found else None


def _worth(book: BookConfig, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the defaults in place of None for ``WORTH`` (T45)."""
    defaults = {
        "lot_size": default_lot_size(book.base_decimals, book.quote_decimals),
        "min_order_value": default_min_order_value(book.quote_decimals),
    }
    return {name: defaults[name] if value is None and name in defaults else value for name, value in settings.items()}
