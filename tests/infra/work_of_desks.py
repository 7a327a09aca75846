"""Every kind of request to the desks of signed orders and of escrow, and their sweeps, on tables of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.taker.routes import Auth
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.tables.dynamodb import Database
from infra.tables import create_tables
from tests.apis.escrow.desk import KEY, OPERATOR_KEY
from tests.apis.escrow.desk import Desk as EscrowWire
from tests.apis.routes import ESCROW_ROUTES, TAKER_ROUTES
from tests.apis.taker.desk import NOW_S, TAKER, UNIT, connect_body, open_taker_desk
from tests.apis.taker.desk import make_key as make_taker_key
from tests.faults import ENDPOINT, Call, Fault, FaultyClient, WatchedClient, after_another, losing_answers
from tests.services.escrow.world import EUR, JPY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def at_the_taker_desk(client: DynamoDBClient) -> None:
    """Send requests of every kind, and sweep, on tables of its own."""
    create_tables(client, "takers")
    desk = open_taker_desk(Database(client, "takers"))
    make_taker_key(desk.database, "limited-key", TAKER, rate_limit=RateLimit())
    connected = desk.send("POST", "/makers/connect", body=connect_body(desk))
    assert connected.status == 200
    replace(desk, api_key="limited-key").get("/takers/orders")
    orders = [desk.created(nonce=nonce, deadline=NOW_S + 9000) for nonce in range(3)]
    for order_hash in orders[:2]:
        desk.lock(order_hash, reference_id="first")
    desk.fill(orders[0], UNIT, reference_id="first")
    desk.unlock(orders[0])
    desk.lock(orders[0], reference_id="again")
    desk.fill(orders[0], UNIT)
    desk.unlock(orders[1])
    desk.lock(orders[1])
    desk.cancel(orders[1])
    desk.cancel(orders[2])
    desk.clock.advance(3600)
    desk.lock(orders[1])
    desk.as_other.lock(orders[0])
    desk.post("/orders/validate", desk.order_body(nonce=7))
    parameters = {"order_hash": orders[0], "order_id": orders[0], "symbol": "AAPL"}
    for route in TAKER_ROUTES.values():
        send = desk.maker_get if route.auth is Auth.MAKER else desk.get
        if route.method == "GET":
            path = route.path_of(parameters).removeprefix(MOUNTS["taker"][0])
            assert send(path, {"ticker": "AAPL", "exchange": "0"}).status == 200, route.name
    order_hash = desk.created(nonce=9, deadline=NOW_S + 9000)
    desk.lock(order_hash)
    desk.clock.advance(9000)
    database = Database(WatchedClient(client, losing_answers), "takers")  # type: ignore[arg-type]
    assert SignedOrderDesk(database, lambda: desk.clock.now_s).sweep()
    desk.lock(desk.created(nonce=11, deadline=desk.clock.now_s + 9000))
    desk.clock.advance(9000)
    meanwhile = after_another(lambda: SignedOrderDesk(desk.database, lambda: desk.clock.now_s).sweep())
    faulty: Any = FaultyClient(client, meanwhile, at=1, operation="transact_write_items")
    SignedOrderDesk(Database(faulty, "takers"), lambda: desk.clock.now_s).sweep()
    assert faulty.has_struck


def at_the_escrow_desk(client: DynamoDBClient) -> None:
    """Send requests of every kind, and release what is due, on tables of its own."""
    create_tables(client, "escrow")
    desk = EscrowWire(Database(client, "escrow"), RateLimit(bucket=1000, refill_per_1000_s=10**6, per_day=0))
    desk.customer("new@x.test", phone="600123123", prefix="+34")
    changed = {"email": "other@x.test", "prefix": "+34", "phone": "600123123"}
    desk.post("/customers", changed, headers={"idempotency-key": "customer-1"})
    database = Database(WatchedClient(client, losing_every_other()), "escrow")  # type: ignore[arg-type]
    order = desk.over(database).order()
    desk.deposit(1000)
    desk.over(database).pay(order)
    for status in (Status.CANCELLED, Status.PENDING_RELEASE, Status.RELEASED):
        desk.in_status(status.value)
    desk.set(currencies=(EUR, JPY, Currency("USD", 2, "0x" + "2" * 40)))
    desk.order(currency="USD")
    for route in ESCROW_ROUTES:
        method, _, path = route.partition(" ")
        sender = desk.as_key(OPERATOR_KEY if path.startswith("/operator") else KEY)
        path = path.replace("{id}", str(order["id"])).replace("{uuid}", desk.buyer["uuid"])
        assert sender.send(method, f"/2.0{path}", body={}).status in (200, 401, 404, 422)
    desk.get("/orders", {"search": "email", "query": "ann"})
    desk.now_s += 60
    assert EscrowDesk(database, lambda: desk.now_s).sweep().released == 1


def losing_every_other() -> Fault:
    """Lose every other transaction, with its answer: then it is looked whether it was done."""
    number = count()

    def fault(operation: str, call: Call) -> Any:
        if operation == "transact_write_items" and next(number) % 2 == 0:
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        return call()

    return fault
