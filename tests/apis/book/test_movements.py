"""Credits, debits and transfers: metadata that is shown as it came, references that move money once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import CREDIT, DEBIT, TRANSFER
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.ledger.movements import Movements
from tests.apis.book.desk import Desk, data_of, fields_of, outcome_of
from tests.ordering import in_order
from tests.world import BASE, QUOTE, register_tokens

POSTS = [CREDIT, DEBIT, TRANSFER]
FUNDS = 1000
"""What the desk gives ann and ben of both tokens."""


@pytest.mark.parametrize(
    "metadata",
    [
        {}, {"a": None}, {"price": 0.1, "n": 10**40, "deep": [{"x": [True, "é"]}]}, {"a": "x" * (4096 - 8)},
        {"b": 1, "a": 2},
    ],
)  # fmt: skip
def test_metadata_is_shown_as_it_came(desk: Desk, metadata: dict[str, Any]) -> None:
    """4 KiB as compact JSON; floats, large numbers and the order of members stay."""
    desk.posted(CREDIT, transactionMetadata=metadata, reference="r" * 256)
    shown = desk.transactions()[0][0]
    assert (json.dumps(shown["metadata"]), shown["reference"]) == (json.dumps(metadata), "r" * 256)


@pytest.mark.parametrize("body", ['{"a":1e999}', '{"a":-1e999}', '{"a":' + "[" * 64 + "]" * 64 + "}"])
def test_metadata_that_could_not_be_shown_again_is_refused(desk: Desk, body: str) -> None:
    sent = json.dumps({"tokenAddress": BASE, "customerRef": "ann", "amount": "1"})[:-1]
    response = desk.send("POST", CREDIT, body=f'{sent},"transactionMetadata":{body}}}'.encode())
    assert fields_of(response) == ["transactionMetadata"]
    assert len(desk.transactions()[0]) == 4


def test_metadata_of_63_levels_below_its_own_is_shown_again(desk: Desk) -> None:
    deep: Any = 1
    for _ in range(63):
        deep = [deep]
    desk.posted(CREDIT, transactionMetadata={"a": deep})
    assert desk.transactions()[0][0]["metadata"] == {"a": deep}


def test_the_sum_of_all_balances_of_a_token_has_38_digits_at_most(desk: Desk) -> None:
    """T35"""
    room = AMOUNT_MAX - 2 * FUNDS
    before = desk.world.tables()
    assert fields_of(desk.post(CREDIT, customerRef="new", amount=str(room + 1))) == ["amount"]
    assert desk.world.tables() == before
    assert desk.posted(CREDIT, customerRef="new", amount=str(room))["balance"] == str(room)
    assert fields_of(desk.post(CREDIT, amount="1")) == ["amount"]
    desk.posted(DEBIT, amount="1")
    desk.posted(CREDIT, amount="1")


@pytest.mark.parametrize("route", POSTS)
def test_a_reference_moves_money_once(desk: Desk, route: str) -> None:
    first = desk.posted(route, reference="monthly bonus", amount="900", transactionMetadata={"a": 1, "b": 2})
    after = desk.world.tables()
    again = desk.posted(route, reference="monthly bonus", amount="900", transactionMetadata={"b": 2, "a": 1})
    assert again == first  # for a debit and a transfer, what is available would not suffice again
    for other in ({"amount": "901"}, {"transactionMetadata": {"a": 1}}, {"transactionMetadata": None}):
        members = {"amount": "900", "transactionMetadata": {"a": 1, "b": 2}} | other
        assert outcome_of(desk.post(route, reference="monthly bonus", **members)) == (409, "IDEMPOTENCY_MISMATCH")
    assert desk.world.tables() == after


def test_a_reference_is_none_to_other_customers_tokens_and_types(desk: Desk) -> None:
    same = {"reference": "bonus", "amount": "1"}
    answers = [
        desk.posted(CREDIT, **same),
        desk.posted(CREDIT, **same, customerRef="ben"),
        desk.posted(CREDIT, **same, tokenAddress=QUOTE),
        desk.posted(DEBIT, **same),
        desk.posted(TRANSFER, **same),
        desk.posted(TRANSFER, **same, toCustomerRef="cat"),
        desk.posted(TRANSFER, **same, fromCustomerRef="ben", toCustomerRef="ann"),
        desk.posted(CREDIT, **same | {"reference": "Bonus"}),
        desk.posted(CREDIT, **same | {"reference": ""}),
        desk.posted(CREDIT, **same | {"reference": ""}),
    ]
    assert len({answer["transactionId"] for answer in answers}) == len(answers)


def test_a_reference_under_another_key_is_answered_and_kept_under_that_key_too(desk: Desk) -> None:
    first = data_of(desk.post(CREDIT, key="pay-0001", reference="bonus"))
    desk.posted(CREDIT, amount="5")
    second = desk.post(CREDIT, key="pay-0002", reference="bonus")
    assert data_of(second) == first | {"balance": "1015"}
    desk.posted(CREDIT, amount="5")
    replayed = desk.post(CREDIT, key="pay-0002", reference="bonus")
    assert (replayed.body, replayed.headers["Idempotent-Replay"]) == (second.body, "true")
    assert desk.world.balance("ann", BASE) == (1020, 0)


@pytest.mark.parametrize(("route", "customer"), [(CREDIT, "credit"), (DEBIT, "debit"), (TRANSFER, "transfer")])
def test_a_customer_may_have_the_name_of_a_route(desk: Desk, route: str, customer: str) -> None:
    desk.posted(CREDIT, customerRef=customer)
    assert data_of(desk.get(route)) == {"customerRef": customer, "balances": desk.balances(customer)}


def test_another_instances_money_is_neither_seen_nor_moved(desk: Desk) -> None:
    """Guarantee 8: the same customer, token and reference elsewhere are others."""
    other = "inst_other001"
    register_tokens(desk.world.database, other)
    elsewhere = Movements(desk.world.database).record(Movement(other, BASE, None, "ann", 7, "bonus"))
    Movements(desk.world.database).record(Movement(other, BASE, None, "only there", 7))
    theirs = [row for row in desk.world.database.scan("accounts") if row["owner"].startswith(other)]
    here = desk.posted(CREDIT, reference="bonus", amount="5")
    assert (here["balance"], here["transactionId"] != elsewhere.transaction_id) == ("1005", True)
    assert desk.balances("only there") == []
    assert desk.transactions()[1] == 4 + 1
    desk.posted(DEBIT, amount="1005")
    left = [row for row in desk.world.database.scan("accounts") if row["owner"].startswith(other)]
    assert in_order(left) == in_order(theirs)
