"""What the trade desk's WebSocket tells a customer: its orders, trades and balances."""

from __future__ import annotations

import pytest

from chalicelib.apis.trade.query import order_id_of
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.feed.logs import LEDGER_AREA
from chalicelib.domain.feed.outbox import Announcement
from chalicelib.domain.ledger.changes import Account, Change
from chalicelib.domain.ledger.feed import balances_changed
from chalicelib.services.books.amending import Amending, NewTerms, Queued
from chalicelib.services.books.reading import BooksReading
from chalicelib.tables.outbox import Outbox
from tests.apis.trade.desk import PAIR, data_of
from tests.apis.trade.sockets import TRADES, Sockets, bodies, numbered, open_sockets
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE


def test_an_amended_order_is_told_with_its_terms_of_each_moment(sockets: Sockets) -> None:
    """O8: also where several amendments are told together, so that the order's row has the last terms."""
    sockets.subscribe("order_status", ticket=sockets.ticket())
    sockets.ben.place(side="sell", amount="2", price="5")
    sockets.desk.match()
    placed = data_of(sockets.desk.place(side="buy", amount="10", price="5"))
    sockets.desk.match()
    order_id = order_id_of(placed["id"], "id")
    amending = Amending(sockets.desk.world.database)
    for terms in (NewTerms(4 * 10**18, None), NewTerms(None, 8)):
        assert isinstance(amending.amend(INSTANCE, "ann", order_id, terms), Queued)
        sockets.desk.match()
    sockets.ben.place(side="sell", amount="1", price="4")
    sockets.desk.match()
    assert isinstance(amending.amend(INSTANCE, "ann", order_id, NewTerms(3 * 10**18, 9)), Queued)
    sockets.desk.match()
    sockets.follow()
    told = bodies(sockets.messages()[1:])
    assert [(one["status"], one["price"], one["amount"], one["remaining_amount"]) for one in told] == [
        ("open", 5, 10, 10),
        ("executed_partially", 5, 10, 8),
        ("executed_partially", 4, 10, 8),
        ("executed_partially", 4, 8, 6),
        ("executed_partially", 4, 8, 5),
        ("executed_partially", 3, 9, 6),
    ]


def test_an_order_is_told_when_it_is_triggered_and_with_its_price_of_then(sockets: Sockets) -> None:
    """O3, O8: though it is amended once its fill is decided."""
    sockets.subscribe("order_status", ticket=sockets.ticket())
    placed = data_of(sockets.desk.place(side="buy", amount="3", price="6", type="stop_limit", stop_price="5"))
    sockets.desk.match()
    sockets.trade(price="5")
    sockets.ben.place(side="sell", amount="1", price="6")
    sockets.desk.match()
    terms = NewTerms(4 * 10**18, None)
    queued = Amending(sockets.desk.world.database).amend(INSTANCE, "ann", order_id_of(placed["id"], "id"), terms)
    assert isinstance(queued, Queued)
    sockets.desk.match()
    sockets.follow()
    own = [one["body"] for one in sockets.messages()[1:] if one["body"]["id"] == placed["id"]]
    assert [(one["status"], one["price"], one["executed_amount"]) for one in own] == [
        ("open", 6, 0), ("open", 6, 0), ("executed_partially", 6, 1), ("executed_partially", 4, 1),
    ]  # fmt: skip


def test_a_customer_gets_its_trades_balances_and_orders(sockets: Sockets) -> None:
    welcomes = sockets.subscribe("user_trades", "balance", "order_status", ticket=sockets.ticket())
    assert numbered(welcomes) == [-1, -1, -1]
    sockets.ben.place(side="sell", amount="2", price="4")
    sockets.ben.place(side="sell", amount="2", price="5")
    sockets.desk.match()
    placed = data_of(sockets.desk.place(side="buy", amount="10", price="5", external_id="mine"))
    sockets.desk.match()
    sockets.follow()
    messages = sockets.messages()[3:]
    trades = bodies(messages, "user_trades")
    listed = data_of(sockets.desk.get("/trade/user/trades", {"pair": PAIR}))["trades"]
    assert trades == listed[::-1]
    statuses = bodies(messages, "order_status")
    assert [(one["status"], one["executed_amount"], one["remaining_amount"]) for one in statuses] == [
        ("open", 0, 10), ("executed_partially", 2, 8), ("executed_partially", 4, 6),
    ]  # fmt: skip
    assert [one.get("average_execution_price") for one in statuses] == [None, 4, 4.5]
    assert {(one["id"], one["external_id"], one["user_id"], one["pair"]) for one in statuses} == {
        (placed["id"], "mine", "ann", PAIR)
    }
    balances = bodies(messages, "balance")
    known = {row["currency_code"]: row for row in data_of(sockets.desk.get("/trade/user/balances"))}
    for row in balances[-1]["balances"]:
        assert row == {name: known[row["currency_code"]][name] for name in row}


def test_an_order_of_another_type_shows_its_stop_price_or_distance_and_its_trades_the_type(sockets: Sockets) -> None:
    sockets.subscribe("order_status", "user_trades", TRADES, ticket=sockets.ticket())
    sockets.desk.place(side="buy", amount="1", price="5", type="stop_limit", stop_price="4")
    sockets.desk.place(side="sell", amount="1", price="3", type="trailing", distance="2")
    sockets.desk.place(side="sell", amount="2", price="9", type="iceberg", step_amount="1")
    sockets.desk.match()
    sockets.desk.world.credit("ben", QUOTE, 10**21)
    data_of(sockets.ben.place(side="buy", amount="2", price="9"))
    sockets.desk.match()
    sockets.follow()
    messages = [one for one in sockets.messages() if one["id"] > 0]
    statuses = bodies(messages, "order_status")
    shown = {(one["type"], one.get("stop_price"), one.get("distance")) for one in statuses}
    assert shown == {("stop_limit", 4, None), ("trailing", None, 2), ("iceberg", None, None)}
    trades = bodies(messages, "user_trades")
    assert trades == data_of(sockets.desk.get("/trade/user/trades", {"pair": PAIR}))["trades"][::-1]
    assert {(one["type"], one["taker_or_maker"]) for one in trades} == {("iceberg", "maker")}
    public = bodies(messages, TRADES)
    assert public == data_of(sockets.desk.get("/trade/public/trades", {"pair": PAIR}))["trades"][::-1]
    assert {(one["maker_type"], one["taker_type"]) for one in public} == {("iceberg", "limit")}


def test_an_average_price_counts_the_fills_of_earlier_entries_and_none_of_later_ones(sockets: Sockets) -> None:
    sockets.subscribe("order_status", ticket=sockets.ticket())
    sockets.ben.place(side="sell", amount="1", price="1")
    sockets.desk.match()
    sockets.desk.place(side="buy", amount="9", price="5")
    sockets.desk.match()
    for amount in ("1", "2"):
        sockets.ben.place(side="sell", amount=amount, price="5")
    sockets.desk.match()
    sockets.follow()
    statuses = bodies(sockets.messages()[1:])
    assert [(one["executed_amount"], one.get("average_execution_price")) for one in statuses] == [
        (0, None), (1, 1), (2, 3), (4, 4),
    ]  # fmt: skip


def test_the_fills_of_earlier_entries_are_read_by_a_process_that_has_not_told_them(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    kept = BooksReading.fills_of_order

    def noting(self: BooksReading, instance: str, row: OrderRow) -> list[Fill]:
        read.append(row.order_id)
        return kept(self, instance, row)

    monkeypatch.setattr(BooksReading, "fills_of_order", noting)
    sockets.subscribe("order_status", ticket=sockets.ticket())
    sockets.desk.place(side="buy", amount="9", price="5")
    ben, reads = sockets.ben, []
    for number, price in enumerate(("5", "4", "3", "2")):
        if number == 3:
            sockets = open_sockets(sockets.desk, clients=sockets.clients)
            sockets.streams.forget()
        ben.place(side="sell", amount="1", price=price)
        sockets.desk.match()
        sockets.follow()
        reads.append(len(read))
    assert reads == [0, 0, 0, 1]
    statuses = [one["body"] for one in sockets.messages() if one["id"] > 0]
    assert [one.get("average_execution_price") for one in statuses] == [None, 5, 5, 5, 5]


def test_a_credit_is_a_balance_message(sockets: Sockets) -> None:
    sockets.subscribe("balance", ticket=sockets.ticket())
    sockets.desk.world.credit("ann", BASE, 5)
    credit = Change(available=5, held=0)
    events = balances_changed({Account("ann", BASE): credit}, "CREDIT", {"transactionId": "txn_1"})
    entry = Announcement(LEDGER_AREA, "ann", "txn_1", events).entry(1, NOW_MS)
    outbox = Outbox(sockets.desk.world.database)
    if not outbox.end(INSTANCE, entry.log):
        sockets.desk.world.database.write(outbox.put(INSTANCE, entry))
    sockets.follow()
    (message,) = sockets.messages()[1:]
    assert message["body"]["balances"] == [{"currency_code": "B", "available_amount": 1005, "locked_amount": 0}]


def test_a_hold_that_ends_as_its_order_is_accepted_is_told_by_another_balance_message(sockets: Sockets) -> None:
    """The message of an earlier entry may show it, because balances are read when they are sent."""
    sockets.subscribe("balance", ticket=sockets.ticket())
    sockets.desk.place(side="buy", amount="1", price="1")
    sockets.desk.match()
    sockets.desk.place(side="buy", amount="2", price="1", immediate_or_cancel=True)
    sockets.follow()
    sockets.desk.match()
    sockets.follow()
    before, after = [one["body"]["balances"][0]["locked_amount"] for one in sockets.messages()[1:]]
    assert (before, after) == (3, 1)


def test_a_beat_writes_nothing_for_a_topic_that_is_not_sent_again(sockets: Sockets) -> None:
    sockets.subscribe("user_trades", "balance", "order_status", ticket=sockets.ticket())
    before = list(sockets.desk.world.database.scan("connections"))
    sockets.repeat()
    assert list(sockets.desk.world.database.scan("connections")) == before
