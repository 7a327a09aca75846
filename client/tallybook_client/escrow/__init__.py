"""The escrow desk: a merchant's orders between a buyer and a seller, whose money is held until they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from tallybook_client.escrow.envelope import (
    MOUNT,
    Dated,
    Listed,
    OrderSearch,
    Searched,
    authorization,
    error_of,
    posted,
    rows_of,
    written,
)
from tallybook_client.escrow.models import (
    Account,
    Customer,
    CustomerForm,
    Delivery,
    NewOrder,
    Number,
    Order,
    OrderChange,
    Payin,
    Payout,
    Refund,
    Wallet,
    WalletTransaction,
    Webhook,
    WebhookChange,
)
from tallybook_client.escrow.operator import EscrowOperator
from tallybook_client.feed import WAIT_S, EventPage, Feed
from tallybook_client.transport import Session, path_of, query_of
from tallybook_client.wire import Members, member_of, members_of

__all__ = ["CustomerForm", "EscrowDesk", "EscrowOperator", "NewOrder", "OrderChange", "WebhookChange"]


@dataclass(frozen=True, slots=True)
class Orders:
    """``desk.orders``. Commands return the order afterwards; ``key`` is an ``Idempotency-Key``, else a new one."""

    _session: Session

    def create(self, order: NewOrder, *, key: str | None = None) -> Order:
        """Create an order: DRAFT, or PENDING_DETAILS if its buyer is named later."""
        return posted(self._session, "/orders", members_of(order), Order, key)

    def all(self, *, limit: int | None = None, **filters: Unpack[OrderSearch]) -> Iterator[Order]:
        """Yield the merchant's orders, newest first unless sorted otherwise."""
        return rows_of(self._session, "/orders", list[Order], filters, limit)

    def one(self, order_id: int) -> Order:
        """Return an order. Raises NotFound."""
        return self._session.get(f"{MOUNT}/orders/{order_id}", Order)

    def change(self, order_id: int, change: OrderChange) -> Order:
        """Change fields, if the order's status allows it (E13)."""
        return written(self._session, "PUT", f"/orders/{order_id}", Order, members_of(change))

    def payin(self, order_id: int) -> Payin:
        """Return the order's latest payin. Raises NotFound."""
        return self._session.get(f"{MOUNT}/orders/{order_id}/payin", Payin)

    def payout(self, order_id: int) -> Payout:
        """Return the order's latest payout. Raises NotFound."""
        return self._session.get(f"{MOUNT}/orders/{order_id}/payout", Payout)

    def accept(self, order_id: int, *, key: str | None = None) -> Order:
        """Accept a paid order, as the seller does."""
        return self._command(order_id, "accept", {}, key)

    def reject(self, order_id: int, *, key: str | None = None) -> Order:
        """Reject a paid order; its money stays held until it is reimbursed (E21)."""
        return self._command(order_id, "reject", {}, key)

    def cancel(
        self, order_id: int, *, tag: str | None = None, metadata: dict[str, Any] | None = None, key: str | None = None
    ) -> Order:
        """Cancel an order; gives back everything that is left (E21)."""
        return self._command(order_id, "cancel", {"tag": tag, "metadata": metadata}, key)

    def validate(self, order_id: int, *, auto_accept: bool | None = None, key: str | None = None) -> Order:
        """Say that an order is done: its money is released, at once or after the instance's delay (E22)."""
        return self._command(order_id, "validate", {"auto_accept": auto_accept}, key)

    def reimburse(
        self,
        order_id: int,
        amount: Number | None = None,
        *,
        wallet_id: int | None = None,
        payin_id: int | None = None,
        key: str | None = None,
    ) -> Order:
        """Give the buyer back a part of what is held; None: all of it (E29)."""
        members = {"amount": amount, "wallet_id": wallet_id, "payin_id": payin_id}
        return self._command(order_id, "reimburse", members, key)

    def receipt(self, order_id: int, *, key: str | None = None) -> Order:
        """Return the order, if it is paid (E41)."""
        return self._command(order_id, "receipt", {}, key)

    def _command(self, order_id: int, word: str, members: dict[str, Any], key: str | None) -> Order:
        given = {name: value for name, value in members.items() if value is not None}
        return posted(self._session, f"/orders/{order_id}/{word}", given, Order, key)


@dataclass(frozen=True, slots=True)
class Payments:
    """``desk.payments``: payins, payouts and refunds."""

    _session: Session

    def pay(self, order_id: int, type: str, *, wallet_id: int | None = None, key: str | None = None) -> Payin:
        """Pay an order: ``WALLET``, ``BANKWIRE``, or an external type (E15, E16, E44)."""
        wallet = {} if wallet_id is None else {"wallet_id": wallet_id}
        return posted(self._session, "/payins", {"order_id": order_id, "type": type, **wallet}, Payin, key)

    def payins(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Payin]:
        """Yield payins, newest first unless sorted otherwise."""
        return rows_of(self._session, "/payins", list[Payin], filters, limit)

    def payin(self, payin_id: int) -> Payin:
        """Return a payin. Raises NotFound."""
        return self._session.get(f"{MOUNT}/payins/{payin_id}", Payin)

    def refresh_payin(self, payin_id: int) -> Payin:
        """Return the payin as it stands; the vendor would look at its provider (E41)."""
        return written(self._session, "PUT", f"/payins/{payin_id}", Payin)

    def pay_out(
        self,
        order_id: int,
        type: Literal["WALLET", "ACCOUNT", "BANKWIRE"] = "WALLET",
        *,
        wallet_id: int | None = None,
        bankaccount_id: int | None = None,
        bankwire_ref: str | None = None,
        key: str | None = None,
    ) -> Payout:
        """Say where an order's money goes when it is released (E17, E42)."""
        to = {"wallet_id": wallet_id, "bankaccount_id": bankaccount_id, "bankwire_ref": bankwire_ref}
        given = {name: value for name, value in to.items() if value is not None}
        return posted(self._session, "/payouts", {"order_id": order_id, "type": type, **given}, Payout, key)

    def payouts(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Payout]:
        """Yield payouts, newest first unless sorted otherwise."""
        return rows_of(self._session, "/payouts", list[Payout], filters, limit)

    def payout(self, payout_id: int) -> Payout:
        """Return a payout. Raises NotFound."""
        return self._session.get(f"{MOUNT}/payouts/{payout_id}", Payout)

    def refresh_payout(self, payout_id: int, *, key: str | None = None) -> Payout:
        """Return the payout as it stands."""
        return posted(self._session, f"/payouts/{payout_id}/update", {}, Payout, key)

    def refunds(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Refund]:
        """Yield refunds, newest first unless sorted otherwise."""
        return rows_of(self._session, "/refunds", list[Refund], filters, limit)

    def refund(self, refund_id: int) -> Refund:
        """Return a refund. Raises NotFound."""
        return self._session.get(f"{MOUNT}/refunds/{refund_id}", Refund)


@dataclass(frozen=True, slots=True)
class Customers:
    """``desk.customers``: buyers and sellers, and their wallets."""

    _session: Session

    def save(self, customer: CustomerForm, *, key: str | None = None) -> Customer:
        """Create a customer, or change the given fields of the one with this e-mail address or phone (E18)."""
        return posted(self._session, "/customers", members_of(customer), Customer, key)

    def change(self, uuid: str, customer: CustomerForm) -> Customer:
        """Change the given fields of a customer (E40)."""
        return written(self._session, "PUT", path_of("/customers/{uuid}", uuid=uuid), Customer, members_of(customer))

    def all(self, *, limit: int | None = None, **filters: Unpack[Searched]) -> Iterator[Customer]:
        """Yield customers, newest first unless sorted otherwise."""
        return rows_of(self._session, "/customers", list[Customer], filters, limit)

    def one(self, uuid: str) -> Customer:
        """Return a customer. Raises NotFound."""
        return self._session.get(path_of(f"{MOUNT}/customers/{{uuid}}", uuid=uuid), Customer)

    def wallets(self, uuid: str | None = None, *, limit: int | None = None, **by: Unpack[Listed]) -> Iterator[Wallet]:
        """Yield a customer's wallets, or everybody's."""
        path = "/wallets" if uuid is None else path_of("/customers/{uuid}/wallets", uuid=uuid)
        return rows_of(self._session, path, list[Wallet], by, limit)

    def wallet(self, uuid: str) -> Wallet:
        """Return a wallet. Raises NotFound."""
        return self._session.get(path_of(f"{MOUNT}/wallets/{{uuid}}", uuid=uuid), Wallet)

    def transactions(
        self, wallet_uuid: str, *, limit: int | None = None, **filters: Unpack[Dated]
    ) -> Iterator[WalletTransaction]:
        """Yield what came into a wallet and went out (E39)."""
        path = path_of("/wallets/{uuid}/transactions", uuid=wallet_uuid)
        return rows_of(self._session, path, list[WalletTransaction], filters, limit)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """``desk.webhooks``. Their writes have no key: after OutcomeUnknown, look at the list."""

    _session: Session

    def create(self, url: str, types: Sequence[str], *, description: str = "") -> Webhook:
        """Make an endpoint; its ``secret`` is shown this once. types: of events, ``order.*``, or ``*``."""
        members = {"url": url, "types": types, "description": description}
        return written(self._session, "POST", "/webhooks", Webhook, members)

    def all(self) -> list[Webhook]:
        """Return all endpoints."""
        return self._session.get(f"{MOUNT}/webhooks", list[Webhook])

    def one(self, webhook_id: str) -> Webhook:
        """Return an endpoint. Raises NotFound."""
        return self._session.get(path_of(f"{MOUNT}/webhooks/{{id}}", id=webhook_id), Webhook)

    def change(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change an endpoint; a status pauses or resumes it."""
        return written(self._session, "PUT", path_of("/webhooks/{id}", id=webhook_id), Webhook, members_of(change))

    def remove(self, webhook_id: str) -> None:
        """Remove an endpoint for good, with its dead letters."""
        written(self._session, "DELETE", path_of("/webhooks/{id}", id=webhook_id), dict[str, Any])

    def test(self, webhook_id: str) -> str:
        """Send a test event; return the id of its delivery."""
        path = path_of("/webhooks/{id}/test", id=webhook_id)
        return member_of(written(self._session, "POST", path, Members), "delivery_id", str)

    def rotate_secret(self, webhook_id: str, hours: int = 24) -> Webhook:
        """Give an endpoint a new secret, shown this once. hours: how long the old one signs too."""
        path = path_of("/webhooks/{id}/rotate-secret", id=webhook_id)
        return written(self._session, "POST", path, Webhook, {"hours": hours})

    def deliveries(
        self,
        webhook_id: str,
        status: Literal["DEAD", "WAITING"] = "DEAD",
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Delivery]:
        """Return dead letters, or what waits. after: the last one of an earlier list, those behind it."""
        path = path_of(f"{MOUNT}/webhooks/{{id}}/deliveries", id=webhook_id)
        return self._session.get(path, list[Delivery], query_of(status=status, limit=limit, after=after))

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, under its id."""
        path = path_of("/webhooks/{id}/redeliver", id=webhook_id)
        return written(self._session, "POST", path, Delivery, {"delivery_id": delivery_id})


class EscrowDesk:
    """``EscrowDesk("http://127.0.0.1:8000", "sk_stage_...")``: all calls of a merchant, in groups. Thread-safe.

    The key chooses the world (E2). options: of its ``session``, which sends any request: ``retries``, ``http`` ...
    """

    def __init__(self, base_url: str, secret_key: str, **options: Any) -> None:
        self.session = Session(base_url, lambda _: authorization(secret_key), error_of, **options)
        self.orders = Orders(self.session)
        self.payments = Payments(self.session)
        self.customers = Customers(self.session)
        self.webhooks = Webhooks(self.session)

    def account(self) -> Account:
        """Return the merchant of the key."""
        return self.session.get(f"{MOUNT}/accounts/me", Account)

    def events(self, after: str | None = None, *, wait_s: int = WAIT_S) -> Feed:
        """Return the feed of the merchant's orders after a cursor, ``"start"``, or from now."""
        return Feed(self._events, after, wait_s)

    def _events(self, after: str | None, wait_s: int) -> EventPage:
        return self.session.get(f"{MOUNT}/events", EventPage, query_of(after=after, limit=1000), wait_s)
