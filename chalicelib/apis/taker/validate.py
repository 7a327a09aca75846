"""Endpoint: check whether an order could be created now, without creating it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import refuse
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.makers import unpayable
from chalicelib.apis.taker.schema import SignedOrderBody, checked
from chalicelib.domain.signed.eip712 import order_hash_of, signer_of_order
from chalicelib.domain.signed.instruments import Stock
from chalicelib.domain.signed.lifecycle import seen_at
from chalicelib.domain.signed.order import DECIMALS_MAX, NOTHING, Hold, SignedOrder, customer_of
from chalicelib.services.signed.reading import SignedReading


@dataclass(frozen=True, slots=True)
class ValidateEndpoint:
    reading: SignedReading

    def validate(self, request: HttpRequest, caller: Caller) -> object:
        """Answer with every reason against creating the order, and the maker's balance (K19)."""
        body = checked(SignedOrderBody, request.body)
        order, settings, now_s = body.order.order(), caller.settings, caller.now_s
        order_hash = order_hash_of(settings.domain, order)
        terms = self.reading.terms(caller.instance, order.asset, order.exchange, order.ticker)
        refuse(unpayable(order, terms.stock))
        is_signed = signer_of_order(settings.domain, order, body.signature) == customer_of(order.maker)
        is_nonce_valid = self.reading.is_nonce_left(caller.instance, order, order_hash)
        is_ahead = order.deadline > now_s
        settles = settings.has_ledger_settlement  # without it, no funds are held (K34)
        available = self.reading.available(caller.instance, order, terms.stock) if settles else NOTHING
        errors = {
            "signature_invalid": not is_signed,
            "nonce_used": not is_nonce_valid,
            "deadline_passed": not is_ahead,
            "deadline_too_short": is_ahead and order.deadline < now_s + settings.min_validity_seconds,
            "asset_unknown": not terms.is_quote,
            "instrument_unknown": terms.stock is None,
            "insufficient_balance": settles and not self._covers(available, order, terms.stock, order_hash, caller),
        }
        balance = str(available.quote if order.is_buy else available.stock)
        return {
            "valid": not any(errors.values()),
            "order_hash": order_hash,
            "errors": [name for name, is_there in errors.items() if is_there],
            "maker_balance": balance,
            "maker_allowance": balance,
            "nonce_valid": is_nonce_valid,
            "signature_valid": is_signed,
            "not_expired": is_ahead,
        }

    def _covers(
        self, available: Hold, order: SignedOrder, stock: Stock | None, order_hash: str, caller: Caller
    ) -> bool:
        """Tell whether funds suffice for every part of the hold; a stored order's hold counts as available (K19).

        A stored order that is not closed needs the rest of its hold, and no more. An unknown stock is taken to have the
        most decimals possible, so the value is a lower bound.
        """
        stored = self.reading.order(caller.instance, order_hash)
        if stored is not None and stored.order_hash == order_hash:
            held = seen_at(stored.order, stored.state, caller.now_s).hold
            if held != NOTHING:
                return True
        wanted = order.hold(DECIMALS_MAX if stock is None else stock.decimals)
        return available.quote >= wanted.quote and available.stock >= wanted.stock
