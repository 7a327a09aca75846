"""The trade desk: one customer places orders, with signed requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar

from tallybook_client.feed import WAIT_S, EventPage, Feed
from tallybook_client.paging import by_cursor, by_page
from tallybook_client.trade.envelope import error_of, signed_headers
from tallybook_client.trade.errors import AlreadyCanceled, InvalidParameters, NothingToCancel
from tallybook_client.trade.market import MOUNT, PAGE_SIZE_MAX, PRIVATE, Market, public_market
from tallybook_client.trade.models import (
    Balance,
    CancelledOrder,
    CancelOfAll,
    NewOrder,
    Order,
    PlacedOrder,
    StatementRow,
    Trade,
    TradingFee,
)
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import Members, json_of, member_of, members_of

__all__ = ["NewOrder", "TradeDesk", "public_market"]

T = TypeVar("T")
Status = Literal["open", "executed_partially", "executed_completely", "canceled"]


class TradeDesk:
    """``TradeDesk("http://127.0.0.1:8000", token, secret)``: all calls of the trade desk, signed. Thread-safe.

    ``market``: market data. options: of its ``session``, which sends any request: ``retries``, ``http``, ``answer_s``.
    """

    def __init__(self, base_url: str, token: str, secret: str, **options: Any) -> None:
        self.session = Session(base_url, partial(signed_headers, token, secret), error_of, **options)
        self.market = Market(self.session, PRIVATE)

    def place(self, order: NewOrder, *, wait_s: int = 0) -> PlacedOrder:
        """Place an order; return it as admitted, or with ``wait_s`` (at most 10) as first matched (R27).

        Its ``external_id`` is the key under which a repeat is placed once: one that follows a lost answer and finds it
        used shows that order.
        Raises TradeError; OutcomeUnknown, whose key is the external_id to look for.
        """
        key = order.external_id or str(uuid.uuid4())
        members = members_of(order) | {"external_id": key}
        if order.expiration is not None:
            members["expiration"] = int(order.expiration.timestamp() * 1000)
        request = Request("POST", f"{MOUNT}/orders", body=json_of(members), key=key, wait_s=wait_s)
        try:
            return self.session.send(request).data(PlacedOrder)
        except InvalidParameters as error:
            if not error.follows_a_lost_one or "external_id" not in error.fields:
                raise
            found = self.order(external_id=key)
            return PlacedOrder(**{name: getattr(found, name) for name in PlacedOrder.__struct_fields__})

    def cancel(self, order_id: str | None = None, *, external_id: str | None = None) -> CancelledOrder:
        """Cancel what is left of an order, by its id or its external id, and wait for it.

        A cancel that is still queued is asked for again. Raises NotFound, AlreadyCanceled, NothingToCancel.
        """
        if order_id is not None:
            path, body = f"{MOUNT}/orders", json_of({"id": order_id})
        else:
            path, body = f"{MOUNT}/orders/by-external-id", json_of({"external_id": external_id})
        try:
            return self.session.send(Request("DELETE", path, body=body)).data(CancelledOrder)
        except AlreadyCanceled as error:
            if not error.follows_a_lost_one:
                raise
            found = self.order(order_id, external_id=external_id)
            return CancelledOrder(**{name: getattr(found, name) for name in CancelledOrder.__struct_fields__})

    def amend(
        self, order_id: str, *, unit_price: Decimal | int | None = None, amount: Decimal | int | None = None
    ) -> None:
        """Give an open order a new price, a new total amount, or both, and wait for it (R68).

        An amendment that is still queued is asked for again. Raises NotFound, InvalidParameters, AlreadyCanceled,
        NothingToCancel (it is filled), InsufficientFunds.
        """
        terms = {"unit_price": unit_price, "amount": amount}
        asked = {name: value for name, value in terms.items() if value is not None}
        self.session.send(Request("PUT", f"{MOUNT}/orders", body=json_of({"order_id": order_id} | asked)))

    def cancel_all(self, pair: str | None = None) -> list[CancelOfAll]:
        """Cancel all live orders, of a pair or of all; return what was live (R42): nothing if nothing was."""
        body = json_of({"pair": pair}) if pair else b""
        request = Request("DELETE", f"{MOUNT}/orders/all", body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)
        try:
            return self.session.send(request).data(list[CancelOfAll])
        except NothingToCancel:
            return []

    def cancel_all_after(self, timeout_s: int) -> datetime | None:
        """Have all orders cancelled after so many seconds, 5 to 86400, unless this is called again; 0: no longer.

        Return when they are cancelled; None for never (R71).
        """
        request = Request("POST", f"{MOUNT}/orders/cancel-all-after", body=json_of({"timeout": timeout_s}))
        return member_of(self.session.send(request).data(Members), "cancel_at", datetime | None)  # type: ignore[arg-type]

    def order(self, order_id: str | None = None, *, external_id: str | None = None) -> Order:
        """Return an order with its trades, by its id or its external id. Raises NotFound."""
        if order_id is not None:
            return self.session.get(path_of(f"{MOUNT}/orders/{{id}}", id=order_id), Order)
        path = path_of(f"{MOUNT}/orders/by-external-id/{{id}}", id=external_id or "")
        return self.session.get(path, Order)

    def orders(
        self,
        pair: str,
        *,
        status: Sequence[Status] = (),
        side: str | None = None,
        type: str | None = None,
        ids: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        updated_since: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Order]:
        """Yield the customer's orders of a pair, newest first. since, until: of placement, six months at most."""
        chosen = {"pair": pair, "status": status, "side": side, "type": type, "ids": ids}
        asked = {**chosen, "start_date": since, "end_date": until, "updated_since": updated_since}
        return self._rows("/orders", asked, "orders", list[Order], limit)

    def open_orders(
        self, pair: str | None = None, *, side: str | None = None, limit: int | None = None
    ) -> Iterator[Order]:
        """Yield the customer's live orders, of a pair or of all, newest first."""
        return self._rows("/orders/open", {"pair": pair, "side": side}, "orders", list[Order], limit)

    def trades_of_order(self, order_id: str, *, limit: int | None = None) -> Iterator[Trade]:
        """Yield an order's trades, newest first. Raises NotFound."""
        return self._rows("/orders/trades", {"order_id": order_id}, "trades", list[Trade], limit)

    def trades(
        self,
        pair: str,
        *,
        order_id: str | None = None,
        external_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Trade]:
        """Yield the customer's trades of a pair, newest first, of six months at most."""
        asked = {"pair": pair, "order_id": order_id, "external_id": external_id, "start_date": since, "end_date": until}
        return self._rows("/user/trades", asked, "trades", list[Trade], limit)

    def balances(self, codes: Sequence[str] = ()) -> list[Balance]:
        """Return what the customer has of each token, or of these (R36)."""
        return self.session.get(f"{MOUNT}/user/balances", list[Balance], query_of(currency_code=codes))

    def balances_of_day(self, day: date) -> list[Balance]:
        """Return what the customer had at the end of a UTC day (R59)."""
        path = path_of(f"{MOUNT}/user/balances/{{date}}", date=day.strftime("%Y-%m-%d"))
        return self.session.get(path, list[Balance])

    def statement(
        self,
        currency_code: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[StatementRow]:
        """Yield what changed the customer's balances, or one of them, newest first (R60)."""
        path = f"{MOUNT}/user/statement"
        if currency_code is not None:
            path = path_of(f"{path}/{{code}}", code=currency_code)

        def page(number: int, size: int) -> tuple[list[StatementRow], bool]:
            query = query_of(start_time=since, end_time=until, current_page=number, page_size=size)
            rows = member_of(self.session.get(path, Members, query), "statement", list[StatementRow])
            return rows, len(rows) < size

        return by_page(page, lambda row: row, PAGE_SIZE_MAX, limit)

    def trading_fees(self, pair: str) -> list[TradingFee]:
        """Return a pair's fees of both sides, in percent."""
        return self.session.get(f"{MOUNT}/user/trading-fees", list[TradingFee], query_of(pair=pair))

    def estimate_price(self, pair: str, side: Literal["buy", "sell"], amount: Decimal | int) -> Decimal:
        """Return the average price that a market order of this amount would have now (R56)."""
        path = path_of(f"{MOUNT}/orders/estimate-price/{{pair}}", pair=pair)
        estimate = self.session.get(path, Members, query_of(amount=f"{amount:f}", side=side))
        return member_of(estimate, "price", Decimal)

    def ticket(self) -> str:
        """Return a ticket that says on a WebSocket who the client is: good for a minute, and once."""
        return member_of(self.session.send(Request("POST", f"{MOUNT}/ticket")).data(Members), "ticket", str)

    def events(self, after: str | None = None, *, pair: str | None = None, wait_s: int = WAIT_S) -> Feed:
        """Return the customer's feed after a cursor, ``"start"``, or from now, of a pair or of all.

        wait_s: how long a request waits, at most 20; 0: end at the newest event.
        """
        return Feed(partial(self._events, pair), after, wait_s)

    def _events(self, pair: str | None, after: str | None, wait_s: int) -> EventPage:
        query = query_of(pair=pair, after=after, limit=1000)
        return self.session.get(f"{MOUNT}/events", EventPage, query, wait_s)

    def _rows(self, path: str, asked: dict[str, Any], name: str, kind: type[list[T]], limit: int | None) -> Iterator[T]:
        return by_cursor(self.session, MOUNT + path, asked, name, kind, PAGE_SIZE_MAX, limit)
