"""Records of the escrow desk: orders, customers, wallets, merchants; ``payments`` has those of payments.

Money is integers in base units of the currency's ledger token; times are Unix seconds. Ids are counted by instance and
kind; both worlds share the counters. ``metadata`` and ``template`` are JSON objects whose numbers are int or Decimal.

Only a step (``steps``) changes an order, from the version that was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import NO_FEE, Currency, FeeTerms
from chalicelib.domain.ledger.changes import Account
from chalicelib.domain.ledger.sandbox import is_of_sandbox
from chalicelib.domain.tenancy.instances import World
from chalicelib.support.consistency import Inconsistent

Json = None | bool | int | Decimal | str | list["Json"] | dict[str, "Json"]

METADATA_KEYS_MAX = 50
METADATA_BYTES_MAX = 8 * 1024


@dataclass(frozen=True, slots=True)
class Scope:
    """One merchant in one world of an instance: all that a request can see or change."""

    instance: str
    world: World
    merchant: str


class RefundStatus(StrEnum):
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class Party:
    """A buyer or a seller as an order keeps it. wallet_id: its wallet in the order's currency."""

    customer_id: int
    uuid: str
    wallet_id: int


@dataclass(frozen=True, slots=True)
class Links:
    """Random tokens in the addresses of an order's three pages."""

    buyer: str
    seller: str
    qr: str


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Addresses to which a client wants its visitors sent. Stored, never answered."""

    buyer_confirmed_url: str | None = None
    buyer_denied_url: str | None = None
    seller_confirmed_url: str | None = None
    seller_denied_url: str | None = None


NO_CALLBACKS = Callbacks()


@dataclass(frozen=True, slots=True)
class Released:
    """Amounts that a release moved out of the hold: paid to the seller, fee to the desk."""

    paid: int
    fee: int


@dataclass(frozen=True, slots=True)
class Order:
    """One escrow payment from a buyer to a seller: its facts, then its state.

    hold: R, what is left of what was paid in; the buyer's account holds it.
    payin_id, payout_id: of the latest ones; the payin is open while the order is PENDING_PUBLISH, and only then.
    is_paid_outside: whether the latest payout leaves the ledger, and has not been denied (E42).
    payins: how many there were. payin_amount: of the confirmed one; refunds do not change it.
    refunds: how many there were; refund_status: of the latest.
    blocked_from: where unblocking takes it back to. release_at_s: when a PENDING_RELEASE is due, else None (E22).
    version: how often it was written, the guard of every write; command: the name of what wrote it last.
    """

    scope: Scope
    order_id: int
    public_id: str
    name: str
    value: int
    currency: Currency
    buyer: Party | None
    seller: Party
    links: Links
    created_at_s: int
    description: str | None = None
    fee_terms: FeeTerms = NO_FEE
    is_auto_settle: bool = False
    tag: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    template: Mapping[str, Json] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    payin_intents: int | None = None
    payin_types: tuple[str, ...] = ()
    payin_fallback: tuple[str, ...] = ()
    callbacks: Callbacks = NO_CALLBACKS
    status: Status = Status.DRAFT
    hold: int = 0
    payins: int = 0
    payin_id: int | None = None
    payin_amount: int | None = None
    payout_id: int | None = None
    is_paid_outside: bool = False
    released: Released | None = None
    refunds: int = 0
    refund_status: RefundStatus | None = None
    blocked_from: Status | None = None
    release_at_s: int | None = None
    published_at_s: int | None = None
    accepted_at_s: int | None = None
    cancelled_at_s: int | None = None
    validated_at_s: int | None = None
    released_at_s: int | None = None
    version: int = 0
    command: str = ""

    @property
    def is_paid(self) -> bool:
        """Whether the order has been paid, wherever the money is now; also with a value of 0 (E12)."""
        return self.published_at_s is not None

    @property
    def is_at_the_bank(self) -> bool:
        """Whether it is validated and its payout leaves the ledger: its money may be on its way (E42)."""
        return self.is_paid_outside and Status.PENDING_RELEASE in (self.status, self.blocked_from)

    @property
    def fee(self) -> int | None:
        """The fee: on the value before payment, on R after it, the one taken after release; None: not agreed (E25)."""
        if not self.fee_terms.is_agreed:
            return None
        if self.released is not None:
            return self.released.fee
        return self.fee_terms.fee(self.currency).of(self.hold if self.is_paid else self.value)

    @property
    def payout_amount(self) -> int | None:
        """The amount of the payout: planned before release, paid after it. None without a payout."""
        if self.released is not None:
            return self.released.paid
        return None if self.payout_id is None else self.hold - (self.fee or 0)

    @property
    def refund_reference(self) -> str | None:
        """The reference of the latest refund."""
        return refund_reference(self.order_id, self.refunds) if self.refunds else None

    @property
    def buyer_account(self) -> Account:
        if self.buyer is None:
            raise Inconsistent("an order without a buyer moves no money")
        return self.account_of(self.buyer)

    @property
    def seller_account(self) -> Account:
        return self.account_of(self.seller)

    @property
    def fees_account(self) -> Account:
        return Account(None, self.currency.asset)

    def account_of(self, party: Party) -> Account:
        return Account(customer_ref(self.scope.world, party.uuid), self.currency.asset)


@dataclass(frozen=True, slots=True)
class Customer:
    """A buyer or seller of a merchant in one world. wallets: the id of its wallet by currency code.

    is_hidden: the merchant's own, made with it: never listed, its wallets are (E18).
    """

    scope: Scope
    customer_id: int
    uuid: str
    created_at_s: int
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    prefix: str | None = None
    phone: str | None = None
    tag: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    wallets: Mapping[str, int] = field(default_factory=dict)
    is_hidden: bool = False
    version: int = 0
    command: str = ""

    @property
    def ref(self) -> str:
        """The customerRef under which the ledger knows it."""
        return customer_ref(self.scope.world, self.uuid)

    def party(self, currency: str) -> Party:
        """Return it as an order in this currency keeps it. KeyError where it has no wallet in it."""
        return Party(self.customer_id, self.uuid, self.wallets[currency])


@dataclass(frozen=True, slots=True)
class Wallet:
    """The view of one ledger account: one customer, one currency. Its balance is read off the ledger."""

    scope: Scope
    wallet_id: int
    uuid: str
    customer_id: int
    customer_uuid: str
    currency: Currency
    created_at_s: int

    @property
    def account(self) -> Account:
        return Account(customer_ref(self.scope.world, self.customer_uuid), self.currency.asset)


class OtherWorldsAsset(Exception):
    """A row is about the asset of the other world: it was made before the sandbox had assets of its own (E35)."""

    def __init__(self, thing: str, asset: str) -> None:
        super().__init__(
            f"{thing} has the asset {asset}, which is not of its world: these tables were made before the sandbox had "
            "assets of its own; make them anew"
        )


def refuse_other_worlds_asset(thing: str, world: World, currency: Currency) -> None:
    """Raise OtherWorldsAsset where a thing's currency is not as its world has it."""
    if is_of_sandbox(currency.asset) != (world is World.SANDBOX):
        raise OtherWorldsAsset(thing, currency.asset)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A platform that owns secret keys of the desk; it sees only its own orders, customers and wallets.

    merchant: its reference in the instance. customers: its own hidden customer in each world, by uuid. email: shown to
    clients of its keys; names no customer. frames: origins whose pages may frame those of its orders.
    """

    instance: str
    merchant: str
    base_currency: str
    customers: Mapping[World, str]
    created_at_s: int
    email: str | None = None
    frames: tuple[str, ...] = ()

    def scope(self, world: World) -> Scope:
        return Scope(self.instance, world, self.merchant)


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact number of rows of each kind at one scope, without the merchant's hidden customer."""

    orders: int = 0
    payins: int = 0
    payouts: int = 0
    refunds: int = 0
    customers: int = 0
    wallets: int = 0


def customer_ref(world: World, uuid: str) -> str:
    """Return the customerRef under which the ledger knows a customer of the desk."""
    return f"{world.value}:{uuid}"


def refund_reference(order_id: int, number: int) -> str:
    return f"RF-{order_id}-{number}"
