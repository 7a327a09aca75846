"""What the trade desk's WebSocket tells of a book: trades, deltas, and the depth and ticker, sent again in time."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.market import level_view
from chalicelib.apis.trade.socket_depth import LEVELS_A_MESSAGE
from chalicelib.domain.books.vocabulary import BookStatus
from chalicelib.domain.feed.cursor import TEXT_CHARACTERS_MAX
from chalicelib.domain.ledger.amounts import AMOUNT_MAX
from chalicelib.services.push.sending import MESSAGE_BYTES_MAX as MESSAGE_BYTES_SENT_MAX
from chalicelib.services.push.steps import BEAT_S
from chalicelib.support.canonical import exact
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import PAIR, data_of, open_trade_desk
from tests.apis.trade.sockets import DELTA, DEPTH, TICKER, TRADES, Sockets, bodies, numbered, open_sockets
from tests.faults import Died, FaultyClient, raising
from tests.world import INSTANCE, NOW_MS, QUOTE, World


def test_a_subscription_is_welcomed_and_then_numbered_from_1(sockets: Sockets) -> None:
    (welcome,) = sockets.subscribe(TRADES)
    assert (welcome["id"], welcome["topic"]) == (-1, TRADES)
    sockets.trade()
    sockets.trade()
    messages = sockets.messages()[1:]
    assert numbered(messages) == [1, 2]
    assert {tuple(message) for message in messages} == {("id", "topic", "timestamp", "body", "cursor")}
    shown = data_of(sockets.desk.get("/trade/public/trades", {"pair": PAIR}))["trades"]
    assert bodies(messages) == shown[::-1]


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
    sockets.trade()
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
    sockets.trade()
    seen = sockets.messages()
    assert seen[-1]["body"]["is_frozen"] is False
    world.change(status=BookStatus.PAUSED)
    assert told() == [True]
    world.change(status=BookStatus.ACTIVE, **breaker)
    assert told() == [False]
    sockets.trade(price="5")
    sockets.trade(price="6")
    seen = sockets.messages()
    assert seen[-1]["body"]["is_frozen"] is True
    sockets.repeat()
    again = {one["topic"]: one["body"] for one in sockets.messages()[len(seen) :]}
    assert again[TICKER]["is_frozen"] is True
    seen = sockets.messages()
    world.configuring.resume(INSTANCE, world.config.book_id, None)
    assert told() == [False]


def test_depth_and_ticker_are_sent_again_every_30_seconds_and_no_other_topic_is(sockets: Sockets) -> None:
    sockets.subscribe(TRADES, DEPTH, DELTA, TICKER)
    sockets.subscribe("user_trades", "balance", "order_status", ticket=sockets.ticket())
    sockets.trade()
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
    sockets.repeat()
    sockets.trade()
    assert numbered(sockets.messages()) == [-1, 1, 2, 3]


def test_a_topic_is_not_repeated_after_it_is_unsubscribed(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH)
    sockets.say({"method": "unsubscribe", "topics": [DEPTH]})
    before = len(sockets.messages())
    sockets.repeat()
    assert len(sockets.messages()) == before


def test_the_first_message_of_a_topic_puts_its_first_repetition_off(sockets: Sockets) -> None:
    sockets.subscribe(DEPTH)
    before = len(sockets.messages())
    sockets.pushing.beat.round()
    assert len(sockets.messages()) == before


def test_a_batch_makes_as_many_calls_for_twenty_clients_of_a_book_as_for_one(memory_database: Database) -> None:
    """But for the moves of rows, 25 a call."""
    client: Any = FaultyClient(memory_database._client, raising(Died(), after=False))
    database = Database(client, memory_database.name("").removesuffix("-"), pause=lambda _: None)
    desk = open_trade_desk(World(database), clock=lambda: NOW_MS)
    desk.world.credit("ann", QUOTE, 10**21)
    sockets = open_sockets(desk)
    calls, topics = [], (TRADES, DEPTH, DELTA, TICKER)
    for numbers in (range(1), range(1, 20)):
        for number in numbers:
            sockets.connect(f"c{number}", f"192.0.2.{number}")
            sockets.subscribe(*topics, name=f"c{number}")
        for _ in range(2):
            sockets.trade()
        before = client.calls
        sockets.trade()
        calls.append(client.calls - before)
    of_one, of_twenty = calls
    assert of_twenty <= of_one + 2 * 20 * len(topics) // 25
