"""The tables of routes of all desks are true: forms, errors, credentials, and the pages that list them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.apis.book.routes import BASE, LEDGER
from chalicelib.apis.escrow.routes import Auth as EscrowAuth
from chalicelib.apis.kit.answering import endpoints_of
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.mounts import MOUNTS, desk_of
from chalicelib.apis.kit.routing import Route, RouteTable, filled
from chalicelib.apis.taker.routes import Auth as TakerAuth
from chalicelib.apis.trade.query import Query
from chalicelib.tables.dynamodb import Database
from infra.settings import ROOT
from tests.apis.book.desk import API_KEY, open_desk
from tests.apis.escrow.desk import KEY, MASTER_KEY, OPERATOR_KEY
from tests.apis.escrow.desk import Desk as EscrowWire
from tests.apis.taker.desk import open_taker_desk
from tests.apis.trade.desk import open_trade_desk, request_of
from tests.documented import ERRORS, TABLES, errors_in
from tests.world import World

Send = Callable[[Route[Any], str, bool], HttpResponse]
"""Sends a request to a path of a route, with what the route asks for or without."""

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.desk)
every_route = pytest.mark.parametrize(
    ("table", "route"),
    [pytest.param(table, route, id=f"{table.desk} {route.name}") for table in TABLES for route in table],
)
SOMETHING = {"id": "7", "pair": "A_B"}
"""What stands for some parameters of a path; anything does for the others."""


def sender(table: RouteTable[Any], database: Database) -> Send:
    if table.desk == "book":
        book = open_desk(World(database))
        return lambda route, path, shown: book.send(route.method, path, key=API_KEY if shown else None)
    if table.desk == "trade":
        trade = open_trade_desk(World(database))
        return lambda route, path, shown: (
            trade.send(route.method, path)
            if shown
            else trade.desk.answer(request_of(route.method, path, None, {}, b""))
        )
    if table.desk == "escrow":
        escrow, addresses = EscrowWire(database), count()

        def send_escrow(route: Route[Any], path: str, shown: bool) -> HttpResponse:
            if shown and route.auth is EscrowAuth.SIGNATURE:
                return escrow.call_back({})
            key = None if not shown else OPERATOR_KEY if "/operator/" in path else KEY
            return escrow.as_key(key).send(route.method, path, address=f"192.0.2.{next(addresses)}")

        return send_escrow
    taker = open_taker_desk(database)
    credentials = {
        TakerAuth.NONE: {},
        TakerAuth.PUBLIC: {},
        TakerAuth.MAKER: {"authorization": f"Bearer {taker.jwt}"},
        TakerAuth.TAKER: {"x-api-key": taker.api_key},
    }
    return lambda route, path, shown: taker.send(
        route.method, path.removeprefix(MOUNTS["taker"][0]), headers=credentials[route.auth] if shown else {}
    )


def is_public(route: Route[Any]) -> bool:
    return route.auth in (None, TakerAuth.NONE, TakerAuth.PUBLIC)


def path_of(template: str) -> str:
    return filled(template, dict.fromkeys(re.findall(r"{(\w+)}", template), "x") | SOMETHING)


@every_table
def test_each_route_is_served_at_each_path_and_asks_for_its_credential(
    table: RouteTable[Any], memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it, what is refused is refused by the endpoint, in a word of the route's own or of a form."""
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    send = sender(table, memory_database)
    for route in table:
        for path in map(path_of, route.paths):
            for sent in (path, f"{path}/"):
                stranger = send(route, sent, False)
                assert (stranger.status == 401) is not is_public(route), (route.name, sent, stranger.body)
                assert stranger.status in (200, 400, 401, 404), (route.name, sent, stranger.body)
            known = send(route, path, True)
            assert known.status in (200, 400, 404, 422), (route.name, path, known.body)
            assert known.status == 200 or errors_in(table, known) & {*route.errors, *table.errors}, (route.name, known)


@every_table
def test_each_path_is_one_of_its_desks(table: RouteTable[Any]) -> None:
    assert {desk_of(route.method, path) for route in table for path in route.paths} == {table.desk}


@every_route
def test_each_documented_error_is_one_of_the_desks_envelope(table: RouteTable[Any], route: Route[Any]) -> None:
    assert table.documented(route) <= ERRORS[table.desk]
    assert not set(route.errors) & {*table.errors, *table.errors_of.get(route.auth, ())}, "said for every route"


@every_route
def test_each_form_of_a_body_is_there(table: RouteTable[Any], route: Route[Any]) -> None:
    """A GET has no body; what has one and takes nothing from it names no form."""
    if route.body is None:
        return
    assert route.method != "GET"
    module, _, name = route.body.partition(":")
    assert hasattr(import_module(f"chalicelib.apis.{table.desk}.{module}"), name)


def test_each_desk_has_its_table_and_each_endpoint_one_name_of_a_route() -> None:
    assert [table.desk for table in TABLES] == ["book", "trade", "taker", "escrow"]
    for table in TABLES:
        assert len({route.name for route in table}) == len(table.routes)


# --- queries

SENT = {"pair": ["A_B"], "order_id": ["01563E3A-B5D3-D676-4C61-EFB99302BD5B"], "customerRef": ["ann"]}
"""What some lists are not looked at without."""


class Asked(dict[str, list[str]]):
    """A query that notes which parameters are looked for."""

    def __init__(self, sent: dict[str, list[str]]) -> None:
        super().__init__(sent)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def spy(monkeypatch: pytest.MonkeyPatch, desk: str, sent: dict[str, list[str]]) -> dict[str, Asked]:
    """Have the desk's endpoints get this query; return what they look for, by their routes, as they are asked."""
    seen: dict[str, Asked] = {}

    def spied(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        def ask(request: HttpRequest, *rest: Any) -> Any:
            query = seen[f"{request.method} {request.route}"] = Asked(sent)
            return endpoint(replace(request, query=query), *rest)

        return ask

    def endpoints(table: RouteTable[Any], **groups: object) -> dict[str, Callable[..., Any]]:
        return {name: spied(endpoint) for name, endpoint in endpoints_of(table, **groups).items()}

    monkeypatch.setattr(f"chalicelib.wiring.{desk}.endpoints_of", endpoints)
    return seen


@pytest.mark.parametrize("table", TABLES[:3], ids=lambda table: table.desk)
def test_the_query_parameters_of_a_route_are_those_that_are_looked_for(
    table: RouteTable[Any], memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    items_of = Query.items

    def items(query: Query, name: str) -> list[str]:
        query._query.get(name)
        return items_of(query, name)

    monkeypatch.setattr(Query, "items", items)
    seen = spy(monkeypatch, table.desk, SENT)
    send = sender(table, memory_database)
    for route in table:
        send(route, path_of(route.path), True)
        if route.name in seen:
            assert seen[route.name].names == set(route.query), route.name
    assert {route.name for route in table if route.query} <= seen.keys()


def test_the_query_parameters_of_the_escrow_desk_are_those_that_can_be_wrong(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (table,) = (table for table in TABLES if table.desk == "escrow")
    names = {name for route in table for name in route.query}
    sent: dict[str, list[str]] = {}
    spy(monkeypatch, table.desk, sent)
    send = sender(table, memory_database)
    sent |= {name: ["?"] for name in names}
    for route in table:
        if route.query and "{" not in route.path:
            told = json.loads(send(route, route.path, True).body)["errors"]
            assert told.keys() == set(route.query) - {"query"}, "any text is good to search for"


# --- the pages

PREFIXES = {"book": (BASE, LEDGER)} | {desk: mounts[:1] for desk, mounts in MOUNTS.items()}
METHODS = "GET|POST|PUT|PATCH|DELETE"
LISTED = re.compile(rf"((?:{METHODS})(?:, (?:{METHODS}))*)\s((?:`/[^`]*`(?:,\s)?)+)")


def named_in(text: str, prefixes: tuple[str, ...], table: RouteTable[Any]) -> set[str]:
    """Return the routes that a text names: one method or more, then one path or more, each in backticks."""
    names = {route.name for route in table}
    found = set()
    for methods, paths in LISTED.findall(text):
        for method in methods.split(", "):
            for path in re.findall(r"`([^`?]*)[^`]*`", paths):
                whole = [f"{method} {prefix}{path}" for prefix in prefixes]
                found.add(next((name for name in whole if name in names), whole[0]))
    return found


@every_table
def test_the_page_of_a_desk_lists_its_routes_and_no_other(table: RouteTable[Any]) -> None:
    page = (ROOT / "docs" / f"{table.desk}-desk.md").read_text(encoding="utf-8")
    rows = "\n".join(re.findall(rf"^\| (?:{METHODS})[ ,].*$", page, re.MULTILINE))
    names = {route.name for route in table}
    assert named_in(rows, PREFIXES[table.desk], table) <= names
    assert named_in(page, PREFIXES[table.desk], table) >= names
