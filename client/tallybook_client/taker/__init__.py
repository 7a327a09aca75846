"""The taker desk: takers lock and fill orders that makers have signed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any, TypeVar, Unpack

from tallybook_client.feed import WAIT_S, Feed
from tallybook_client.taker.envelope import MOUNT, error_of, rows_of, takers_headers
from tallybook_client.taker.makers import MakerDesk, events_of, open_book
from tallybook_client.taker.models import (
    Fill,
    Filled,
    FillFilter,
    Lock,
    Order,
    OrderFilter,
    Outcome,
    SignedOrder,
    TakersOrder,
    TakersOrderFilter,
    Validation,
)
from tallybook_client.taker.wallet import Domain, Wallet
from tallybook_client.transport import Repeat, Request, Session, path_of, query_of
from tallybook_client.wire import json_of, members_of

__all__ = ["Domain", "MakerDesk", "TakerDesk", "Wallet", "open_book"]

T = TypeVar("T")


class TakerDesk:
    """``TakerDesk("http://127.0.0.1:8000", api_key, secret)``: all calls of a taker. Thread-safe.

    secret: signs each request, None: the key alone (K4). options: of the transport's Session.
    """

    def __init__(self, base_url: str, api_key: str, secret: str | None = None, **options: Any) -> None:
        self.session = Session(base_url, partial(takers_headers, api_key, secret), error_of, **options)

    def available(self, **filters: Unpack[OrderFilter]) -> list[Order]:
        """Return the orders that can be locked."""
        return self.session.get(f"{MOUNT}/orders/available", list[Order], query_of(**filters))

    def validate(self, signed: SignedOrder) -> Validation:
        """Say whether an order could be created now."""
        request = Request("POST", f"{MOUNT}/orders/validate", body=json_of(members_of(signed)))
        return self.session.send(request).data(Validation)

    def lock(self, order_hash: str, *, seconds: int | None = None, reference_id: str | None = None) -> Lock:
        """Lock an open order. Raises Conflict, if somebody holds its lock, oneself included (K21)."""
        return self._command("lock", Lock, order_hash=order_hash, lock_duration=seconds, reference_id=reference_id)

    def unlock(self, order_hash: str) -> Outcome:
        """Give a lock back; if the maker asked for it, the order is cancelled."""
        return self._command("unlock", Outcome, order_hash=order_hash)

    def fill(
        self,
        order_hash: str,
        quantity: int,
        *,
        incentive: int | None = None,
        reference_id: str | None = None,
        tx_hash: str | None = None,
        block_number: int | None = None,
    ) -> Filled:
        """Fill a locked order, in whole or in part. incentive: None takes all that is allowed.

        reference_id: its key, under which it is carried out once (K24), else a new one.
        """
        reference = reference_id or secrets.token_hex(16)
        members = {"order_hash": order_hash, "fill_quantity": str(quantity), "reference_id": reference}
        members |= {} if incentive is None else {"taker_incentive": str(incentive)}
        named = {**members, "tx_hash": tx_hash, "block_number": block_number}
        return self.session.send(Request("POST", f"{MOUNT}/orders/fill", body=json_of(named), key=reference)).data(
            Filled
        )

    def reject(self, order_hash: str, reason: str | None = None) -> Outcome:
        """Turn a locked order down, for good (K25)."""
        return self._command("reject", Outcome, order_hash=order_hash, reason=reason)

    def cancel_result(self, order_hash: str, taker_address: str, *, grant: bool, message: str) -> Outcome:
        """Grant or decline a maker's request to cancel (K26). taker_address: that of the key."""
        asked = {"taker_address": taker_address, "cancellation_success": grant, "message": message}
        return self._command("cancel-result", Outcome, order_hash=order_hash, **asked)

    def order(self, order_hash: str) -> Order:
        """Return an order that the taker sees (K2). Raises NotFound."""
        return self.session.get(path_of(f"{MOUNT}/takers/orders/{{hash}}", hash=order_hash), Order)

    def orders(self, *, limit: int | None = None, **filters: Unpack[TakersOrderFilter]) -> Iterator[TakersOrder]:
        """Yield the orders that the taker sees, newest first unless sorted otherwise."""
        return rows_of(self.session, "/takers/orders", filters, "orders", list[TakersOrder], ["order_hash"], limit)

    def fills(self, *, limit: int | None = None, **filters: Unpack[FillFilter]) -> Iterator[Fill]:
        """Yield the taker's fills, newest first unless sorted otherwise."""
        return rows_of(self.session, "/orders/filled", filters, "fills", list[Fill], ["id"], limit)

    def events(self, after: str | None = None, *, wait_s: int = WAIT_S) -> Feed:
        """Return the feed of own locks and fills, and of orders that can be locked, after a cursor or from now."""
        return Feed(partial(events_of, self.session, "takers"), after, wait_s)

    def _command(self, word: str, kind: type[T], **members: Any) -> T:
        """Send a command that is not repeated: a second one would be refused for what the first one did."""
        body = json_of({name: value for name, value in members.items() if value is not None})
        request = Request("POST", f"{MOUNT}/orders/{word}", body=body, repeat=Repeat.IF_NOTHING_WAS_DONE)
        return self.session.send(request).data(kind)
