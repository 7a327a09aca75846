"""The operator at the escrow desk: bank payments, blocked orders (E19, E42, E43)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, Unpack

from tallybook_client.escrow.envelope import Searched, authorization, error_of, posted, rows_of
from tallybook_client.escrow.models import Number, Order, Payin, Payout, Wallet
from tallybook_client.transport import Session, path_of

T = TypeVar("T")


class EscrowOperator:
    """``EscrowOperator("http://127.0.0.1:8000", "op_stage_...")``: all calls of an instance's operator. Thread-safe.

    ``key`` is an ``Idempotency-Key``, else a new one. options: of the transport's Session.
    """

    def __init__(self, base_url: str, operator_key: str, **options: Any) -> None:
        self.session = Session(base_url, lambda _: authorization(operator_key), error_of, **options)

    def payins(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Payin]:
        """Yield the open payins of all merchants in the key's world."""
        return rows_of(self.session, "/operator/payins", list[Payin], filters, limit)

    def payouts(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Payout]:
        """Yield the open payouts that leave the ledger, of all merchants."""
        return rows_of(self.session, "/operator/payouts", list[Payout], filters, limit)

    def confirm_payin(self, payin_id: int, amount: Number, *, key: str | None = None) -> Payin:
        """Say that the whole amount has arrived: the order is PUBLISHED."""
        return self._decide(f"/payins/{payin_id}/confirm", Payin, {"amount": amount}, key)

    def deny_payin(self, payin_id: int, reason: str | None = None, *, key: str | None = None) -> Payin:
        """Say that the money will not arrive: the order is a FAILURE."""
        return self._decide(f"/payins/{payin_id}/deny", Payin, {} if reason is None else {"reason": reason}, key)

    def confirm_payout(self, payout_id: int, amount: Number, *, key: str | None = None) -> Payout:
        """Say that the money has left: the order is RELEASED."""
        return self._decide(f"/payouts/{payout_id}/confirm", Payout, {"amount": amount}, key)

    def deny_payout(self, payout_id: int, reason: str | None = None, *, key: str | None = None) -> Payout:
        """Say that the money will not leave: the order is ACCEPTED again."""
        return self._decide(f"/payouts/{payout_id}/deny", Payout, {} if reason is None else {"reason": reason}, key)

    def block(self, order_id: int, *, key: str | None = None) -> Order:
        """Stop an order: it allows no commands until it is unblocked."""
        return self._decide(f"/orders/{order_id}/block", Order, {}, key)

    def unblock(self, order_id: int, *, key: str | None = None) -> Order:
        """Let an order continue; a release waits its delay again (E22)."""
        return self._decide(f"/orders/{order_id}/unblock", Order, {}, key)

    def deposit(self, wallet_uuid: str, amount: Number, reference: str, *, key: str | None = None) -> Wallet:
        """Book a bank payment on a wallet, once for each reference (E19)."""
        path = path_of("/wallets/{uuid}/deposit", uuid=wallet_uuid)
        return self._decide(path, Wallet, {"amount": amount, "reference": reference}, key)

    def _decide(self, path: str, kind: type[T], members: dict[str, Any], key: str | None) -> T:
        return posted(self.session, f"/operator{path}", members, kind, key)
