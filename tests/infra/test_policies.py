"""Each function may do what it does and nothing else, on the tables of its own stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.allowance import Allowance
from chalicelib.clock import now_ms
from chalicelib.core.vocabulary import BookStatus
from chalicelib.escrow.desk import EscrowDesk
from chalicelib.escrow.lifecycle import Status
from chalicelib.escrow.money import Currency
from chalicelib.expiring import Expiring
from chalicelib.projection import Projector
from chalicelib.signed.desk import SignedOrderDesk
from chalicelib.stores.dynamodb import Database, Unavailable
from chalicelib.stores.keys import customer_key
from chalicelib.stores.orders import Orders
from chalicelib.wire.ripio.routes import ROUTES, TradeDesk
from chalicelib.wire.stove.routes import ROUTES as TAKER_ROUTES
from chalicelib.wire.stove.routes import Entrance
from chalicelib.wire.trusset.routes import (
    BALANCES,
    BOOKS,
    CREDIT,
    DEPTH,
    TOKENS,
    TRADES_OF_BOOK,
    TRADES_OF_CUSTOMER,
    TRANSACTIONS,
    TRANSFER,
)
from infra.settings import ROOT
from infra.tables import create_tables, table_definitions
from tests.escrow.world import EUR, JPY
from tests.faults import ENDPOINT, Call, Fault, WatchedClient
from tests.wire.desk import open_desk
from tests.wire.ripio.desk import MASTER_KEY, PAIR, SignedDesk, make_token
from tests.wire.stove.desk import NOW_S, TAKER, UNIT, connect_body, open_taker_desk
from tests.wire.stove.desk import make_key as make_taker_key
from tests.wire.till import post, posted
from tests.wire.truust.desk import KEY, OPERATOR_KEY
from tests.wire.truust.desk import Desk as EscrowWire
from tests.world import BOOK_ID, INSTANCE, World, record_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
FUNCTIONS = ["api_handler", "match_inbox", "expire_orders", "sweep_signed_orders", "release_escrows"]
STAGES = ["dev", "prod"]
TABLE_ARN = "arn:aws:dynamodb:*:*:table/"
PARAMETER_ARN = "arn:aws:ssm:*:*:parameter/"
LOG_ARN = "arn:aws:logs:*:*:log-group:/aws/lambda/tallybook*"
LATER_MS = 3_600_000
"""Orders that are older than the index's lag are found through the index."""
STREAM_ACTIONS = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}

Grant = tuple[str, str]
"""An action and a resource."""


def policy(stage: str, function: str) -> str:
    file = CONFIG["stages"][stage]["lambda_functions"][function]["iam_policy_file"]
    return (ROOT / ".chalice" / file).read_text(encoding="utf-8")


def prefix_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_TABLE_PREFIX"])


def master_key_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_MASTER_KEY_PARAMETER"])


def grants(stage: str, function: str) -> set[Grant]:
    found: set[Grant] = set()
    for statement in json.loads(policy(stage, function))["Statement"]:
        assert statement["Effect"] == "Allow"
        assert isinstance(statement["Resource"], str)
        found |= {(action, statement["Resource"]) for action in statement["Action"]}
    return found


def table_grants(function: str) -> set[Grant]:
    """Return what production grants on tables and indexes: "PutItem" on "orders"."""
    start = f"{TABLE_ARN}{prefix_of('prod')}-"
    found = {(action.removeprefix("dynamodb:"), arn) for action, arn in grants("prod", function) if start in arn}
    return {(action, arn.removeprefix(start)) for action, arn in found if action not in STREAM_ACTIONS}


@pytest.fixture
def done(moto_client: DynamoDBClient) -> Iterator[set[Grant]]:
    """What is done to the tables from here on, in the words of policies."""
    done: set[Grant] = set()

    def note(params: dict[str, Any], model: Any, **_rest: Any) -> None:
        if model.name == "TransactWriteItems":
            done.update(_grant(f"{kind}Item", one) for item in params["TransactItems"] for kind, one in item.items())
        elif "RequestItems" in params:
            done.update((model.name, name.partition("-")[2]) for name in params["RequestItems"])
        elif "TableName" in params:
            done.add(_grant(model.name, params))

    moto_client.meta.events.register("provide-client-params.dynamodb.*", note)
    yield done
    moto_client.meta.events.unregister("provide-client-params.dynamodb.*", note)


def _grant(action: str, request: dict[str, Any]) -> Grant:
    table = request["TableName"].partition("-")[2]
    return action, f"{table}/index/{request['IndexName']}" if "IndexName" in request else table


def test_each_function_may_do_exactly_what_it_does(
    database: Database, moto_client: DynamoDBClient, done: set[Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of request and of projection once; a grant that this leaves unused is one too many."""
    monkeypatch.setattr("chalicelib.core.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 100)
    world = World(database)
    desk = open_desk(world, rate_limit=100)
    world.change_status(BookStatus.ACTIVE)
    done.clear()
    desk.place(headers={"prefer": "wait=1"})
    desk.place(headers={"idempotency-key": "order-0001"}, customerRef="ben", side="SELL", quantity="20")
    desk.place(headers={"idempotency-key": "order-0002"}, customerRef="nobody")
    by_api = set(done)
    desk.place(customerRef="ben", price="1")
    done.clear()
    assert world.admission.cancel(INSTANCE, "ben", str(desk.rows("ben")[0]["id"]))
    by_api |= done
    records = records_of(world)
    done.clear()
    assert desk.world.deliver(records=records[-1:]) == []  # the cancel overtakes its order
    assert desk.world.deliver(records=records) == []
    assert desk.world.deliver(desk.world.matcher(), records) == []
    by_match = set(done)
    done.clear()
    desk.place(orderType="MARKET", price="1")
    desk.place(customerRef="ben", price="1")
    posted(desk, TOKENS)
    post(desk, CREDIT, key="credit-0001", reference="bonus")
    post(desk, CREDIT, key="credit-0002", reference="bonus")
    posted(desk, TRANSFER)
    desk.get(BALANCES, customerRef="ann")
    desk.get(TOKENS)
    desk.get(TRANSACTIONS)
    desk.get(TRANSACTIONS, {"customerRef": "ann"})
    desk.get(TRADES_OF_CUSTOMER, customerRef="ann")
    desk.get(DEPTH, orderBookId=BOOK_ID)
    desk.get(BOOKS)
    desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID)
    desk.rows(status="OPEN")
    desk.rows()
    assert list(Orders(database).live_newest_first(customer_key(INSTANCE, "ben"), now_ms() + LATER_MS))
    make_token(database, "token-of-ann", "ann")
    done.discard(("PutItem", "tenants"))
    signed = SignedDesk(world, TradeDesk(database, master_key=lambda: MASTER_KEY), "token-of-ann", "ann")
    signed.place(external_id="order-1")
    signed.place(side="sell", type="market", price=...)
    named = {"id": str(UUID(int=1)), "external_id": "order-1"}
    for route in ROUTES:
        method, _, path = route.partition(" ")
        signed.send(method, f"/trade{path}", query={"pair": PAIR}, body=named)
    monkeypatch.setattr("chalicelib.depths.DEPTH_LEVELS_MAX", len(world.books.depth(world.book).bids))
    signed.get("/trade/book/orders/level-2", {"pair": PAIR, "limit": "max"})
    expires_at_ms = now_ms() + LATER_MS
    assert signed.place(side="sell", amount="1", expiration=expires_at_ms).status == 200
    by_api |= done
    by_takers, by_sweep = done_by_the_taker_desk(moto_client, done)
    by_merchants, by_release = done_by_the_escrow_desk(moto_client, done)
    assert by_api | by_takers | by_merchants == table_grants("api_handler")
    assert by_match == table_grants("match_inbox")
    by_expire = done_by_expiring(world, expires_at_ms, monkeypatch, done)
    assert by_expire == table_grants("expire_orders")
    assert by_sweep == table_grants("sweep_signed_orders")
    assert by_release == table_grants("release_escrows")


def done_by_expiring(world: World, expires_at_ms: int, monkeypatch: pytest.MonkeyPatch, done: set[Grant]) -> set[Grant]:
    """Have the order end at its time, in a book that a matcher left before it had projected a trade."""
    world.deliver(records=records_of(world))
    for customer, side in (("ann", "BUY"), ("ben", "SELL")):
        world.placed(customer, side, 1, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", fail)
        assert world.deliver(records=records_of(world)) != []
    world.now_ms = expires_at_ms
    done.clear()
    assert Expiring(world.database, world.matcher(), lambda: world.now_ms).look()
    return set(done)


def records_of(world: World) -> list[dict[str, Any]]:
    rows = sorted(world.database.scan("inbox"), key=lambda row: str(row["command"]))
    return [record_of(row, number) for number, row in enumerate(rows, 1)]


def fail(*_: object) -> None:
    raise Unavailable("throttled")


def done_by_the_taker_desk(client: DynamoDBClient, done: set[Grant]) -> tuple[set[Grant], set[Grant]]:
    """Return what its requests of every kind do, and what its sweep does, on tables of its own."""
    create_tables(client, "takers")
    desk = open_taker_desk(Database(client, "takers"))
    make_taker_key(desk.database, "limited-key", TAKER, allowance=Allowance())
    done.clear()
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
    for route, entrance in TAKER_ROUTES.items():
        method, _, path = route.partition(" ")
        send = desk.maker_get if entrance is Entrance.MAKER else desk.get
        if method == "GET":
            assert send(path.replace("{order_hash}", orders[0])).status == 200
    by_takers = set(done)
    order_hash = desk.created(nonce=9, deadline=NOW_S + 9000)
    desk.lock(order_hash)
    desk.clock.advance(9000)
    done.clear()
    database = Database(WatchedClient(client, losing_answers), "takers")  # type: ignore[arg-type]
    assert SignedOrderDesk(database, lambda: desk.clock.now_s).sweep()
    return by_takers, set(done)


def losing_answers(operation: str, call: Call) -> Any:
    """Lose the answer to every transaction: then it is looked whether it was done."""
    answer = call()
    if operation == "transact_write_items":
        raise ReadTimeoutError(endpoint_url=ENDPOINT)
    return answer


def done_by_the_escrow_desk(client: DynamoDBClient, done: set[Grant]) -> tuple[set[Grant], set[Grant]]:
    """Return what its requests of every kind do, and what its release of due orders does, on tables of its own."""
    create_tables(client, "escrow")
    desk = EscrowWire(Database(client, "escrow"), Allowance(bucket=1000, refill_per_1000_s=10**6, per_day=0))
    done.clear()
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
    for route in desk.desk.routes:
        method, _, path = route.partition(" ")
        sender = desk.as_key(OPERATOR_KEY if path.startswith("/operator") else KEY)
        path = path.replace("{id}", str(order["id"])).replace("{uuid}", desk.buyer["uuid"])
        assert sender.send(method, f"/2.0{path}", body={}).status in (200, 404, 422)
    desk.get("/orders", {"search": "email", "query": "ann"})
    done.discard(("PutItem", "tenants"))  # the settings, an operator's
    by_merchants = set(done)
    desk.now_s += 60
    done.clear()
    assert EscrowDesk(database, lambda: desk.now_s).sweep().released == 1
    return by_merchants, set(done)


def losing_every_other() -> Fault:
    """Lose every other transaction, with its answer: then it is looked whether it was done."""
    number = count()

    def fault(operation: str, call: Call) -> Any:
        if operation == "transact_write_items" and next(number) % 2 == 0:
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        return call()

    return fault


def test_the_matcher_alone_reads_the_stream() -> None:
    stream = f"{TABLE_ARN}tallybook-inbox/stream/*"
    assert {action.removeprefix("dynamodb:") for action, arn in grants("prod", "match_inbox") if arn == stream} == (
        STREAM_ACTIONS
    )
    for other in ("api_handler", "expire_orders"):
        assert not [arn for _, arn in grants("prod", other) if "stream" in arn]


@pytest.mark.parametrize("stage", STAGES)
def test_the_api_alone_reads_the_master_key_of_its_own_stage_and_nothing_else_of_its_kind(stage: str) -> None:
    """R9: what it does to have it, tests/test_wiring.py shows: it gets one parameter."""
    by_function = {function: {one for one in grants(stage, function) if "ssm" in one[1]} for function in FUNCTIONS}
    read = ("ssm:GetParameter", f"{PARAMETER_ARN}{master_key_of(stage)}")
    assert by_function == {
        "api_handler": {read},
        "match_inbox": set(),
        "expire_orders": set(),
        "sweep_signed_orders": set(),
        "release_escrows": set(),
    }
    assert master_key_of(stage).startswith(f"{prefix_of(stage)}-")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_grant_names_its_action_and_a_table_of_its_own_stage(stage: str, function: str) -> None:
    tables = {f"{TABLE_ARN}{table.name}" for table in table_definitions(prefix_of(stage))}
    for action, arn in grants(stage, function):
        assert "*" not in action
        is_of_table = arn.split("/index/")[0].split("/stream/")[0] in tables
        assert is_of_table or arn in (LOG_ARN, f"{PARAMETER_ARN}{master_key_of(stage)}")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_stages_differ_by_their_tables_only(function: str) -> None:
    assert policy("dev", function).replace("tallybook-dev-", "tallybook-") == policy("prod", function)


def test_no_policy_is_made_by_chalice_and_each_function_has_its_size_and_time() -> None:
    assert CONFIG["autogen_policy"] is False
    assert set(CONFIG["lambda_functions"]) == set(FUNCTIONS)
    for function in CONFIG["lambda_functions"].values():
        assert set(function) == {"lambda_memory_size", "lambda_timeout"}


def test_a_request_ends_before_api_gateway_gives_up() -> None:
    assert CONFIG["lambda_functions"]["api_handler"]["lambda_timeout"] <= 29
