"""Bodies within the bounds of JSON are read; beyond them nothing is done, at every route that takes a body (T57)."""

from __future__ import annotations

import json

import pytest

from chalicelib.apis.book.routes import (
    BOOKS,
    CREDIT,
    DEBIT,
    ONE_ORDER,
    PLACE,
    RESUME,
    SETTINGS,
    TOKENS,
    TRANSACTIONS,
    TRANSFER,
)
from chalicelib.apis.kit.http import HttpResponse
from tests.apis.book.desk import ORDER, Desk, fields_of, json_body
from tests.case_tables import cases
from tests.world import BASE, BOOK_ID

BEYOND = cases(
    ("levels of arrays",           b"[" * 966 + b"]" * 966),
    ("levels of objects",          b'{"a":' * 966 + b"1" + b"}" * 966),
    ("levels that cannot be read", b"[" * 60_000),
    ("one level too many",         b"[" * 128 + b"1" + b"]" * 128),
)  # fmt: skip
"""What stands in an unknown member."""


@pytest.mark.parametrize("key", cases(("with a key", True), ("without", False)))
@pytest.mark.parametrize("member", BEYOND)
def test_t57_json_beyond_its_bounds_is_a_fault_of_the_body_everywhere(desk: Desk, member: bytes, key: bool) -> None:
    headers = {"idempotency-key": "beyond-bounds-1"} if key else {}
    order_id = desk.placed()
    routes: list[tuple[str, str, dict[str, str]]] = [
        ("POST", PLACE, {}),
        ("DELETE", ONE_ORDER, {"orderId": order_id}),
        ("POST", BOOKS, {}),
        ("PATCH", SETTINGS, {"orderBookId": BOOK_ID}),
        ("POST", RESUME, {"orderBookId": BOOK_ID}),
        *(("POST", route, {}) for route in (TOKENS, CREDIT, DEBIT, TRANSFER)),
    ]
    tables = ("orders", "inbox", "accounts", "books", "tokens")
    before = [sorted(map(repr, desk.world.database.scan(table))) for table in tables]
    for method, route, path_parameters in routes:
        body = json_body(ORDER)[:-1] + b', "x": ' + member + b"}"
        assert fields_of(desk.send(method, route, body=body, headers=headers, **path_parameters)) == ["body"]
    assert [sorted(map(repr, desk.world.database.scan(table))) for table in tables] == before


def test_t57_json_within_its_bounds_is_read(desk: Desk) -> None:
    for member in (b"[" * 127 + b"]" * 127, b"9" * 4500, b"-9." + b"9" * 60_000):
        body = json_body(ORDER | {"quantity": "1"})[:-1] + b', "x": ' + member + b"}"
        headers = {"idempotency-key": f"within-bounds-{len(member)}"}
        assert desk.send("POST", PLACE, body=body, headers=headers).status == 201


@pytest.mark.parametrize("number", ["9" * 301, "-" + "9" * 301, "9" * 4500, "1e999"])
def test_t57_metadata_has_numbers_that_every_client_can_read(desk: Desk, number: str) -> None:
    movement = {"tokenAddress": BASE, "customerRef": "ann", "amount": "1", "transactionMetadata": {"n": ["?"]}}

    def credit(number: str) -> HttpResponse:
        return desk.send("POST", CREDIT, body=json_body(movement).replace(b'"?"', number.encode()))

    assert fields_of(credit(number)) == ["transactionMetadata"]
    assert credit("9" * 300).status == 200
    shown = json.loads(desk.get(TRANSACTIONS).body, parse_int=str)["data"]["transactions"][0]["metadata"]
    assert shown == {"n": ["9" * 300]}
