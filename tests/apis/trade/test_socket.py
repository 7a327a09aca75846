"""The WebSocket of the trade desk: topics, tickets, ids, resuming, and who may follow what."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from chalicelib.apis.kit.sockets import MESSAGE_BYTES_MAX
from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.market import level_view
from chalicelib.apis.trade.query import order_id_of
from chalicelib.apis.trade.socket_depth import LEVELS_A_MESSAGE
from chalicelib.apis.trade.socket_topics import Topic
from chalicelib.domain.books.fills import Fill
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.cursor import BEGINNING, TEXT_CHARACTERS_MAX, Cursor
from chalicelib.domain.feed.logs import LEDGER_AREA
from chalicelib.domain.feed.outbox import Announcement
from chalicelib.domain.feed.subscription import CONNECTIONS_MAX, SUBSCRIPTIONS_MAX
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.domain.ledger.changes import Account, Change
from chalicelib.domain.ledger.feed import balances_changed
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.keys import API_TOKENS, TokenStatus
from chalicelib.services.books.amending import Amending, NewTerms, Queued
from chalicelib.services.books.depth import DepthReader
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.push import broadcasting
from chalicelib.services.push.broadcasting import BEAT_S
from chalicelib.services.push.sending import MESSAGE_BYTES_MAX as MESSAGE_BYTES_SENT_MAX
from chalicelib.services.push.sessions import ENTRIES_LEFT, HANDSHAKE_S
from chalicelib.services.push.states import Projected
from chalicelib.services.tenancy import tickets
from chalicelib.support.canonical import exact
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import is_entry
from chalicelib.tables.outbox import Outbox
from chalicelib.tables.tenants import Tenants
from chalicelib.tables.writes import Put
from tests.apis.trade.desk import PAIR, SignedDesk, data_of, open_trade_desk
from tests.apis.trade.sockets import Sockets, open_sockets
from tests.recording import nobody
from tests.world import BASE, INSTANCE, NOW_MS, QUOTE, World

TRADES, DEPTH, DELTA = f"trade@{PAIR}", f"orderbook/level_2@{PAIR}", f"orderbook/level_2_delta@{PAIR}"
TICKER = f"ticker@{PAIR}"


@pytest.fixture
def desk(memory_database: Database) -> SignedDesk:
    desk = open_trade_desk(World(memory_database), clock=lambda: NOW_MS)
    desk.world.credit("ann", QUOTE, 10**21)
    return desk


@pytest.fixture
def sockets(desk: SignedDesk) -> Sockets:
    sockets = open_sockets(desk)
    assert sockets.connect().status == 200
    return sockets


def trade(sockets: Sockets, amount: str = "3", price: str = "5") -> None:
    """Have ann buy from ben, and a bid of hers rest."""
    sockets.desk.place(side="buy", amount="1", price="1")
    sockets.ben.place(side="sell", amount=amount, price=price)
    sockets.desk.place(side="buy", amount=amount, price=price)
    sockets.desk.match()
    sockets.follow()


def bodies(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["body"] for message in messages]


def numbered(messages: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in messages]


def test_a_subscription_is_welcomed_and_then_numbered_from_1(sockets: Sockets) -> None:
    (welcome,) = sockets.subscribe(TRADES)
    assert (welcome["id"], welcome["topic"]) == (-1, TRADES)
    trade(sockets)
    trade(sockets)
    messages = sockets.messages()[1:]
    assert numbered(messages) == [1, 2]
    assert {tuple(message) for message in messages} == {("id", "topic", "timestamp", "body", "cursor")}
    shown = data_of(sockets.desk.get("/trade/public/trades", {"pair": PAIR}))["trades"]
    assert bodies(messages) == shown[::-1]


def test_pairs_are_named_in_any_case_and_answered_in_capitals(sockets: Sockets) -> None:
    (welcome,) = sockets.subscribe(f"trade@{PAIR.lower()}")
    assert welcome["topic"] == TRADES


def test_deltas_lead_from_the_snapshot_to_the_book_with_its_hash_at_each_step(sockets: Sockets) -> None:
    for price in ("4", "3", "2"):
        sockets.desk.place(side="buy", amount="7", price=price)
    sockets.desk.match()
    sockets.follow()
    _, snapshot = sockets.subscribe(DELTA)
    assert snapshot["id"] == 1
    levels = {side: {level["price"]: level["amount"] for level in snapshot["body"][side]} for side in ("bids", "asks")}
    sockets.ben.place(side="sell", amount="9", price="3")
    sockets.desk.match()
    sockets.desk.place(side="sell", amount="1", price="8")
    sockets.desk.match()
    sockets.follow()
    deltas = sockets.messages()[2:]
    assert numbered(deltas) == list(range(2, 2 + len(deltas)))
    sequences = [snapshot["body"]["sequence"], *(message["body"]["sequence"] for message in deltas)]
    assert sequences == sorted(set(sequences))
    for message in deltas:
        for side in ("bids", "asks"):
            for level in message["body"][side]:
                levels[side][level["price"]] = level["amount"]
                if not level["amount"]:
                    del levels[side][level["price"]]
    book = data_of(sockets.desk.get("/trade/public/orders/level-2", {"pair": PAIR}))
    assert deltas[-1]["body"]["hash"] == book["hash"]
    for side in ("bids", "asks"):
        assert levels[side] == {level["price"]: level["amount"] for level in book[side]}


def test_an_entry_that_changes_more_levels_than_a_message_has_room_for_comes_in_several(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is cut off between them gets all of them again."""
    monkeypatch.setattr("chalicelib.apis.trade.socket_depth.LEVELS_A_MESSAGE", 2)
    for price in ("3", "4", "5", "6", "7"):
        sockets.ben.place(side="sell", amount="1", price=price)
    sockets.desk.match()
    sockets.follow()
    _, snapshot = sockets.subscribe(DELTA)
    sockets.desk.place(side="buy", amount="5", price="7")
    sockets.desk.match()
    sockets.follow()
    parts = sockets.messages()[2:]
    assert numbered(parts) == [2, 3, 4]
    assert [[level["price"] for level in part["body"]["asks"]] for part in parts] == [[3, 4], [5, 6], [7]]
    assert len({(part["body"]["sequence"], part["body"]["hash"], part["timestamp"]) for part in parts}) == 1
    first, second, last = (part["cursor"] for part in parts)
    assert first == second == snapshot["cursor"] != last
    sockets.connect("d")
    again = sockets.subscribe(DELTA, name="d", cursor=second)[1:]
    assert bodies(again) == bodies(parts)
    assert sockets.subscribe(DELTA, name="d", cursor=last)[1:] == []


def test_the_levels_of_a_message_fit_into_what_api_gateway_sends() -> None:
    digits = Decimals(base=18, quote=18)
    longest = exact(level_view(AMOUNT_MAX, AMOUNT_MAX - 1, digits))
    assert 2 * LEVELS_A_MESSAGE * (len(longest) + 1) < MESSAGE_BYTES_SENT_MAX - TEXT_CHARACTERS_MAX


def test_the_depth_is_sent_whole_and_so_is_the_ticker(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH, TICKER)
    trade(sockets)
    sockets.desk.place(side="buy", amount="7", price="4")
    sockets.desk.match()
    sockets.follow()
    by_topic = {topic: [one for one in sockets.messages() if one["topic"] == topic] for topic in (DEPTH, TICKER)}
    for messages in by_topic.values():
        assert numbered(messages) == [-1, *range(1, len(messages))]
    book = data_of(sockets.desk.get("/trade/public/orders/level-2", {"pair": PAIR}))
    last = by_topic[DEPTH][-1]["body"]
    assert (last["bids"], last["asks"], last["hash"]) == (book["bids"], book["asks"], book["hash"])
    ticker = data_of(sockets.desk.get(f"/trade/public/tickers/{PAIR}"))
    assert by_topic[TICKER][-1]["body"] | {"date": ""} == ticker | {"date": ""}


def test_o13_a_book_that_pauses_or_halts_is_frozen_in_its_ticker_at_once(sockets: Sockets) -> None:
    """The depth has not changed then, and is not sent."""
    world = sockets.desk.world
    breaker = {"halt_bps": 1000, "halt_window_s": 60, "halt_s": 300}

    def told() -> list[bool]:
        """Return what the messages since the last look say."""
        sockets.desk.match()
        sockets.follow()
        new = sockets.messages()[len(seen) :]
        seen.extend(new)
        return [message["body"]["is_frozen"] for message in new]

    sockets.subscribe(DEPTH, TICKER)
    trade(sockets)
    seen = sockets.messages()
    assert seen[-1]["body"]["is_frozen"] is False
    world.change(status=BookStatus.PAUSED)
    assert told() == [True]
    world.change(status=BookStatus.ACTIVE, **breaker)
    assert told() == [False]
    trade(sockets, price="5")
    trade(sockets, price="6")
    seen = sockets.messages()
    assert seen[-1]["body"]["is_frozen"] is True
    sockets.later(BEAT_S)
    sockets.pushing.beat.round()
    again = {one["topic"]: one["body"] for one in sockets.messages()[len(seen) :]}
    assert again[TICKER]["is_frozen"] is True
    seen = sockets.messages()
    world.configuring.resume(INSTANCE, world.config.book_id, None)
    assert told() == [False]


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
    told = [one["body"] for one in sockets.messages()[1:]]
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
    trade(sockets, price="5")
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
    trades = [one["body"] for one in messages if one["topic"] == "user_trades"]
    listed = data_of(sockets.desk.get("/trade/user/trades", {"pair": PAIR}))["trades"]
    assert trades == listed[::-1]
    statuses = [one["body"] for one in messages if one["topic"] == "order_status"]
    assert [(one["status"], one["executed_amount"], one["remaining_amount"]) for one in statuses] == [
        ("open", 0, 10), ("executed_partially", 2, 8), ("executed_partially", 4, 6),
    ]  # fmt: skip
    assert [one.get("average_execution_price") for one in statuses] == [None, 4, 4.5]
    assert {(one["id"], one["external_id"], one["user_id"], one["pair"]) for one in statuses} == {
        (placed["id"], "mine", "ann", PAIR)
    }
    balances = [one["body"] for one in messages if one["topic"] == "balance"]
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
    statuses = [one["body"] for one in messages if one["topic"] == "order_status"]
    shown = {(one["type"], one.get("stop_price"), one.get("distance")) for one in statuses}
    assert shown == {("stop_limit", 4, None), ("trailing", None, 2), ("iceberg", None, None)}
    trades = [one["body"] for one in messages if one["topic"] == "user_trades"]
    assert trades == data_of(sockets.desk.get("/trade/user/trades", {"pair": PAIR}))["trades"][::-1]
    assert {(one["type"], one["taker_or_maker"]) for one in trades} == {("iceberg", "maker")}
    public = [one["body"] for one in messages if one["topic"] == TRADES]
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
    statuses = [one["body"] for one in sockets.messages()[1:]]
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


@pytest.mark.parametrize("topic", [TRADES, DELTA, "user_trades", "order_status"])
def test_who_resumes_gets_first_what_it_missed(sockets: Sockets, topic: str) -> None:
    more = {} if "@" in topic else {"ticket": sockets.ticket()}
    sockets.subscribe(topic, **more)
    for _ in range(5):
        trade(sockets)
    whole = [one for one in sockets.messages() if one["id"] > 0]
    cut = whole[len(whole) // 2]
    sockets.connect("d")
    more = {} if "@" in topic else {"ticket": sockets.ticket()}
    welcome, *missed = sockets.subscribe(topic, name="d", cursor=cut["cursor"], **more)
    assert welcome["id"] == -1
    assert bodies(missed) == bodies(whole[len(whole) // 2 + 1 :])
    assert numbered(missed) == list(range(1, len(missed) + 1))
    trade(sockets)
    assert len(sockets.messages("d")) > len(missed) + 1


def test_private_topics_need_a_ticket(sockets: Sockets) -> None:
    (error,) = sockets.subscribe("balance")
    assert error["topic"] == "error"
    assert "ticket" in error["body"]["message"]


def test_a_ticket_is_spent_once_and_binds_the_connection_to_its_customer(sockets: Sockets) -> None:
    ticket = sockets.ticket()
    assert numbered(sockets.subscribe("balance", ticket=ticket)) == [-1]
    sockets.connect("d")
    for name, other in (("d", ticket), ("c", sockets.ticket(sockets.ben)), ("d", "x"), ("d", 7)):
        (error,) = sockets.subscribe("balance", name=name, ticket=other)
        assert error["topic"] == "error"
    trade(sockets)
    assert all(message["body"]["user_id"] == "ann" for message in sockets.messages() if message["id"] > 0)


def test_a_ticket_ends_after_a_minute(desk: SignedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = open_sockets(desk)
    sockets.connect()
    ticket = sockets.ticket()
    spent_at = NOW_MS // 1000 + tickets.LIFE_S
    monkeypatch.setattr(sockets.socket.tickets, "_now_s", lambda: spent_at)
    (error,) = sockets.subscribe("balance", ticket=ticket)
    assert error["topic"] == "error"


@pytest.mark.parametrize("topic", list(Topic))
def test_of_each_topic_a_customer_gets_what_is_public_and_nothing_of_anothers(sockets: Sockets, topic: Topic) -> None:
    """Ann trades with ben while cat follows: no private topic tells it, and no public one names them."""
    cat = sockets.desk.as_customer("cat")
    name = topic if topic.is_private else f"{topic}@{PAIR}"
    sockets.subscribe(name, ticket=sockets.ticket(cat))
    trade(sockets)
    sockets.later(BEAT_S)
    sockets.pushing.beat.round()
    told = [message for message in sockets.messages() if message["id"] > 0]
    assert bool(told) is not topic.is_private
    assert not re.search(r"\b(ann|ben)\b", json.dumps(bodies(told)))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nonsense",
        b"[]",
        b"\xff",
        b'{"method":"subscribe"}',
        b'{"method":"subscribe","topics":[]}',
        b'{"method":"subscribe","topics":"trade@B_Q"}',
        b'{"method":"subscribe","topics":["trade"]}',
        b'{"method":"subscribe","topics":["trade@"]}',
        b'{"method":"subscribe","topics":["trade@X_Y"]}',
        b'{"method":"subscribe","topics":["balance@B_Q"]}',
        b'{"method":"subscribe","topics":["deposit"]}',
        b'{"method":"subscribe","topics":[7]}',
        b'{"method":"subscribe","topics":["trade@B_Q"],"cursor":"?"}',
        b'{"method":"subscribe","topics":["trade@B_Q"],"cursor":7}',
        b'{"method":"order.create"}',
        b'{"method":["subscribe"]}',
        b"[" * MESSAGE_BYTES_MAX,
        b'{"a":' * 1000,
        b'"' + b"x" * (MESSAGE_BYTES_MAX + 1) + b'"',
    ],
)
def test_a_bad_message_is_answered_with_an_error_and_changes_nothing(sockets: Sockets, message: bytes) -> None:
    before = list(sockets.desk.world.database.scan("connections"))
    (error,) = sockets.say(message)
    assert (error["id"], error["topic"]) == (-1, "error")
    assert list(sockets.desk.world.database.scan("connections")) == before


def test_a_ping_is_answered(sockets: Sockets) -> None:
    (pong,) = sockets.say({"method": "ping"})
    assert (pong["id"], pong["topic"]) == (-1, "pong")


def test_after_unsubscribing_no_more_messages_come_and_ids_begin_anew(sockets: Sockets) -> None:
    sockets.subscribe(TRADES)
    trade(sockets)
    (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES]})
    assert gone["topic"] == TRADES
    before = len(sockets.messages())
    trade(sockets)
    assert len(sockets.messages()) == before
    sockets.subscribe(TRADES)
    trade(sockets)
    assert numbered(sockets.messages()[before:]) == [-1, 1]


def test_who_unsubscribes_from_a_topic_that_it_does_not_follow_is_answered_too(sockets: Sockets) -> None:
    for _ in range(2):
        (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES]})
        assert (gone["id"], gone["topic"], gone["body"]) == (-1, TRADES, {"message": "unsubscribed"})


def test_who_follows_a_pair_can_leave_it_once_its_book_is_closed(sockets: Sockets) -> None:
    sockets.subscribe(TRADES)
    sockets.desk.world.change_status(BookStatus.CLOSED)
    (gone,) = sockets.say({"method": "unsubscribe", "topics": [TRADES.lower()]})
    assert (gone["topic"], gone["body"]) == (TRADES, {"message": "unsubscribed"})
    assert [row for row in sockets.desk.world.database.scan("connections") if TRADES in str(row)] == []


@pytest.mark.parametrize("are_others_there", [False, True], ids=["restored", "made anew"])
@pytest.mark.parametrize("topic", [TRADES, DELTA, "user_trades"])
def test_a_cursor_of_another_journal_is_refused(sockets: Sockets, topic: str, are_others_there: bool) -> None:
    """Also where it has as many entries."""
    sockets.subscribe(topic, **({} if "@" in topic else {"ticket": sockets.ticket()}))
    trade(sockets)
    cursor = sockets.messages()[-1]["cursor"]
    database = sockets.desk.world.database
    entries = [row for row in database.scan("journal") if is_entry(row)]
    database.delete_many("journal", [{"book": row["book"], "sequence": row["sequence"]} for row in entries])
    for row in entries if are_others_there else ():
        database.write(Put("journal", row | {"at_ms": row["at_ms"] + 1}))
    (error,) = sockets.subscribe(topic, cursor=cursor)
    assert "cursor" in error["body"]["message"]


def test_a_cursor_of_other_logs_is_refused(sockets: Sockets) -> None:
    elsewhere = Cursor().moved(INSTANCE, "book/another", BEGINNING).to_text()
    (error,) = sockets.subscribe(TRADES, cursor=elsewhere)
    assert "cursor" in error["body"]["message"]


def test_a_connection_has_a_bounded_number_of_topics(sockets: Sockets) -> None:
    (error,) = sockets.subscribe(*[TRADES] * (SUBSCRIPTIONS_MAX + 1))
    assert error["topic"] == "error"


def test_an_address_has_a_bounded_number_of_connections(sockets: Sockets) -> None:
    statuses = [sockets.connect(f"n{number}").status for number in range(CONNECTIONS_MAX)]
    assert statuses == [200] * (CONNECTIONS_MAX - 1) + [429]
    assert sockets.connect("elsewhere", "192.0.2.2").status == 200


def test_connections_that_have_ended_without_a_word_are_not_counted(sockets: Sockets) -> None:
    """No event is sure to tell that a connection has ended. One whose handshake may go on is none of them."""
    names = [f"n{number}" for number in range(CONNECTIONS_MAX - 1)]
    assert {sockets.connect(name).status for name in names} == {200}
    sockets.subscribe(TRADES, name="n0")
    sockets.clients.gone |= {"n0", "n1"}
    assert sockets.connect("another").status == 429
    sockets.later(HANDSHAKE_S + 1)
    assert [sockets.connect(f"m{number}").status for number in range(3)] == [200, 200, 429]
    rows = list(sockets.desk.world.database.scan("connections"))
    assert not [
        row for row in rows if {"n0", "n1"} & {row["topic"].partition("/")[2], row["connection"].partition("/")[0]}
    ]


def test_without_a_public_instance_everything_needs_a_ticket(desk: SignedDesk) -> None:
    sockets = open_sockets(desk, public_instance=None)
    assert sockets.connect().status == 200
    assert sockets.subscribe(TRADES)[0]["topic"] == "error"
    assert sockets.subscribe(TRADES, ticket=sockets.ticket())[0]["topic"] == TRADES


def test_a_message_on_a_connection_that_is_gone_closes_it(sockets: Sockets) -> None:
    assert sockets.say({"method": "ping"}, "unknown") == []
    assert sockets.clients.gone == {"unknown"}


def test_depth_and_ticker_are_sent_again_every_30_seconds_and_no_other_topic_is(sockets: Sockets) -> None:
    sockets.subscribe(TRADES, DEPTH, DELTA, TICKER)
    sockets.subscribe("user_trades", "balance", "order_status", ticket=sockets.ticket())
    trade(sockets)
    before = len(sockets.messages())
    for _ in range(2):
        sockets.later(BEAT_S)
        for _ in range(2):
            sockets.pushing.beat.round()
    again = sockets.messages()[before:]
    assert sorted(message["topic"] for message in again) == [DEPTH, DEPTH, TICKER, TICKER]
    for topic in (DEPTH, TICKER):
        messages = [message for message in sockets.messages() if message["topic"] == topic]
        assert numbered(messages) == [-1, *range(1, len(messages))]
        changed, first, second = messages[-3:]
        assert first["cursor"] == second["cursor"] == changed["cursor"]
        assert second["timestamp"] - first["timestamp"] == BEAT_S * 1000
        same = {"timestamp": 0, "date": ""}
        assert first["body"] | same == second["body"] | same == changed["body"] | same


def test_what_changes_after_a_repetition_has_the_next_id(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH)
    sockets.later(BEAT_S)
    sockets.pushing.beat.round()
    trade(sockets)
    assert numbered(sockets.messages()) == [-1, 1, 2, 3]


def test_a_topic_is_not_repeated_after_it_is_unsubscribed(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH)
    sockets.say({"method": "unsubscribe", "topics": [DEPTH]})
    before = len(sockets.messages())
    sockets.later(BEAT_S)
    sockets.pushing.beat.round()
    assert len(sockets.messages()) == before


def test_the_first_message_of_a_topic_puts_its_first_repetition_off(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH)
    before = len(sockets.messages())
    sockets.pushing.beat.round()
    assert len(sockets.messages()) == before


def block(desk: SignedDesk) -> None:
    Credentials(desk.world.database, API_TOKENS).change(digest_of(desk.token), status=TokenStatus.BLOCKED)


def delete(desk: SignedDesk) -> None:
    Credentials(desk.world.database, API_TOKENS).delete(digest_of(desk.token))


def archive(desk: SignedDesk) -> None:
    tenants = Tenants(desk.world.database, lambda: NOW_MS // 1000)
    tenants.change(INSTANCE, lambda found: replace(found, status=InstanceStatus.ARCHIVED))


def switch_off(desk: SignedDesk) -> None:
    tenants = Tenants(desk.world.database, lambda: NOW_MS // 1000)
    tenants.change(INSTANCE, lambda found: replace(found, services=frozenset()))


@pytest.mark.parametrize("end", [block, delete, archive, switch_off])
def test_who_follows_private_topics_by_a_token_that_is_no_longer_good_is_turned_out(sockets: Sockets, end: Any) -> None:
    sockets.subscribe("user_trades", ticket=sockets.ticket())
    sockets.connect("p", "192.0.2.2")
    sockets.subscribe(TRADES, name="p")
    sockets.pushing.beat.round()
    assert sockets.clients.gone == set()
    end(sockets.desk)
    sockets.pushing.beat.round()
    assert sockets.clients.gone == {"c"}


def test_a_beat_writes_nothing_for_a_topic_that_is_not_sent_again(sockets: Sockets) -> None:
    sockets.subscribe("user_trades", "balance", "order_status", ticket=sockets.ticket())
    before = list(sockets.desk.world.database.scan("connections"))
    sockets.later(BEAT_S)
    sockets.pushing.beat.round()
    assert list(sockets.desk.world.database.scan("connections")) == before


def test_who_resumes_where_what_it_missed_is_not_projected_yet_is_told_to_subscribe_again(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    (welcome,) = sockets.subscribe("balance", ticket=sockets.ticket())
    trade(sockets)
    with monkeypatch.context() as patch:
        patch.setattr(Projected, "wait", unavailable)
        _, refused = sockets.subscribe("balance", cursor=welcome["cursor"])
    assert refused["body"] == {
        "message": "balance cannot be read now: subscribe again, with the cursor of its last message"
    }
    trade(sockets, amount="1")
    assert sockets.messages()[-1] == refused, "it is not subscribed"

    _, missed = sockets.subscribe("balance", cursor=welcome["cursor"])
    (shown,) = (one for one in missed["body"]["balances"] if one["currency_code"] == "B")
    assert (missed["id"], shown["available_amount"]) == (1, 1004), "of both trades"


@pytest.mark.parametrize("topic", [TRADES, DELTA])
def test_who_resumes_while_others_are_told_is_told_once(sockets: Sockets, topic: str) -> None:
    """The broadcaster comes to the entries that it missed while they are sent to it. What comes last has an intent."""
    cursor = sockets.subscribe(topic)[-1]["cursor"]
    sockets.say({"method": "unsubscribe", "topics": [topic]})
    trade_often(sockets, ENTRIES_LEFT + 1)
    database, intents, moments = sockets.desk.world.database, [], count()

    @nobody
    def tell_others() -> None:
        sockets.follow()
        intents.extend(row["intent"] for row in database.scan("connections") if "intent" in row)
        if next(moments) == 5:
            trade_often(sockets, 1)  # the last moment

    before = len(sockets.messages())
    sockets.clients.before_send = tell_others
    sockets.subscribe(topic, cursor=cursor)
    _, *missed = sockets.messages()[before:]
    assert numbered(missed) == list(range(1, len(missed) + 1))
    assert intents
    assert all(intents)


def test_who_missed_more_than_can_be_sent_in_time_goes_on_from_there(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = sockets.subscribe(TRADES)[-1]["cursor"]
    sockets.say({"method": "unsubscribe", "topics": [TRADES]})
    trade_often(sockets, 3 * ENTRIES_LEFT)
    monkeypatch.setattr(broadcasting, "ENTRIES_A_STEP", ENTRIES_LEFT)
    sockets.clients.before_send = lambda: sockets.later(1)
    _, *missed, refused = sockets.subscribe(TRADES, cursor=cursor)
    assert "cannot be read now" in refused["body"]["message"]
    assert numbered(missed) == list(range(1, len(missed) + 1))
    sockets.clients.before_send = lambda: None
    trade_often(sockets, 1)
    sockets.follow()
    assert sockets.messages()[-1] == refused, "it is not subscribed"
    _, *rest = sockets.subscribe(TRADES, cursor=missed[-1]["cursor"])
    shown = data_of(sockets.desk.get("/trade/public/trades", {"pair": PAIR}))["trades"]
    assert bodies([*missed, *rest]) == shown[::-1]


def trade_often(sockets: Sockets, trades: int) -> None:
    """Have trades of an entry each, and hand them to nobody."""
    for _ in range(trades):
        sockets.ben.place(side="sell", amount="1", price="5")
        sockets.desk.match()
        sockets.desk.place(side="buy", amount="1", price="5")
        sockets.desk.match()


def test_a_topic_whose_state_cannot_be_read_now_is_refused_in_words(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DepthReader, "whole", unavailable)
    (refused,) = sockets.subscribe(DEPTH)
    assert (refused["topic"], refused["body"]) == (
        "error", {"message": f"{DEPTH} cannot be read now: subscribe again, with the cursor of its last message"},
    )  # fmt: skip


def test_a_topic_that_is_refused_keeps_no_other_of_its_message_from_being_followed(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DepthReader, "whole", unavailable)
    answers = sockets.subscribe(DEPTH, TRADES, TICKER)
    assert [message["topic"] for message in answers] == ["error", TRADES, "error"]
    assert [body["message"].partition(" ")[0] for body in bodies(answers)] == [DEPTH, "subscribed", TICKER]


@pytest.mark.parametrize("topic", ["trade", "ticker"])
def test_who_says_later_that_it_is_of_another_instance_follows_a_topic_once(sockets: Sockets, topic: str) -> None:
    """A pair of the public instance, and the one of that name where the client's ticket is of."""
    name = f"{topic}@{PAIR}"
    world = sockets.desk.world
    sockets.subscribe(name)
    connection = world.database.get("connections", {"topic": "connection/c", "connection": "connection"})
    assert connection is not None
    ((_, *keys),) = connection["topics"]
    elsewhere = [key.replace(INSTANCE, "inst_else") for key in keys]
    database = world.database
    database.write(Put("connections", connection | {"topics": [[name, *elsewhere]]}))
    for key, other in zip(keys, elsewhere, strict=True):
        (row,) = [row for row in database.scan("connections") if row["topic"] == f"follows/{key}"]
        database.write(Put("connections", row | {"topic": f"follows/{other}"}))
    sockets.subscribe(name)
    rows = [row["topic"] for row in database.scan("connections") if row["topic"].startswith("follows/")]
    assert sorted(rows) == sorted(f"follows/{key}" for key in keys)


def unavailable(*_args: object) -> None:
    raise Unavailable("not now")
