"""A small escrow desk for tests: one instance, a merchant, a buyer and a seller in euros; the clock is the test's."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from chalicelib.domain.escrow.commands import CreateCustomer, CreateOrder, Deposit, OpenPayin, PayOut
from chalicelib.domain.escrow.money import Currency, FeeTerms, base_units
from chalicelib.domain.escrow.order import Customer, Order, Scope
from chalicelib.domain.escrow.payments import Payin, PayinType, Payout, PayoutType
from chalicelib.domain.escrow.settings import DeskSettings, ExternalPayinType
from chalicelib.domain.feed.logs import escrow_area, lanes_of
from chalicelib.domain.feed.outbox import events_of
from chalicelib.domain.ledger.owners import customer_key, escrow_fees_key
from chalicelib.domain.ledger.sandbox import sandbox_asset
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.tenancy.instances import World
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.support.clock import new_id
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.outbox import Outbox, outbox_entry_of
from chalicelib.tables.rows import Row
from chalicelib.tables.tokens import Tokens

INSTANCE, MERCHANT = "inst_test0001", "shop"
EUR = Currency("EUR", 2, "0x" + "e" * 40)
JPY = Currency("JPY", 0, "0x" + "1" * 40)
SANDBOX_EUR, SANDBOX_JPY = (replace(one, asset=sandbox_asset(one.asset)) for one in (EUR, JPY))
"""As the sandbox has them, in which most tests are at work (E35)."""
SETTINGS = DeskSettings((EUR, JPY), iban="ES00", beneficiary="Shop", payin_types=(ExternalPayinType("CARD"),))
NOW_S = 1_740_000_000
TABLES = ("accounts", "escrows", "outbox", "requests", "tenants", "tokens")


def eur(amount: str | int) -> int:
    """Return euros in base units."""
    return base_units(Decimal(amount))


def percent(amount: str | int) -> int:
    return int(Decimal(amount) * 10**4)


def fee(value: str | int | None = None, of: str | int | None = None) -> FeeTerms:
    return FeeTerms(None if value is None else eur(value), None if of is None else percent(of))


class EscrowWorld:
    """The desk and what stands in its tables. ann buys, sam sells; each has a wallet in euros and in yen."""

    def __init__(self, database: Database) -> None:
        self.now_s = NOW_S
        self.set_up(database)
        desks = EscrowDesks(database)
        for currency in (EUR, JPY):
            token = new_token(new_id("tok"), currency.asset, currency.code, currency.code)
            Tokens(database).register(INSTANCE, token)
        desks.change(INSTANCE, lambda _: SETTINGS)
        self.merchant = self.desk.create_merchant(INSTANCE, MERCHANT, "EUR")
        self.scope = self.merchant.scope(World.SANDBOX)
        self.buyer = self.customer("ann@x.test")
        self.seller = self.customer("sam@x.test")

    def set_up(self, database: Database) -> None:
        self.database = database
        self.accounts = Accounts(database)
        self.escrows = Escrows(database)
        self.desk = EscrowDesk(database, lambda: self.now_s)

    def over(self, database: Database) -> EscrowWorld:
        """Return the same world over a copy of its tables, or through another client."""
        other = copy(self)
        other.set_up(database)
        return other

    def set_delay(self, seconds: int) -> None:
        EscrowDesks(self.database).change(INSTANCE, lambda now: replace(now, release_delay_seconds=seconds))

    def customer(self, email: str) -> Customer:
        return self.desk.create_customer(self.scope, CreateCustomer(email=email))

    def deposit(self, amount: str | int, reference: str = "first", customer: Customer | None = None) -> None:
        owner = customer or self.buyer
        (wallet, _) = self.escrows.wallets_of(owner)
        self.desk.deposit(owner.scope, wallet.uuid, Deposit(eur(amount), reference))

    def order(self, value: str | int = 150, **more: Any) -> Order:
        parties = {"buyer_id": self.buyer.customer_id, "seller_id": self.seller.customer_id}
        request = CreateOrder(name="Road bike", value=eur(value), **(parties | {"currency": "EUR"} | more))
        return self.desk.create_order(self.scope, request)

    def pay(self, order: Order) -> Payin:
        """Pay an order from its buyer's wallet."""
        assert order.buyer is not None
        request = OpenPayin(order.order_id, PayinType.WALLET, order.buyer.wallet_id)
        return self.desk.open_payin(self.scope, request)

    def bankwire(self, order: Order) -> Payin:
        return self.desk.open_payin(self.scope, OpenPayin(order.order_id, PayinType.BANKWIRE))

    def pay_out(self, order: Order) -> Payout:
        return self.desk.pay_out(self.scope, PayOut(order.order_id, PayoutType.WALLET, order.seller.wallet_id))

    def paid(self, value: str | int = 150, **more: Any) -> Order:
        """Return an order that was paid by bank wire."""
        order = self.order(value, **more)
        self.desk.confirm_payin(self.scope, self.bankwire(order).payin_id, order.value)
        return self.now(order)

    def now(self, order: Order) -> Order:
        found = self.escrows.order(order.scope, order.order_id)
        assert found is not None
        return found

    def payin_of(self, order: Order) -> Payin:
        payin, _ = self.escrows.attached(self.now(order))
        assert payin is not None
        return payin

    def payout_of(self, order: Order) -> Payout:
        _, payout = self.escrows.attached(self.now(order))
        assert payout is not None
        return payout

    def funds(self, customer: Customer) -> tuple[int, int]:
        """Return what a customer has available and held, in base units of euros."""
        balance = self.accounts.balance(customer_key(INSTANCE, customer.ref), SANDBOX_EUR.asset)
        return balance.available, balance.held

    def fees(self) -> int:
        balance = self.accounts.balance(escrow_fees_key(INSTANCE, World.SANDBOX), SANDBOX_EUR.asset)
        return balance.available

    def events(self) -> list[str]:
        return [one.event for one in happened(self.database, self.scope)]

    def tables(self) -> dict[str, list[Row]]:
        """Return every row of every table that the desk writes to, to compare."""
        return {
            table: sorted(self.database.scan(table), key=lambda row: [str(value) for value in list(row.values())[:2]])
            for table in TABLES
        }


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of an order in the outbox. left: the status that the order's previous event entered."""

    order_id: int
    event: str
    left: str | None
    entered: str
    at_s: int
    command: str


def happened(database: Database, scope: Scope) -> list[Happened]:
    """Return the events of a merchant's orders, oldest command first."""
    outbox, found, status = Outbox(database), list[Happened](), dict[int, str]()
    lanes = lanes_of(escrow_area(scope.world.value, scope.merchant))
    entries = [entry for lane in lanes for entry in outbox.after(scope.instance, lane, 0)]
    for entry in sorted(entries, key=lambda one: one.command):
        for event in events_of(scope.instance, entry):
            if event.type != "balance.changed":
                escrow: Any = event.body["escrow"]
                order_id, entered = int(escrow["id"]), escrow["status"]
                at_s = event.at_ms // 1000
                found.append(Happened(order_id, event.type, status.get(order_id), entered, at_s, entry.command))
                status[order_id] = entered
    return found


def check_money(world: EscrowWorld) -> None:
    """Assert that no account is negative, that all there is was credited, that what is held is what orders hold."""
    totals: dict[str, int] = {}
    held: dict[str, int] = {}
    supply: dict[str, int] = {}
    for row in world.database.scan("accounts"):
        if not row["entry"].startswith("balance/"):
            continue
        if row["owner"] == f"{INSTANCE}/supply":
            supply[row["entry"]] = row["available"]
            continue
        assert row["available"] >= 0, row
        assert row["held"] >= 0, row
        totals[row["entry"]] = totals.get(row["entry"], 0) + row["available"] + row["held"]
        if row["held"]:
            held[row["owner"]] = row["held"]
    assert totals == supply | {entry: 0 for entry in totals if entry not in supply}
    of_orders: dict[str, int] = {}
    for order in world.escrows.orders(world.scope):
        if order.hold:
            owner = customer_key(INSTANCE, str(order.buyer_account.customer))
            of_orders[owner] = of_orders.get(owner, 0) + order.hold
    assert held == of_orders


def check_feed(world: EscrowWorld) -> None:
    """Assert that the changes of balances in the outbox add up to the accounts."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in world.database.scan("outbox"):
        for event in events_of(*outbox_entry_of(row)):
            if event.type == "balance.changed":
                body: dict[str, Any] = dict(event.body)
                customer, fees = body["customerRef"], escrow_fees_key(INSTANCE, world.scope.world)
                owner = fees if customer is None else customer_key(INSTANCE, customer)
                total = sums.setdefault((owner, body["asset"]), [0, 0])
                total[0] += int(body["available"])
                total[1] += int(body["held"])
    for (owner, asset), total in sums.items():
        balance = world.accounts.balance(owner, asset)
        assert total == [balance.available, balance.held], (owner, asset)


def check_all(world: EscrowWorld) -> None:
    """Assert that the money is right, and that every row agrees with the others."""
    check_money(world)
    check_feed(world)
    Verifier(world.database).verify(None)
