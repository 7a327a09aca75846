"""Credits, debits and transfers over the desk: every member, bound and error, and that money moves once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import BALANCES, CREDIT, DEBIT, ONE_BALANCE, TRANSFER
from chalicelib.domain.books.vocabulary import AMOUNT_MAX
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.services.ledger.movements import Movements
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.apis.book.test_tokens import deactivate
from tests.apis.book.till import balance, balances, data_of, post, posted, transactions
from tests.ordering import in_order
from tests.world import BASE, QUOTE, World, register_tokens

POSTS = [CREDIT, DEBIT, TRANSFER]
NO_TOKEN = "0x" + "e" * 40
FUNDS = 1000
"""What the desk gives ann and ben of both tokens."""


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def test_a_credit_answers_with_the_balance_then(desk: Desk) -> None:
    desk.placed(side="SELL", quantity="300")
    answer = posted(desk, CREDIT, tokenAddress=BASE.upper().replace("X", "x"), amount="7", unknown="x")
    assert answer["transactionId"].startswith("txn_")
    assert len(answer["transactionId"]) == 30
    assert list(answer.items()) == list({
        "customerRef": "ann", "tokenAddress": BASE, "balance": "1007", "transactionId": answer["transactionId"],
    }.items())  # fmt: skip


def test_a_debit_takes_what_is_available_and_no_more(desk: Desk) -> None:
    desk.placed(side="SELL", quantity="300")
    assert posted(desk, DEBIT, amount="600")["balance"] == "400"
    before = desk.world.tables()
    refused = post(desk, DEBIT, amount="101")
    assert code_of(refused) == (400, "INSUFFICIENT_BALANCE")
    assert json.loads(refused.body)["error"]["message"] == "Insufficient balance: required 101, available 100"
    assert code_of(post(desk, DEBIT, customerRef="nobody")) == (400, "INSUFFICIENT_BALANCE")
    assert desk.world.tables() == before
    assert posted(desk, DEBIT, amount="100")["balance"] == "300"


def test_a_transfer_moves_from_one_customer_to_another(desk: Desk) -> None:
    answer = posted(desk, TRANSFER, amount="400", toCustomerRef="new")
    assert list(answer.items()) == list({
        "fromCustomerRef": "ann", "toCustomerRef": "new", "tokenAddress": BASE, "amount": "400",
        "transactionId": answer["transactionId"],
    }.items())  # fmt: skip
    assert (desk.world.balance("ann", BASE), desk.world.balance("new", BASE)) == ((600, 0), (400, 0))
    before = desk.world.tables()
    assert code_of(post(desk, TRANSFER, amount="601")) == (400, "INSUFFICIENT_BALANCE")
    assert code_of(post(desk, TRANSFER, toCustomerRef="ann", amount="601")) == (400, "INVALID_TRANSFER")
    assert desk.world.tables() == before


@pytest.mark.parametrize("route", POSTS)
def test_an_unknown_or_inactive_token_moves_nothing(desk: Desk, route: str) -> None:
    """T35: it comes before the customer and the balance are looked at."""
    deactivate(desk, QUOTE)
    before = desk.world.tables()
    faulty: dict[str, Any] = {"amount": "9" * 38} | ({"toCustomerRef": "ann"} if route == TRANSFER else {})
    for token in (NO_TOKEN, QUOTE):
        assert code_of(post(desk, route, tokenAddress=token, **faulty)) == (404, "TOKEN_NOT_FOUND")
    assert desk.world.tables() == before


def test_what_a_customer_has_of_an_inactive_token_is_listed_and_not_shown_by_itself(desk: Desk) -> None:
    deactivate(desk, QUOTE)
    assert code_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=QUOTE)) == (404, "TOKEN_NOT_FOUND")
    assert len(balances(desk)) == 2


FAULTY: list[tuple[str, object]] = [
    *(("tokenAddress", value) for value in (..., None, 1, "", "0x" + "d" * 39, "d" * 42)),
    *(("amount", value) for value in (..., None, 1, "", "0", "00", "-1", "+1", "01", " 1", "1.0", "1e3", "9" * 39)),
    *(("reference", value) for value in (1, "x" * 257, ["x"], "\ud800")),
    *(("transactionMetadata", value) for value in ("x", [], 1, True, {"a": "x" * 4100}, {"a": "\ud800"})),
]  # fmt: skip
CUSTOMER_FAULTS: list[object] = [..., None, 1, "", "x" * 257, "a\nb", "\x7f", "\ud800"]


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize(("member", "value"), FAULTY)
def test_a_faulty_member_is_named_and_nothing_changes(desk: Desk, route: str, member: str, value: object) -> None:
    before = desk.world.tables()
    assert fields_of(post(desk, route, **{member: value})) == [member]
    assert desk.world.tables() == before


@pytest.mark.parametrize("value", CUSTOMER_FAULTS)
@pytest.mark.parametrize(
    ("route", "member"),
    [(CREDIT, "customerRef"), (DEBIT, "customerRef"), (TRANSFER, "fromCustomerRef"), (TRANSFER, "toCustomerRef")],
)
def test_a_faulty_customer_is_named_and_nothing_changes(desk: Desk, route: str, member: str, value: object) -> None:
    before = desk.world.tables()
    assert fields_of(post(desk, route, **{member: value})) == [member]
    assert desk.world.tables() == before


@pytest.mark.parametrize("route", POSTS)
def test_all_faults_are_named_in_the_order_of_the_members(desk: Desk, route: str) -> None:
    """T7"""
    customers = {"toCustomerRef": 1, "fromCustomerRef": 1} if route == TRANSFER else {"customerRef": 1}
    faulty: dict[str, Any] = {"transactionMetadata": 1, "reference": 1, "amount": 1} | customers | {"tokenAddress": 1}
    assert fields_of(post(desk, route, **faulty)) == list(reversed(faulty))
    for body in (b"", b"[]", b"{", b"\xff", b'{"a":NaN}', b"null"):
        assert fields_of(desk.send("POST", route, body=body)) == ["body"]


@pytest.mark.parametrize(
    "metadata",
    [
        {}, {"a": None}, {"price": 0.1, "n": 10**40, "deep": [{"x": [True, "é"]}]}, {"a": "x" * (4096 - 8)},
        {"b": 1, "a": 2},
    ],
)  # fmt: skip
def test_metadata_is_shown_as_it_came(desk: Desk, metadata: dict[str, Any]) -> None:
    """4 KiB as compact JSON; floats, large numbers and the order of members stay."""
    posted(desk, CREDIT, transactionMetadata=metadata, reference="r" * 256)
    shown = transactions(desk)[0][0]
    assert (json.dumps(shown["metadata"]), shown["reference"]) == (json.dumps(metadata), "r" * 256)


@pytest.mark.parametrize("body", ['{"a":1e999}', '{"a":-1e999}', '{"a":' + "[" * 64 + "]" * 64 + "}"])
def test_metadata_that_could_not_be_shown_again_is_refused(desk: Desk, body: str) -> None:
    sent = json.dumps({"tokenAddress": BASE, "customerRef": "ann", "amount": "1"})[:-1]
    response = desk.send("POST", CREDIT, body=f'{sent},"transactionMetadata":{body}}}'.encode())
    assert fields_of(response) == ["transactionMetadata"]
    assert len(transactions(desk)[0]) == 4


def test_metadata_of_63_levels_below_its_own_is_shown_again(desk: Desk) -> None:
    deep: Any = 1
    for _ in range(63):
        deep = [deep]
    posted(desk, CREDIT, transactionMetadata={"a": deep})
    assert transactions(desk)[0][0]["metadata"] == {"a": deep}


def test_the_sum_of_all_balances_of_a_token_has_38_digits_at_most(desk: Desk) -> None:
    """T35"""
    room = AMOUNT_MAX - 2 * FUNDS
    before = desk.world.tables()
    assert fields_of(post(desk, CREDIT, customerRef="new", amount=str(room + 1))) == ["amount"]
    assert desk.world.tables() == before
    assert posted(desk, CREDIT, customerRef="new", amount=str(room))["balance"] == str(room)
    assert fields_of(post(desk, CREDIT, amount="1")) == ["amount"]
    posted(desk, DEBIT, amount="1")
    posted(desk, CREDIT, amount="1")


@pytest.mark.parametrize("route", POSTS)
def test_a_key_moves_money_once_and_gives_one_answer(desk: Desk, route: str) -> None:
    """T14"""
    first = post(desk, route, key="pay-0001", amount="400")
    after = desk.world.tables()
    again = post(desk, route, key="pay-0001", amount="400")
    assert again.body == first.body
    assert again.headers["Idempotent-Replay"] == "true"
    assert code_of(post(desk, route, key="pay-0001", amount="401")) == (409, "IDEMPOTENCY_MISMATCH")
    assert desk.world.tables() == after
    assert post(desk, route, key="pay-0002", amount="400").body != first.body


@pytest.mark.parametrize("route", [DEBIT, TRANSFER])
def test_a_refusal_is_kept_under_its_key(desk: Desk, route: str) -> None:
    """T13"""
    refused = post(desk, route, key="pay-0001", amount="1001")
    assert code_of(refused) == (400, "INSUFFICIENT_BALANCE")
    posted(desk, CREDIT, amount="1")
    assert post(desk, route, key="pay-0001", amount="1001").body == refused.body
    assert code_of(post(desk, route, key="short")) == (400, "IDEMPOTENCY_KEY_REQUIRED")


@pytest.mark.parametrize("route", POSTS)
def test_a_reference_moves_money_once(desk: Desk, route: str) -> None:
    first = posted(desk, route, reference="monthly bonus", amount="900", transactionMetadata={"a": 1, "b": 2})
    after = desk.world.tables()
    again = posted(desk, route, reference="monthly bonus", amount="900", transactionMetadata={"b": 2, "a": 1})
    assert again == first  # for a debit and a transfer, what is available would not suffice again
    for other in ({"amount": "901"}, {"transactionMetadata": {"a": 1}}, {"transactionMetadata": None}):
        members = {"amount": "900", "transactionMetadata": {"a": 1, "b": 2}} | other
        assert code_of(post(desk, route, reference="monthly bonus", **members)) == (409, "IDEMPOTENCY_MISMATCH")
    assert desk.world.tables() == after


def test_a_reference_is_none_to_other_customers_tokens_and_types(desk: Desk) -> None:
    same = {"reference": "bonus", "amount": "1"}
    answers = [
        posted(desk, CREDIT, **same),
        posted(desk, CREDIT, **same, customerRef="ben"),
        posted(desk, CREDIT, **same, tokenAddress=QUOTE),
        posted(desk, DEBIT, **same),
        posted(desk, TRANSFER, **same),
        posted(desk, TRANSFER, **same, toCustomerRef="cat"),
        posted(desk, TRANSFER, **same, fromCustomerRef="ben", toCustomerRef="ann"),
        posted(desk, CREDIT, **same | {"reference": "Bonus"}),
        posted(desk, CREDIT, **same | {"reference": ""}),
        posted(desk, CREDIT, **same | {"reference": ""}),
    ]
    assert len({answer["transactionId"] for answer in answers}) == len(answers)


def test_a_reference_under_another_key_is_answered_and_kept_under_that_key_too(desk: Desk) -> None:
    first = data_of(post(desk, CREDIT, key="pay-0001", reference="bonus"))
    posted(desk, CREDIT, amount="5")
    second = post(desk, CREDIT, key="pay-0002", reference="bonus")
    assert data_of(second) == first | {"balance": "1015"}
    posted(desk, CREDIT, amount="5")
    replayed = post(desk, CREDIT, key="pay-0002", reference="bonus")
    assert (replayed.body, replayed.headers["Idempotent-Replay"]) == (second.body, "true")
    assert desk.world.balance("ann", BASE) == (1020, 0)


def test_a_balance_is_what_is_available_and_what_is_held(desk: Desk) -> None:
    desk.placed(side="SELL", quantity="300")
    assert list(balance(desk).items()) == list({
        "customerRef": "ann", "tokenAddress": BASE,
        "token": {"name": "Base", "symbol": "B", "decimals": 0, "metadataURI": None},
        "balance": "1000", "lockedBalance": "300", "availableBalance": "700", "metadata": None,
    }.items())  # fmt: skip
    assert {"customerRef": "ann"} | balances(desk)[0] == balance(desk)


def test_balances_are_listed_by_symbol_page_by_page(desk: Desk) -> None:
    for number, symbol in enumerate(["Zinc", "amber", "P"]):
        address = f"0x{number:040x}"
        posted(desk, "/custody/api/tokens", tokenAddress=address, symbol=symbol)
        posted(desk, CREDIT, tokenAddress=address)
    assert [row["token"]["symbol"] for row in balances(desk)] == ["amber", "B", "P", "Q", "Zinc"]
    assert [row["token"]["symbol"] for row in balances(desk, limit="2", offset="1")] == ["B", "P"]
    assert balances(desk, offset="5") == []


def test_an_unknown_customer_has_nothing_and_a_known_token_none_of_it(desk: Desk) -> None:
    """T36"""
    assert balances(desk, "nobody") == []
    shown = balance(desk, "nobody")
    assert (shown["balance"], shown["lockedBalance"], shown["availableBalance"]) == ("0", "0", "0")
    assert code_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress=NO_TOKEN)) == (404, "TOKEN_NOT_FOUND")
    assert code_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress="x")) == (404, "TOKEN_NOT_FOUND")


@pytest.mark.parametrize("segment", ["%FF", "%zz", "%00", "x" * 257])
def test_a_customer_in_the_path_is_well_encoded(desk: Desk, segment: str) -> None:
    assert code_of(desk.get(BALANCES, customerRef=segment)) == (400, "INVALID_PARAM")
    assert code_of(desk.get(ONE_BALANCE, customerRef=segment, tokenAddress=BASE)) == (400, "INVALID_PARAM")
    assert code_of(desk.get(ONE_BALANCE, customerRef="ann", tokenAddress="%FF")) == (400, "INVALID_PARAM")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}])
def test_a_faulty_page_of_balances_is_named(desk: Desk, query: dict[str, str]) -> None:
    assert fields_of(desk.get(BALANCES, query, customerRef="ann")) == list(query)


@pytest.mark.parametrize(("route", "customer"), [(CREDIT, "credit"), (DEBIT, "debit"), (TRANSFER, "transfer")])
def test_a_customer_may_have_the_name_of_a_route(desk: Desk, route: str, customer: str) -> None:
    posted(desk, CREDIT, customerRef=customer)
    assert data_of(desk.get(route)) == {"customerRef": customer, "balances": balances(desk, customer)}


def test_another_instances_money_is_neither_seen_nor_moved(desk: Desk) -> None:
    """Guarantee 8: the same customer, token and reference elsewhere are others."""
    other = "inst_other001"
    register_tokens(desk.world.database, other)
    elsewhere = Movements(desk.world.database).record(Movement(other, BASE, None, "ann", 7, "bonus"))
    Movements(desk.world.database).record(Movement(other, BASE, None, "only there", 7))
    theirs = [row for row in desk.world.database.scan("accounts") if row["owner"].startswith(other)]
    here = posted(desk, CREDIT, reference="bonus", amount="5")
    assert (here["balance"], here["transactionId"] != elsewhere.transaction_id) == ("1005", True)
    assert balances(desk, "only there") == []
    assert transactions(desk)[1] == 4 + 1
    posted(desk, DEBIT, amount="1005")
    left = [row for row in desk.world.database.scan("accounts") if row["owner"].startswith(other)]
    assert in_order(left) == in_order(theirs)


@pytest.mark.parametrize("route", POSTS)
def test_movements_pass_the_gate_like_every_request(desk: Desk, route: str) -> None:
    """T5, T10"""
    assert code_of(desk.send("POST", route, key=None, body=b"{")) == (401, "AUTH_REQUIRED")
    response = desk.send("PATCH", route)
    assert (code_of(response), response.headers["Allow"]) == ((405, "METHOD_NOT_ALLOWED"), "GET, POST")


def test_the_ledger_needs_the_service_too(memory_database: Database) -> None:
    """T5"""
    desk = open_desk(World(memory_database), services=frozenset())
    assert code_of(desk.send("POST", CREDIT, body=b"{")) == (403, "SERVICE_NOT_ENABLED")
