"""What a desk answered holds, whichever attempt at a write was carried out and not answered (T60; guarantees 1, 7)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.book.routes import BOOKS, CREDIT, ONE_ORDER, SETTINGS, TOKENS, TRANSFER
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from chalicelib.wiring.taker import new_taker_desk
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.book.desk import Desk, open_desk
from tests.apis.escrow import desk as escrow_api
from tests.apis.taker import desk as taker
from tests.apis.trade import desk as trade
from tests.in_memory import PREFIX, database_of, empty_tables
from tests.lossy_endpoint import ATTEMPTS_MAX, LOSSES, NEVER_APPLIED, CuttingServer, Endpoint, Lossy
from tests.memory import MemoryDynamoDB
from tests.services.lost_answers.losses import copied, each_write, engines, facts, swept
from tests.world import BASE, INSTANCE, QUOTE, World

Send = Callable[[Database], HttpResponse]
NEW_BOOK = {"tokenAddress": QUOTE, "quoteTokenAddress": BASE, "name": "New", "symbol": "N/Q"}


def over_http(
    lossy: Lossy,
    built: MemoryDynamoDB,
    loss: str,
    send: Send,
    *,
    knows_tokens: bool = True,
    sweep: Callable[[Database], object] = lambda _database: None,
) -> None:
    """Send a request once for each of its writes; hold what was told against the tables.

    sweep: does what a request that is done may leave to a sweep.
    """
    done = built.clone()
    assert send(database_of(done)).status in (200, 201)
    before, after = facts(database_of(built)), facts(database_of(done))
    assert before != after
    for at, tables, endpoint, client in each_write(lossy, built, loss, knows_tokens=knows_tokens):
        response = send(database_of(client))
        now = facts(database_of(tables))
        if response.status in (200, 201):
            sweep(database_of(tables))
            assert facts(database_of(tables)) == after, f"{at}: told that it is done"
        else:
            assert loss == NEVER_APPLIED or endpoint.lost_ids, f"{at}: {response.status}, and it is done"
            assert response.status in (500, 503)
            assert now == before, f"{at}: {response.status}, and it is done"
            assert send(database_of(tables)).status in (200, 201)
            assert facts(database_of(tables)) == after


AMENDED = json.dumps({"customerRef": "ann", "quantity": "12"}).encode()


def book_requests(world: World) -> dict[str, Callable[[Desk], HttpResponse]]:
    order_id = next(row["order_id"] for row in world.database.scan("open-orders"))
    keyed = {"idempotency-key": "key-0001"}
    return {
        "credit": lambda desk: desk.post(CREDIT, amount="500"),
        "credit under a key": lambda desk: desk.post(CREDIT, key="key-0001", amount="500"),
        "transfer under a key": lambda desk: desk.post(TRANSFER, key="key-0001", amount="5"),
        "token under a key": lambda desk: desk.post(TOKENS, key="key-0001"),
        "place": lambda desk: desk.place(customerRef="ben", side="BUY"),
        "place under a key": lambda desk: desk.place(keyed, customerRef="ben", side="BUY"),
        "cancel": lambda desk: _accepted(desk.cancel(order_id)),
        "amend": lambda desk: _accepted(desk.send("PATCH", ONE_ORDER, body=AMENDED, orderId=order_id)),
        "amend under a key": lambda desk: _accepted(
            desk.send("PATCH", ONE_ORDER, body=AMENDED, headers=keyed, orderId=order_id)
        ),
        "settings": lambda desk: desk.send(
            "PATCH", SETTINGS, body=json.dumps({"makerFeeBps": 7}).encode(), orderBookId=world.config.book_id
        ),
        "book under a key": lambda desk: desk.send("POST", BOOKS, body=json.dumps(NEW_BOOK).encode(), headers=keyed),
    }


def _accepted(response: HttpResponse) -> HttpResponse:
    """A cancel or an amendment that is queued is done, though nobody decides it here."""
    code = json.loads(response.body).get("error", {}).get("code")
    is_queued = code in ("CANCEL_PENDING", "AMENDMENT_PENDING")
    return replace(response, status=200) if is_queued else response


@pytest.fixture(scope="module")
def book_desk() -> tuple[MemoryDynamoDB, World]:
    client = empty_tables()
    world = open_desk(World(database_of(client))).world
    Desk(world, new_book_desk(world.database)).placed(customerRef="ann", side="SELL")
    return client, world


@swept
@pytest.mark.parametrize(
    "name",
    [
        "credit", "credit under a key", "transfer under a key", "token under a key", "place", "place under a key",
        "cancel", "amend", "amend under a key", "settings", "book under a key",
    ],
)  # fmt: skip
def test_a_request_to_the_book_desk(
    lossy: Lossy, book_desk: tuple[MemoryDynamoDB, World], name: str, loss: str, knows_tokens: bool
) -> None:
    send = book_requests(book_desk[1])[name]

    def sent(database: Database) -> HttpResponse:
        return send(Desk(book_desk[1].over(database), new_book_desk(database, cancel_wait_s=0)))

    over_http(lossy, book_desk[0], loss, sent, knows_tokens=knows_tokens)


def test_a_credit_whose_outcome_nobody_knows_is_not_called_unchanged(
    lossy: Lossy, book_desk: tuple[MemoryDynamoDB, World]
) -> None:
    tables = book_desk[0].clone()
    endpoint = Endpoint(tables, LOSSES["applied, then throttled"], at=1, reads_fail_after=True)
    with lossy.over(endpoint) as client:
        desk = Desk(book_desk[1].over(database_of(client)), new_book_desk(database_of(client)))
        response = desk.post(CREDIT, amount="500")
    told = json.loads(response.body)["error"]
    assert (response.status, told["code"]) == (500, "INTERNAL_ERROR")
    assert told["message"] == "It is not known whether the request was carried out; look before you repeat it"
    assert "Retry-After" not in response.headers


@engines
@pytest.mark.parametrize("cut", [1, 4], ids=["once", "each time"])
def test_a_credit_whose_answers_break_off_on_their_way_is_done_once(
    book_desk: tuple[MemoryDynamoDB, World], cut: int, knows_tokens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets, through the client that ``wiring`` makes."""
    tables = copied(book_desk[0], knows_tokens=knows_tokens)
    before, _ = book_desk[1].over(database_of(tables)).balance("ann", BASE)
    with CuttingServer(tables, cut) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
            monkeypatch.setenv("TALLYBOOK_TABLE_PREFIX", PREFIX)
            database = wiring._database(connect_timeout_s=2, read_timeout_s=5, attempts_max=ATTEMPTS_MAX)
            desk = Desk(book_desk[1].over(database), new_book_desk(database))
            assert desk.post(CREDIT, amount="500").status == 200
        finally:
            server.shutdown()
            thread.join()
    assert server.left_to_cut == 0
    assert book_desk[1].over(database_of(tables)).balance("ann", BASE)[0] == before + 500


@pytest.fixture(scope="module")
def trade_desk() -> tuple[MemoryDynamoDB, trade.SignedDesk, str]:
    client = empty_tables()
    desk = trade.open_trade_desk(World(database_of(client)))
    desk.world.credit("ann", QUOTE, 10**30)
    placed = trade.data_of(desk.place(external_id="first"))
    return client, desk, str(placed["id"])


@swept
@pytest.mark.parametrize("name", ["place", "amend", "cancel", "cancel by name"])
def test_a_request_to_the_trade_desk(
    lossy: Lossy, trade_desk: tuple[MemoryDynamoDB, trade.SignedDesk, str], name: str, loss: str, knows_tokens: bool
) -> None:
    built, desk, order_id = trade_desk

    def sent(database: Database) -> HttpResponse:
        served = new_trade_desk(database, master_key=lambda: trade.MASTER_KEY, cancel_wait_s=0)
        client = replace(desk, desk=served)
        if name == "place":
            return client.place(external_id="mine")
        if name == "amend":
            response = client.send("PUT", "/trade/orders", body={"order_id": order_id, "amount": "11"})
        elif name == "cancel":
            response = client.delete("/trade/orders", {"id": order_id})
        else:
            response = client.delete("/trade/orders/by-external-id", {"external_id": "first"})
        is_queued = json.loads(response.body)["error_code"] == 50003
        return replace(response, status=200) if is_queued else response

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens)


@pytest.fixture(scope="module")
def taker_desk() -> tuple[MemoryDynamoDB, taker.Desk, str]:
    client = empty_tables()
    desk = taker.open_taker_desk(database_of(client))
    return client, desk, desk.created()


@swept
@pytest.mark.parametrize(
    "name",
    [
        "connect", "create", "lock", "unlock", "fill", "fill without a reference", "reject", "cancel",
        "cancel a locked order", "answer a cancel",
    ],
)  # fmt: skip
def test_a_request_to_the_taker_desk(
    lossy: Lossy, taker_desk: tuple[MemoryDynamoDB, taker.Desk, str], name: str, loss: str, knows_tokens: bool
) -> None:
    built, desk, order_hash = taker_desk[0].clone(), *taker_desk[1:]
    body = taker.connect_body(desk) if name == "connect" else desk.order_body(nonce=2)
    half = int(taker.ORDER["quantity"]) // 2

    def over(database: Database) -> taker.Desk:
        served = new_taker_desk(
            database, master_key=lambda: taker.MASTER_KEY, public_instance=INSTANCE, clock=desk.clock
        )
        return replace(desk, database=database, desk=served)

    if name in ("unlock", "fill", "fill without a reference", "reject", "cancel a locked order", "answer a cancel"):
        assert over(database_of(built)).lock(order_hash).status == 200
    if name == "answer a cancel":
        assert over(database_of(built)).cancel(order_hash).status == 200

    def sent(database: Database) -> HttpResponse:
        client = over(database)
        requests: dict[str, Callable[[], HttpResponse]] = {
            "connect": lambda: client.send("POST", "/makers/connect", body=body),
            "create": lambda: client.maker_post("/orders", body),
            "lock": lambda: client.lock(order_hash),
            "unlock": lambda: client.unlock(order_hash),
            "fill": lambda: client.fill(order_hash, half, reference_id="R-1"),
            "fill without a reference": lambda: client.fill(order_hash, half),
            "reject": lambda: client.reject(order_hash),
            "cancel": lambda: client.cancel(order_hash),
            "cancel a locked order": lambda: client.cancel(order_hash),
            "answer a cancel": lambda: client.cancel_result(order_hash, True),
        }
        return requests[name]()

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens)


@pytest.fixture(scope="module")
def escrow_desk() -> tuple[MemoryDynamoDB, escrow_api.Desk, dict[str, dict[str, Any]]]:
    client = empty_tables()
    desk = escrow_api.Desk(database_of(client))
    desk.deposit(500)
    return client, desk, {status: desk.in_status(status) for status in ("DRAFT", "PUBLISHED", "ACCEPTED")}


ESCROW_REQUESTS: dict[str, tuple[str, Callable[[escrow_api.Desk, dict[str, Any]], HttpResponse]]] = {
    "customer": ("DRAFT", lambda desk, _: desk.post("/customers", {"email": "new@x.test"})),
    "order": ("DRAFT", lambda desk, _: desk.post("/orders", desk.usual_order())),
    "payin": (
        "DRAFT",
        lambda desk, order: desk.post(
            "/payins", {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
        ),
    ),
    "bank wire": (
        "DRAFT",
        lambda desk, order: desk.post("/payins", {"order_id": order["id"], "type": "BANKWIRE"}),
    ),
    "accept": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/accept")),
    "reimburse": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/reimburse", {"amount": 10})),
    "cancel": ("PUBLISHED", lambda desk, order: desk.post(f"/orders/{order['id']}/cancel")),
    "validate": ("ACCEPTED", lambda desk, order: desk.post(f"/orders/{order['id']}/validate")),
    "payout": (
        "ACCEPTED",
        lambda desk, order: desk.post(
            "/payouts", {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.seller_wallet["id"]}
        ),
    ),
    "deposit": (
        "DRAFT",
        lambda desk, _: desk.operate(
            f"/wallets/{desk.buyer_wallet['uuid']}/deposit", {"amount": 7, "reference": "bank-7"}
        ),
    ),
}
"""By name: the status of the order that it is for, and the request."""


@swept
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "key-0001"}], ids=["no key", "key"])
@pytest.mark.parametrize("name", ESCROW_REQUESTS)
def test_a_request_to_the_escrow_desk(
    lossy: Lossy,
    escrow_desk: tuple[MemoryDynamoDB, escrow_api.Desk, dict[str, dict[str, Any]]],
    name: str,
    key: dict[str, str],
    loss: str,
    knows_tokens: bool,
) -> None:
    built, desk, orders = escrow_desk
    status, request = ESCROW_REQUESTS[name]

    class Keyed(escrow_api.Desk):
        def post(self, path: str, body: object = None, **more: Any) -> HttpResponse:
            return super().post(path, body, headers=key, **more)

    def sent(database: Database) -> HttpResponse:
        client = desk.over(database)
        client.__class__ = Keyed
        return request(client, orders[status])

    def sweep(database: Database) -> object:
        return EscrowDesk(database, lambda: desk.now_s).sweep()

    over_http(lossy, built, loss, sent, knows_tokens=knows_tokens, sweep=sweep)
