"""Guarantee 8 at the trade desk: of another customer, and of another tenant, each route shows and changes nothing.

Each private route is asked twice, where the other's things are there and where they are not: the answers are the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.apis.kit.routing import filled
from tests.apis.routes import TRADE_ROUTES
from tests.apis.trade.desk import PAIR, SignedDesk, data_of, make_token, open_trade_desk
from tests.in_memory import database_of, empty_tables
from tests.world import QUOTE, World

OTHER_INSTANCE = "inst_other001"
AT_MS = 2_110_619_200_000
"""2036-11-18: after the credits, which have the time of the run."""
ID = "01563E3A-B5D3-D676-4C61-EFB99302BD5B"
"""Stands for the id of ann's order; there is none with it where her things are not."""
IN_PATH = {"external_id": "mine", "currency_code": "B", "date": "2036-11-18"}
UNLIKE = re.compile(r'"last_update":"[^"]*",?|"cursor":"[^"]*",')
"""What tells of everybody: when the market was made, how many entries each log has."""

Asked = tuple[dict[str, str], Any]
"""Query and body."""
OF_CUSTOMER: dict[str, Asked] = {
    "GET /orders": ({"pair": PAIR, "ids": ID}, None),
    "POST /orders": (
        {},
        {"pair": PAIR, "side": "sell", "type": "limit", "amount": "1", "price": "0", "external_id": "mine"},
    ),
    "PUT /orders": ({}, {"order_id": ID, "amount": "9"}),
    "DELETE /orders": ({}, {"id": ID}),
    "POST /orders/cancel": ({}, {"id": ID}),
    "DELETE /orders/by-external-id": ({}, {"external_id": "mine"}),
    "POST /orders/cancel-by-external-id": ({}, {"external_id": "mine"}),
    "DELETE /orders/all": ({}, {"pair": PAIR}),
    "POST /orders/cancel-all-after": ({}, {"timeout": 0}),
    "GET /orders/open": ({"pair": PAIR}, None),
    "GET /orders/trades": ({"order_id": ID}, None),
    "GET /orders/{id}": ({}, None),
    "GET /orders/by-external-id/{external_id}": ({}, None),
    "GET /user/trades": ({"pair": PAIR, "start_date": "2036-11-01", "end_date": "2036-12-01"}, None),
    "GET /user/balances": ({}, None),
    "GET /user/balances/{date}": ({}, None),
    "GET /user/statement": ({}, None),
    "GET /user/statement/{currency_code}": ({}, None),
    "GET /events": ({"after": "start"}, None),
}
"""How each route that is about a customer's own things is asked for ann's."""
OF_MARKET: dict[str, Asked] = {
    "GET /trades": ({"pair": PAIR}, None),
    "GET /book/orders/level-2": ({"pair": PAIR}, None),
    "GET /book/orders/level-3": ({"pair": PAIR}, None),
    "GET /currencies": ({}, None),
    "GET /orders/estimate-price/{pair}": ({"amount": "1", "side": "sell"}, None),
    "GET /user/trading-fees": ({"pair": PAIR}, None),
    "GET /ticker": ({}, None),
    "GET /ticker/{pair}": ({}, None),
    "GET /pairs": ({"pair": PAIR}, None),
}
"""Those that show a tenant's market to all of its customers."""
TELL_NOTHING = ("POST /orders", "POST /orders/cancel-all-after")
"""Those that answer the owner as they answer others; what they change, the rows show."""


def desk_over(customers: bool) -> tuple[SignedDesk, str]:
    """Return cat's desk, and ann's order's id. customers: whether ann and ben have traded and ann has an order left."""
    client = empty_tables()
    world = World(database_of(client))
    world.now_ms = AT_MS
    ann = open_trade_desk(world, clock=lambda: AT_MS)
    order_id = ID
    if customers:
        world.credit("ann", QUOTE, 1000 * 10**18)
        order_id = data_of(ann.place(external_id="mine"))["id"]
        data_of(ann.as_customer("ben").place(side="sell", amount="4"))
        ann.match()
        data_of(ann.post("/trade/orders/cancel-all-after", {"timeout": 60}))
    return ann.as_customer("cat"), order_id


def answer(desk: SignedDesk, route: str, asked: Asked, order_id: str) -> tuple[int, Any]:
    """Ask for ann's things; return status and answer, but for when tokens were registered and which id an order has."""
    method, _, template = route.partition(" ")
    path = filled(template, {"id": order_id, "pair": PAIR} | IN_PATH)
    query, body = json.loads(json.dumps(asked).replace(ID, order_id))
    response = desk.send(method, f"/trade{path}", query=query, body=body)
    return response.status, json.loads(UNLIKE.sub("", response.body.replace(order_id, ID)).replace(",}", "}"))


def rows_of_ann(desk: SignedDesk) -> list[Any]:
    return [row for rows in desk.world.tables().values() for row in rows if "customer/ann" in repr(row)]


def test_every_private_route_is_asked_here() -> None:
    private = {name for name, route in TRADE_ROUTES.items() if route.auth is not None}
    assert private == {*OF_CUSTOMER, *OF_MARKET, "POST /ticket"}, "test_socket.py has what a ticket opens"


@pytest.mark.parametrize("route", OF_CUSTOMER)
def test_another_customers_things_are_as_if_they_were_not(route: str) -> None:
    (full, order_id), (empty, none) = desk_over(True), desk_over(False)
    before = rows_of_ann(full)
    assert answer(full, route, OF_CUSTOMER[route], order_id) == answer(empty, route, OF_CUSTOMER[route], none)
    assert rows_of_ann(full) == before


@pytest.mark.parametrize("route", [*OF_CUSTOMER, *OF_MARKET])
def test_another_tenants_things_are_as_if_they_were_not(route: str) -> None:
    """The other tenant's customer has the same name, and the same pair is asked for."""
    asked = (OF_CUSTOMER | OF_MARKET)[route]
    answers = []
    for customers in (True, False):
        desk, order_id = desk_over(customers)
        desk.world.tenants().create_instance(OTHER_INSTANCE.removeprefix("inst_"), frozenset({"trading"}))
        make_token(desk.world.database, "token-elsewhere", "ann", instance=OTHER_INSTANCE)
        before = desk.world.tables()
        answers.append(answer(replace(desk, token="token-elsewhere"), route, asked, order_id))
        assert desk.world.tables() == before
    assert answers[0] == answers[1]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("route", [route for route in OF_CUSTOMER if route not in TELL_NOTHING])
def test_the_owner_is_answered_otherwise(route: str) -> None:
    """So the tests above ask for what is there."""
    (full, order_id), (empty, none) = desk_over(True), desk_over(False)
    own = [answer(replace(desk, token="token-of-ann"), route, OF_CUSTOMER[route], each)
           for desk, each in ((full, order_id), (empty, none))]  # fmt: skip
    assert own[0] != own[1]
