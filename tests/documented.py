"""Whatever a desk answers in the suite is what its description says.

Every test runs under this: each answer of a desk is looked at, whatever the test is about. One with an error that its
route does not document, with another status, or of another form than the description has, fails the test. Objects have
the described members and no others. So descriptions say what happens, and not what somebody remembers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from jsonschema_rs import Validator, validator_for

from chalicelib.apis.book.api import BookApi
from chalicelib.apis.book.envelope import STATUS_OF_CODE
from chalicelib.apis.book.routes import ROUTES as BOOK
from chalicelib.apis.escrow.api import EscrowApi
from chalicelib.apis.escrow.envelope import MESSAGES
from chalicelib.apis.escrow.routes import PAGES
from chalicelib.apis.escrow.routes import ROUTES as ESCROW
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import NoRoute, Route, RouteTable
from chalicelib.apis.taker.api import TakerApi
from chalicelib.apis.taker.envelope import Error as TakerError
from chalicelib.apis.taker.routes import ROUTES as TAKER
from chalicelib.apis.trade.api import TradeApi
from chalicelib.apis.trade.envelope import Error as TradeError
from chalicelib.apis.trade.routes import ROUTES as TRADE
from infra.openapi.document import DESCRIPTIONS, DeskDocument

TABLES: tuple[RouteTable[Any], ...] = (BOOK, TRADE, TAKER, ESCROW)
ERRORS = {
    "book": frozenset(STATUS_OF_CODE),
    "trade": frozenset(TradeError.__members__),
    "taker": frozenset(TakerError.__members__),
    "escrow": frozenset(map(str, MESSAGES)),
}
"""The errors that the envelope of each desk knows."""


def _of_trade(status: int, body: Any) -> set[str]:
    return {
        error.name
        for error in TradeError
        if (error.status, error.error_code) == (status, body["error_code"])
        and ("{field}" in error.message or body["message"].startswith(error.message))
    }


NAMES: dict[str, Callable[[int, Any], set[str]]] = {
    "book": lambda _, body: {body["error"]["code"]},
    "trade": _of_trade,
    "taker": lambda status, body: {
        error.name for error in TakerError if (error.status, error.code) == (status, body["code"])
    },
    "escrow": lambda status, _: {str(status)},
}
"""How the error of an answer is called in the desk's table; two names where the answer does not tell them apart."""


def errors_in(table: RouteTable[Any], response: HttpResponse) -> set[str]:
    """Return how an answer's error may be called; nothing for a success."""
    return NAMES[table.desk](response.status, json.loads(response.body)) if response.status >= 400 else set()


def install() -> None:
    """Have every desk's answers looked at from here on; call it once."""
    for owner, table in ((BookApi, BOOK), (TradeApi, TRADE), (TakerApi, TAKER), (EscrowApi, ESCROW)):
        owner.answer = _looked_at(owner.answer, table)  # type: ignore[attr-defined]


def _looked_at(answer: Callable[[Any, HttpRequest], HttpResponse], table: RouteTable[Any]) -> Any:
    @wraps(answer)
    def looked_at(desk: Any, request: HttpRequest) -> HttpResponse:
        response = answer(desk, request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        routes = PAGES if is_page else table
        names = {str(response.status)} if is_page and response.status >= 400 else errors_in(table, response)
        if names:
            try:
                route, _ = routes.find(request.method, request.path)
            except NoRoute:
                return response
            assert names & routes.documented(route), f"{route.name} does not document {names}: {response.body}"
        if not is_page:
            check_form(table, request, response)
        return response

    return looked_at


# --- the form of answers


def check_form(table: RouteTable[Any], request: HttpRequest, response: HttpResponse) -> None:
    """Assert that the answer to a known route has a described status, content type and form."""
    try:
        route, _ = table.find(request.method, request.path)
    except NoRoute:
        return
    described = response_of(table.desk, route, response.status)
    assert described is not None, f"{route.name} does not describe the status {response.status}: {response.body}"
    media = response.headers["Content-Type"]
    if not media.startswith("application/json"):
        assert media in described["content"], f"{route.name} does not describe {media}"
        return
    body, where = json.loads(response.body), (table.desk, route.name, response.status)
    validator = bare_form(*where) if table.desk == "escrow" and is_bare(body) else form(*where)
    for error in validator.iter_errors(body):
        raise AssertionError(f"{route.name} answers {response.status} otherwise than described: {error}\n{body}")


def is_bare(body: Any) -> bool:
    """Return whether a success stands in the bare profile (E47): without ``data`` around it."""
    return "data" not in body and "message" not in body


def response_of(desk: str, route: Route[Any], status: int) -> Any:
    found = operation(desk, route.name)["responses"].get(str(status))
    return (
        document(desk).components()["responses"][found["$ref"].split("/")[-1]] if found and "$ref" in found else found
    )


@cache
def document(desk: str) -> DeskDocument:
    (found,) = (DeskDocument(one, {}) for one in DESCRIPTIONS if one.desk == desk)
    return found


@cache
def _paths(desk: str) -> Any:
    return document(desk).paths()


def operation(desk: str, name: str) -> Any:
    method, _, path = name.partition(" ")
    return _paths(desk)[path][method.lower()]


@cache
def _components(desk: str) -> Any:
    return document(desk).components()


@cache
def _closed_schemas(desk: str) -> Any:
    return closed(_components(desk)["schemas"])


@cache
def form(desk: str, name: str, status: int) -> Validator:
    (route,) = (route for route in document(desk).description.table if route.name == name)
    return _validator(desk, response_of(desk, route, status)["content"]["application/json"]["schema"])


@cache
def bare_form(desk: str, name: str, status: int) -> Validator:
    (route,) = (route for route in document(desk).description.table if route.name == name)
    return _validator(desk, response_of(desk, route, status)["content"]["application/json;profile=bare"]["schema"])


def _validator(desk: str, schema: Any) -> Validator:
    return validator_for(closed(schema) | {"components": {"schemas": _closed_schemas(desk)}}, validate_formats=True)


def validator_of(whole: Any, schema: Any) -> Validator:
    """Return the validator of a schema that stands in a whole document."""
    return validator_for(schema | {"components": {"schemas": whole["components"]["schemas"]}}, validate_formats=True)


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no members but those that are described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: one if key in ("enum", "const") else closed(one) for key, one in schema.items()}
    if found.get("type") in ("object", ["object", "null"]) and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found
