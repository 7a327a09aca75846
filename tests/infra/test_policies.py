"""Each function may do exactly what it does, only on its own stage's tables."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib import wiring
from chalicelib.apis.book.routes import (
    BALANCES,
    BOOKS,
    CREDIT,
    DELIVERIES,
    DEPTH,
    EVENTS,
    ONE_WEBHOOK,
    RESUME,
    SETTINGS,
    TOKENS,
    TRADES_OF_BOOK,
    TRADES_OF_CUSTOMER,
    TRANSACTIONS,
    TRANSFER,
    WEBHOOKS,
)
from chalicelib.apis.kit.mounts import MOUNTS
from chalicelib.apis.taker.routes import Auth
from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.domain.books.candles import Period
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.ledger.owners import customer_key
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.domain.webhooks.endpoint import Owner
from chalicelib.services.books.amending import Amending, NewTerms, Queued
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.lost_commands import LOST_AFTER_MS, SHARES, SWEEP_EVERY_MS, LostCommands
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.switches import DeadManSwitches
from chalicelib.services.calling import caller_of
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.services.push import sessions
from chalicelib.services.push.following import follow_records
from chalicelib.services.push.rows import JournalRows
from chalicelib.services.push.steps import BEAT_S
from chalicelib.services.signed.desk import SignedOrderDesk
from chalicelib.services.webhooks.endpoints import EndpointDesk
from chalicelib.services.webhooks.sending import Answer
from chalicelib.services.webhooks.starting import by_function
from chalicelib.support.clock import now_ms
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.candles import Candles
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.orders import Orders
from chalicelib.tables.webhooks import QUIET_MS
from chalicelib.wiring.book import new_book_desk
from chalicelib.wiring.trade import new_trade_desk
from chalicelib.wiring.webhooks import end_of_feed
from infra.shards import lambda_record
from infra.tables import create_tables, table_definitions
from tests.apis.book.desk import Desk, open_desk
from tests.apis.escrow.desk import KEY, OPERATOR_KEY
from tests.apis.escrow.desk import Desk as EscrowWire
from tests.apis.routes import ESCROW_ROUTES, TAKER_ROUTES, TRADE_ROUTES
from tests.apis.taker.desk import NOW_S, TAKER, UNIT, connect_body, open_taker_desk
from tests.apis.taker.desk import make_key as make_taker_key
from tests.apis.taker.sockets import BOTH
from tests.apis.taker.sockets import open_sockets as open_signed_order_sockets
from tests.apis.trade.desk import MASTER_KEY, PAIR, SignedDesk, make_token, open_trade_desk
from tests.apis.trade.sockets import Sockets, open_sockets
from tests.faults import ENDPOINT, Call, Fault, FaultyClient, WatchedClient, after_another
from tests.recording import (
    CONFIG,
    FUNCTION_ARN,
    FUNCTIONS,
    PARAMETER_ARN,
    PREFIX,
    TABLE_ARN,
    Grant,
    grants,
    needed,
    nobody,
    policy,
    recording,
    work_of,
)
from tests.services.escrow.world import EUR, JPY
from tests.services.webhooks.world import URL, Hooks, event
from tests.world import BASE, BOOK_ID, INSTANCE, NOW_MS, QUOTE, World, failing_book, record_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

STAGES = ["dev", "prod"]
LATER_MS = 3_600_000
"""Orders that are older than the index's lag are found through the index."""
DELIVERER = CONFIG["stages"]["prod"]["environment_variables"]["TALLYBOOK_DELIVER_FUNCTION"]
BEATER = CONFIG["stages"]["prod"]["environment_variables"]["TALLYBOOK_BEAT_FUNCTION"]
STREAMS = {
    function: f"{TABLE_ARN}{PREFIX}-{table}/stream/*"
    for function, table in (("match_inbox", "inbox"), ("push_journal", "journal"), ("push_outbox", "outbox"))
}
"""The stream of each function that follows one."""
STREAM_ACTIONS = {
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def prefix_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_TABLE_PREFIX"])


def master_key_of(stage: str) -> str:
    return str(CONFIG["stages"][stage]["environment_variables"]["TALLYBOOK_MASTER_KEY_PARAMETER"])


def called_of(stage: str) -> list[str]:
    """Return the functions that others call: the one that makes webhook deliveries, and the beat."""
    environment = CONFIG["stages"][stage]["environment_variables"]
    return [FUNCTION_ARN + environment[f"TALLYBOOK_{name}_FUNCTION"] for name in ("DELIVER", "BEAT")]


def logs_of(stage: str, function: str) -> str:
    """Return the function's log group, as the template names it."""
    own = f"tallybook-{stage}" if function == "api_handler" else f"tallybook-{stage}-{function}"
    return f"arn:aws:logs:*:*:log-group:/aws/lambda/{own}:*"


def used_by_lambda(function: str) -> set[Grant]:
    """Return what Lambda does in the function's name, beside its code: it writes its log and reads its stream."""
    of_stream = {(action, STREAMS[function]) for action in STREAM_ACTIONS} if function in STREAMS else set()
    return of_stream | {(action, logs_of("prod", function)) for action in LOG_ACTIONS}


@pytest.mark.usefixtures("moto_client")
def test_no_policy_grants_what_its_function_does_not_do(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of request, of projection and of sweep once, over the functions' own ways in.

    What a policy lacks for it, and for the calls of every other test, is found after each test (tests/conftest.py).
    """
    monkeypatch.setattr("chalicelib.domain.books.snapshot.SNAPSHOT_AFTER_BYTES_MIN", 100)
    monkeypatch.setenv("TALLYBOOK_MASTER_KEY_PARAMETER", master_key_of("prod"))
    monkeypatch.delenv("TALLYBOOK_MASTER_KEY", raising=False)
    boto3.client("ssm").put_parameter(Name=master_key_of("prod"), Value="k" * 32, Type="SecureString")
    world = World(memory_database)
    at_the_books(world)
    at_the_trade_desk(world, monkeypatch)
    expire(world, monkeypatch)
    halt(world)
    park(world)
    fire(world, monkeypatch)
    at_the_taker_desk(memory_database._client)
    at_the_escrow_desk(memory_database._client)
    deliver_webhooks(memory_database)
    push(world)
    monkeypatch.setattr("chalicelib.wiring.push.NOTIONALS_MAX", 0)  # what is not remembered is read
    at_the_sockets(memory_database._client)
    unused = {
        function: grants("prod", function) - recording.done[function] - used_by_lambda(function)
        for function in FUNCTIONS
    }
    assert unused == {function: set() for function in FUNCTIONS}


def at_the_books(world: World) -> None:
    desk = open_desk(world, rate_limit=100)
    desk.desk = new_book_desk(world.database, cancel_wait_s=0)
    world.change_status(BookStatus.ACTIVE)
    desk.place(headers={"prefer": "wait=1"})
    desk.place(headers={"idempotency-key": "order-0001"}, customerRef="ben", side="SELL", quantity="20")
    desk.place(headers={"idempotency-key": "order-0002"}, customerRef="nobody")
    desk.place(customerRef="ben", price="1")
    desk.cancel(str(desk.rows("ben")[0]["id"]), "ben")
    records = records_of(world)
    assert world.deliver(records=records[-1:]) == []  # the cancel overtakes its order
    assert world.deliver(records=records) == []
    assert world.deliver(world.matcher(), records) == []
    for orders in (1, 2):
        asks = bring_to_rest(world, orders)
        queue_cancels_too_late(world, asks)
        assert world.deliver(records=records_of(world)) == []
        with work_of("api_handler"):
            assert Orders(world.database).get_many([(customer_key(INSTANCE, "ben"), ask) for ask in asks])
    desk.place(orderType="MARKET", price="1")
    desk.place(customerRef="ben", price="1")
    call_for_webhooks(desk)
    desk.posted(TOKENS)
    made = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "Quote / Base", "symbol": "Q/B"}
    book = json.loads(desk.send("POST", BOOKS, body=json.dumps(made).encode()).body)["data"]["id"]
    closed = json.dumps({"status": "CLOSED"}).encode()
    assert desk.send("POST", RESUME, body=b"{}", orderBookId=book).status == 202
    assert desk.send("PATCH", SETTINGS, body=closed, orderBookId=book).status == 200
    desk.post(CREDIT, key="credit-0001", reference="bonus")
    desk.post(CREDIT, key="credit-0002", reference="bonus")
    desk.posted(TRANSFER)
    desk.get(BALANCES, customerRef="ann")
    desk.get(TOKENS)
    desk.get(TRANSACTIONS)
    desk.get(TRANSACTIONS, {"customerRef": "ann"})
    desk.get(TRADES_OF_CUSTOMER, customerRef="ann")
    desk.get(DEPTH, orderBookId=BOOK_ID)
    desk.get(BOOKS)
    desk.get(TRADES_OF_BOOK, orderBookId=BOOK_ID)
    cursor = json.loads(desk.get(EVENTS).body)["data"]["cursor"]
    assert desk.get(EVENTS, {"after": cursor}).status == 200
    desk.rows(status="OPEN")
    desk.rows()
    with work_of("api_handler"):
        assert list(Orders(world.database).open_newest_first(customer_key(INSTANCE, "ben")))


def call_for_webhooks(desk: Desk) -> None:
    made = desk.send("POST", WEBHOOKS, body=b'{"url": "https://hooks.example.com/", "types": ["*"]}')
    webhook_id = json.loads(made.body)["data"]["id"]
    with work_of("api_handler"):
        EndpointDesk(
            desk.world.database,
            by_function(lambda: boto3.client("lambda"), DELIVERER),
            master_key=lambda: MASTER_KEY,
            clock_ms=now_ms,
            cursor_of=lambda _owner: None,
        ).test(Owner(INSTANCE), webhook_id)
    desk.get(WEBHOOKS)
    desk.get(DELIVERIES, {"status": "WAITING"}, webhookId=webhook_id)
    assert desk.send("DELETE", ONE_WEBHOOK, webhookId=webhook_id).status == 200


def bring_to_rest(world: World, orders: int) -> list[str]:
    """Have orders come to rest; return their ids."""
    asks = [world.placed("ben", "SELL", 1, 45) for _ in range(orders)]
    assert world.deliver(records=records_of(world)) == []
    return asks


def queue_cancels_too_late(world: World, asks: list[str]) -> None:
    """Queue what fills these orders, then their cancels."""
    world.placed("ann", "BUY", len(asks), 45)
    for ask in asks:
        world.cancel("ben", ask)


def at_the_trade_desk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_token(world.database, "token-of-ann", "ann")
    desk = SignedDesk(world, new_trade_desk(world.database, master_key=read_master_key), "token-of-ann", "ann")
    desk.place(external_id="order-1")
    desk.place(side="sell", type="market", price=...)
    named = {"id": str(UUID(int=1)), "external_id": "order-1"}
    for route in TRADE_ROUTES:
        method, _, path = route.partition(" ")
        desk.send(method, f"/trade{path}", query={"pair": PAIR}, body=named)
    desk.send("DELETE", "/trade/orders/all", body={"pair": PAIR})
    monkeypatch.setattr("chalicelib.services.books.depth.DEPTH_LEVELS_MAX", len(world.views.of(world.book).bids))
    desk.get("/trade/book/orders/level-2", {"pair": PAIR, "limit": "max"})
    assert desk.place(side="sell", amount="1", expiration=now_ms() + LATER_MS, external_id="order-2").status == 200
    assert desk.get("/trade/orders/by-external-id/order-2").status == 200
    resting = world.placed("ann", "BUY", 1, 2)
    with work_of("api_handler"):
        assert isinstance(Amending(world.database).amend(INSTANCE, "ann", resting, NewTerms(3, None)), Queued)


def read_master_key() -> bytes:
    """Read the key as a function does when it starts; return that of the tests' tokens."""
    wiring.master_keys.cache_clear()
    try:
        assert wiring.master_key()
    finally:
        wiring.master_keys.cache_clear()
    return MASTER_KEY


def expire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an order end at its time, in a book that a matcher left before it had projected its rows.

    Trades of one minute end the candles of another.
    """
    asks = bring_to_rest(world, 2)
    for _ in range(2):
        world.deliver(records=records_of(world))
        world.now_ms += Period.MINUTE.length_ms
        for customer, side in (("ann", "BUY"), ("ben", "SELL")):
            world.placed(customer, side, 1, 3)
    for customer in ("cat", "dan"):
        world.cancel_all(customer)
    world.placed("ben", "SELL", 1, 70)
    queue_cancels_too_late(world, asks)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", fail)
        assert world.deliver(records=records_of(world)) != []
    world.now_ms = now_ms() + LATER_MS
    losing = Database(WatchedClient(world.database._client, losing_answers), world.database._prefix)  # type: ignore[arg-type]
    assert Expiring(losing, Matcher(losing, lambda: world.now_ms), lambda: world.now_ms).check()
    for sweep in range(LOST_AFTER_MS // SWEEP_EVERY_MS + 1 + SHARES):  # then each order's cancel has been looked for
        at_ms = world.now_ms + sweep * SWEEP_EVERY_MS
        LostCommands(world.database, world.matcher(), lambda at_ms=at_ms: at_ms).sweep_a_page()  # type: ignore[misc]
    close_while_it_is_swept(world)
    with work_of("api_handler"):
        assert list(Candles(world.database).between(world.book, Period.MINUTE, 0, world.now_ms))


def halt(world: World) -> None:
    """Have a book halt, and its halt end at its time."""
    world.change(halt_bps=1, halt_window_s=60, halt_s=1)
    for price in (5, 4):
        world.placed("ann", "BUY", 1, price)
    world.placed("ben", "SELL", 2, 4)
    world.deliver(records=records_of(world))
    (until_ms,) = world.views.halts([world.book]).values()
    world.now_ms = until_ms
    assert Expiring(world.database, world.matcher(), lambda: world.now_ms).check()
    assert world.views.halts([world.book]) == {}


def fire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a dead man's switch turned off, and one fire, for a customer with more orders than are read."""
    monkeypatch.setattr("chalicelib.services.books.switches.ORDERS_READ_MAX", 0)
    monkeypatch.setattr("chalicelib.services.books.switches.BOOKS_A_TRANSACTION", 1)
    switches = DeadManSwitches(world.database, lambda: world.now_ms)
    with work_of("api_handler"):
        for timeout_s in (60, 0, 60, 30):
            switches.set(INSTANCE, "ann", timeout_s)
    world.placed("ann", "BUY", 1, 3)
    world.now_ms += 30_000
    assert Expiring(world.database, world.matcher(), lambda: world.now_ms).check()
    assert [row["reason"] for row in world.inbox_rows() if row["kind"] == "cancel_all"][-1] == "DEAD_MAN"
    world.deliver(records=records_of(world))


def close_while_it_is_swept(world: World) -> None:
    """Have the stream close an order whose row a sweep of lost commands has read, and whose command it looks for."""
    world.placed("ann", "BUY", 1, 3, "IOC")
    deliver = after_another(lambda: world.deliver(records=records_of(world)))
    client: Any = FaultyClient(world.database._client, deliver, at=1, operation="query")
    at_ms = world.now_ms + LOST_AFTER_MS
    LostCommands(Database(client, world.database._prefix), world.matcher(), lambda: at_ms).sweep_a_page()
    assert client.has_struck


def park(world: World) -> None:
    """Have a book fail until its records are passed over, and told of."""
    book = failing_book(world)
    failing = [record_of(row | {"book": book}, 900) for row in world.inbox_rows()[:2]]
    while world.deliver(records=failing):
        pass
    Expiring(world.database, world.matcher(), lambda: world.now_ms).report_parked()


def records_of(world: World) -> list[dict[str, Any]]:
    return [record_of(row, number) for number, row in enumerate(world.inbox_rows(), 1)]


def fail(*_: object) -> None:
    raise Unavailable("throttled")


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


def losing_answers(operation: str, call: Call) -> Any:
    """Lose the answer to every transaction and all statements: then it is looked whether they were done."""
    answer = call()
    if operation in ("transact_write_items", "batch_execute_statement"):
        raise ReadTimeoutError(endpoint_url=ENDPOINT)
    return answer


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


def push(world: World) -> None:
    """Tell an operator's endpoint of one event and of two, and of the entries of the world's book."""
    hooks = Hooks(world.database)
    hooks.endpoint()
    hooks.dispatcher._start = by_function(lambda: boto3.client("lambda"), DELIVERER)
    entries = [
        lambda_record(record_of(row, number), STREAMS["push_journal"])
        for number, row in enumerate(world.database.scan("journal"), 1)
    ]
    for function in ("push_journal", "push_outbox"):
        with work_of(function):
            hooks.receive(event(1))
            hooks.now_ms += QUIET_MS
            hooks.receive(event(2), event(3))
    with work_of("push_journal"):
        assert follow_records(JournalRows(world.database), {"webhooks": hooks.dispatcher}, entries) == []


def at_the_sockets(client: DynamoDBClient) -> None:
    """Have clients follow every topic, resume and leave, each pushing function at work on both streams.

    A function carries out what another began to send (``tables.connections``), so it reads the logs of both.
    """
    for function in ("push_journal", "push_outbox"):
        prefix = f"sockets-{function}"
        create_tables(client, prefix)
        desk = open_trade_desk(World(Database(client, prefix)), clock=lambda: NOW_MS)
        sockets = open_sockets(desk)
        public = [f"{topic}@{PAIR}" for topic in Topic if not topic.is_private]
        private = [str(topic) for topic in Topic if topic.is_private]
        assert sockets.connect().status == 200
        sockets.subscribe(*public)
        sockets.subscribe(*private, ticket=sockets.ticket())
        begun = {message["topic"]: message["cursor"] for message in sockets.messages()}
        trade_and_credit(sockets)
        sockets.streams.miss()
        trade_and_credit(sockets)
        later = open_sockets(desk, clients=sockets.clients)
        sockets.streams.broadcaster = later.pushing.broadcaster
        sockets.streams.follow(function)
        trade_and_credit(sockets)
        sockets.streams.miss()
        beating = open_sockets(desk, clients=sockets.clients)
        beating.later(BEAT_S)
        with patch.object(sessions, "PASSED_OVER_MAX", 1):
            beating.pushing.beat.round()
        assert {message["topic"] for message in sockets.messages() if message["id"] > 1} == begun.keys()
        sockets.connect("late")
        sockets.say({"method": "unsubscribe", "topics": ["balance"], "ticket": sockets.ticket()}, "late")
        for topic in begun:
            welcome, first, *_ = sockets.subscribe(topic, name="late", cursor=begun[topic])
            assert (welcome["id"], first["id"]) == (-1, 1)
        sockets.say({"method": "unsubscribe", "topics": ["balance"]}, "late")
        sockets.leave("late")
        sockets.clients.gone.add("c")
        trade_and_credit(sockets)
        sockets.streams.follow(function)
        left = {row["topic"].partition("/")[0] for row in desk.world.database.scan("connections")}
        assert left == {"instance"}
    at_the_signed_order_sockets(client)


def at_the_signed_order_sockets(client: DynamoDBClient) -> None:
    """Have takers and makers connect, get heartbeats, resume, and be turned out."""
    create_tables(client, "signed")
    desk = open_taker_desk(Database(client, "signed"))
    let_in: list[str] = []

    def start(connection_id: str) -> None:
        let_in.append(connection_id)
        with suppress(ClientError):  # there is no such function here
            caller_of(lambda: boto3.client("lambda"), BEATER, "Begin a connection")({"connection": connection_id})

    sockets = open_signed_order_sockets(desk, start, read_master_key)
    for opened in (sockets.signed("t"), sockets.maker("m")):
        assert opened.status == 200
    for connection_id in let_in:
        sockets.pushing.beat.begin(connection_id, lambda _: None)
    desk.created()
    sockets.streams.follow("push_outbox")
    (message,) = sockets.messages("t")
    desk.created(nonce=2)
    sockets.taker("late", f"{BOTH}&after={message['cursor']}")
    sockets.pushing.beat.begin("late", lambda _: None)
    assert len(sockets.messages("late")) == 1
    desk.clock.advance(BEAT_S)
    sockets.clients.gone.add("m")
    sockets.pushing.beat.round()
    assert [one["type"] for one in sockets.messages("late", heartbeats=True)].count("heartbeat") == 2


def trade_and_credit(sockets: Sockets) -> None:
    sockets.desk.world.credit("ann", QUOTE, 10**21)
    sockets.desk.place(side="buy", amount="1", price="1")
    sockets.ben.place(side="sell", amount="3", price="5")
    sockets.desk.place(side="buy", amount="3", price="5")
    sockets.desk.place(side="buy", amount="2", price="4")
    for _ in range(2):  # an order that is filled by two entries
        sockets.ben.place(side="sell", amount="1", price="4")
        sockets.desk.match()


def deliver_webhooks(database: Database) -> None:
    hooks = Hooks(database)
    hooks.endpoint()
    hooks.receive(event())
    hooks.deliverer._master_keys = lambda: [read_master_key()]
    hooks.work()
    hooks.deliverer._start = by_function(lambda: boto3.client("lambda"), DELIVERER)
    assert hooks.deliverer.sweep() == 0
    hooks.now_ms += QUIET_MS
    assert hooks.deliverer.sweep() == 1
    hooks.deliverer._cursor_of = lambda _owner: end_of_feed(database)(Owner(INSTANCE))
    hooks.receiver.answers[URL] = [Answer(410, "410")]
    hooks.receive(event(2))
    hooks.work()


def losing_every_other() -> Fault:
    """Lose every other transaction, with its answer: then it is looked whether it was done."""
    number = count()

    def fault(operation: str, call: Call) -> Any:
        if operation == "transact_write_items" and next(number) % 2 == 0:
            raise ReadTimeoutError(endpoint_url=ENDPOINT)
        return call()

    return fault


def test_what_a_call_needs_is_found_part_by_part() -> None:
    table, row = {"TableName": "any-orders"}, {"Key": {}}
    orders = f"{TABLE_ARN}{PREFIX}-orders"
    transaction = {"TransactItems": [{"Put": table}, {"ConditionCheck": {"TableName": "any-signed-orders"} | row}]}
    assert needed("dynamodb", "TransactWriteItems", transaction) == {
        ("dynamodb:PutItem", orders),
        ("dynamodb:ConditionCheckItem", f"{TABLE_ARN}{PREFIX}-signed-orders"),
    }
    texts = ['UPDATE "any-orders" SET "a" = ?', 'INSERT INTO "any-books" VALUE', 'DELETE FROM "any-orders" WHERE']
    assert needed("dynamodb", "BatchExecuteStatement", {"Statements": [{"Statement": text} for text in texts]}) == {
        ("dynamodb:PartiQLUpdate", orders),
        ("dynamodb:PartiQLInsert", f"{TABLE_ARN}{PREFIX}-books"),
        ("dynamodb:PartiQLDelete", orders),
    }
    assert needed("dynamodb", "Query", table | {"IndexName": "by_owner"}) == {
        ("dynamodb:Query", f"{orders}/index/by_owner")
    }
    assert needed("dynamodb", "BatchGetItem", {"RequestItems": {"any-orders": row}}) == {
        ("dynamodb:BatchGetItem", orders)
    }
    with pytest.raises(ValueError, match="sqs:SendMessage"):
        needed("sqs", "SendMessage", {})


@pytest.mark.parametrize("engine", ["moto_database", "embedded_database", "memory_database"])
def test_a_call_that_a_policy_lacks_is_noticed_on_every_engine(engine: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(engine)
    with work_of("match_inbox"):
        list(database.scan("tenants"))
        nobody(lambda: list(database.scan("orders")))()
    denied = recording.denied()
    recording.clear()
    assert denied == [f"match_inbox may not dynamodb:Scan on {TABLE_ARN}{PREFIX}-tenants"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reads_its_own_stream_alone(function: str) -> None:
    read = {(action, arn) for action, arn in grants("prod", function) if "stream" in arn}
    assert read == {(action, STREAMS[function]) for action in STREAM_ACTIONS if function in STREAMS}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_to_its_own_log_and_makes_none(stage: str, function: str) -> None:
    """The template makes the log groups; one that a function made would have no end and stand in its way."""
    of_logs = {(action, arn) for action, arn in grants(stage, function) if action.startswith("logs:")}
    assert of_logs == {(action, logs_of(stage, function)) for action in LOG_ACTIONS}


@pytest.mark.parametrize("stage", STAGES)
def test_who_checks_signatures_or_signs_alone_reads_the_master_key_of_its_own_stage(stage: str) -> None:
    """R9: what it does to have it, tests/test_wiring.py shows: it gets one parameter."""
    by_function = {function: {one for one in grants(stage, function) if "ssm" in one[1]} for function in FUNCTIONS}
    read = ("ssm:GetParameter", f"{PARAMETER_ARN}{master_key_of(stage)}")
    assert by_function == {
        "api_handler": {read},
        "match_inbox": set(),
        "expire_orders": set(),
        "sweep_signed_orders": set(),
        "release_escrows": set(),
        "deliver_webhooks": {read},
        "push_journal": set(),
        "push_outbox": set(),
        "websocket": {read},
        "beat_connections": set(),
    }
    assert master_key_of(stage).startswith(f"{prefix_of(stage)}-")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_grant_names_its_action_and_a_table_of_its_own_stage(stage: str, function: str) -> None:
    tables = {f"{TABLE_ARN}{table.name}" for table in table_definitions(prefix_of(stage))}
    for action, arn in grants(stage, function):
        assert "*" not in action
        is_of_table = arn.split("/index/")[0].split("/stream/")[0] in tables
        others = logs_of(stage, function), f"{PARAMETER_ARN}{master_key_of(stage)}", *called_of(stage)
        assert is_of_table or arn in others


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_stages_differ_by_their_names_only(function: str) -> None:
    dev = policy("dev", function).replace(logs_of("dev", function), logs_of("prod", function))
    for in_dev, in_prod in zip(called_of("dev"), called_of("prod"), strict=True):
        dev = dev.replace(in_dev, in_prod)
    assert dev.replace("tallybook-dev-", "tallybook-") == policy("prod", function)


def test_no_policy_is_made_by_chalice_and_each_function_has_its_size_and_time() -> None:
    assert CONFIG["autogen_policy"] is False
    assert set(CONFIG["lambda_functions"]) == set(FUNCTIONS)
    for function in CONFIG["lambda_functions"].values():
        assert set(function) == {"lambda_memory_size", "lambda_timeout"}


def test_a_request_ends_before_api_gateway_gives_up() -> None:
    assert CONFIG["lambda_functions"]["api_handler"]["lambda_timeout"] <= 29
