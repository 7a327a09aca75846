"""Who subscribes at the trade desk's WebSocket with a cursor gets first what it missed, once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from chalicelib.domain.feed.cursor import BEGINNING, Cursor
from chalicelib.domain.feed.event import FeedEvent
from chalicelib.services.push import recent, steps
from chalicelib.services.push.rows import StoredEntries
from chalicelib.services.push.sessions import ENTRIES_LEFT
from chalicelib.services.push.states import Projected
from chalicelib.tables.journal import is_entry
from chalicelib.tables.writes import Put
from tests.apis.trade.desk import PAIR, data_of
from tests.apis.trade.sockets import DELTA, TRADES, Sockets, bodies, numbered, open_sockets
from tests.faults import unavailable
from tests.recording import nobody
from tests.world import INSTANCE


@pytest.mark.parametrize("topic", [TRADES, DELTA, "user_trades", "order_status"])
def test_who_resumes_gets_first_what_it_missed(sockets: Sockets, topic: str) -> None:
    more = {} if "@" in topic else {"ticket": sockets.ticket()}
    sockets.subscribe(topic, **more)
    for _ in range(5):
        sockets.trade()
    whole = [one for one in sockets.messages() if one["id"] > 0]
    cut = whole[len(whole) // 2]
    sockets.connect("d")
    more = {} if "@" in topic else {"ticket": sockets.ticket()}
    welcome, *missed = sockets.subscribe(topic, name="d", cursor=cut["cursor"], **more)
    assert welcome["id"] == -1
    assert bodies(missed) == bodies(whole[len(whole) // 2 + 1 :])
    assert numbered(missed) == list(range(1, len(missed) + 1))
    sockets.trade()
    assert len(sockets.messages("d")) > len(missed) + 1


@pytest.mark.parametrize("are_others_there", [False, True], ids=["restored", "made anew"])
@pytest.mark.parametrize("topic", [TRADES, DELTA, "user_trades"])
def test_a_cursor_of_another_journal_is_refused(sockets: Sockets, topic: str, are_others_there: bool) -> None:
    """Also where it has as many entries."""
    sockets.subscribe(topic, **({} if "@" in topic else {"ticket": sockets.ticket()}))
    sockets.trade()
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


def test_who_resumes_where_what_it_missed_is_not_projected_yet_is_told_to_subscribe_again(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    (welcome,) = sockets.subscribe("balance", ticket=sockets.ticket())
    sockets.trade()
    with monkeypatch.context() as patch:
        patch.setattr(Projected, "wait", unavailable)
        _, refused = sockets.subscribe("balance", cursor=welcome["cursor"])
    assert refused["body"] == {
        "message": "balance cannot be read now: subscribe again, with the cursor of its last message"
    }
    sockets.trade(amount="1")
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
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", ENTRIES_LEFT)
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


def test_t182_who_is_far_behind_has_the_way_from_the_books_end_read_once(
    sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each of its steps: a delta message has the hash of the depth at its entry."""
    monkeypatch.setattr(recent, "ENTRIES_MAX", 1)
    monkeypatch.setattr(steps, "ENTRIES_A_STEP", 4)
    cursor = sockets.subscribe(DELTA)[-1]["cursor"]
    sockets.trade()
    whole = [one for one in sockets.messages() if one["id"] > 1]
    sockets.say({"method": "unsubscribe", "topics": [DELTA]})
    trade_often(sockets, 40)
    read, between = [], StoredEntries.between

    def counted(stored: StoredEntries, instance: str, log: str, after: int, until: int) -> Iterator[list[FeedEvent]]:
        read.append(until - after)
        return between(stored, instance, log, after, until)

    monkeypatch.setattr(StoredEntries, "between", counted)
    later = open_sockets(sockets.desk, clients=sockets.clients)
    later.connect("d")
    _, *missed = later.subscribe(DELTA, name="d", cursor=cursor)
    assert bodies(missed[: len(whole)]) == bodies(whole)
    assert numbered(missed) == list(range(1, len(missed) + 1))
    assert (
        missed[-1]["body"]["hash"] == data_of(sockets.desk.get("/trade/public/orders/level-2", {"pair": PAIR}))["hash"]
    )
    assert len(missed) > 40
    assert sum(read) < 3 * len(missed)


def trade_often(sockets: Sockets, trades: int) -> None:
    """Have trades of an entry each, and hand them to nobody."""
    for _ in range(trades):
        sockets.ben.place(side="sell", amount="1", price="5")
        sockets.desk.match()
        sockets.desk.place(side="buy", amount="1", price="5")
        sockets.desk.match()
