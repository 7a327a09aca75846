"""A maker at the taker desk: its wallet signs orders; a session (JWT) stands behind its requests."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Unpack

from msgspec import Struct

from tallybook_client.errors import OutcomeUnknown
from tallybook_client.feed import WAIT_S, EventPage, Feed
from tallybook_client.taker.envelope import MOUNT, error_of, rows_of
from tallybook_client.taker.errors import Conflict, TakerError, Unauthorized
from tallybook_client.taker.models import (
    Cancelled,
    Charge,
    Instrument,
    MakersOrderFilter,
    OpenBook,
    Order,
    Position,
    SignedOrder,
    Terms,
)
from tallybook_client.taker.wallet import Wallet
from tallybook_client.transport import Answer, Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import Members, json_of, member_of, members_of, value_of

RENEWED_BEFORE_S = 60
CONNECTS_MAX = 3


class _Claims(Struct):
    exp: int


class MakerDesk:
    """``MakerDesk(base_url, Wallet(private_key, domain))``: all calls of a maker. Thread-safe.

    instance: which one the wallet connects to, None: the public one (K37). It connects at the first call, again before
    its session ends, and at the call after one that the desk did not take. options: of the transport's Session.
    """

    def __init__(self, base_url: str, wallet: Wallet, instance: str | None = None, **options: Any) -> None:
        self._wallet, self._instance = wallet, instance
        self._connecting = Session(base_url, lambda _: {}, error_of, **options)
        self.session = Session(base_url, lambda _: self._authorization(), self._error_of, **options)
        self._lock = threading.Lock()
        self._jwt, self._ends_s = "", 0

    def sign(
        self,
        *,
        is_buy: bool,
        ticker: str,
        asset: str,
        price: int,
        quantity: int,
        deadline: datetime | int,
        exchange: int = 0,
        incentive: int = 0,
        principal: str | None = None,
        nonce: int | None = None,
    ) -> SignedOrder:
        """Return an order with its signature, not yet sent. Amounts in base units, as Terms says.

        deadline: with a time zone, or Unix seconds. principal: who receives what it buys; None: the wallet. nonce: used
        once; None: the next one of the wallet (K17).
        """
        address = self._wallet.address
        terms = Terms(
            maker=address,
            principal=principal or address,
            is_buy=is_buy,
            ticker=ticker,
            exchange=exchange,
            asset=asset,
            price=price,
            quantity=quantity,
            incentive=incentive,
            deadline=deadline if isinstance(deadline, int) else int(deadline.timestamp()),
            nonce=self.next_nonce() if nonce is None else nonce,
        )
        return SignedOrder(order=terms, signature=self._wallet.signature_of(terms))

    def create(self, signed: SignedOrder) -> Order:
        """Create a signed order. Its nonce is its key: a repeat is carried out once. Raises Conflict if it is used."""
        request = Request("POST", f"{MOUNT}/orders", body=json_of(members_of(signed)), key=str(signed.order.nonce))
        try:
            return self.session.send(request).data(Order)
        except Conflict as error:
            if not error.follows_a_lost_one or "order_hash" not in error.fields:
                raise
            found = self.order(error.fields["order_hash"])
            if found.signature != signed.signature:
                raise
            return found

    def cancel(self, order: str) -> Cancelled:
        """Cancel an open order, or ask its lock's holder to. order: its id or hash."""
        path = path_of(f"{MOUNT}/orders/{{order}}/cancel", order=order)
        return self.session.send(Request("POST", path, repeat=Repeat.IF_NOTHING_WAS_DONE)).data(Cancelled)

    def order(self, order: str, *, fills_page: int | None = None) -> Order:
        """Return one of the maker's orders with its fills, by id or hash. Raises NotFound."""
        path = path_of(f"{MOUNT}/orders/{{order}}", order=order)
        return self.session.get(path, Order, query_of(fills_page=fills_page))

    def orders(self, *, limit: int | None = None, **filters: Unpack[MakersOrderFilter]) -> Iterator[Order]:
        """Yield the maker's orders, newest first unless sorted otherwise."""
        return rows_of(self.session, "/orders", filters, "orders", list[Order], ["id"], limit)

    def positions(
        self, ticker: str | None = None, *, ticker_like: bool | None = None, limit: int | None = None
    ) -> Iterator[Position]:
        """Yield what the wallet has of each stock, by ticker; ticker_like: of those whose ticker contains this one."""
        asked = {"ticker": ticker, "ticker_like": ticker_like}
        return rows_of(self.session, "/positions", asked, "positions", list[Position], ["ticker", "exchange"], limit)

    def next_nonce(self) -> int:
        """Return the highest nonce that the wallet used, plus one."""
        return member_of(self.session.get(f"{MOUNT}/orders/maker/next-nonce", Members), "next_nonce", int)

    def instrument(self, ticker: str, exchange: int = 0) -> Instrument:
        """Return the ledger's token of a stock. Raises NotFound."""
        query = query_of(ticker=ticker, exchange=exchange)
        return self.session.get(f"{MOUNT}/instruments/token-address", Instrument, query)

    def estimate_charge(
        self,
        *,
        is_buy: bool,
        ticker: str,
        asset: str,
        price: str,
        quantity: str,
        exchange: int = 0,
        target_currency: str | None = None,
    ) -> Charge:
        """Return what the instance takes of an order. price, quantity: decimal texts of whole units (K57)."""
        members = {"is_buy": is_buy, "ticker": ticker, "asset": asset, "price": price, "quantity": quantity}
        named = members | {"exchange": exchange, "target_currency": target_currency}
        return self.session.send(Request("POST", f"{MOUNT}/orders/estimate_charge", body=json_of(named))).data(Charge)

    def events(self, after: str | None = None, *, wait_s: int = WAIT_S) -> Feed:
        """Return the feed of the maker's orders after a cursor, ``"start"``, or from now."""
        return Feed(partial(events_of, self.session, "makers"), after, wait_s)

    def _authorization(self) -> Mapping[str, str]:
        with self._lock:
            if time.time() > self._ends_s - RENEWED_BEFORE_S:
                self._jwt = self._connect()
                self._ends_s = _end_of(self._jwt)
        return {"Authorization": f"Bearer {self._jwt}"}

    def _error_of(self, answer: Answer) -> TakerError:
        """Return the error of an answer. A session that the desk does not take is over."""
        error = error_of(answer)
        if isinstance(error, Unauthorized):
            with self._lock:
                self._ends_s = 0
        return error

    def _connect(self) -> str:
        """Return a new session's JWT. A nonce counts once, so each attempt whose answer is lost gets another one."""
        for attempt in range(1, CONNECTS_MAX + 1):
            body = json_of(self._connect_body(secrets.token_hex(16)))
            request = Request("POST", f"{MOUNT}/makers/connect", body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)
            try:
                return member_of(self._connecting.send(request).data(Members), "jwt", str)
            except OutcomeUnknown:
                if attempt == CONNECTS_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _connect_body(self, nonce: str) -> Mapping[str, str]:
        address, chain_id = self._wallet.address, str(self._wallet.domain.chain_id)
        lines = {
            "Wallet address": address,
            "ChainId": chain_id,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Nonce": nonce,
        }
        if self._instance is not None:
            lines["Instance"] = self._instance
        message = "\n".join(f"{name}: {value}" for name, value in lines.items())
        signature = self._wallet.signature_of_text(message)
        return {"wallet_address": address, "chain_id": chain_id, "message": message, "signature": signature}


def events_of(session: Session, whose: str, after: str | None, wait_s: int) -> EventPage:
    """Return a page of a feed of the taker desk. whose: ``makers`` or ``takers``."""
    return session.get(f"{MOUNT}/{whose}/events", EventPage, query_of(after=after, limit=1000), wait_s)


def open_book(base_url: str, ticker: str, exchange: int = 0, **options: Any) -> OpenBook:
    """Return the public instance's open orders of a stock, by price. Raises NotFound."""
    path = path_of(f"{MOUNT}/tickers/{{ticker}}/orderbooks", ticker=ticker)
    return Session(base_url, lambda _: {}, error_of, **options).get(path, OpenBook, query_of(exchange=exchange))


def _end_of(jwt: str) -> int:
    """Return when a session ends, Unix seconds."""
    claims = jwt.split(".")[1]
    return value_of(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), _Claims).exp
