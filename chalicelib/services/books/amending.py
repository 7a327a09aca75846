"""Amending: admit the amendment of an open order, and find its outcome (O8, O23, O24).

One transaction sets aside what the new terms may need beside the order's hold, notes the amendment as under way, and
puts it into the inbox. It is conditional on the terms that were read: an order with others would need another amount.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.domain.books.admission import Refusal, RefusalCode, refusal_of_amendment
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import AmendOrder, OrderType, TimeInForce
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.holds import extra_of_amendment, hold_of_limit
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books.halts import config_with_halt
from chalicelib.services.books.waiting import OutcomeWaiter
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.clock import new_id, now_s
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import ReceiptExists, Unavailable
from chalicelib.support.telemetry import logger
from chalicelib.tables.amendments import Amendments
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.books import Books
from chalicelib.tables.depth_views import DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.inbox import Inbox, Progress
from chalicelib.tables.orders import Orders
from chalicelib.tables.writes import Write

ADMISSION_TRIES_MAX = 5
"""Tries of an amendment whose order or account changes after it was read."""


@dataclass(frozen=True, slots=True)
class NewTerms:
    """What an amendment asks for: a price, a quantity (what is filled included), or both; None: as it is.

    notional_min: as in OrderRequest.
    """

    price: int | None
    quantity: int | None
    notional_min: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """An amendment under way: the key of its book, its id, and the terms that the order is to get.

    is_new: whether this request has queued it, and not joined another's.
    """

    book: str
    command_id: str
    price: int | None
    quantity: int
    is_new: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The order has the terms already; nothing was changed."""

    price: int | None
    quantity: int


class NotOpen(Exception):
    """The customer has no such open order; nothing was changed."""


class AmendmentUnderWay(Unavailable):
    """Another amendment of the order is under way, or the order ends at its turn anyway; nothing was changed."""


class Amending:
    """Admits amendments. now_s: Unix seconds. new_id: returns prefix + ULID, ascending."""

    def __init__(
        self,
        database: Database,
        now_s: Callable[[], int] = now_s,
        new_id: Callable[[str], str] = new_id,
    ) -> None:
        self._now_s = now_s
        self._new_id = new_id
        self._amendments = Amendments(database)
        self._books, self._views = Books(database), DepthViews(database)
        self._inbox = Inbox(database)
        self._orders = Orders(database)
        self._postings = Postings(database)
        self._outcomes = OutcomeWaiter(database)

    def amend(
        self,
        instance: str,
        customer: str,
        order_id: str,
        terms: NewTerms,
        is_frozen: Callable[[], bool] = lambda: False,
        receipt: Callable[[Queued], Write] | None = None,
    ) -> Queued | Unchanged | Refusal:
        """Queue the amendment of an open order, or return its refusal.

        An amendment to the same terms that is under way is joined. is_frozen: tells whether the customer is frozen, so
        that its orders may not hold or offer more (T96). receipt: one more write for the transaction; there is none
        where an amendment is joined. Raises NotOpen, AmendmentUnderWay, Unavailable or ReceiptExists (nothing changed),
        or OutcomeUnknown.
        """
        owner = customer_key(instance, customer)

        def once() -> Queued | Unchanged | Refusal:
            order = self._orders.get_open(owner, order_id)
            if order is None:
                raise NotOpen
            book = book_key(instance, order.book_id)
            price, quantity = asked = _terms_of(order, terms.price, terms.quantity)
            other = self._amendments.under_way(owner, order_id)
            if other is not None:
                if _terms_of(order, other.price, other.quantity) != asked:
                    raise AmendmentUnderWay("another amendment of the order is under way")
                return Queued(book, other.command_id, price, quantity, is_new=False)
            if asked == (order.price, order.quantity):
                return Unchanged(price, quantity)
            if _ends_at_its_turn(order):
                raise AmendmentUnderWay("the order's turn has not come, and ends it")
            config = config_with_halt(self._books, self._views, book, self._now_s())
            if config is None:
                raise Inconsistent("an order's book is there")
            extra = _extra(config, order, price, quantity)
            if extra and is_frozen():
                return Refusal(RefusalCode.CUSTOMER_FROZEN, "The customer is frozen")
            refusal = refusal_of_amendment(config, order, terms.price, terms.quantity, terms.notional_min)
            if refusal is not None:
                return refusal
            name = self._new_id("amd")
            command = AmendOrder(name, order_id, customer, order.side, terms.price, terms.quantity, extra)
            queued = Queued(book, name, price, quantity)
            return self._admit(config, owner, order, command, queued, None if receipt is None else receipt(queued))

        busy = Unavailable("the order or its account keeps changing")
        return until_written(once, ADMISSION_TRIES_MAX, at_once, busy)

    def queued(self, instance: str, customer: str, order_id: str, command_id: str) -> Queued | None:
        """Return an earlier amendment of the customer's order, open or closed; None if there is no such order."""
        order = self._orders.get(customer_key(instance, customer), order_id)
        if order is None:
            return None
        return Queued(book_key(instance, order.book_id), command_id, order.price, order.quantity, is_new=False)

    def outcome(self, queued: Queued, wait_s: float) -> Progress | None:
        """Return how an amendment ended; None if it has not after the wait, or cannot be looked at: it stays queued."""
        try:
            command = queued.book, queued.command_id
            progress = self._outcomes.of_commands([command], wait_s, wait_s).get(queued.command_id, Progress())
        except Unavailable:  # a failed read must not become an error: the amendment is queued
            logger.warning("no result to show", exc_info=True)
            return None
        return progress if progress.ended else None

    def _admit(
        self,
        config: BookConfig,
        owner: str,
        order: OrderRow,
        command: AmendOrder,
        queued: Queued,
        receipt: Write | None,
    ) -> Queued | Refusal:
        """Write the amendment in one transaction. Raises Contended if something is not as it was read."""
        rows = [
            self._orders.still_has_terms(owner, order),
            self._amendments.begin(owner, order.book_id, command),
            self._inbox.send(queued.book, command, self._now_s()),
        ]
        account = owner, config.asset_held(order.side)
        changes = {account: Change(-command.extra, command.extra)} if command.extra else {}
        posting = Posting(config.instance, rows, changes, time_of(queued.command_id), receipt=receipt)
        try:
            self._postings.post(posting, lambda: bool(self._inbox.progress([(queued.book, queued.command_id)])))
        except Refused as refused:
            if refused.is_receipt:
                raise ReceiptExists(order.order_id) from refused
            if refused.shortage is None or refused.rows:
                raise Contended from refused
            required, available = refused.shortage.required, refused.shortage.available
            message = f"Insufficient balance: required {required}, available {available}"
            return Refusal(RefusalCode.INSUFFICIENT_BALANCE, message)
        return queued


def _terms_of(order: OrderRow, price: int | None, quantity: int | None) -> tuple[int | None, int]:
    """Return the price and the quantity that an order is to have."""
    return order.price if price is None else price, order.quantity if quantity is None else quantity


def _ends_at_its_turn(order: OrderRow) -> bool:
    """Return whether an order that is open only because its turn has not come never rests."""
    has_no_price = order.price is None and order.order_type is not OrderType.TRAILING
    return has_no_price or order.time_in_force is not TimeInForce.GTC


def _extra(config: BookConfig, order: OrderRow, price: int | None, quantity: int) -> int:
    """Return what the amendment sets aside beside the order's hold, in base units of the held asset."""
    before, after = order.price or 0, price or 0  # a SELL alone may have none, and holds its quantity whatever it is
    remaining = order.quantity - order.filled
    hold = hold_of_limit(order.side, before, remaining, config.base_decimals)
    wanted = quantity - order.filled
    return extra_of_amendment(order.side, before, remaining, hold, after, wanted, config.base_decimals)
