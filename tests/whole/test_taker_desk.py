"""The taker desk over HTTP: an order's life cycle, and concurrent takers.

Whatever the takers do, the sum of each asset over all accounts stays the same, and ``verify`` agrees.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import boto3
import pytest

from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS, TakerKey
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from tallybook_client import ApiError, MakerDesk, OutcomeUnknown, Retries, TakerDesk
from tallybook_client.taker import Domain, Wallet
from tallybook_client.taker.envelope import MOUNT, error_of
from tallybook_client.taker.errors import InvalidParameter, KeyMissing, NotFound, SignatureInvalid, Unauthorized
from tallybook_client.taker.models import Order, SignedOrder
from tallybook_client.transport import Request, Session
from tests.infra.stack import RunningStack
from tests.services.books.test_races import at_once

pytestmark = pytest.mark.stack

INSTANCE = "inst_demo0001"
PRICE, QUANTITY, INCENTIVE = 2 * 10**18, 10_000, 100
AT_THE_LOCKS_END_TRIES_MAX = 10_000
ONCE = Retries(attempts=1)


@dataclass(frozen=True)
class Running:
    """The demo's taker desk: its maker, its two takers, and the tables behind it. They repeat nothing."""

    stack: RunningStack
    maker: MakerDesk
    taker: TakerDesk
    other: TakerDesk
    database: Database

    @property
    def demo(self) -> dict[str, Any]:
        desk: dict[str, Any] = self.stack.demo["taker_desk"]
        return desk

    def order(self, *, is_buy: bool = True) -> SignedOrder:
        """Return an order, signed by the demo's maker, under its next nonce."""
        return self.maker.sign(
            is_buy=is_buy,
            ticker=self.demo["ticker"],
            exchange=self.demo["exchange"],
            asset=self.demo["asset"],
            price=PRICE,
            quantity=QUANTITY,
            incentive=INCENTIVE,
            deadline=int(time.time()) + 3600,
        )

    def new_order(self) -> str:
        """Create an order; return its hash."""
        return self.maker.create(self.order()).order_hash

    def shown(self, order_hash: str) -> Order:
        """Return an order as its maker sees it."""
        (order,) = self.maker.orders(order_hash=order_hash)
        return order

    def totals(self) -> dict[str, int]:
        """Return what there is of each asset, over all accounts of all instances but the supplies."""
        found: dict[str, int] = {}
        for row in self.database.scan("accounts"):
            kind, _, asset = row["entry"].partition("/")
            if kind == "balance" and not row["owner"].endswith("/supply"):
                found[asset] = found.get(asset, 0) + row["available"] + row.get("held", 0)
        return found


def status_of(call: Callable[[], object]) -> int:
    """Return the status with which a call is answered."""
    try:
        call()
    except ApiError as error:
        return error.status
    except OutcomeUnknown:
        return 500
    return 200


@pytest.fixture(scope="module")
def running(stack: RunningStack) -> Running:
    demo = stack.demo["taker_desk"]
    domain = DeskSettings().domain
    wallet = Wallet(demo["maker_private_key"], Domain(domain.chain_id, domain.verifying_contract))
    maker = MakerDesk(stack.base_url, wallet, retries=ONCE)
    taker, other = (TakerDesk(stack.base_url, demo[name], retries=ONCE) for name in ("api_key", "other_api_key"))
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    database = Database(client, stack.prefix)
    as_often_as_it_likes = RateLimit(bucket=0, per_day=0)
    TakerDesks(database).change(INSTANCE, lambda found: replace(found, rate_limit=as_often_as_it_likes))
    return Running(stack, maker, taker, other, database)


@pytest.fixture
def nothing_lost(running: Running) -> Iterator[None]:
    """Guarantee 1, and what ``verify`` proves, after the test."""
    before = running.totals()
    yield
    assert running.totals() == before
    Verifier(running.database).verify(None)


def test_an_orders_life_over_http(running: Running, nothing_lost: None) -> None:  # noqa: ARG001 - looked at afterwards
    signed, taker = running.order(is_buy=False), running.taker
    assert taker.validate(signed).valid
    order_hash = running.maker.create(signed).order_hash
    assert order_hash in [order.order_hash for order in taker.available(is_buy=False)]
    lock = taker.lock(order_hash, reference_id="at-lock")
    assert lock.locked_by == running.demo["taker_address"]
    with pytest.raises(NotFound, match="Order not found"):
        running.other.fill(order_hash, 1)
    filled = taker.fill(order_hash, 4000, reference_id="first")
    assert (filled.filled_amount, filled.incentive_amount) == (8000, 40)
    assert running.maker.cancel(order_hash).message == "cancellation_requested"
    assert taker.order(f"0x{order_hash[2:].upper()}").notes == "cancel_requested"
    assert taker.cancel_result(order_hash, running.demo["taker_address"], grant=True, message="rest given back")
    shown = taker.order(order_hash)
    assert (shown.status, shown.filled_quantity, shown.notes) == ("cancelled", 4000, "rest given back")


def test_a_signed_list_over_http(running: Running) -> None:
    base_url, api_key = running.stack.base_url, running.demo["api_key"]
    signing = TakerDesk(base_url, api_key, running.demo["api_secret"], retries=ONCE)
    found = {order.status for order in signing.orders(status="locked,partially_filled", sort_order="asc")}
    assert found <= {"locked", "partially_filled"}
    with pytest.raises(SignatureInvalid):
        list(TakerDesk(base_url, api_key, "another secret", retries=ONCE).orders())


def test_errors_over_http(running: Running) -> None:
    nobody = Session(running.stack.base_url, lambda _: {}, error_of, retries=ONCE)
    with pytest.raises(KeyMissing):
        nobody.send(Request("GET", f"{MOUNT}/takers/orders"))
    with pytest.raises(Unauthorized):
        nobody.send(Request("GET", f"{MOUNT}/orders"))
    for method, path in (("GET", "/nowhere"), ("PUT", "/orders/lock")):
        with pytest.raises(NotFound):
            running.taker.session.send(Request(method, MOUNT + path))
    query = (("page_size", "0"), ("status", "foo"), ("is_buy", "maybe"))
    with pytest.raises(InvalidParameter) as faulty:
        running.taker.session.send(Request("GET", f"{MOUNT}/takers/orders", query))
    assert sorted(faulty.value.fields) == ["is_buy", "page_size", "status"]


# --- at the same moment ------------------------------------------------------------------------------------------


def test_of_twenty_takers_who_lock_one_order_concurrently_one_succeeds(
    running: Running,
    nothing_lost: None,  # noqa: ARG001
) -> None:
    takers = []
    for number in range(20):
        api_key, address = secrets.token_urlsafe(16), f"0x{number:040x}"
        key = TakerKey(
            key_id=digest_of(api_key),
            instance=INSTANCE,
            made_s=int(time.time()),
            rate_limit=RateLimit(bucket=0, per_day=0),
            taker=address,
        )
        Credentials(running.database, TAKER_KEYS).create(key)
        takers.append(TakerDesk(running.stack.base_url, api_key, retries=ONCE))
    order_hash = running.new_order()
    statuses: list[Any] = at_once([partial(status_of, partial(taker.lock, order_hash)) for taker in takers])
    assert sorted(statuses) == [200] + [409] * 19
    holder = statuses.index(200)
    for number, taker in enumerate(takers):
        listed = [order.order_hash for order in taker.orders()]
        assert listed == ([order_hash] if number == holder else [])
    assert running.shown(order_hash).status == "locked"


def test_one_fill_sent_five_times_at_once_moves_money_once(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    order_hash = running.new_order()
    running.taker.lock(order_hash)
    whose, asset = customer_key(INSTANCE, running.demo["taker_address"].lower()), running.demo["asset"].lower()
    before = Accounts(running.database).balance(whose, asset).available
    answers = at_once([partial(running.taker.fill, order_hash, 1000, reference_id="once")] * 5)
    assert answers == [answers[0]] * 5
    assert running.shown(order_hash).filled_quantity == 1000
    assert Accounts(running.database).balance(whose, asset).available == before + 2000 + 10
    assert [fill.fill_quantity for fill in running.taker.fills(order_hash=order_hash)] == [1000]


def test_ten_partial_fills_at_once_never_fill_more_than_there_is(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """Each of 1,500 of 10,000: six fit. Whoever was told that others were quicker comes again."""
    order_hash = running.new_order()
    running.taker.lock(order_hash)

    def fill(name: str) -> int:
        return status_of(partial(running.taker.fill, order_hash, 1500, reference_id=name))

    names = [f"part-{number}" for number in range(10)]
    statuses: list[Any] = at_once([partial(fill, name) for name in names])
    assert set(statuses) <= {200, 400, 500}
    assert running.shown(order_hash).filled_quantity == 1500 * statuses.count(200)
    again = [fill(name) for name in names]
    assert sorted(again) == [200] * 6 + [400] * 4
    assert running.shown(order_hash).filled_quantity == 9000


def test_a_fill_and_an_unlock_at_once(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """The fill of the whole goes through if and only if it comes first; then there is nothing to unlock."""
    for number in range(4):
        order_hash = running.new_order()
        running.taker.lock(order_hash)
        jobs: list[Callable[[], object]] = [
            partial(status_of, partial(running.taker.fill, order_hash, QUANTITY)),
            partial(status_of, partial(running.taker.unlock, order_hash)),
        ]
        filled, unlocked = at_once(jobs if number % 2 else jobs[::-1])[:: 1 if number % 2 else -1]
        shown = running.shown(order_hash)
        assert (filled, unlocked) in ((200, 409), (409, 200))
        assert (shown.status, shown.filled_quantity) == (("filled", QUANTITY) if filled == 200 else ("pending", 0))


def test_fills_an_unlock_and_another_taker_at_the_locks_end(running: Running, nothing_lost: None) -> None:  # noqa: ARG001
    """One taker fills unit by unit until its lock is over, the other one locks as soon as it can."""
    order_hash = running.new_order()
    running.taker.lock(order_hash, seconds=2)

    def fill_while_it_lasts() -> list[int]:
        fill = partial(status_of, partial(running.taker.fill, order_hash, 1))
        statuses = [fill()]
        while statuses[-1] in (200, 500):
            statuses.append(fill())
        status_of(partial(running.taker.unlock, order_hash))
        return statuses

    def lock_when_it_ends() -> bool:
        lock = partial(status_of, partial(running.other.lock, order_hash))
        return any(lock() == 200 for _ in range(AT_THE_LOCKS_END_TRIES_MAX))

    results: list[Any] = at_once([fill_while_it_lasts, lock_when_it_ends])
    statuses, is_locked = results
    assert is_locked
    filled = statuses.count(200)
    assert statuses[-1] in (404, 409)
    assert running.shown(order_hash).filled_quantity == filled
    assert running.other.fill(order_hash, QUANTITY - filled).status == "filled"
