"""Endpoints of makers: create and cancel an order, get the next nonce. Makers connect in ``connecting``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import Error, Fault, invalid, order_not_found, refuse
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.objects import single_order
from chalicelib.apis.taker.schema import HASH, SignedOrderBody, checked
from chalicelib.domain.signed.eip712 import canonical, order_hash_of, signer_of_order
from chalicelib.domain.signed.instruments import Stock, Terms
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import VALUE_MAX, SignedOrder, customer_of, order_id_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.services.signed.desk import Signed, SignedOrderDesk
from chalicelib.services.signed.reading import SignedReading
from chalicelib.support.telemetry import order_admitted

_ORDER_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class MakerEndpoints:
    desk: SignedOrderDesk
    reading: SignedReading
    is_frozen: Callable[[str, str], bool]
    """Tells whether a customer of an instance is frozen (T96)."""

    def create(self, request: HttpRequest, caller: Caller) -> object:
        """Store an order signed by its maker and hold its funds."""
        if caller.has_frozen and self.is_frozen(caller.instance, customer_of(caller.address)):
            raise Fault(Error.FORBIDDEN, "The maker is frozen: its orders can be cancelled, and none created")
        body = checked(SignedOrderBody, request.body, {"maker": caller.address})
        order, settings = body.order.order(), caller.settings
        terms = self.reading.terms(caller.instance, order.asset, order.exchange, order.ticker)
        refuse(unknown_in(terms) | unpayable(order, terms.stock))
        if customer_of(order.maker) != caller.address:
            raise Fault(Error.FORBIDDEN, "order.maker is not the wallet of this session")
        _refuse_deadline(order, settings, caller.now_s)
        signature = canonical(body.signature)
        if signature is None or signer_of_order(settings.domain, order, signature) != caller.address:
            raise invalid({"signature": "must be the maker's signature of the order: 65 bytes, s in the lower half"})
        signed = Signed(order, order_hash_of(settings.domain, order), signature)
        created = self.desk.create(caller.instance, settings, signed)
        order_admitted("taker")
        return single_order(created)

    def cancel(self, request: HttpRequest, caller: Caller) -> object:
        """Cancel an open order, or request it from the holder of its lock (K16: by id or hash)."""
        order_id, order_hash = order_named_in(request)
        after = self.desk.cancel(caller.instance, order_id, caller.address, order_hash)
        is_cancelled = after.state.status is Status.CANCELLED
        message = "cancelled" if is_cancelled else "cancellation_requested"
        return {"success": True, "order_id": after.order_id, "message": message}

    def next_nonce(self, _request: HttpRequest, caller: Caller) -> object:
        """Return the maker's next nonce: the highest used one plus one (K17)."""
        return {"maker": caller.address, "next_nonce": self.reading.next_nonce(caller.instance, caller.address)}


def order_named_in(request: HttpRequest) -> tuple[str, str | None]:
    """Return the id of the order in a path and, if the path has the order's hash, the hash (K16). Raises Fault."""
    segment = request.path_parameters["order_id"]
    if _ORDER_ID.fullmatch(segment):
        return segment.lower(), None
    if HASH.fullmatch(segment):
        return order_id_of(segment.lower()), segment.lower()
    raise order_not_found()


def unknown_in(terms: Terms) -> dict[str, str]:
    """Return the faults of an order's asset and ticker that the instance does not trade, by field."""
    faults = {} if terms.is_quote else {"asset": "must be a quote token of this instance"}
    if terms.stock is None:
        faults["ticker"] = "must be an instrument of this exchange"
    return faults


def unpayable(order: SignedOrder, stock: Stock | None) -> dict[str, str]:
    """Return the faults of an order's value, by field (K31); none if the stock is unknown."""
    return {} if stock is None else worth_faults(order.value(stock.decimals), order.incentive)


def worth_faults(value: int, incentive: int = 0) -> dict[str, str]:
    """Return the faults of what an order is worth, base units of its asset, by field (K31)."""
    if value < 1:
        return {"quantity": "must be worth at least one base unit of the asset at this price"}
    if value + incentive > VALUE_MAX:
        return {"quantity": f"must be worth, with the incentive, at most {VALUE_MAX} base units of the asset"}
    return {}


def _refuse_deadline(order: SignedOrder, settings: DeskSettings, now_s: int) -> None:
    if order.deadline <= now_s:
        raise invalid({"deadline": "must be ahead"})
    if order.deadline < now_s + settings.min_validity_seconds:
        raise invalid({"deadline": f"must be at least {settings.min_validity_seconds} seconds ahead"})
