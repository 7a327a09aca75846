"""Payments of escrow orders: payins, payouts, refunds. Each belongs to one order, and changes in its steps alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Party, RefundStatus, Scope, refund_reference
from chalicelib.domain.tenancy.instances import World


class PayinType(StrEnum):
    """The types that every desk has. External ones, as REDSYS_V2, are an instance's settings (E44): any other text."""

    WALLET = "WALLET"
    BANKWIRE = "BANKWIRE"


class PayinStatus(StrEnum):
    CREATED = "CREATED"
    CONFIRMED = "CONFIRMED"
    DENIED = "DENIED"
    REFUNDED = "REFUNDED"
    CANCELLED = "CANCELLED"


class PayoutType(StrEnum):
    """WALLET: to the seller's wallet. ACCOUNT, BANKWIRE: out of the ledger, as the operator confirms (E42)."""

    WALLET = "WALLET"
    ACCOUNT = "ACCOUNT"
    BANKWIRE = "BANKWIRE"


class PayoutStatus(StrEnum):
    CREATED = "CREATED"
    CONFIRMED = "CONFIRMED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"


INSUFFICIENT_FUNDS, BUYER_FROZEN = "insufficient_funds", "customer_frozen"


@dataclass(frozen=True, slots=True)
class Payin:
    """Money on its way into an order's hold. amount: the order's value when it was opened.

    type: a ``PayinType``, or an external one. wallet_id: of a WALLET payin; iban, beneficiary: where a BANKWIRE payin
    is to be sent; external_reference: the provider's name for an external one. error: why it was denied.
    link: the token of the order's page for its buyer. buyer, seller: the order's parties when it was
    confirmed, which they stay: so what was agreed stands in two places (``tallybook verify``).
    """

    scope: Scope
    payin_id: int
    order_id: int
    type: str
    amount: int
    link: str
    created_at_s: int
    wallet_id: int | None = None
    iban: str | None = None
    beneficiary: str | None = None
    external_reference: str | None = None
    status: PayinStatus = PayinStatus.CREATED
    error: str | None = None
    confirmed_at_s: int | None = None
    denied_at_s: int | None = None
    buyer: Party | None = None
    seller: Party | None = None

    @property
    def reference(self) -> str:
        return f"PI-{self.payin_id}"

    @property
    def is_external(self) -> bool:
        """Whether a provider outside takes its money, and says by callback what became of it (E44)."""
        return self.type not in (PayinType.WALLET, PayinType.BANKWIRE)

    @property
    def provider(self) -> dict[str, int | str | None]:
        """Where its money comes from, or is to be sent, and why it was denied."""
        provider: dict[str, int | str | None] = {"reference": self.reference}
        if self.type == PayinType.WALLET:
            provider = {"wallet_id": self.wallet_id}
        elif self.type == PayinType.BANKWIRE:
            provider = {"iban": self.iban, "beneficiary": self.beneficiary, "reference": self.reference}
        else:
            provider |= {"external_reference": self.external_reference}
        return provider | ({"error": self.error} if self.status is PayinStatus.DENIED else {})


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way out of an order's hold, to the seller's wallet or out of the ledger.

    wallet_id: of a WALLET payout. bankaccount_id, bankwire_ref: of the others: the merchant's name for a bank account,
    which the desk does not know, and a text for the seller. error: why it was denied.
    """

    scope: Scope
    payout_id: int
    order_id: int
    type: PayoutType
    created_at_s: int
    wallet_id: int | None = None
    bankaccount_id: int | None = None
    bankwire_ref: str | None = None
    status: PayoutStatus = PayoutStatus.CREATED
    error: str | None = None
    confirmed_at_s: int | None = None
    denied_at_s: int | None = None

    @property
    def reference(self) -> str:
        return f"PO-{self.payout_id}"

    @property
    def is_external(self) -> bool:
        """Whether it leaves the ledger, when the operator confirms it."""
        return self.type is not PayoutType.WALLET

    @property
    def provider(self) -> dict[str, int | str | None]:
        """Where its money goes, and why it was denied."""
        provider: dict[str, int | str | None] = {"wallet_id": self.wallet_id}
        if self.is_external:
            provider = {"bankaccount_id": self.bankaccount_id, "bankwire_ref": self.bankwire_ref or self.reference}
        return provider | ({"error": self.error} if self.status is PayoutStatus.DENIED else {})


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that went from an order's hold back to a wallet of its buyer. number: 1 is the order's first.

    payin_id: of the payin whose money it was.
    """

    scope: Scope
    refund_id: int
    order_id: int
    number: int
    amount: int
    wallet_id: int
    payin_id: int
    currency: Currency
    created_at_s: int
    status: RefundStatus = RefundStatus.CONFIRMED

    @property
    def reference(self) -> str:
        return refund_reference(self.order_id, self.number)


def callback_sender(instance: str, world: World, payin_type: str) -> str:
    """Return the name under which the secret of an external payin type is derived."""
    return f"{instance}/{world.value}/{payin_type}"
