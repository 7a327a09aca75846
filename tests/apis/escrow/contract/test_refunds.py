"""Refunds, each with its amount and date (E38), and the ledger's rows of a wallet (E39)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.apis.escrow.cases import NOW, at, ledger, outcome, part
from tests.apis.escrow.desk import Desk, data_of, ids_of, page_of
from tests.case_tables import cases


def _partly(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "reimburse", {"amount": "30.5"})


def _wholly(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "reimburse")


def _cancelled(desk: Desk, order: dict[str, Any]) -> None:
    desk.do(order, "cancel")


WAYS = cases(
    ("a part",      _partly,    "30.50 €"),
    ("all of it",   _wholly,    "150.00 €"),
    ("a cancel",    _cancelled, "150.00 €"),
)  # fmt: skip


@pytest.mark.parametrize(("refund", "amount"), WAYS)
def test_e38_a_refund_shows_every_field(refund: Any, amount: str) -> None:
    desk, order = at("ACCEPTED")
    refund(desk, order)
    (shown,) = page_of(desk.get("/refunds"))["data"]
    payin = part(desk, order, "payin")
    assert shown == {
        "id": shown["id"],
        "self": f"/2.0/refunds/{shown['id']}",
        "reference_id": f"RF-{order['id']}-1",
        "amount": amount,
        "status": "CONFIRMED",
        "payin_id": payin["id"],
        "wallet_id": desk.buyer_wallet["id"],
        "escrow_id": order["id"],
        "tag": None,
        "provider": None,
        "metadata": {},
        "created_at": NOW,
        "updated_at": NOW,
        "denied_at": None,
        "connections": {"order": order["self"], "payin": payin["self"]},
    }
    assert data_of(desk.get(f"/refunds/{shown['id']}")) == shown
    assert desk.now(order)["refund"] == {"status": shown["status"], "reference_id": shown["reference_id"]}


def test_e38_the_list_pages_and_searches(desk: Desk) -> None:
    first, second = desk.paid(), desk.paid()
    for order, amount in ((first, 1), (first, 2), (second, 3)):
        desk.do(order, "reimburse", {"amount": amount})
    newest = ids_of(desk.get("/refunds"))
    assert newest == sorted(newest, reverse=True)
    assert page_of(desk.get("/refunds", "per_page=2"))["total"] == 3
    assert ids_of(desk.get("/refunds", "per_page=2&page=2")) == newest[2:]
    payin = part(desk, second, "payin")["id"]
    for search, query in (("order_id", second["id"]), ("payin_id", payin), ("reference", f"RF-{second['id']}-")):
        assert ids_of(desk.get("/refunds", f"search={search}&query={query}")) == newest[:1]
    assert outcome(desk.get("/refunds", "search=tag&query=x")) == ["search"]


def rows_of(desk: Desk, wallet: dict[str, Any], query: str = "") -> list[tuple[str, Decimal]]:
    rows = page_of(desk.get(f"/wallets/{wallet['uuid']}/transactions", query))["data"]
    return [(row["type"], Decimal(row["amount"])) for row in rows]


def test_e39_a_wallets_transactions_add_up_to_what_it_has_available_and_held(desk: Desk) -> None:
    desk.deposit(200)
    order = desk.order(fee_percent="2.5")
    desk.pay(order)
    desk.do(order, "reimburse", {"amount": 30})
    desk.do(order, "accept")
    assert rows_of(desk, desk.buyer_wallet) == [("CREDIT", Decimal(200))]
    desk.do(order, "validate")
    assert rows_of(desk, desk.buyer_wallet) == [("TRANSFER", Decimal(-120)), ("CREDIT", Decimal(200))]
    assert rows_of(desk, desk.seller_wallet) == [("FEE", Decimal(-3)), ("TRANSFER", Decimal(120))]
    assert rows_of(desk, desk.wallet_of(desk.seller, "JPY")) == []
    has = ledger(desk)
    assert sum(amount for _, amount in rows_of(desk, desk.buyer_wallet)) == has.available + has.held
    assert sum(amount for _, amount in rows_of(desk, desk.seller_wallet)) == has.seller


def test_e39_a_transaction_shows_every_field_and_lists_have_pages_and_dates(desk: Desk) -> None:
    for number in range(3):
        desk.deposit(number + 1, reference=f"bank-{number}")
    path = f"/wallets/{desk.buyer_wallet['uuid']}/transactions"
    page = page_of(desk.get(path, "per_page=2&sort=asc"))
    assert (page["total"], page["last_page"], len(page["data"])) == (3, 2, 2)
    shown = page["data"][0]
    assert shown == {
        "id": shown["id"],
        "type": "CREDIT",
        "amount": 1,
        "currency": "EUR",
        "status": "CONFIRMED",
        "reference": "bank-0",
        "created_at": shown["created_at"],
    }
    assert page_of(desk.get(path, f"date_begin={shown['created_at'][:10]}"))["total"] == 3
    assert page_of(desk.get(path, "date_end=2020-01-01"))["total"] == 0
    assert outcome(desk.get(path, "date_begin=x&page=0&order=value")) == ["date_begin", "order", "page"]
