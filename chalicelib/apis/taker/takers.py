"""Endpoints of takers: lock, unlock, fill and reject an order, answer a maker's cancel request."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import Error, Fault, invalid
from chalicelib.apis.taker.gate import Caller
from chalicelib.apis.taker.schema import (
    REFERENCE,
    CancelResultBody,
    FillBody,
    LockBody,
    RejectBody,
    UnlockBody,
    checked,
)
from chalicelib.domain.signed.eip712 import canonical, order_hash_of
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.domain.signed.order import customer_of
from chalicelib.domain.signed.stored import Fill
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.signed.reading import SignedReading
from chalicelib.support.clock import iso_seconds
from chalicelib.support.consistency import Inconsistent

_NEW_REFERENCE_BYTES = 3


@dataclass(frozen=True, slots=True)
class TakerEndpoints:
    """Commands of takers. new_digits: returns six random hexadecimal digits."""

    desk: SignedOrderDesk
    reading: SignedReading
    new_digits: Callable[[], str] = lambda: secrets.token_hex(_NEW_REFERENCE_BYTES)

    def lock(self, request: HttpRequest, caller: Caller) -> object:
        """Lock an open order; a lock is never extended (K21)."""
        body = checked(LockBody, request.body, {"lock_seconds": caller.settings.lock_seconds})
        _refuse_other_taker(body.taker_address, caller)
        locked = self.desk.lock(
            caller.instance, caller.settings, body.order_hash, caller.address, body.lock_duration, body.reference_id
        )
        lock = locked.state.lock
        if lock is None:
            raise Inconsistent("the order was locked just now")
        return {
            "success": True,
            "order_hash": locked.order_hash,
            "locked_by": lock.taker,
            "locked_at": iso_seconds(lock.locked_at_s),
            "expires_at": iso_seconds(lock.expires_at_s),
        }

    def unlock(self, request: HttpRequest, caller: Caller) -> object:
        """Release the lock; if the maker has asked to cancel, the order is cancelled."""
        body = checked(UnlockBody, request.body)
        after = self.desk.unlock(caller.instance, body.order_hash, caller.address)
        message = "cancelled" if after.state.status is Status.CANCELLED else "unlocked"
        return {"success": True, "order_hash": after.order_hash, "message": message}

    def fill(self, request: HttpRequest, caller: Caller) -> object:
        """Fill the locked order, in whole or in part; a repeated reference returns the same fill (K22, K24)."""
        body = checked(FillBody, request.body)
        asked = FillRequest(
            order_hash=self._order_hash_of(body, caller),
            quantity=body.fill_quantity,
            incentive=body.taker_incentive,
            reference_id=body.reference_id or self._reference_of(request, caller),
            tx_hash=body.tx_hash,
            block_number=body.block_number,
        )
        return _fill_view(self.desk.fill(caller.instance, caller.settings, caller.address, asked))

    def reject(self, request: HttpRequest, caller: Caller) -> object:
        """Reject a locked order for good (K25)."""
        body = checked(RejectBody, request.body)
        after = self.desk.reject(caller.instance, body.order_hash, caller.address, body.reason)
        return {"success": True, "order_hash": after.order_hash, "message": "rejected"}

    def cancel_result(self, request: HttpRequest, caller: Caller) -> object:
        """Grant or decline the maker's cancel request (K26)."""
        body = checked(CancelResultBody, request.body)
        _refuse_other_taker(body.taker_address, caller)
        succeeded = body.cancellation_success
        after = self.desk.cancel_result(caller.instance, body.order_hash, caller.address, succeeded, body.message)
        return {"success": True, "message": "cancelled" if succeeded else "kept", "order_hash": after.order_hash}

    def _order_hash_of(self, body: FillBody, caller: Caller) -> str:
        """Return the hash of the order to fill. Raises Fault if the body's order and order_hash disagree."""
        if body.order is None:
            if body.order_hash is None:
                raise Inconsistent("the body names its order")
            return body.order_hash
        order_hash = order_hash_of(caller.settings.domain, body.order.order())
        if body.order_hash not in (None, order_hash):
            raise invalid({"order_hash": "must be the hash of the order"})
        self._refuse_other_signature(order_hash, body.signature or "", caller)
        return order_hash

    def _refuse_other_signature(self, order_hash: str, signature: str, caller: Caller) -> None:
        """Raise Fault for a signature other than the stored one, if the taker may see the order (K8)."""
        stored = self.reading.order(caller.instance, order_hash)
        if stored is None or _in_one_form(stored.signature) == _in_one_form(signature):
            return
        if self.reading.may_know_of(stored, caller.address, caller.now_s):
            raise invalid({"signature": "must be the signature with which the order was created"})

    def _reference_of(self, request: HttpRequest, caller: Caller) -> str:
        """Return the reference of a fill without one: the request's id, or a new reference (K22)."""
        request_id = request.headers.get("x-request-id", "")
        if REFERENCE.fullmatch(request_id):
            return request_id
        return f"Taker-{caller.now_s}{self.new_digits()}"


def _in_one_form(signature: str) -> str:
    """Return a signature in canonical form (K38); a malformed one, as in older rows, in lower case."""
    return canonical(signature) or signature.lower()


def _refuse_other_taker(address: str | None, caller: Caller) -> None:
    """Raise Fault for a taker_address other than the key's; None means the key's (K20)."""
    if address is not None and customer_of(address) != customer_of(caller.address):
        raise Fault(Error.FORBIDDEN, "taker_address is not the API key's")


def _fill_view(fill: Fill) -> dict[str, object]:
    """Return the answer to a fill; its amounts are this fill's (K23). tx_hash and block_number: null if not given."""
    return {
        "success": True,
        "order_hash": fill.order_hash,
        "filled_quantity": str(fill.quantity),
        "filled_amount": str(fill.amount),
        "fee_amount": str(fill.fee),
        "incentive_amount": str(fill.incentive),
        "status": fill.status.value,
        "reference_id": fill.reference_id,
        "tx_hash": fill.tx_hash,
        "block_number": fill.block_number,
    }
