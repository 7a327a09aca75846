"""``verify`` accepts unedited signed orders and reports every edit of their rows or of the ledger's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from chalicelib.domain.ledger.owners import customer_key, desk_fees_key, transactions_key
from chalicelib.domain.ledger.transactions import Movement
from chalicelib.domain.signed.lifecycle import Status
from chalicelib.ops.verify.report import lines, printed
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disagreement, Disproved
from chalicelib.services.ledger.movements import Movements
from chalicelib.tables.rows import Row
from chalicelib.tables.signed_orders import TABLE
from tests.case_tables import cases
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.signed.market import (
    BUY,
    FUNDS,
    INSTANCE,
    MAKER,
    OTHER,
    PRINCIPAL,
    QUOTE,
    SELL,
    STOCK,
    TAKER,
    UNIT,
    Market,
    open_market,
)

LIVE = replace(BUY, principal=PRINCIPAL)
"""Filled by TAKER, then locked by OTHER; its maker asks for it."""
NO_TRANSACTION = "transaction/txn_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
"""The last id that there can be. One near another's might be the next one's: those of one fill follow each other."""
T = TypeVar("T")


@pytest.fixture(scope="module")
def built() -> MemoryDynamoDB:
    client = empty_tables()
    market = open_market(database_of(client), fee_bps=25)
    market.create(LIVE)
    market.lock(LIVE, reference="L")
    market.fill(UNIT, "r1", LIVE, tx_hash="0x1")
    market.fill(UNIT, "r2", LIVE)
    market.unlock(LIVE)
    market.lock(LIVE, OTHER, reference="L2")
    market.cancel(LIVE)
    market.create(SELL)
    market.lock(SELL)
    market.fill(SELL.quantity, "r1", SELL)
    cancelled = replace(BUY, nonce=7)
    market.create(cancelled)
    market.cancel(cancelled)
    return client


@pytest.fixture
def market(built: MemoryDynamoDB) -> Market:
    return Market(database_of(built.clone()))


def told(market: Market) -> Disagreement:
    with pytest.raises(Disproved) as disproved:
        Verifier(market.database).verify(None)
    return disproved.value.disagreement


def is_told(market: Market) -> bool:
    try:
        Verifier(market.database).verify(None)
    except Disproved:
        return True
    return False


def put(market: Market, table: str, row: Row) -> None:
    market.database.put_many(table, [row])


def remove(market: Market, table: str, row: Row) -> None:
    market.database.delete_many(table, [{"owner": row["owner"], "entry": row["entry"]}])


def account(market: Market, owner: str, asset: str) -> Row:
    row = market.database.get("accounts", {"owner": owner, "entry": f"balance/{asset}"})
    assert row is not None
    return row


def kind_of(row: Row) -> str:
    kind, _, _ = str(row["entry"]).partition("/")
    return f"{kind}, {row['status']}" if kind == "order" else kind


def otherwise(value: Any) -> Any:
    """Return another value of the same type."""
    if value is None:
        return "something"
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, "something"]
    return value + 1 if isinstance(value, int) else value[:-1] + ("2" if value[-1] == "1" else "1")


def test_an_honest_desk_agrees_and_is_counted(market: Market) -> None:
    report = Verifier(market.database).verify(None)
    (instance,) = report.instances
    assert (instance.signed_orders, instance.signed_fills) == (3, 3)
    assert instance.assets == {QUOTE: 3 * FUNDS, STOCK: 3 * FUNDS}
    text = [line for line in lines(printed(report)) if "signed" in line]
    assert text == [f"{INSTANCE}: signed orders: 3 agree, with 3 fills, what takers see of them, and the ledger"]


ALWAYS_UNSEEN = {"signature", "updated_at_s"}
UNSEEN = {
    "order, partially_filled": ALWAYS_UNSEEN | {"deadline", "locked_at_s"},
    "order, filled": ALWAYS_UNSEEN | {"deadline", "notes", "locked_at_s", "locked_by", "lock_expires_at_s"},
    "order, cancelled": ALWAYS_UNSEEN | {
        "notes", "principal", "is_buy", "ticker", "exchange", "asset", "price", "quantity", "incentive", "deadline",
        "stock", "settles", "created_at_s",
    },
    "locked": {"reference_id"},
    "filled": {"reference_id"},
}  # fmt: skip
"""What nothing else tells: the texts, the times and the names of writing; of an order that is over, most facts."""


def test_every_redundant_attribute_is_compared(market: Market) -> None:
    """Each attribute of each row is changed in turn; docs/verify.md says what cannot be seen."""
    unseen: dict[str, set[str]] = {}
    for row in list(market.database.scan(TABLE)):
        for name in row.keys() - {"owner", "entry"}:
            put(market, TABLE, row | {name: otherwise(row[name])})
            if not is_told(market):
                unseen.setdefault(kind_of(row), set()).add(name)
        put(market, TABLE, row)
    assert unseen == UNSEEN


def test_every_removed_row_is_detected(market: Market) -> None:
    for row in list(market.database.scan(TABLE)):
        remove(market, TABLE, row)
        assert is_told(market), row
        put(market, TABLE, row)


INDEX_KEYS = {"open_instance", "open_since", "lapse_shard", "lapses_at_s"}
"""DynamoDB itself takes no other type for these."""


@pytest.mark.parametrize("value", [None, "x", True, -1, 0], ids=str)
def test_every_attribute_of_a_wrong_type_is_reported_without_an_exception(market: Market, value: object) -> None:
    for row in list(market.database.scan(TABLE)):
        for name in row.keys() - {"owner", "entry", *INDEX_KEYS} - UNSEEN.get(kind_of(row), set()):
            if row[name] != value:
                put(market, TABLE, row | {name: value})
                assert is_told(market), (kind_of(row), name)
        put(market, TABLE, row)


STRAY = cases(
    # id,                     made of the row,  by this change
    ("a nonce",               "nonce/",         {"entry": "nonce/00000000000000000099"}),
    ("a fill of an order",    "fill/r",         {"entry": "fill/none"}),
    ("an order that is seen", "filled/",        {"owner": f"{INSTANCE}/taker/{PRINCIPAL}"}),
    ("one among unfinished",  "unfinished/",    {"owner": f"{INSTANCE}/taker/{PRINCIPAL}"}),
    ("a count",               "count",          {"owner": f"{INSTANCE}/taker/{PRINCIPAL}"}),
    ("something",             "count",          {"entry": "something"}),
)  # fmt: skip


@pytest.mark.parametrize(("start", "change"), STRAY)
def test_an_unexpected_row_is_reported(market: Market, start: str, change: Row) -> None:
    row = next(row for row in market.database.scan(TABLE) if row["entry"].startswith(start))
    put(market, TABLE, row | change)
    assert is_told(market)


def test_an_unfinished_row_of_an_order_that_has_ended_is_reported(market: Market) -> None:
    (row,) = (row for row in market.database.scan(TABLE) if row["entry"].startswith("filled/") and not row["is_buy"])
    own = {name: value for name, value in row.items() if name not in ("reference_id", "tx_hash")}
    put(market, TABLE, own | {"entry": row["entry"].replace("filled", "unfinished")})
    assert "unfinished/" in told(market).where


@pytest.mark.parametrize(
    "takers", [[], [TAKER, TAKER], [OTHER.lower()], [TAKER, OTHER.lower()], [1], [[TAKER]], TAKER, 5], ids=str
)
def test_an_order_names_the_takers_that_have_filled_it_once_each(market: Market, takers: object) -> None:
    (row,) = (
        row for row in market.database.scan(TABLE) if row["entry"] == "order" and row["status"] == "partially_filled"
    )
    assert row["unfinished_takers"] == [TAKER]
    put(market, TABLE, row | {"unfinished_takers": takers})
    assert is_told(market)


def test_an_order_that_has_ended_names_no_takers(market: Market) -> None:
    (row,) = (row for row in market.database.scan(TABLE) if row["entry"] == "order" and row["status"] == "filled")
    put(market, TABLE, row | {"unfinished_takers": [TAKER]})
    assert is_told(market)


def test_a_hold_that_the_account_does_not_have_is_reported(market: Market) -> None:
    owner = customer_key(INSTANCE, MAKER.lower())
    row = account(market, owner, QUOTE)
    put(market, "accounts", row | {"held": row["held"] - 1, "available": row["available"] + 1})
    assert told(market) == Disagreement(f"account {owner} {QUOTE}, held", str(row["held"]), str(row["held"] - 1))


def test_removed_fees_are_reported(market: Market) -> None:
    row = account(market, desk_fees_key(INSTANCE), QUOTE)
    assert row["available"] > 0
    put(market, "accounts", row | {"available": row["available"] - 1})
    where = f"account {desk_fees_key(INSTANCE)} {QUOTE}, available"
    assert told(market) == Disagreement(where, str(row["available"]), str(row["available"] - 1))


@pytest.mark.parametrize("kind", ["trade", "fee", "transfer"])
def test_a_fills_missing_transaction_is_detected_even_with_matching_balances(market: Market, kind: str) -> None:
    scanned = list(market.database.scan("accounts"))
    listed = next(
        row for row in scanned
        if row["owner"] == transactions_key(INSTANCE) and row["kind"] == kind and row["reference"]
    )  # fmt: skip
    for row in scanned:
        if row["entry"] == listed["entry"]:
            remove(market, "accounts", row)
    target = desk_fees_key(INSTANCE) if kind == "fee" else customer_key(INSTANCE, listed["target"])
    for owner, amount in ((customer_key(INSTANCE, listed["source"]), listed["amount"]), (target, -listed["amount"])):
        row = account(market, owner, listed["asset"])
        put(market, "accounts", row | {"available": row["available"] + amount})
    found = told(market)
    assert (found.where.startswith("transactions of fill"), found.found) == (True, "no such transaction")


def test_a_fee_of_no_fill_is_reported(market: Market) -> None:
    rows = [row for row in market.database.scan("accounts") if row.get("kind") == "fee"]
    entry = rows[0]["entry"]
    for row in rows:
        if row["entry"] == entry:
            put(market, "accounts", row | {"entry": NO_TRANSACTION})
    assert "no such transaction" in told(market).expected


def test_a_transfer_with_a_reference_like_a_fills_is_ignored(market: Market) -> None:
    (fill, *_) = market.orders.fills_of_taker(INSTANCE, TAKER)
    for reference in (fill.fill_id, "5ec4bac3-a43c-89e8-b85b-ac8c991bb90f"):
        Movements(market.database).record(Movement(INSTANCE, QUOTE, TAKER, OTHER.lower(), 5, reference))
    assert not is_told(market)


class AtWork:
    """A watch under whose eyes somebody works: after the accounts were read and before what takers see is read.

    is_before: before the orders are read, too.
    """

    def __init__(self, market: Market, work: list[Callable[[], object]], *, is_before: bool = False) -> None:
        self._market = market
        self._work = work
        self._is_before = is_before
        self.readings = 0

    def __call__(self, items: Iterable[T], what: str, total: int | None) -> Iterable[T]:  # noqa: ARG002
        if what != "signed orders":
            return items
        self.readings += 1
        return self._worked_on(items)

    def _worked_on(self, items: Iterable[Any]) -> Iterable[Any]:
        before = list(items)
        if self._work:
            self._work.pop(0)()
        after = list(self._market.database.scan(TABLE))
        orders = [row for row in (after if self._is_before else before) if "/signed/" in row["owner"]]
        return [*orders, *(row for row in after if "/signed/" not in row["owner"])]


def test_an_order_that_is_filled_while_it_is_read_is_read_again(market: Market) -> None:
    order = replace(BUY, nonce=9)
    market.create(order)
    market.lock(order)
    watch = AtWork(market, [lambda: market.fill(UNIT, "r1", order)], is_before=True)
    report = Verifier(market.database, watch).verify(None)
    assert (watch.readings, report.instances[0].signed_fills) == (2, 4)


def test_an_order_that_is_locked_while_it_is_read_is_read_again(market: Market) -> None:
    """No account tells of a lock; the order's version does."""
    order = replace(BUY, nonce=9)
    market.create(order)
    watch = AtWork(market, [lambda: market.lock(order), lambda: market.unlock(order)])
    Verifier(market.database, watch).verify(None)
    assert watch.readings == 3
    assert market.status(order) is Status.PENDING


def test_a_disagreement_of_a_desk_at_work_is_reported_too(market: Market) -> None:
    """Two readings that show the same one are enough."""
    order = replace(BUY, nonce=9)
    market.create(order)
    (row,) = (row for row in market.database.scan(TABLE) if row["entry"].startswith("filled/") and row["is_buy"])
    remove(market, TABLE, row)
    watch = AtWork(market, [lambda: market.lock(order), lambda: market.unlock(order)])
    with pytest.raises(Disproved, match="filled/"):
        Verifier(market.database, watch).verify(None)
