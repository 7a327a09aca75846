"""Whatever a client names, it never reaches a row of another kind: no desk answers 5xx, nothing is changed.

Each path parameter and each id in a body or query takes, in turn: every key that stands in any table, its parts, and
texts that no key can be. One table holds rows of several kinds, so what names one kind must not be read as another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.apis.book.routes import ROUTES as BOOK_ROUTES
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.taker.routes import Auth
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row
from chalicelib.wiring.book import new_book_desk
from chalicelib.wiring.trade import new_trade_desk
from infra.tables import table_definitions
from tests.apis.book.desk import API_KEY
from tests.apis.book.desk import Desk as BookWire
from tests.apis.escrow.desk import Desk as EscrowWire
from tests.apis.routes import ESCROW_ROUTES, TAKER_ROUTES, TRADE_ROUTES
from tests.apis.taker.desk import NOW_S, UNIT, open_taker_desk
from tests.apis.trade.desk import MASTER_KEY, SignedDesk, open_trade_desk
from tests.ordering import in_order
from tests.world import BASE, INSTANCE, QUOTE, World

KEYS = {
    one.name.removeprefix("x-"): [part["AttributeName"] for part in one.create_request["KeySchema"]]
    for one in table_definitions("x")
}
STRANGE = [
    "/",
    "%",
    "..",
    "ord_",
    "ord_x",
    "external/",
    "é" * 100,
    "x" * 36,
    "x" * 100,
    "x" * 256,
    "0",
    "0" * 40,
    "\U0001f4b6",
]
PARAMETER = re.compile(r"\{\w+\}")


def names_in(database: Database) -> list[str]:
    """Return every key in the tables with its parts, and the strange ones."""
    found: set[str] = set(STRANGE)
    for table, attributes in KEYS.items():
        for row in database.scan(table):
            for attribute in attributes:
                key = str(row[attribute])
                parts = key.split("/")
                found |= {key, *parts, *("/".join(parts[at:]) for at in range(len(parts)))}
    return sorted(found - {""})


def tables_of(database: Database) -> dict[str, list[Row]]:
    return {table: in_order(database.scan(table)) for table in KEYS if table != "requests"}


def paths_of(templates: list[str], names: list[str]) -> Iterator[str]:
    """Yield each path with each of its parameters in turn, and all of them, named so."""
    for template in templates:
        for name in names:
            if PARAMETER.search(template):
                yield PARAMETER.sub(lambda _, name=name: quote(name, safe=""), template)  # type: ignore[misc]


def assert_nothing_breaks(
    database: Database, ask: Callable[[str], HttpResponse], paths: Iterator[str], *, changes: bool = False
) -> None:
    before = tables_of(database)
    asked = 0
    for path in paths:
        response = ask(path)
        assert response.status < 500, (path, response.body)
        asked += 1
    assert asked
    assert changes or tables_of(database) == before


@pytest.fixture
def world(memory_database: Database) -> World:
    """Orders with external ids, a trade, a cancel, a cancel-all, at both desks of the books."""
    world = World(memory_database)
    desk = open_trade_desk(world)
    for asset in (BASE, QUOTE):
        world.credit("ann", asset, 10**21)
        world.credit("ben", asset, 10**21)
    world.tenants().add_key(INSTANCE, "key_1", API_KEY, rate_limit=0)
    for number in range(3):
        assert desk.place(external_id=f"Mine-{number}", amount="2", price="3").status == 200
    assert desk.as_customer("ben").place(side="sell", amount="1", price="3", external_id="ord_1").status == 200
    desk.match()
    assert world.cancel_all("ben")
    desk.match()
    return world


def test_book_desk(world: World) -> None:
    desk = BookWire(world, new_book_desk(world.database, cancel_wait_s=0))
    names = names_in(world.database)
    assert any(name.startswith("external/") for name in names)
    for route in BOOK_ROUTES:
        parameters = [name[1:-1] for name in PARAMETER.findall(route.path)]
        if not parameters:
            continue
        before = tables_of(world.database)
        for name in names:
            for query in ({}, {"customerRef": ["ann"]}):
                body = json.dumps({"customerRef": "ann"}).encode() if route.method != "GET" else b""
                sent = {parameter: quote(name, safe="") for parameter in parameters}
                if "customerRef" in sent and len(sent) > 1:
                    sent["customerRef"] = "ann"
                response = desk.send(route.method, route.path, body=body, query=query, **sent)
                is_well = response.status < 500 or "CANCEL_PENDING" in response.body  # an order of its own
                assert is_well, (route.name, name, response.body)
        is_command = route.method == "DELETE" or route.path.endswith("/resume")  # of an order, or a book of its own
        assert is_command or tables_of(world.database) == before


def test_an_external_id_is_no_orders_id(world: World) -> None:
    """The one that was found: its row stands beside the orders."""
    desk = BookWire(world, new_book_desk(world.database, cancel_wait_s=0))
    for name in ("external/mine-0", "external/Mine-0"):
        answer = desk.get(
            "/orderbooks/stocks/api/offchain/orders/{orderId}", {"customerRef": "ann"}, orderId=quote(name, safe="")
        )
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "ORDER_NOT_FOUND")
        answer = desk.cancel(quote(name, safe=""))
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "ORDER_NOT_FOUND")


def test_trade_desk(world: World) -> None:
    trade = new_trade_desk(world.database, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, cancel_wait_s=0)
    desk = SignedDesk(world, trade, "token-of-ann", "ann")
    names = names_in(world.database)
    templates = [route.removeprefix("GET ") for route in TRADE_ROUTES if route.startswith("GET ")]
    assert_nothing_breaks(world.database, lambda path: desk.get(f"/trade{path}"), paths_of(templates, names))
    for name in names:
        for member in ("id", "order_id", "external_id", "pair", "ids", "currency_code", "c"):
            for path in ("/orders", "/orders/trades", "/user/trades", "/user/balances", "/public/trades"):
                response = desk.get(f"/trade{path}", {"pair": "B_Q", member: name})
                assert response.status < 500, (path, member, name, response.body)
        for path in ("/orders/cancel", "/orders/cancel-by-external-id"):
            response = desk.post(f"/trade{path}", {"id": name, "external_id": name})
            assert response.status in (400, 404) or "Cancel is pending" in response.body, (path, name, response.body)
        assert desk.place(external_id=name, pair=name).status < 500


def test_taker_desk(memory_database: Database) -> None:
    desk = open_taker_desk(memory_database)
    orders = [desk.created(nonce=nonce, deadline=NOW_S + 9000) for nonce in range(3)]
    desk.lock(orders[0], reference_id="first")
    desk.fill(orders[0], UNIT, reference_id="first")
    names = names_in(memory_database)
    for auth, ask in ((Auth.TAKER, desk.get), (Auth.MAKER, desk.maker_get)):
        templates = [
            name.removeprefix("GET ")
            for name, route in TAKER_ROUTES.items()
            if route.method == "GET" and route.auth is auth
        ]
        if any(PARAMETER.search(template) for template in templates):
            assert_nothing_breaks(memory_database, ask, paths_of(templates, names))
    for name in names:
        assert desk.maker_post(f"/orders/{quote(name, safe='')}/cancel").status < 500
        for member in ("ticker", "exchange", "reference_id", "order_hash", "status", "asset", "taker_address"):
            for path in ("/takers/orders", "/orders/available", "/orders/filled"):
                assert desk.get(path, {member: name}).status < 500, (path, member, name)
            assert desk.maker_get("/orders", {member: name}).status < 500
        for path in ("lock", "unlock", "fill", "reject", "cancel-result", "validate"):
            for body in (
                {"order_hash": name, "fill_quantity": "1", "cancellation_success": False},
                {"order_hash": orders[1], "fill_quantity": "1", "reference_id": name, "taker_address": name},
            ):
                assert desk.post(f"/orders/{path}", body).status < 500, (path, body)


def test_escrow_desk(memory_database: Database) -> None:
    desk = EscrowWire(memory_database)
    order = desk.paid()
    desk.do(order, "accept")
    names = names_in(memory_database)
    gets, posts = (paths_below_prefix(method) for method in ("GET", "POST"))
    assert_nothing_breaks(memory_database, lambda path: desk.get(path), paths_of(gets, names))
    mine = [post for post in posts if not post.startswith("/operator")]
    assert_nothing_breaks(memory_database, lambda path: desk.post(path, {}), paths_of(mine, names), changes=True)
    theirs = [post.removeprefix("/operator") for post in posts if post.startswith("/operator")]
    assert_nothing_breaks(memory_database, lambda path: desk.operate(path, {}), paths_of(theirs, names), changes=True)
    for name in names:
        for path, member in (
            ("/orders", "id"), ("/orders", "public_id"), ("/orders", "status"), ("/payins", "order_id"),
            ("/payouts", "order_id"), ("/customers", "email"), ("/wallets", "customer"), ("/customers", "uuid"),
        ):  # fmt: skip
            assert desk.get(path, {member: name}).status < 500, (path, member, name)
            assert desk.get(path, {f"filter[{member}]": name}).status < 500, (path, member, name)
        usual: Any = desk.usual_order()
        for member in usual:
            response = desk.post("/orders", usual | {member: name})
            assert response.status < 500, (member, name, response.body)
        for path, body in (
            ("/payins", {"order_id": name, "type": "ACCOUNT"}), ("/payouts", {"order_id": name, "type": "ACCOUNT"}),
            ("/customers", {"email": name, "name": name, "prefix": name, "phone": name}),
        ):  # fmt: skip
            response = desk.post(path, body)
            assert response.status < 500, (path, name, response.body)


def paths_below_prefix(method: str) -> list[str]:
    """Return the paths of the escrow desk's routes with this method."""
    return [name.partition(" ")[2] for name, route in ESCROW_ROUTES.items() if route.method == method]
