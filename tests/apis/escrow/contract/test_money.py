"""Money: the ledger behind the desk (E23), fees (E25), and the reference's flows, looked at after each step.

The table of fees stands in ``tests/services/escrow/test_vectors.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.apis.book.routes import BALANCES, CREDIT, DEBIT, TRANSFER
from chalicelib.apis.kit.http import HttpRequest, HttpResponse
from chalicelib.apis.kit.routing import filled
from chalicelib.domain.escrow.money import Currency, major_units
from chalicelib.domain.escrow.settings import DeskSettings
from chalicelib.domain.ledger.owners import customer_key, escrow_fees_key, supply_key, transactions_key
from chalicelib.domain.ledger.transactions import Transaction
from chalicelib.domain.tenancy.instances import World
from chalicelib.ops.cli.escrow import iso_decimals
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.services.escrow.desk import EscrowDesk
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.transactions import Transactions
from chalicelib.wiring.book import new_book_desk
from tests.apis.escrow.cases import Money, ledger, money, new_desk, outcome, part
from tests.apis.escrow.desk import OPERATOR_KEY, OPERATOR_PRODUCTION_KEY, PRODUCTION_KEY, Desk, data_of
from tests.case_tables import cases
from tests.services.escrow.world import EUR, INSTANCE, SANDBOX_EUR


def rows(desk: Desk, owner: str | None = None) -> list[Transaction]:
    """Return the ledger's transactions, oldest first."""
    found = Transactions(desk.database).newest_first(owner or transactions_key(INSTANCE))
    return list(found)[::-1]


# --- flows: a step, and what the ledger says after it

Step = tuple[str, Callable[[Desk, dict[str, Any]], Any], Money, str]


def deposit(amount: object) -> Callable[[Desk, dict[str, Any]], Any]:
    return lambda desk, _order: desk.deposit(amount)


def pay(desk: Desk, order: dict[str, Any]) -> Any:
    return desk.pay(order)


def wire(desk: Desk, order: dict[str, Any]) -> Any:
    return desk.bankwire(order)


def confirm(amount: object) -> Callable[[Desk, dict[str, Any]], Any]:
    return lambda desk, order: desk.operate(f"/payins/{part(desk, order, 'payin')['id']}/confirm", {"amount": amount})


def pay_out(desk: Desk, order: dict[str, Any]) -> Any:
    return desk.pay_out(order)


def do(command: str, body: object = None) -> Callable[[Desk, dict[str, Any]], Any]:
    return lambda desk, order: desk.post(f"/orders/{order['id']}/{command}", body)


def block(desk: Desk, order: dict[str, Any]) -> Any:
    return desk.operate(f"/orders/{order['id']}/block")


def delay(desk: Desk, _order: dict[str, Any]) -> None:
    desk.set(release_delay_seconds=60)


FLOWS: dict[str, tuple[dict[str, Any], list[tuple[Callable[[Desk, dict[str, Any]], Any], Money, str]]]] = {
    "the reference's": ({"fee_percent": "2.5"}, [
        (deposit(200),                          money(200, 0, 0, 0, 200),       "DRAFT"),
        (pay,                                   money(50, 150, 0, 0, 200),      "PUBLISHED"),
        (do("accept"),                          money(50, 150, 0, 0, 200),      "ACCEPTED"),
        (do("reimburse", {"amount": 30}),       money(80, 120, 0, 0, 200),      "ACCEPTED"),
        (pay_out,                               money(80, 120, 0, 0, 200),      "PENDING_VALIDATE"),
        (do("validate"),                        money(80, 0, 117, 3, 200),      "RELEASED"),
    ]),
    "too little at first": ({}, [
        (deposit(100),                          money(100, 0, 0, 0, 100),       "DRAFT"),
        (pay,                                   money(100, 0, 0, 0, 100),       "FAILURE"),
        (deposit(50),                           money(150, 0, 0, 0, 150),       "FAILURE"),
        (pay,                                   money(0, 150, 0, 0, 150),       "PUBLISHED"),
    ]),
    "a bank wire of another amount, then the right one, then cancelled": ({}, [
        (wire,                                  money(0, 0, 0, 0, 0),           "PENDING_PUBLISH"),
        (confirm(149),                          money(0, 0, 0, 0, 0),           "PENDING_PUBLISH"),
        (confirm(150),                          money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("cancel"),                          money(150, 0, 0, 0, 150),       "CANCELLED"),
    ]),
    "rejected and reimbursed": ({}, [
        (deposit(150),                          money(150, 0, 0, 0, 150),       "DRAFT"),
        (pay,                                   money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("reject"),                          money(0, 150, 0, 0, 150),       "REJECTED"),
        (do("reimburse"),                       money(150, 0, 0, 0, 150),       "REJECTED"),
    ]),
    "validated without and with auto_accept": ({}, [
        (deposit(150),                          money(150, 0, 0, 0, 150),       "DRAFT"),
        (pay,                                   money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("validate"),                        money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("validate", {"auto_accept": 1}),    money(0, 0, 150, 0, 150),       "RELEASED"),
        (do("cancel"),                          money(0, 0, 150, 0, 150),       "RELEASED"),
    ]),
    "accepted as a draft, reimbursed when cancelled": ({}, [
        (do("accept"),                          money(0, 0, 0, 0, 0),           "DRAFT"),
        (do("cancel"),                          money(0, 0, 0, 0, 0),           "CANCELLED"),
        (do("reimburse"),                       money(0, 0, 0, 0, 0),           "CANCELLED"),
    ]),
    "settled at once": ({"auto_settle": 1, "value": 40, "fee_value": 1}, [
        (deposit(40),                           money(40, 0, 0, 0, 40),         "DRAFT"),
        (pay,                                   money(0, 0, 39, 1, 40),         "RELEASED"),
    ]),
    "validated with a delay, blocked and cancelled": ({}, [
        (deposit(150),                          money(150, 0, 0, 0, 150),       "DRAFT"),
        (pay,                                   money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("accept"),                          money(0, 150, 0, 0, 150),       "ACCEPTED"),
        (delay,                                 money(0, 150, 0, 0, 150),       "ACCEPTED"),
        (do("validate"),                        money(0, 150, 0, 0, 150),       "PENDING_RELEASE"),
        (block,                                 money(0, 150, 0, 0, 150),       "BLOCKED_RELEASE"),
        (do("cancel"),                          money(150, 0, 0, 0, 150),       "CANCELLED"),
    ]),
    "all that is left is the fee": ({"fee_value": 10}, [
        (deposit(150),                          money(150, 0, 0, 0, 150),       "DRAFT"),
        (pay,                                   money(0, 150, 0, 0, 150),       "PUBLISHED"),
        (do("reimburse", {"amount": 145}),      money(145, 5, 0, 0, 150),       "PUBLISHED"),
        (do("validate", {"auto_accept": 1}),    money(145, 0, 0, 5, 150),       "RELEASED"),
    ]),
    "an odd percentage": ({"value": "23.77", "fee_percent": "2.5"}, [
        (deposit("23.77"),                      money("23.77", 0, 0, 0, "23.77"),   "DRAFT"),
        (pay,                                   money(0, "23.77", 0, 0, "23.77"),   "PUBLISHED"),
        (do("validate", {"auto_accept": 1}),    money(0, 0, "23.18", "0.59", "23.77"), "RELEASED"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_e23_a_flow_of_money(name: str) -> None:
    desk = new_desk()
    members, steps = FLOWS[name]
    order = desk.order(**members)
    for number, (step, expected, status) in enumerate(steps):
        step(desk, order)
        assert (ledger(desk), desk.now(order)["status"]) == (expected, status), f"step {number + 1}"
        assert expected.available + expected.held + expected.seller + expected.fees == expected.credits
        desk.check_money()
    Verifier(desk.database).verify(None)


def test_the_accounts_own_wallet_is_paid_where_there_is_no_seller(desk: Desk) -> None:
    order = desk.order(auto_settle=1, value=40, fee_value=1, seller_id=...)
    desk.deposit(40)
    desk.pay(order)
    assert desk.wallet_of({"uuid": desk.own_uuid(World.SANDBOX)})["balance"] == 39
    assert ledger(desk) == money(0, 0, 0, 1, 40)


# --- the ledger's rows


def test_the_rows_of_an_order_are_a_credit_a_transfer_and_a_fee(desk: Desk) -> None:
    order = desk.order(fee_percent="2.5")
    payin = desk.bankwire(order)
    desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150})
    desk.do(order, "reimburse", {"amount": 30})
    desk.do(order, "validate", {"auto_accept": 1})
    buyer, seller = (f"sandbox:{who['uuid']}" for who in (desk.buyer, desk.seller))
    reference = f"order:{order['id']}"
    found = [(row.kind.value, row.source, row.target, major_units(row.amount), row.reference) for row in rows(desk)]
    assert found == [
        ("credit", None, buyer, 150, reference),
        ("transfer", buyer, seller, 120, reference),
        ("fee", seller, None, 3, reference),
    ]
    of_seller = rows(desk, customer_key(INSTANCE, seller))
    assert [row.kind.value for row in of_seller] == ["transfer", "fee"]


SILENT = cases(
    ("a hold",                  [pay],                                          ["credit"]),
    ("a denied payin",          [wire],                                         ["credit"]),
    ("a refund in part",        [pay, do("reimburse", {"amount": 1})],          ["credit"]),
    ("a cancelled order",       [pay, do("cancel")],                            ["credit"]),
    ("a release without fee",   [pay, do("validate", {"auto_accept": 1})],      ["credit", "transfer"]),
)  # fmt: skip


@pytest.mark.parametrize(("steps", "kinds"), SILENT)
def test_holds_refunds_and_zero_amounts_write_no_rows(desk: Desk, steps: list[Any], kinds: list[str]) -> None:
    order = desk.order()
    desk.deposit(150, reference="bank-1")
    for step in steps:
        step(desk, order)
    found = rows(desk)
    assert [row.kind.value for row in found] == kinds
    assert found[0].reference == "bank-1", "a deposit's own"


# --- E23


def test_e23_held_of_a_buyer_is_the_sum_of_what_is_left_of_its_orders(desk: Desk) -> None:
    desk.deposit(100)
    orders = [desk.order(value=value) for value in (10, 20, 30)]
    for order in orders:
        desk.pay(order)
    assert ledger(desk) == money(40, 60, 0, 0, 100)
    desk.do(orders[0], "reimburse", {"amount": 4})
    desk.do(orders[1], "cancel")
    desk.do(orders[2], "reject")
    assert ledger(desk) == money(64, 36, 0, 0, 100)
    desk.check_money()


def test_e23_no_account_is_ever_negative_and_what_is_held_pays_nothing_else(desk: Desk) -> None:
    desk.deposit(150)
    first, second = desk.order(), desk.order(value="0.01")
    assert desk.pay(first)["status"] == "CONFIRMED"
    assert desk.pay(second)["status"] == "DENIED"
    assert ledger(desk) == money(0, 150, 0, 0, 150)


def test_e23_money_of_the_worlds_is_apart(desk: Desk) -> None:
    production = desk.as_key(PRODUCTION_KEY)
    buyer, seller = production.customer("ann@x.test"), production.customer("sam@x.test")
    wallet = production.wallet_of(buyer)
    deposit = {"amount": 200, "reference": "r"}
    data_of(desk.as_key(OPERATOR_PRODUCTION_KEY).post(f"/operator/wallets/{wallet['uuid']}/deposit", deposit))
    body = desk.usual_order(buyer_id=buyer["id"], seller_id=seller["id"], fee_value=5)
    order = data_of(production.post("/orders", body))
    data_of(production.post("/payins", {"order_id": order["id"], "type": "WALLET", "wallet_id": wallet["id"]}))
    assert production.do(order, "validate", {"auto_accept": 1})["status"] == "RELEASED"
    assert ledger(desk) == money(0, 0, 0, 0, 0), "the sandbox has assets of its own"
    assert desk.accounts.balance(supply_key(INSTANCE), EUR.asset).available == 200 * 10**18
    fees = {world: desk.accounts.balance(escrow_fees_key(INSTANCE, world), EUR.asset).available for world in World}
    assert {world: major_units(amount) for world, amount in fees.items()} == {World.SANDBOX: 0, World.PRODUCTION: 5}
    assert production.wallet_of(seller)["balance"] == 145


def test_a_ledger_credit_to_the_customers_reference_shows_in_its_wallet(desk: Desk) -> None:
    owner = customer_key(INSTANCE, f"sandbox:{desk.seller['uuid']}")
    desk.database.write(desk.accounts.change(owner, SANDBOX_EUR.asset, 7 * 10**18, 0, 1))
    assert desk.funds(desk.seller_wallet) == 7


# --- E25

FEES = cases(
    ("a share",             {"fee_percent": "2.5"},                         0,      "146.25",   "3.75"),
    ("the larger, fixed",   {"fee_value": 5, "fee_percent": "2.5"},         0,      "145",      "5"),
    ("the larger, share",   {"fee_value": 3, "fee_percent": "2.5"},         0,      "146.25",   "3.75"),
    ("on what is left",     {"fee_percent": "2.5"},                         30,     "117",      "3"),
    ("rounded down",        {"value": "23.77", "fee_percent": "2.5"},       0,      "23.18",    "0.59"),
    ("no more than left",   {"fee_value": 10},                              145,    "0",        "5"),
    ("all of it",           {"value": 2, "fee_value": 2, "fee_percent": 100}, 0,    "0",        "2"),
    ("none",                {},                                             0,      "150",      "0"),
    ("smallest percentage", {"fee_percent": "0.0001"},                      0,      "150",      "0"),
)  # fmt: skip


@pytest.mark.parametrize(("members", "reimbursed", "seller", "fee"), FEES)
def test_e25_the_fee_is_the_sellers_and_taken_on_release_only(
    desk: Desk, members: dict[str, Any], reimbursed: int, seller: str, fee: str
) -> None:
    order = desk.paid(**members)
    if reimbursed:
        desk.do(order, "reimburse", {"amount": reimbursed})
    assert ledger(desk).fees == 0
    desk.do(order, "validate", {"auto_accept": 1})
    value = str(members.get("value", 150))
    assert ledger(desk) == money(reimbursed, 0, seller, fee, value)


def test_e25_refunds_carry_no_fee(desk: Desk) -> None:
    order = desk.paid(fee_value=5, fee_percent=50)
    desk.do(order, "reimburse", {"amount": 100})
    desk.do(order, "cancel")
    assert ledger(desk) == money(150, 0, 0, 0, 150)


def test_e25_a_fee_may_be_agreed_until_the_release(desk: Desk) -> None:
    order = desk.do(desk.paid(), "accept")
    assert data_of(desk.put(f"/orders/{order['id']}", {"fee_percent": 10}))["fee_amount"] == "15.00 €"
    desk.do(order, "validate")
    assert ledger(desk) == money(0, 0, 135, 15, 150)
    assert outcome(desk.put(f"/orders/{order['id']}", {"fee_percent": 20})) == ["fee_percent"]


def test_a_crash_between_the_two_writes_of_a_validation_loses_nothing(desk: Desk) -> None:
    """The order is PENDING_RELEASE and due; the next sweep finishes it (E22)."""
    order = desk.do(desk.paid(fee_value=1), "accept")
    pausing = EscrowDesk(desk.database, lambda: desk.now_s)
    pausing._released_if_due = lambda validated, _receipt: validated  # type: ignore[method-assign]
    assert pausing.validate(desk.scope(World.SANDBOX), order["id"]).status.value == "PENDING_RELEASE"
    assert EscrowDesk(desk.database, lambda: desk.now_s).sweep().released == 1
    assert ledger(desk) == money(0, 0, 149, 1, 150)


UNITS: Any = cases(
    ("yen",         "JPY",  "150",      "150 JPY",      "0.1"),
    ("dollar",      "USD",  "23.77",    "23.77 USD",    "0.001"),
    ("dinar",       "KWD",  "23.775",   "23.775 KWD",   "0.0001"),
    ("unidad",      "CLF",  "0.0001",   "0.0001 CLF",   "0.00001"),
)  # fmt: skip


@pytest.mark.parametrize(("code", "value", "amount", "too_fine"), UNITS)
def test_e33_a_currency_has_the_minor_unit_of_iso_4217(
    desk: Desk, code: str, value: str, amount: str, too_fine: str
) -> None:
    enabled = DeskSettings((Currency(code, iso_decimals(code), EUR.asset),))
    EscrowDesks(desk.database).change(INSTANCE, lambda _: enabled)
    assert desk.order(currency=code, value=value)["amount"] == amount
    assert outcome(desk.post("/orders", desk.usual_order(currency=code, value=too_fine))) == ["value"]


# --- E35: the sandbox's money is play money


BOOK_KEY = "trusset_test0001_" + "b" * 64


def book_desk(desk: Desk) -> Callable[..., HttpResponse]:
    """Return what sends requests of the book desk to the same instance."""
    Tenants(desk.database, lambda: desk.now_s).add_key(INSTANCE, "key_book", BOOK_KEY, 0)
    books = new_book_desk(desk.database)

    def send(method: str, route: str, body: object = None, **path: str) -> HttpResponse:
        content = b"" if body is None else json.dumps(body).encode()
        return books.answer(HttpRequest(method, None, {}, {}, {"x-api-key": BOOK_KEY}, content, filled(route, path)))

    return send


def test_e35_what_is_deposited_in_the_sandbox_is_no_credit_of_the_token(desk: Desk) -> None:
    books = book_desk(desk)
    desk.deposit(200)
    sandbox_buyer = f"sandbox:{desk.buyer['uuid']}"
    moves = {"fromCustomerRef": sandbox_buyer, "toCustomerRef": "trader", "amount": "1"}
    before = desk.tables()
    for address, code in (
        (EUR.asset, "INSUFFICIENT_BALANCE"),
        (SANDBOX_EUR.asset, "VALIDATION_ERROR"),
        (SANDBOX_EUR.asset.upper(), "VALIDATION_ERROR"),
    ):
        answer = books("POST", TRANSFER, moves | {"tokenAddress": address})
        assert json.loads(answer.body)["error"]["code"] == code
        debit = {"customerRef": sandbox_buyer, "amount": "1", "tokenAddress": address}
        assert json.loads(books("POST", DEBIT, debit).body)["error"]["code"] == code
    assert desk.tables() == before
    assert desk.accounts.balance(supply_key(INSTANCE), EUR.asset).available == 0
    assert desk.accounts.balance(supply_key(INSTANCE), SANDBOX_EUR.asset).available == 200 * 10**18
    shown = json.loads(books("GET", BALANCES, customerRef=sandbox_buyer).body)["data"]["balances"]
    assert [(row["tokenAddress"], row["token"]) for row in shown] == [(SANDBOX_EUR.asset, None)]


def test_e35_the_tokens_money_is_nothing_in_the_sandbox(desk: Desk) -> None:
    books, sandbox_buyer = book_desk(desk), f"sandbox:{desk.buyer['uuid']}"
    credit = {"customerRef": sandbox_buyer, "amount": str(200 * 10**18), "tokenAddress": EUR.asset}
    assert books("POST", CREDIT, credit).status == 200
    assert desk.funds() == 0
    order = desk.order()
    payin = {"order_id": order["id"], "type": "WALLET", "wallet_id": desk.buyer_wallet["id"]}
    assert data_of(desk.post("/payins", payin))["status"] == "DENIED"


def test_e35_every_step_in_the_sandbox_moves_its_own_assets_alone(desk: Desk) -> None:
    wire = desk.in_status("PENDING_PUBLISH")
    payin = data_of(desk.get(f"/orders/{wire['id']}/payin"))
    desk.operate(f"/payins/{payin['id']}/confirm", {"amount": 150})
    desk.do(desk.paid(fee_value=5), "validate", {"auto_accept": 1})
    desk.do(desk.paid(), "reimburse", {"amount": 30})
    assets = {row["entry"] for row in desk.database.scan("accounts") if row["entry"].startswith("balance/")}
    assert assets == {f"balance/{SANDBOX_EUR.asset}"}
    assert {transaction.asset for transaction in rows(desk)} == {SANDBOX_EUR.asset}
    Verifier(desk.database).verify(None)


def test_e35_rows_of_before_the_sandbox_had_assets_of_its_own_move_nothing(desk: Desk) -> None:
    order = desk.paid()
    for row in list(desk.database.scan("escrows")):
        if "currency" in row:
            desk.database.put_many("escrows", [row | {"currency": row["currency"] | {"asset": EUR.asset}}])
    before = desk.tables()
    assert desk.post(f"/orders/{order['id']}/cancel", {}).status == 500
    path = f"/operator/wallets/{desk.buyer_wallet['uuid']}/deposit"
    operator = desk.as_key(OPERATOR_KEY)
    assert operator.post(path, {"amount": 1, "reference": "late"}).status == 500
    assert desk.tables() == before
    with pytest.raises(Disproved, match="make them anew"):
        Verifier(desk.database).verify(None)
