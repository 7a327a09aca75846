"""Orders of the taker desk and the escrow desk through their life cycles, over a metered database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from benchmarks.book_paths import BASE, FUNDS, INSTANCE, INSTANCE_REF, PRICE, QUANTITY, QUOTE, UNIT, open_venue
from benchmarks.counting import Counting, Path, Step, stored_bytes
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.domain.escrow.commands import CreateCustomer, CreateOrder, Deposit, OpenPayin
from chalicelib.domain.escrow.money import Currency, FeeTerms
from chalicelib.domain.escrow.order import Scope
from chalicelib.domain.escrow.payments import PayinType
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.domain.signed.filling import FillRequest
from chalicelib.domain.signed.order import SignedOrder
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, TAKER_KEYS, EscrowKey, TakerKey, escrow_prefix_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.escrow.desk import EscrowDesk, Swept
from chalicelib.services.signed.desk import Signed, SignedOrderDesk
from chalicelib.support.clock import new_id, now_s
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.instruments import Instruments
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.tokens import Tokens
from chalicelib.wiring.escrow import new_escrow_desk
from chalicelib.wiring.taker import new_taker_desk

EURO = "0x" + "e" * 40
MAKER = "0x" + "a1" * 20
INVALID, UNPROCESSABLE = 400, 422
NEVER_S = 4_102_444_800
EACH_WRITTEN = RateLimit()
"""A limit under 50 counts each request by a write, as one above it does where the caller comes once a second."""
"""A deadline that is never reached."""


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
    of_any = {"key_id": digest_of(api_key), "instance": INSTANCE, "made_s": now_s(), "rate_limit": EACH_WRITTEN}
    key = TakerKey(**of_any, taker=taker)
    Credentials(database, TAKER_KEYS).create(key)

    def lock(one: Signed) -> object:
        return desk.lock(INSTANCE, settings, one.order_hash, taker, seconds=600, reference_id=None)

    served = new_taker_desk(counting.database, master_key=lambda: b"")
    faulty = HttpRequest("POST", None, {}, {}, {"x-api-key": api_key}, b"", "/api/v1/orders/lock")
    steps = (
        let_in(counting, served.answer, faulty),
        counting.step("create", orders, each(lambda one: desk.create(INSTANCE, settings, one))),
        counting.step("lock", orders, each(lock)),
        counting.step("fill", orders, each(lambda one: desk.fill(INSTANCE, settings, taker, _whole(one)))),
    )
    return Path(name, 3, steps, counting.stored_bytes(orders, before))


def let_in(counting: Counting, answer: Callable[[HttpRequest], HttpResponse], faulty: HttpRequest) -> Step:
    """Three requests with a faulty body, of a caller whom the process has let in before."""

    def ask() -> None:
        assert answer(faulty).status in (INVALID, UNPROCESSABLE)

    ask()
    return counting.step("three requests let in", 1, ask).times(3)


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
    of_any = {"key_id": digest_of(key), "instance": INSTANCE, "made_s": now_s(), "rate_limit": EACH_WRITTEN}
    Credentials(database, ESCROW_KEYS).create(EscrowKey(**of_any, world=World.SANDBOX, merchant="shop"))
    served = new_escrow_desk(counting.database)
    faulty = HttpRequest("POST", None, {}, {}, {"authorization": f"Bearer {key}"}, b"{}", "/2.0/orders")
    steps = (
        let_in(counting, served.answer, faulty),
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
