"""Admission: put commands into a book's inbox.

The holds, rows, inbox row and, where they expire, expiry rows of orders are written in one transaction (R24). An
admitted order is durable and will be decided; of a refused one nothing is held (guarantee 7). A cancel is one put,
under a key that its order has once (T70).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.domain.books.admission import OrderRequest, Refusal, refusal_of
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.books.vocabulary import CancelAll, CancelOrder, PlaceOrder
from chalicelib.domain.ledger.amounts import Side
from chalicelib.domain.ledger.changes import Change
from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.services.books.funding import Known, funded, is_market_buy_by_quantity, sides_to_read, sized
from chalicelib.services.books.halts import config_with_halt
from chalicelib.services.ledger.posting import Posting, Postings, Refused
from chalicelib.support.ascii_case import ascii_lower
from chalicelib.support.clock import new_id, now_s
from chalicelib.support.consistency import Inconsistent
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import OutcomeUnknown, ReceiptExists, Unavailable
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.attempts import Contended, at_once, until_written
from chalicelib.tables.books import Books
from chalicelib.tables.depth_views import Depth, DepthViews
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.expiries import Expiries, Expiry
from chalicelib.tables.external_ids import ExternalIds
from chalicelib.tables.inbox import Inbox
from chalicelib.tables.orders import Orders
from chalicelib.tables.writes import ConditionFailed, Write, as_refused

FUNDING_TRIES_MAX = 5
"""Tries of orders whose account or external ids change after they were read."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An order as admitted: OPEN, nothing filled."""

    book_id: str
    order: PlaceOrder


Outcome = Admitted | Refusal
Receipt = Callable[[Sequence[Outcome]], Write]
"""Returns one more write for the transaction, made from the outcomes of all orders (T14)."""


class Admission:
    """Admits orders and cancels. now_s: Unix seconds. new_id: returns prefix + ULID, ascending."""

    def __init__(
        self, database: Database, now_s: Callable[[], int] = now_s, new_id: Callable[[str], str] = new_id
    ) -> None:
        self._database = database
        self._now_s = now_s
        self._new_id = new_id
        self._books, self._views = Books(database), DepthViews(database)
        self._accounts = Accounts(database)
        self._postings = Postings(database)
        self._orders = Orders(database)
        self._external_ids = ExternalIds(database)
        self._expiries = Expiries(database)
        self._inbox = Inbox(database)

    def place(
        self,
        instance: str,
        book_id: str,
        request: OrderRequest,
        receipt: Callable[[Admitted], Write] | None = None,
    ) -> Outcome:
        """Admit an order, or return its refusal (docs/book-desk.md, Placing an order). As ``place_all`` otherwise."""

        def of_all(outcomes: Sequence[Outcome]) -> Write:
            (made,) = outcomes
            if receipt is None or isinstance(made, Refusal):
                raise Inconsistent("only what is admitted has a receipt")
            return receipt(made)

        (outcome,) = self.place_all(instance, book_id, [request], None if receipt is None else of_all)
        return outcome

    def place_all(
        self, instance: str, book_id: str, requests: Sequence[OrderRequest], receipt: Receipt | None = None
    ) -> list[Outcome]:
        """Admit orders of one customer, or return their refusals, in order (T76).

        Orders that fail their checks or funds, taken in order, are refused. The others are admitted in one transaction
        and are one row of the inbox, so they are decided together, in order. If all are refused, nothing is written.

        Raises ReceiptExists (nothing changed), Unavailable (nothing changed) or OutcomeUnknown.
        """
        book = book_key(instance, book_id)
        config = config_with_halt(self._books, self._views, book, self._now_s())
        checked = [refusal_of(config, request) or request for request in requests]
        asked = [one for one in checked if isinstance(one, OrderRequest)]
        if config is None or not asked:
            return [one for one in checked if isinstance(one, Refusal)]
        owner = customer_key(instance, asked[0].customer)
        if any(request.customer != asked[0].customer for request in asked):
            raise Inconsistent("orders that are admitted together are one customer's")
        has_budget = any(map(is_market_buy_by_quantity, asked))
        is_by_value = any(request.value is not None for request in asked)
        depth = self._views.of(book) if has_budget or is_by_value else Depth()
        sizes = [one if isinstance(one, Refusal) else sized(config, one, depth.bids, depth.asks) for one in checked]
        names = [request.external_id for request in asked if request.external_id is not None]
        known = Known(names=self._in_use(owner, names))
        for side in sides_to_read(config, sizes):
            known.available[side] = self._accounts.balance(owner, config.asset_held(side)).available

        def once() -> list[Outcome]:
            decided = funded(config, sizes, depth.asks, known, self._new_id)
            outcomes = [one if isinstance(one, Refusal) else Admitted(book_id, one) for one in decided]
            orders = [one for one in decided if isinstance(one, PlaceOrder)]
            if orders:
                self._admit(config, owner, orders, known, None if receipt is None else receipt(outcomes))
            return outcomes

        busy = Unavailable("the account keeps changing")
        return until_written(once, FUNDING_TRIES_MAX, at_once, busy)

    def _in_use(self, owner: str, names: Iterable[str]) -> dict[str, str]:
        """Return the used ones of an owner's external ids, in lower case, with their orders."""
        found = ((ascii_lower(name), self._external_ids.order_of(owner, name)) for name in names)
        return {name: order_id for name, order_id in found if order_id is not None}

    def cancel(self, instance: str, customer: str, order_id: str) -> bool:
        """Queue the cancel of a live order, unless one is queued. Return False if there is no such live order (T29).

        Raises Unavailable (nothing changed; the order's book may be parked, T53) or OutcomeUnknown.
        """
        owner = customer_key(instance, customer)
        order = self._orders.get_open(owner, order_id)
        if order is None:
            return False
        book = book_key(instance, order.book_id)
        self._refuse_parked(book)
        command = CancelOrder(self._new_id("cxl"), order_id, customer)
        try:
            self._database.write(self._inbox.send(book, command, self._now_s()), as_refused)
        except ConditionFailed:  # this request, or another one, has queued its cancel
            return True
        except OutcomeUnknown as unknown:
            self._look_for_cancel(book, order_id, unknown)
        return True

    def _look_for_cancel(self, book: str, order_id: str, unknown: OutcomeUnknown) -> None:
        """Raise ``unknown`` unless the order's cancel is queued (T60)."""
        try:
            is_queued = bool(self._inbox.cancel_rows([(book, order_id)]))
        except Unavailable as error:
            raise unknown from error
        if not is_queued:
            raise unknown

    def cancel_each(
        self, instance: str, customer: str, order_ids: Iterable[str]
    ) -> dict[str, bool | Unavailable | OutcomeUnknown]:
        """Cancel each of these orders, in parallel (T78); return what ``cancel`` returned or raised, by id."""
        told: dict[str, bool | Unavailable | OutcomeUnknown] = {}

        def one(order_id: str) -> None:
            try:
                told[order_id] = self.cancel(instance, customer, order_id)
            except (Unavailable, OutcomeUnknown) as error:
                told[order_id] = error

        self._database.together([partial(one, order_id) for order_id in dict.fromkeys(order_ids)])
        return told

    def cancel_all(self, instance: str, customer: str, book_id: str) -> str:
        """Queue the command that closes every order of a customer in a book (O9); return its id.

        It closes the orders sequenced before it, of all desks. ``Inbox.progress`` tells how far it is.
        Raises Unavailable (nothing changed; the book may be parked, T53) or OutcomeUnknown.
        """
        book = book_key(instance, book_id)
        self._refuse_parked(book)
        command = CancelAll(self._new_id("cxa"), customer)
        send = self._inbox.send(book, command, self._now_s())
        self._database.transact([send], lambda: bool(self._inbox.progress([(book, command.command_id)])))
        return command.command_id

    def _refuse_parked(self, book: str) -> None:
        """Raise Unavailable if the book is parked: it decides no cancel until the operator releases it."""
        config = self._books.config(book)
        if config is not None and config.is_parked:
            raise Unavailable("the book is parked")

    def _admit(
        self, config: BookConfig, owner: str, orders: Sequence[PlaceOrder], known: Known, receipt: Write | None
    ) -> None:
        """Write the orders in one transaction.

        Raises Contended if the account or the external ids are not as they are known; they are known then.
        """
        book, first = book_key(config.instance, config.book_id), orders[0].order_id
        rows = [self._orders.admit(owner, config.book_id, order) for order in orders]
        rows.append(self._inbox.send_orders(book, orders, self._now_s()))
        names: dict[str, Write] = {}
        held: Counter[tuple[str, str]] = Counter()
        for order in orders:
            if order.expires_at_ms is not None:
                rows.append(self._expiries.schedule(Expiry(book, owner, order.order_id, order.expires_at_ms)))
            if order.external_id is not None:
                names[order.external_id] = self._external_ids.take(owner, order.external_id, order.order_id)
            held[owner, config.asset_held(order.side)] += order.hold
        changes = {account: Change(-hold, hold) for account, hold in held.items() if hold}
        posting = Posting(config.instance, [*rows, *names.values()], changes, time_of(first), receipt=receipt)
        try:
            self._postings.post(posting, lambda: self._orders.get(owner, first) is not None)
        except Refused as refused:
            if refused.is_receipt:
                raise ReceiptExists(first) from refused
            taken = [name for name, row in names.items() if any(row is one for one in refused.rows)]
            if not taken and refused.shortage is None:
                raise  # an id was given twice: a bug
            known.names |= self._in_use(owner, taken)
            for side in Side:
                account = owner, config.asset_held(side)
                if account in refused.accounts:
                    row = refused.accounts[account]
                    known.available[side] = row["available"] if row else 0
            raise Contended from refused
