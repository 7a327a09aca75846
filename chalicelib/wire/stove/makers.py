"""Endpoints of makers: connect a wallet, create an order, cancel it, ask for the next nonce."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.signed.connect import ConnectMessage, MalformedMessage, connect_message
from chalicelib.signed.desk import Signed, SignedOrderDesk
from chalicelib.signed.eip712 import order_hash_of, signer_of_message, signer_of_order
from chalicelib.signed.lifecycle import Status
from chalicelib.signed.order import VALUE_MAX, SignedOrder, customer_of, order_id_of
from chalicelib.signed.settings import DeskSettings
from chalicelib.stores.connects import Connects, NonceSpent
from chalicelib.stores.instruments import Instruments, Stock, Terms
from chalicelib.stores.signed_orders import SignedOrders
from chalicelib.watching import order_admitted
from chalicelib.wire.http import HttpRequest
from chalicelib.wire.stove.envelope import Error, Fault, invalid, order_not_found
from chalicelib.wire.stove.gate import Caller, Endpoint
from chalicelib.wire.stove.objects import single_order
from chalicelib.wire.stove.schema import HASH, ConnectBody, SignedOrderBody, checked

_ORDER_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
OpenSession = Callable[[Caller, str], str]


@dataclass(frozen=True, slots=True)
class MakerEndpoints:
    """open_session: returns a JWT for a caller's wallet."""

    desk: SignedOrderDesk
    orders: SignedOrders
    instruments: Instruments
    connects: Connects
    open_session: OpenSession

    def by_route(self) -> Mapping[str, Endpoint]:
        return {
            "POST /makers/connect": self.connect,
            "POST /orders": self.create,
            "POST /orders/{order_id}/cancel": self.cancel,
            "GET /orders/maker/next-nonce": self.next_nonce,
        }

    def connect(self, request: HttpRequest, caller: Caller) -> object:
        """Give a wallet that signs a message of now, with a nonce of its own, a JWT."""
        body = checked(ConnectBody, request.body)
        message = _message_of(body, caller)
        wallet = customer_of(body.wallet_address)
        if signer_of_message(body.message, body.signature) != wallet:
            raise Fault(Error.UNAUTHORIZED, "The signature is not the wallet's")
        try:
            self.connects.spend(caller.instance, wallet, message.nonce, caller.now_s)
        except NonceSpent as error:
            raise Fault(Error.UNAUTHORIZED, "The nonce was used before") from error
        return {"jwt": self.open_session(caller, wallet)}

    def create(self, request: HttpRequest, caller: Caller) -> object:
        """Store an order that its maker has signed, its funds held."""
        body = checked(SignedOrderBody, request.body)
        order, settings = body.order.order(), caller.settings
        terms = self.instruments.terms(caller.instance, order.asset, order.exchange, order.ticker)
        refuse(unknown_in(terms) | unpayable(order, terms.stock))
        if customer_of(order.maker) != caller.address:
            raise Fault(Error.FORBIDDEN, "order.maker is not the wallet of this session")
        _refuse_deadline(order, settings, caller.now_s)
        if signer_of_order(settings.domain, order, body.signature) != caller.address:
            raise invalid({"signature": "must be the maker's signature of the order, 65 bytes"})
        signed = Signed(order, order_hash_of(settings.domain, order), body.signature)
        created = self.desk.create(caller.instance, settings, signed)
        order_admitted("taker")
        return single_order(created)

    def cancel(self, request: HttpRequest, caller: Caller) -> object:
        """Cancel an open order, or ask the holder of its lock for it (K16: by id, or by hash)."""
        order_id = self._order_id_in(request.path_parameters["order_id"], caller)
        after = self.desk.cancel(caller.instance, order_id, caller.address)
        is_cancelled = after.state.status is Status.CANCELLED
        message = "cancelled" if is_cancelled else "cancellation_requested"
        return {"success": True, "order_id": after.order_id, "message": message}

    def next_nonce(self, _request: HttpRequest, caller: Caller) -> object:
        """Answer with the highest nonce ever used and one more (K17)."""
        highest = self.orders.highest_nonce(caller.instance, caller.address)
        return {"maker": caller.address, "next_nonce": (highest or 0) + 1}

    def _order_id_in(self, segment: str, caller: Caller) -> str:
        """Return the id of the order that is named in a path. Raises Fault where there is none of this name.

        An id is made of a part of the hash only, so a hash is compared with the stored one.
        """
        if _ORDER_ID.fullmatch(segment):
            return segment.lower()
        if HASH.fullmatch(segment):
            order_hash = segment.lower()
            found = self.orders.get(caller.instance, order_id_of(order_hash))
            if found is not None and found.order_hash == order_hash:
                return found.order_id
        raise order_not_found()


def _message_of(body: ConnectBody, caller: Caller) -> ConnectMessage:
    """Return the message in the body. Raises Fault where it is not one of this wallet, chain and time."""
    try:
        message = connect_message(body.message)
    except MalformedMessage as error:
        raise invalid({"message": str(error)}) from error
    faults = {}
    if customer_of(message.address) != customer_of(body.wallet_address):
        faults["wallet_address"] = "must be the address in the message"
    if not message.chain_id == body.chain_id == str(caller.settings.domain.chain_id):
        faults["chain_id"] = f"must be {caller.settings.domain.chain_id}, in the message too"
    if not message.is_of_now(caller.now_ms):
        faults["timestamp"] = "must be within 300 seconds of the server's time"
    refuse(faults)
    return message


def unknown_in(terms: Terms) -> dict[str, str]:
    """Return what of an order the instance does not trade, by field."""
    faults = {} if terms.is_quote else {"asset": "must be a quote token of this instance"}
    if terms.stock is None:
        faults["ticker"] = "must be an instrument of this exchange"
    return faults


def unpayable(order: SignedOrder, stock: Stock | None) -> dict[str, str]:
    """Return what is wrong with an order's value, by field (K31); nothing where the stock is not known."""
    if stock is None:
        return {}
    value = order.value(stock.decimals)
    if value < 1:
        return {"quantity": "must be worth at least one base unit of the asset at this price"}
    if value + order.incentive > VALUE_MAX:
        return {"quantity": f"must be worth, with the incentive, at most {VALUE_MAX} base units of the asset"}
    return {}


def refuse(faults: Mapping[str, str]) -> None:
    """Raise Fault with the bad fields, where there are any."""
    if faults:
        raise invalid(faults)


def _refuse_deadline(order: SignedOrder, settings: DeskSettings, now_s: int) -> None:
    if order.deadline <= now_s:
        raise invalid({"deadline": "must be ahead"})
    if order.deadline < now_s + settings.min_validity_seconds:
        raise invalid({"deadline": f"must be at least {settings.min_validity_seconds} seconds ahead"})
