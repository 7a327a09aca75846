"""Counts each desk's orders through their life cycle: reads, writes and DynamoDB calls of every step.

The program's own code runs over a metered database (``meter``); only the HTTP client is left out. Sizes are typical:
18-digit amounts, generated ids, customer references of eleven characters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from time import process_time

from benchmarks import units
from benchmarks.meter import Bill, metered
from chalicelib.apis.book.routes import PLACE
from chalicelib.apis.escrow.gate import Gate as EscrowGate
from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.gate import Gate as TakerGate
from chalicelib.domain.books.config import BookConfig
from chalicelib.domain.escrow.commands import CreateCustomer, CreateOrder, Deposit, OpenPayin
from chalicelib.domain.escrow.money import Currency, FeeTerms
from chalicelib.domain.escrow.order import PayinType, Scope
from chalicelib.domain.ledger.owners import book_key
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.order import SignedOrder
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, TAKER_KEYS, EscrowKey, TakerKey, escrow_prefix_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.books.admission import Admission
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.stream import match_records
from chalicelib.services.escrow.desk import EscrowDesk, Swept
from chalicelib.services.ledger.movements import Movements
from chalicelib.services.signed.desk import Signed, SignedOrderDesk
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.support.clock import new_id, now_ms, now_s
from chalicelib.tables import inbox
from chalicelib.tables.books import Books
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database, Row, batched, encode
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.tenants import Tenants, instance_id
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring.book import new_book_desk
from infra.tables import table_definitions

INSTANCE_REF = "bench001"
INSTANCE = instance_id(INSTANCE_REF)
API_KEY = f"trusset_{INSTANCE_REF}_{'0123456789abcdef' * 4}"
BASE, QUOTE, EURO = ("0x" + letter * 40 for letter in "bce")
BOOK = BookConfig(INSTANCE, "ob_01JHMK1SM0VFDWJZAXWFHFWSTP", "Bench", "B/Q", BASE, QUOTE)
UNIT = 10**18
PRICE, QUANTITY = 100 * UNIT, 3 * UNIT
FUNDS = 10**6 * UNIT
MAKER = "0x" + "a1" * 20
NEVER_S = 4_102_444_800
"""A deadline that is never reached."""
CREATED = 201
STORED_FOR_GOOD = ("journal", "orders", "fills", "accounts", "signed-orders", "escrows", "outbox")


@dataclass(frozen=True, slots=True)
class Step:
    """One order's share of a step. cpu_ms: CPU time on this machine.

    rounds: round trips in sequence; parallel calls are one round.
    """

    name: str
    calls: float
    rounds: float
    write_units: float
    read_units: float
    cpu_ms: float
    tables: dict[str, float] = field(default_factory=dict)
    """Write units by table."""

    def times(self, number: int) -> Step:
        """Return this step repeated a number of times."""
        numbers = (self.calls, self.rounds, self.write_units, self.read_units, self.cpu_ms)
        tables = {table: used * number for table, used in self.tables.items()}
        return Step(self.name, *(value * number for value in numbers), tables)


@dataclass(frozen=True, slots=True)
class Path:
    """An order's life cycle. requests: by clients. stored_bytes: permanent rows, fills included.

    batches: an order's share of runs of the match function.
    """

    name: str
    requests: float
    steps: tuple[Step, ...]
    stored_bytes: float
    batches: float = 0.0

    @property
    def write_units(self) -> float:
        return sum(step.write_units for step in self.steps)

    @property
    def read_units(self) -> float:
        return sum(step.read_units for step in self.steps)


class Counting:
    """Runs steps over a meter and divides them by orders. The meter's own CPU time is excluded."""

    def __init__(self, database: Database) -> None:
        self.plain = database
        self.database, self._meter = metered(database)

    def step(self, name: str, orders: int, work: Callable[[], object]) -> Step:
        self._meter.take()
        started, own_before = process_time(), self._meter.own_cpu_s
        work()
        cpu_ms = (process_time() - started - (self._meter.own_cpu_s - own_before)) * 1000
        return _share(name, self._meter.take(), orders, cpu_ms)

    def stored_bytes(self, orders: int, before: int) -> float:
        return (stored_bytes(self.plain) - before) / orders


def _share(name: str, bill: Bill, orders: int, cpu_ms: float) -> Step:
    total = bill.total
    tables = {table: cost.write_units / orders for table, cost in sorted(bill.tables.items()) if cost.write_units}
    sums = (bill.calls, bill.rounds, total.write_units, total.read_units, cpu_ms)
    return Step(name, *(value / orders for value in sums), tables)


def stored_bytes(database: Database) -> int:
    """Return the bytes of all permanent rows and their index entries."""
    indexes = {one.name: units.indexes_of(one.create_request) for one in table_definitions("x")}
    found = 0
    for table in STORED_FOR_GOOD:
        for row in database.scan(table):
            item = encode(row)
            entries = (index.entry_of(item) for index in indexes[f"x-{table}"])
            found += units.item_bytes(item) + sum(units.item_bytes(entry) for entry in entries if entry)
    return found


# Book desk; the trade desk's orders go the same way


def open_venue(database: Database, customers: Iterable[str]) -> None:
    """Create the instance with a rate-limited key, its book, and funded customers."""
    tenants = Tenants(database, now_s)
    tenants.create_instance(INSTANCE_REF, frozenset({"trading"}))
    tenants.add_key(INSTANCE, "key_1", API_KEY, 1_000_000)
    tokens = Tokens(database)
    for address, symbol in ((BASE, "B"), (QUOTE, "Q")):
        tokens.register(INSTANCE, new_token(new_id("tok"), address, symbol, symbol))
    Books(database).create(BOOK)
    movements = Movements(database)
    for customer in customers:
        for asset in (BASE, QUOTE):
            movements.record(Movement(INSTANCE, asset, None, customer, FUNDS))


class Venue:
    """Places orders at the desk, and passes the inbox to one matcher, as the stream would."""

    def __init__(self, counting: Counting) -> None:
        self._plain = counting.plain
        self._desk = new_book_desk(counting.database)
        self._matcher = Matcher(counting.database, now_ms)
        self._delivered: set[str] = set()

    def place(self, customer: str, side: str) -> str:
        """Place an order that must be admitted. Return its id."""
        order = {
            "orderBookId": BOOK.book_id, "customerRef": customer, "side": side, "orderType": "LIMIT",
            "price": str(PRICE), "quantity": str(QUANTITY), "timeInForce": "GTC",
        }  # fmt: skip
        headers = {"x-api-key": API_KEY, "content-type": "application/json"}
        response = self._desk.answer(HttpRequest("POST", None, {}, {}, headers, json.dumps(order).encode(), PLACE))
        assert response.status == CREATED, response.body
        return str(json.loads(response.body)["data"]["id"])

    def records(self) -> list[Row]:
        """Return undelivered inbox rows as stream records; this read is not counted."""
        values = {":book": book_key(INSTANCE, BOOK.book_id)}
        rows = [
            row
            for row in self._plain.query(inbox.TABLE, "#book = :book", values)
            if row["command"] not in self._delivered
        ]
        first = len(self._delivered) + 1
        self._delivered |= {row["command"] for row in rows}
        return [
            {"eventName": "INSERT", "dynamodb": {"NewImage": encode(row), "SequenceNumber": f"{number:021d}"}}
            for number, row in enumerate(rows, first)
        ]

    def match(self, records: list[Row], batch: int) -> None:
        for some in batched(records, batch):
            assert match_records(self._matcher, some) == []


def book_path(database: Database, name: str, customers: int, orders: int, batch: int) -> Path:
    """Orders in pairs: one sells, the next buys all of it. ``customers`` take turns."""
    names = [f"cust_{number:06d}" for number in range(customers)]
    open_venue(database, names)
    counting, before = Counting(database), stored_bytes(database)
    venue = Venue(counting)
    sides = "SELL", "BUY"

    def place() -> None:
        for number in range(orders):
            venue.place(names[number % customers], sides[number % 2])

    admitted = counting.step("admission", orders, place)
    records = venue.records()
    matched = counting.step("matching", orders, lambda: venue.match(records, batch))
    return Path(name, 1, (admitted, matched), counting.stored_bytes(orders, before), 1 / batch)


def cancelled_path(database: Database, name: str, orders: int, batch: int) -> Path:
    """Orders that come to rest and are cancelled."""
    names = [f"cust_{number:06d}" for number in range(orders)]
    open_venue(database, names)
    counting, before = Counting(database), stored_bytes(database)
    venue, admission = Venue(counting), Admission(counting.database)
    ids: dict[str, str] = {}

    def place() -> None:
        ids.update((customer, venue.place(customer, "SELL")) for customer in names)

    def cancel() -> None:
        for customer, order_id in ids.items():
            assert admission.cancel(INSTANCE, customer, order_id)

    admitted = counting.step("admission", orders, place)
    arrived = venue.records()
    rested = counting.step("matching", orders, lambda: venue.match(arrived, batch))
    asked = counting.step("cancel", orders, cancel)
    cancels = venue.records()
    closed = counting.step("matching the cancel", orders, lambda: venue.match(cancels, batch))
    return Path(name, 2, (admitted, rested, asked, closed), counting.stored_bytes(orders, before), 2 / batch)


# Signed orders, escrow orders


def signed_path(database: Database, name: str, orders: int) -> Path:
    """A maker's order, locked and filled completely by one taker, with its transfers: three requests."""
    maker, taker, settings = MAKER, "0x" + "b2" * 20, DeskSettings(fee_bps=25)
    open_taker_desk(database, [maker, taker])
    counting, before = Counting(database), stored_bytes(database)
    desk = SignedOrderDesk(counting.database, now_s)
    signed = signed_orders(orders, NEVER_S)

    def each(command: Callable[[Signed], object]) -> Callable[[], object]:
        return lambda: list(map(command, signed))

    api_key = "k" * 64
    limit = RateLimit(bucket=10**6, refill_per_1000_s=10**9, per_day=0)
    key = TakerKey(key_id=digest_of(api_key), instance=INSTANCE, made_s=now_s(), rate_limit=limit, taker=taker)
    Credentials(database, TAKER_KEYS).create(key)

    def lock(one: Signed) -> object:
        return desk.lock(INSTANCE, settings, one.order_hash, taker, seconds=600, reference_id=None)

    counted, limiter = counting.database, RateLimiter(counting.database)
    gate = TakerGate(
        Credentials(counted, TAKER_KEYS).accept, TakerDesks(counted).open_desk, limiter, lambda: iter([b""])
    )
    asked = HttpRequest("GET", None, {}, {}, {"x-api-key": api_key}, b"")
    steps = (
        counting.step("three requests let in", 1, lambda: gate.taker(asked, now_ms())).times(3),
        counting.step("create", orders, each(lambda one: desk.create(INSTANCE, settings, one))),
        counting.step("lock", orders, each(lock)),
        counting.step("fill", orders, each(lambda one: desk.fill(INSTANCE, settings, taker, _whole(one)))),
    )
    return Path(name, 3, steps, counting.stored_bytes(orders, before))


def open_taker_desk(database: Database, customers: Iterable[str]) -> None:
    open_venue(database, customers)
    instruments = Instruments(database)
    instruments.add_quote(INSTANCE, QUOTE)
    instruments.add(INSTANCE, 0, "AAPL", BASE)


def signed_orders(orders: int, deadline_s: int) -> list[Signed]:
    sample = SignedOrder(MAKER, MAKER, True, "AAPL", 0, QUOTE, PRICE, QUANTITY, UNIT, deadline_s, 1)
    return [Signed(replace(sample, nonce=nonce), _hash(nonce), "0x" + "ab" * 65) for nonce in range(1, orders + 1)]


def lapse_step(database: Database, orders: int) -> Step:
    """Swept orders past their deadline: the funds return to the maker."""
    open_taker_desk(database, [MAKER])
    counting, at_s = Counting(database), now_s()
    desk = SignedOrderDesk(counting.database, lambda: at_s)
    for one in signed_orders(orders, at_s + 1):
        desk.create(INSTANCE, DeskSettings(), one)
    at_s += 1
    swept: list[int] = []
    step = counting.step("lapse", orders, lambda: swept.append(desk.sweep()))
    assert swept == [orders]
    return step


def _hash(nonce: int) -> str:
    return "0x" + hashlib.sha256(str(nonce).encode()).hexdigest()


def _whole(signed: Signed) -> FillRequest:
    return FillRequest(signed.order_hash, QUANTITY, None, f"fill-{signed.order.nonce:06d}", None)


def escrow_path(database: Database, name: str, orders: int) -> Path:
    """An order with a fee, paid from the buyer's wallet, validated and released at once: three requests."""
    scope, request, wallet = open_shop(database)
    counting, before = Counting(database), stored_bytes(database)
    desk = EscrowDesk(counting.database, now_s)
    made: list[int] = []

    def create() -> None:
        made.extend(desk.create_order(scope, request).order_id for _ in range(orders))

    def pay() -> None:
        for order_id in made:
            desk.open_payin(scope, OpenPayin(order_id, PayinType.WALLET, wallet))

    def validate() -> None:
        for order_id in made:
            desk.validate(scope, order_id, auto_accept=True)

    key = escrow_prefix_of(World.SANDBOX, is_operators=False) + "0" * 40
    limit = RateLimit(bucket=10**6, refill_per_1000_s=10**9, per_day=0)
    of_any = {"key_id": digest_of(key), "instance": INSTANCE, "made_s": now_s(), "rate_limit": limit}
    Credentials(database, ESCROW_KEYS).create(EscrowKey(**of_any, world=World.SANDBOX, merchant="shop"))
    counted, limiter = counting.database, RateLimiter(counting.database)
    gate = EscrowGate(Credentials(counted, ESCROW_KEYS).accept, EscrowDesks(counted).open_desk, limiter, now_ms)
    asked = HttpRequest("GET", None, {}, {}, {"authorization": f"Bearer {key}"}, b"")

    steps = (
        counting.step("three requests let in", 1, lambda: gate.pass_through(asked, is_operators=False)).times(3),
        counting.step("create", orders, create),
        counting.step("pay in", orders, pay),
        counting.step("validate and release", orders, validate),
    )
    return Path(name, 3, steps, counting.stored_bytes(orders, before))


def open_shop(database: Database, release_delay_s: int = 0) -> tuple[Scope, CreateOrder, str]:
    """Create a merchant. Return its scope, an order with a fee to create, and a funded wallet."""
    Tenants(database, now_s).create_instance(INSTANCE_REF, frozenset({"trading"}))
    Tokens(database).register(INSTANCE, new_token(new_id("tok"), EURO, "Euro", "EUR"))
    euro = Currency("EUR", 2, EURO)
    EscrowDesks(database).change(
        INSTANCE, lambda now: replace(now, currencies=(euro,), release_delay_seconds=release_delay_s)
    )
    desk = EscrowDesk(database, now_s)
    scope = desk.create_merchant(INSTANCE, "shop", "EUR").scope(World.SANDBOX)
    buyer, seller = (desk.create_customer(scope, CreateCustomer(email=f"{who}@shop.test")) for who in ("ann", "sam"))
    (wallet,) = Escrows(database).wallets_of(buyer)
    desk.deposit(scope, wallet.uuid, Deposit(FUNDS, "first"))
    fee = FeeTerms(None, 25_000)
    request = CreateOrder("Road bike", 150 * UNIT, "EUR", buyer.customer_id, seller.customer_id, fee_terms=fee)
    return scope, request, buyer.wallets["EUR"]


def release_step(database: Database, orders: int) -> Step:
    """Swept orders whose delay is over: the seller is paid, less the fee."""
    scope, request, wallet = open_shop(database, release_delay_s=1)
    counting, at_s = Counting(database), now_s()
    desk = EscrowDesk(counting.database, lambda: at_s)
    for _ in range(orders):
        order_id = desk.create_order(scope, request).order_id
        desk.open_payin(scope, OpenPayin(order_id, PayinType.WALLET, wallet))
        desk.validate(scope, order_id, auto_accept=True)
    at_s += 1
    swept: list[Swept] = []
    step = counting.step("release", orders, lambda: swept.append(desk.sweep()))
    assert swept == [Swept(orders, 0)]
    return step


def swept_steps(databases: Iterator[Database], orders: int = 100) -> list[Step]:
    """Return the cost of one order in each sweep."""
    return [lapse_step(next(databases), orders), release_step(next(databases), orders)]


def paths(databases: Iterator[Database], orders: int = 100) -> list[Path]:
    """Return the paths, each over its own empty tables.

    orders: number in each path; even, and too few for a snapshot.
    """
    return [
        book_path(next(databases), "book, one by one", orders, orders, 1),
        book_path(next(databases), "book, batches of 10", orders, orders, 10),
        book_path(next(databases), "book, batches of 100", orders, orders, 100),
        book_path(next(databases), "book, batches of 100, 20 customers", 20, orders, 100),
        cancelled_path(next(databases), "book, rests and is cancelled, batches of 100", orders, 100),
        signed_path(next(databases), "signed order, filled at once", orders),
        escrow_path(next(databases), "escrow order, paid and released", orders),
    ]
