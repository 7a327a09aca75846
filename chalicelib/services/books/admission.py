"""Admission: put commands into a book's inbox.

An order's hold, row, inbox command and, if it expires, expiry row are written in one transaction (R24); so are a
cancel's command and its note on the order's row. An admitted order is durable and will be decided; of a refused one
nothing is held (guarantee 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.books.admission import OrderRequest, Refusal, RefusalCode, refusal_of, size_refusal_of
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import CancelAll, CancelOrder, OrderType, PlaceOrder
from chalicelib.domain.ledger.amounts import Side, quantity_of_value
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.holds import hold_at_admission, market_buy_cost, market_buy_hold
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.clock import new_id, now_s
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import ReceiptExists, Unavailable
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.books import Books
from chalicelib.tables.dynamodb import Database, TransactionRefused, Write
from chalicelib.tables.expiries import Expiries, Expiry
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.orders import Orders

BUDGET_TRIES_MAX = 5
"""Tries of a MARKET BUY whose account changes after its budget was computed."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An order as admitted: OPEN, nothing filled."""

    book_id: str
    order: PlaceOrder


Receipt = Callable[[Admitted], Write]
"""Returns one more write for the transaction, made from the admitted order (T14)."""


class Admission:
    """Admits orders and cancels. now_s: Unix seconds. new_id: returns prefix + ULID, ascending."""

    def __init__(
        self, database: Database, now_s: Callable[[], int] = now_s, new_id: Callable[[str], str] = new_id
    ) -> None:
        self._database = database
        self._now_s = now_s
        self._new_id = new_id
        self._books = Books(database)
        self._accounts = Accounts(database)
        self._postings = Postings(database)
        self._orders = Orders(database)
        self._external_ids = ExternalIds(database)
        self._expiries = Expiries(database)
        self._inbox = Inbox(database)

    def place(
        self, instance: str, book_id: str, request: OrderRequest, receipt: Receipt | None = None
    ) -> Admitted | Refusal:
        """Admit an order, or return its refusal (docs/book-desk.md, Placing an order).

        Raises ReceiptExists (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        config = self._books.config(book_key(instance, book_id))
        refusal = refusal_of(config, request)
        if refusal is not None:
            return refusal
        if config is None:
            raise Inconsistent("an order is admitted to a book that there is")
        owner = customer_key(instance, request.customer)
        if request.value is not None:
            sized = self._sized(config, request)
            if isinstance(sized, Refusal):
                return sized
            request = sized
        if request.external_id is not None and self._external_ids.order_of(owner, request.external_id) is not None:
            return _taken(request.external_id)
        is_budget = request.order_type is OrderType.MARKET and request.side is Side.BUY and request.value is None

        def once() -> Admitted | Refusal:
            hold = self._hold_of(config, request)
            if isinstance(hold, Refusal):
                return hold
            order = PlaceOrder(
                self._new_id("ord"),
                request.customer,
                request.side,
                request.order_type,
                request.time_in_force,
                request.price if request.order_type is OrderType.LIMIT else None,
                request.quantity,
                hold,
                request.post_only,
                request.value,
                request.external_id,
                request.expires_at_ms,
            )
            outcome = self._admit(config, order, receipt)
            if is_budget and isinstance(outcome, Refusal) and outcome.code is RefusalCode.INSUFFICIENT_BALANCE:
                raise Contended
            return outcome

        busy = Unavailable("the account keeps changing")
        return until_written(once, BUDGET_TRIES_MAX, self._database.pause, busy)

    def cancel(self, instance: str, customer: str, order_id: str) -> bool:
        """Queue the cancel of a live order, unless one is queued. Return False if there is no such live order (T29).

        Raises Unavailable (nothing changed; the order's book may be parked, T53) or OutcomeUnknown.
        """
        owner = customer_key(instance, customer)
        order = self._orders.get(owner, order_id)
        if order is None or not order.status.is_live:
            return False
        self._refuse_parked(book_key(instance, order.book_id))
        if order.cancel_queued:
            return True
        command = CancelOrder(self._new_id("cxl"), order_id, customer)
        note = self._orders.queue_cancel(owner, order_id, command.command_id)
        book = book_key(instance, order.book_id)
        send = self._inbox.send(book, command, self._now_s())
        try:
            self._database.transact([note, send], lambda: self._orders.cancel_of(owner, order_id) == command.command_id)
        except TransactionRefused as error:
            row = error.refused.get(0)
            return row is not None and "live" in row  # live: another request has queued its cancel
        return True

    def cancel_all(self, instance: str, customer: str, book_id: str) -> str:
        """Queue the command that closes every order of a customer in a book (O9); return its id.

        It closes the orders sequenced before it, of all desks. ``Inbox.progress`` tells how far it is.
        Raises Unavailable (nothing changed; the book may be parked, T53) or OutcomeUnknown.
        """
        self._refuse_parked(book_key(instance, book_id))
        book, command = book_key(instance, book_id), CancelAll(self._new_id("cxa"), customer)
        send = self._inbox.send(book, command, self._now_s())
        self._database.transact([send], lambda: bool(self._inbox.progress([(book, command.command_id)])))
        return command.command_id

    def _refuse_parked(self, book: str) -> None:
        """Raise Unavailable if the book is parked: it decides no cancel until the operator releases it."""
        config = self._books.config(book)
        if config is not None and config.is_parked:
            raise Unavailable("the book is parked")

    def _sized(self, config: BookConfig, request: OrderRequest) -> OrderRequest | Refusal:
        """Return an order by value with its quantity computed from the published depth (R25), or its refusal."""
        if request.value is None:
            raise Inconsistent("an order by value has one")
        depth = self._books.depth(book_key(config.instance, config.book_id))
        levels = depth.asks if request.side is Side.BUY else depth.bids
        if not levels:
            return Refusal(RefusalCode.INVALID_VALUE, "There is nothing to trade against")
        quantity = quantity_of_value(levels, request.side, request.value, config.base_decimals, config.lot_size)
        if quantity == 0:
            return Refusal(RefusalCode.ORDER_TOO_SMALL, "The value pays for nothing")
        sized = replace(request, quantity=quantity)
        return size_refusal_of(config, sized) or sized

    def _hold_of(self, config: BookConfig, request: OrderRequest) -> int | Refusal:
        """Return the order's hold in base units (T38, T42), or its refusal if the account cannot cover it."""
        price = request.price if request.order_type is OrderType.LIMIT else None
        hold = hold_at_admission(request.side, price, request.quantity, request.value, config.base_decimals)
        if hold is not None:
            return hold
        owner, asset = customer_key(config.instance, request.customer), config.asset_held(request.side)
        asks = self._books.depth(book_key(config.instance, config.book_id)).asks
        cost = market_buy_cost(asks, request.quantity, config.base_decimals)
        available = self._accounts.balance(owner, asset).available
        if available < cost:
            return _insufficient(cost, available)
        return market_buy_hold(cost, available, config.market_collar_bps)

    def _admit(self, config: BookConfig, order: PlaceOrder, receipt: Receipt | None) -> Admitted | Refusal:
        """Write the order in one transaction, or return the refusal: the hold (T40) or the external id."""
        admitted = Admitted(config.book_id, order)
        owner = customer_key(config.instance, order.customer)
        book = book_key(config.instance, config.book_id)
        rows = [self._orders.admit(owner, config.book_id, order), self._inbox.send(book, order, self._now_s())]
        if order.expires_at_ms is not None:
            rows.append(self._expiries.schedule(Expiry(book, owner, order.order_id, order.expires_at_ms)))
        name = None
        if order.external_id is not None:
            name = self._external_ids.take(owner, order.external_id, order.order_id)
            rows.append(name)
        held = {(owner, config.asset_held(order.side)): Change(-order.hold, order.hold)} if order.hold else {}
        answer = None if receipt is None else receipt(admitted)
        posting = Posting(config.instance, rows, held, time_of(order.order_id), receipt=answer)
        try:
            self._postings.post(posting, lambda: self._orders.get(owner, order.order_id) is not None)
        except Refused as refused:
            if refused.is_receipt:
                raise ReceiptExists(order.order_id) from refused
            if order.external_id is not None and any(row is name for row in refused.rows):
                return _taken(order.external_id)
            if refused.shortage is None:
                raise  # an id was given twice: a bug
            return _insufficient(refused.shortage.required, refused.shortage.available)
        return admitted


def _taken(external_id: str) -> Refusal:
    return Refusal(RefusalCode.EXTERNAL_ID_TAKEN, f"External id was given to another order: {external_id}")


def _insufficient(required: int, available: int) -> Refusal:
    message = f"Insufficient balance: required {required}, available {available}"
    return Refusal(RefusalCode.INSUFFICIENT_BALANCE, message)
