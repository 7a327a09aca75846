"""A taker desk on any engine: an instance with two tokens and an instrument, funded customers, a clock to set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from chalicelib.domain.ledger.owners import customer_key, desk_fees_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.lifecycle import State, Status, status_at
from chalicelib.domain.signed.order import NOTHING, SignedOrder
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.signed.stored import Fill, StoredOrder
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.ledger.movements import Movements
from chalicelib.services.signed.desk import Signed, SignedOrderDesk
from chalicelib.support.clock import new_id
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.rows import Row
from chalicelib.tables.signed_orders import SignedOrders
from chalicelib.tables.tokens import Tokens

INSTANCE = "inst_taker"
QUOTE = "0x09671802cc9bbf6402f2e7a07b220aa7b43d8c91"
STOCK = "0x00000000000000000000000000000000000000aa"
MAKER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
PRINCIPAL = "0x00000000000000000000000000000000000000c0"
TAKER = "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd"
OTHER = "0x00000000000000000000000000000000000000B2"
NOW_S = 1_737_082_824
UNIT = 10**18
FUNDS = 10**6 * UNIT
"""What everybody has of both tokens, where a test says nothing else."""

BUY = SignedOrder(
    maker=MAKER,
    principal=MAKER,
    is_buy=True,
    ticker="AAPL",
    exchange=0,
    asset="0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91",
    price=150_250_000_000_000_000_000,
    quantity=10 * UNIT,
    incentive=UNIT,
    deadline=4_102_444_800,
    nonce=1,
)
BUY_HASH = "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11"
SELL = replace(BUY, is_buy=False, ticker="TSLA", price=200 * UNIT + 1, quantity=3 * UNIT + 1, incentive=UNIT, nonce=2)
SELL_HASH = "0xa9c8e6ebb7afbee052458a96efdcf4c7d01cb2e5eb7b31fba8057e5cb24e664f"


def hash_of(order: SignedOrder) -> str:
    """Return a hash for an order: a known one's own, else any that differs as the order does."""
    known = {BUY: BUY_HASH, SELL: SELL_HASH}
    return known.get(order) or "0x" + hashlib.sha256(repr(asdict(order)).encode()).hexdigest()


@dataclass(slots=True)
class Market:
    """now_s: what the desk takes for the time."""

    database: Database
    now_s: int = NOW_S
    settings: DeskSettings = field(default_factory=DeskSettings)
    desk: SignedOrderDesk = field(init=False)
    orders: SignedOrders = field(init=False)

    def __post_init__(self) -> None:
        self.desk = self.desk_over(self.database)
        self.orders = SignedOrders(self.database)

    def over(self, database: Database) -> Market:
        """Return the same on other tables."""
        return Market(database, self.now_s, self.settings)

    def desk_over(self, database: Database) -> SignedOrderDesk:
        return SignedOrderDesk(database, lambda: self.now_s)

    # What the tests set up

    def fund(self, customer: str, asset: str, amount: int) -> None:
        Movements(self.database).record(Movement(INSTANCE, asset, None, customer.lower(), amount))

    def create(self, order: SignedOrder = BUY) -> StoredOrder:
        return self.desk.create(INSTANCE, self.settings, Signed(order, hash_of(order), "0x" + "ab" * 65))

    def lock(
        self, order: SignedOrder = BUY, taker: str = TAKER, seconds: int | None = 600, reference: str | None = None
    ) -> StoredOrder:
        return self.desk.lock(INSTANCE, self.settings, hash_of(order), taker, seconds, reference)

    def unlock(self, order: SignedOrder = BUY, taker: str = TAKER) -> StoredOrder:
        return self.desk.unlock(INSTANCE, hash_of(order), taker)

    def fill(
        self,
        quantity: int,
        reference: str = "r1",
        order: SignedOrder = BUY,
        taker: str = TAKER,
        incentive: int | None = None,
        tx_hash: str | None = None,
    ) -> Fill:
        request = FillRequest(hash_of(order), quantity, incentive, reference, tx_hash)
        return self.desk.fill(INSTANCE, self.settings, taker, request)

    def cancel(self, order: SignedOrder = BUY, maker: str = MAKER) -> StoredOrder:
        return self.desk.cancel(INSTANCE, self.stored_id(order), maker)

    def stored_id(self, order: SignedOrder = BUY) -> str:
        return StoredOrder(
            INSTANCE, hash_of(order), order, "", "", 18, 0, State(Status.PENDING, NOTHING, 0), True
        ).order_id

    # What the tests look at

    def stored(self, order: SignedOrder = BUY) -> StoredOrder:
        found = self.orders.get(INSTANCE, self.stored_id(order))
        assert found is not None, "there is such an order"
        return found

    def status(self, order: SignedOrder = BUY) -> Status:
        """Return the effective status."""
        return status_at(order, self.stored(order).state, self.now_s)

    def funds(self, customer: str, asset: str) -> tuple[int, int]:
        """Return what the customer has available and held."""
        balance = Accounts(self.database).balance(customer_key(INSTANCE, customer.lower()), asset)
        return balance.available, balance.held

    def fees(self, asset: str = QUOTE) -> int:
        balance = Accounts(self.database).balance(desk_fees_key(INSTANCE), asset)
        assert balance.held == 0
        return balance.available

    def seen(self, taker: str = TAKER) -> dict[str, list[str]]:
        """Return the hashes of the orders that the taker sees: those it only locked, and those it filled."""
        return {
            "locked": [seen.order_hash for seen in self.orders.locked_seen(INSTANCE, taker)],
            "filled": [seen.order_hash for seen in self.orders.filled_seen(INSTANCE, taker, newest_first=False)],
        }

    def tables(self) -> dict[str, list[Row]]:
        """Return all that stands in the tables that the desk writes."""
        names = ("signed-orders", "accounts")
        return {name: sorted(self.database.scan(name), key=lambda row: (row["owner"], row["entry"])) for name in names}


def open_market(database: Database, funded: Iterable[str] = (MAKER, TAKER, OTHER), **settings: Any) -> Market:
    """Return a market; each of the funded has FUNDS of both tokens."""
    tokens, instruments = Tokens(database), Instruments(database)
    for symbol, address in (("USD", QUOTE), ("STK", STOCK)):
        tokens.register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol))
    instruments.add_quote(INSTANCE, QUOTE)
    for ticker in (BUY.ticker, SELL.ticker):
        instruments.add(INSTANCE, 0, ticker, STOCK)
    market = Market(database, settings=DeskSettings(**settings))
    for customer in funded:
        for asset in (QUOTE, STOCK):
            market.fund(customer, asset, FUNDS)
    return market


def refused(market: Market, error: type[Exception], command: Callable[[], object]) -> Any:
    """Return the refusal of a command, which has changed nothing."""
    __tracebackhide__ = True
    before = market.tables()
    with pytest.raises(error) as told:
        command()
    assert market.tables() == before
    assert type(told.value) is error
    return told.value


def proven(market: Market) -> None:
    Verifier(market.database).verify(None)
