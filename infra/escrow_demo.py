"""The escrow desk's demo data: a merchant with keys, a funded buyer, a seller and three orders.

Seeding is repeatable: whatever exists stays, and the earlier run's keys are reused if they are still valid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import wiring
from chalicelib.domain.escrow.commands import CreateCustomer, CreateOrder, Deposit, OpenPayin
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import MAJOR_UNIT, FeeTerms
from chalicelib.domain.escrow.order import Customer, Order, OtherWorldsAsset, Scope
from chalicelib.domain.escrow.payments import PayinType, callback_sender
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS
from chalicelib.domain.webhooks.signing import callback_secret_of
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.clock import now_s
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from infra.demo import INSTANCE, QUOTE_TOKEN, create_if_missing

MERCHANT, CURRENCY = "demo-shop", "EUR"
PAYIN_TYPE = "REDSYS_V2"
"""The external type that shop plugins open."""
BUYER, SELLER = "buyer@example.test", "seller@example.test"
IBAN, BENEFICIARY = "ES9121000418450200051332", "Demo Shop"
DEPOSIT = 10_000 * MAJOR_UNIT
FEE = FeeTerms(percent=25_000)
BURST, PER_MINUTE = "1000", "60000"
KEYS = {
    "secret_key": ["--merchant", MERCHANT, "--world", World.SANDBOX.value],
    "production_key": ["--merchant", MERCHANT, "--world", World.PRODUCTION.value],
    "operator_key": ["--operator", "--world", World.SANDBOX.value],
}
ORDERS = {
    "demo-draft": ("Road bike", 150, Status.DRAFT),
    "demo-paid": ("Winter tyres", 240, Status.PUBLISHED),
    "demo-released": ("Bike lamp", 40, Status.RELEASED),
}
"""By tag: name, value in euros, and the status to which each is brought."""


def seed(base_url: str) -> None:
    """Enable the currency, external payins, and create the merchant if they are missing. Raises CommandFailed.

    base_url: where this run serves; links of orders lead there.
    """
    settings = cli.run(["escrow-desk", "currency", INSTANCE, CURRENCY, "--token-address", QUOTE_TOKEN])
    if settings["iban"] is None:
        cli.run(["escrow-desk", "settings", INSTANCE, "--iban", IBAN, "--beneficiary", BENEFICIARY])
    cli.run(["escrow-desk", "settings", INSTANCE, "--public-base-url", base_url])
    cli.run(["escrow-desk", "payin-type", INSTANCE, PAYIN_TYPE])
    create_if_missing(["merchant", "create", INSTANCE, MERCHANT, "--base-currency", CURRENCY])


def escrow_desk(earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return the escrow desk's part of ``demo.json``. earlier: that part from an earlier run. Raises CommandFailed."""
    keys = {name: _key(earlier.get(name), whose) for name, whose in KEYS.items()}
    seeding = _Seeding.at(EscrowDesks(wiring.database()).merchant(INSTANCE, MERCHANT).scope(World.SANDBOX))
    try:
        seeding.fund()
        seeding.make_orders()
    except OtherWorldsAsset as error:
        raise CommandFailed(f"{error} (make run FRESH=1)") from error
    buyer, seller = seeding.buyer, seeding.seller
    ids = {"buyer_id": buyer.customer_id, "seller_id": seller.customer_id, "buyer_wallet_id": buyer.wallets[CURRENCY]}
    return {**keys, **ids, **_callback()}


def _callback() -> dict[str, str]:
    """Return where the provider of external payins calls back in the sandbox, and the secret that signs it."""
    kind = EscrowDesks(wiring.database()).settings(INSTANCE).payin_type(PAYIN_TYPE)
    sender = callback_sender(INSTANCE, World.SANDBOX, PAYIN_TYPE)
    secret = callback_secret_of(wiring.master_key(), sender, kind.generation if kind else 1)
    return {"callback_path": f"/2.0/callbacks/{sender}", "callback_secret": secret}


def _key(earlier: object, whose: list[str]) -> str:
    """Return the earlier key if it is still valid, otherwise a new one."""
    if isinstance(earlier, str):
        known = Credentials(wiring.database(), ESCROW_KEYS).accept(earlier)
        if known is not None and known.is_enabled:
            return earlier
    rates = ["--burst", BURST, "--per-minute", PER_MINUTE]
    return str(cli.run(["escrow-key", "create", "--instance", INSTANCE, *whose, *rates])["key"])


@dataclass(frozen=True, slots=True)
class _Seeding:
    desk: EscrowDesk
    escrows: Escrows
    scope: Scope
    buyer: Customer
    seller: Customer

    @classmethod
    def at(cls, scope: Scope) -> _Seeding:
        desk = EscrowDesk(wiring.database(), now_s)
        buyer, seller = (desk.create_customer(scope, CreateCustomer(email=email)) for email in (BUYER, SELLER))
        return cls(desk, Escrows(wiring.database()), scope, buyer, seller)

    def fund(self) -> None:
        (wallet,) = (wallet for wallet in self.escrows.wallets_of(self.buyer) if wallet.currency.code == CURRENCY)
        self.desk.deposit(self.scope, wallet.uuid, Deposit(DEPOSIT, "demo"))

    def make_orders(self) -> None:
        """Create the demo's orders and bring each to its status. Does nothing once that many orders exist."""
        if self.escrows.counts(self.scope).orders > len(ORDERS):
            return
        made = {order.tag: order for order in self.escrows.orders(self.scope)}
        for tag, (name, euros, status) in ORDERS.items():
            request = CreateOrder(
                name,
                euros * MAJOR_UNIT,
                CURRENCY,
                self.buyer.customer_id,
                self.seller.customer_id,
                fee_terms=FEE,
                tag=tag,
            )
            order = made.get(tag) or self.desk.create_order(self.scope, request)
            self._bring(order, status)

    def _bring(self, order: Order, status: Status) -> None:
        """Bring an order forward from the status in which an earlier start left it."""
        if status is not Status.DRAFT and order.status is Status.DRAFT:
            wallet_id = self.buyer.wallets[CURRENCY]
            self.desk.open_payin(self.scope, OpenPayin(order.order_id, PayinType.WALLET, wallet_id))
        if status is Status.RELEASED and order.status in (Status.DRAFT, Status.PUBLISHED):
            self.desk.validate(self.scope, order.order_id, auto_accept=True)
