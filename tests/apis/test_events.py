"""Events by long poll, at each desk: in its envelope, by its credentials, with its errors; nobody sees another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.apis.book.routes import EVENTS, ONE_BOOK
from chalicelib.apis.kit import events
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.apis.kit.page_bytes import fitting
from chalicelib.domain.feed.cursor import BEGINNING, TEXT_CHARACTERS_MAX, Cursor
from chalicelib.domain.feed.logs import LEDGER_AREA, SIGNED_AREA, escrow_area
from chalicelib.services import polling
from chalicelib.services.feed import reading
from chalicelib.support.clock import iso, now_ms
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import open_desk
from tests.apis.escrow.desk import INSTANCE as ESCROW_INSTANCE
from tests.apis.escrow.desk import OTHER_KEY, PRODUCTION_KEY, SHOP
from tests.apis.escrow.desk import Desk as EscrowDesk
from tests.apis.taker.desk import INSTANCE as TAKER_INSTANCE
from tests.apis.taker.desk import MAKER, OTHER_MAKER_KEY, TAKER, details_in, open_taker_desk
from tests.apis.trade.desk import PAIR, open_trade_desk
from tests.ordering import in_order
from tests.services.feed.writing import Logs
from tests.waiting import Waiting
from tests.world import BOOK_ID, INSTANCE, World

Query = Mapping[str, str]
Send = Callable[[Query, Mapping[str, str]], HttpResponse]
"""Asks for events with a query and headers, in the credentials of a caller."""
Asked = tuple[list[dict[str, Any]], str, bool]
"""Events, the cursor behind them, and whether there are more."""
SNAKE = ("events", "cursor", "has_more")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller of a desk, and another one who must not see its events.

    subject, area: whom its events are for, and where they stand. names: of the answer's members. gone: what of a
    refused answer gives the cursor of now. faults: what names each bad parameter.
    """

    send: Send
    other: Send
    logs: Logs
    subject: str
    area: str
    names: tuple[str, str, str]
    gone: Callable[[Any], str]
    faults: Callable[[Any], list[str]]

    def put(self, lane: int = 1, *, to: str | None = None, age_ms: int = 0) -> int:
        return self.logs.put(lane, to or self.subject, area=self.area, age_ms=age_ms, kind="test.happened")

    def ask(self, query: Query | None = None, prefer: str = "") -> Asked:
        """Return the events, the cursor and whether there are more."""
        return self.read(self.send(query or {}, {"prefer": prefer} if prefer else {}))

    def read(self, response: HttpResponse) -> Asked:
        assert response.status == 200, response.body
        data = json.loads(response.body)["data"]
        assert set(data) == set(self.names)
        found, cursor, has_more = (data[name] for name in self.names)
        return found, cursor, has_more


def _instance(database: Database) -> Caller:
    """Asks for two customers who have no events yet."""
    desk = open_desk(World(database))

    def send(named: Query) -> Send:
        return lambda query, headers: desk.send(
            "GET", EVENTS, headers=dict(headers), query={name: [value] for name, value in {**named, **query}.items()}
        )

    return Caller(
        send({"customerRef": "cat"}), send({"customerRef": "dan"}),
        Logs(database, INSTANCE), "customer/cat", SIGNED_AREA,
        ("events", "cursor", "hasMore"), lambda body: str(body["metadata"]["cursor"]),
        lambda body: [one["field"] for one in body["error"]["details"]],
    )  # fmt: skip


def _trade(database: Database) -> Caller:
    desk = open_trade_desk(World(database))
    cat, dan = desk.as_customer("cat"), desk.as_customer("dan")

    def send(of: Any, mount: str) -> Send:
        return lambda query, headers: of.send("GET", f"{mount}/events", query=dict(query), headers=dict(headers))

    return Caller(
        send(cat, "/trade"), send(dan, "/v4"), Logs(database, INSTANCE), "customer/cat", SIGNED_AREA, SNAKE,
        lambda body: str(body["data"]["cursor"]),
        lambda body: [body["message"].removeprefix("Invalid parameters: ").removesuffix(".")],
    )  # fmt: skip


def _taker(database: Database) -> Caller:
    desk = open_taker_desk(database)

    def send(of: Any) -> Send:
        return lambda query, headers: of.send(
            "GET", "/takers/events", query=dict(query), headers={"x-api-key": of.api_key} | headers
        )

    return Caller(
        send(desk), send(desk.as_other), Logs(database, TAKER_INSTANCE), f"taker/{TAKER.lower()}", SIGNED_AREA, SNAKE,
        lambda body: details_in(body["details"])["cursor"], lambda body: list(details_in(body["details"])),
    )  # fmt: skip


def _maker(database: Database) -> Caller:
    desk = open_taker_desk(database)

    def send(of: Any) -> Send:
        return lambda query, headers: of.send(
            "GET", "/makers/events", query=dict(query), headers={"authorization": f"Bearer {of.jwt}"} | headers
        )

    return Caller(
        send(desk), send(desk.as_maker(OTHER_MAKER_KEY)), Logs(database, TAKER_INSTANCE), f"maker/{MAKER.lower()}",
        SIGNED_AREA, SNAKE, lambda body: details_in(body["details"])["cursor"],
        lambda body: list(details_in(body["details"])),
    )  # fmt: skip


def _merchant(database: Database) -> Caller:
    desk = EscrowDesk(database)

    def send(key: str | None) -> Send:
        of = desk if key is None else desk.as_key(key)
        return lambda query, headers: of.send("GET", "/2.0/events", query=dict(query), headers=dict(headers))

    return Caller(
        send(None), send(OTHER_KEY), Logs(database, ESCROW_INSTANCE), f"merchant/sandbox/{SHOP}",
        escrow_area("sandbox", SHOP), SNAKE, lambda body: str(body["cursor"]), lambda body: list(body["errors"]),
    )  # fmt: skip


CALLERS = {"instance": _instance, "trade": _trade, "taker": _taker, "maker": _maker, "merchant": _merchant}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    clock = Waiting()
    monkeypatch.setattr(polling, "time", clock)
    monkeypatch.setattr(polling, "until", clock.until)
    return clock


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest, memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Caller:
    caller: Caller = CALLERS[request.param](memory_database)
    caller.logs.now_ms = now_ms()
    feed = reading.Feed

    def of_now(database: Database, _clock: object) -> reading.Feed:
        return feed(database, lambda: caller.logs.now_ms)

    monkeypatch.setattr(reading, "Feed", of_now)  # desks have clocks of their own
    return caller


def test_events_come_once_each_from_now_on(caller: Caller) -> None:
    caller.put()
    found, cursor, has_more = caller.ask()
    assert (found, has_more) == ([], False)
    caller.put()
    caller.put()
    first, cursor, has_more = caller.ask({"after": cursor, "limit": "1"})
    second, cursor, more = caller.ask({"after": cursor, "limit": "1"})
    assert [len(first), has_more, len(second), more] == [1, True, 1, False]
    assert caller.ask({"after": cursor}) == ([], cursor, False)


def test_an_event_says_what_it_is_and_where_it_stands(caller: Caller) -> None:
    caller.put(3)
    ((event,), _, _) = caller.ask({"after": "start"})
    log = f"{caller.area}/3"
    assert event.pop("id").startswith("evt_")
    assert event == {
        "type": "test.happened", "time": iso(caller.logs.now_ms), "log": log, "sequence": 1, "part": 0,
        "body": {"number": 1},
    }  # fmt: skip


def test_nobody_sees_anothers_events(caller: Caller) -> None:
    caller.put()
    assert len(caller.ask({"after": "start"})[0]) == 1
    assert caller.read(caller.other({"after": "start"}, {}))[0] == []


def test_a_cursor_of_another_instance_shows_nothing_of_it(caller: Caller) -> None:
    caller.put()
    foreign = Cursor().moved("inst_other999", f"{caller.area}/1", BEGINNING).to_text()
    response = caller.send({"after": foreign}, {})
    assert (response.status, caller.faults(json.loads(response.body))) in [(400, ["after"]), (422, ["after"])]


def test_a_request_that_prefers_to_wait_is_answered_with_the_first_event(caller: Caller, clock: Waiting) -> None:
    _, cursor, _ = caller.ask()
    put: list[int] = []
    clock.meanwhile = lambda: put.append(caller.put()) if clock.slept_s > 4 and not put else None
    response = caller.send({"after": cursor}, {"prefer": "wait=60"})
    assert len(caller.read(response)[0]) == 1
    assert response.headers["Preference-Applied"] == "wait=20"
    assert 4 < clock.slept_s < 4.5


def test_a_wait_ends_after_twenty_seconds_at_most(caller: Caller, clock: Waiting) -> None:
    _, cursor, _ = caller.ask()
    for prefer, slept_s in (("wait=0", 0.0), ("wait=3", 3.0), ("wait=999999999999", 23.0)):
        assert caller.ask({"after": cursor}, prefer) == ([], cursor, False)
        assert clock.slept_s == pytest.approx(slept_s, abs=0.01)


def test_a_cursor_that_is_gone_is_answered_with_that_of_now(caller: Caller) -> None:
    caller.put(age_ms=40 * 86_400_000)
    _, cursor, _ = caller.ask()
    caller.put(age_ms=39 * 86_400_000)
    response = caller.send({"after": cursor}, {})
    assert response.status == 410
    begin = caller.gone(json.loads(response.body))
    assert caller.ask({"after": begin}) == ([], begin, False)
    caller.put()
    assert len(caller.ask({"after": begin})[0]) == len(caller.ask({"after": "start"})[0]) == 1


BAD = {
    "after": ["!", "x", "A" * TEXT_CHARACTERS_MAX, "A" * (TEXT_CHARACTERS_MAX + 1), "ä", "Start"],
    "limit": ["0", "-1", "1.5", "x", "9" * 5000],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_query_is_refused_and_changes_nothing(caller: Caller, name: str, value: str) -> None:
    """A limit above what there may be is that limit at some desks, and a fault at others, as theirs of pages are."""
    before = rows_of(caller.logs.database)
    response = caller.send({name: value}, {})
    if value != "9" * 5000 or response.status != 200:
        assert response.status in (400, 422), response.body
        assert caller.faults(json.loads(response.body)) == [name]
    assert rows_of(caller.logs.database) == before


def rows_of(database: Database) -> list[Any]:
    """Return what no request for events may change."""
    tables = ("accounts", "books", "journal", "outbox", "orders", "signed-orders", "escrows", "tenants")
    return [in_order(database.scan(table)) for table in tables]


def test_an_answer_stays_within_the_bytes_of_one(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "fitting", lambda rows, exact: fitting(rows, exact, 1000))
    for _ in range(20):
        caller.put()
    seen, cursor, has_more = caller.ask({"after": "start"})
    assert 1 <= len(seen) < 20
    while has_more:
        more, cursor, has_more = caller.ask({"after": cursor})
        seen += more
    assert [event["sequence"] for event in seen] == list(range(1, 21))


# --- one desk's own


def test_the_instance_sees_all_and_can_name_books_and_types(memory_database: Database) -> None:
    desk, logs = open_desk(World(memory_database)), Logs(memory_database, INSTANCE)
    logs.now_ms = now_ms()
    cursor = json.loads(desk.get(EVENTS).body)["data"]["cursor"]
    logs.put(1, "customer/ann", area=LEDGER_AREA, kind="balance.changed")
    logs.put(1, "maker/0x1", kind="signed_order.filled")
    logs.journal(BOOK_ID, "ann")
    logs.journal(BOOK_ID, "ben")

    def logs_of(after: str = cursor, **query: str) -> list[str]:
        found = json.loads(desk.get(EVENTS, {"after": after, **query}).body)["data"]["events"]
        return sorted(event["log"] for event in found)

    book = f"book/{BOOK_ID}"
    assert logs_of() == [book, book, "ledger/1", "signed/1"]
    assert logs_of(bookId=BOOK_ID) == [book, book]
    assert logs_of(bookId=BOOK_ID, customerRef="ben") == [book]
    assert logs_of(types="signed_order.filled,balance.changed") == ["ledger/1", "signed/1"]
    assert logs_of(types="balance.changed", customerRef="ben") == []
    assert len(logs_of("start", types="balance.changed", customerRef="ben")) == 2, "what ben was credited before"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"types": ""}, "types"), ({"types": "a,,b"}, "types"), ({"types": ",".join("a" * 51)}, "types"),
        ({"types": "a" * 65}, "types"), ({"types": "a b"}, "types"),
        ({"types": "order.fill"}, "types"), ({"types": "order.filled,EscrowPublished"}, "types"),
        ({"customerRef": ""}, "customerRef"),
        ({"bookId": ""}, "bookId"), ({"bookId": "x" * 101}, "bookId"),
    ],
)  # fmt: skip
def test_bad_filters_are_refused(memory_database: Database, query: dict[str, str], field: str) -> None:
    caller = _instance(memory_database)
    response = caller.send(query, {})
    assert (response.status, caller.faults(json.loads(response.body))) == (400, [field])


def test_a_book_that_is_not_the_instances_is_not_found(memory_database: Database) -> None:
    response = _instance(memory_database).send({"bookId": "ob_other"}, {})
    assert (response.status, json.loads(response.body)["error"]["code"]) == (404, "ORDER_BOOK_NOT_FOUND")


def test_an_instance_with_more_books_than_a_cursor_names_must_name_them(
    memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOGS_MAX", 16)
    caller = _instance(memory_database)
    response = caller.send({}, {})
    assert (response.status, caller.faults(json.loads(response.body))) == (400, ["bookId"])
    assert caller.send({"bookId": BOOK_ID}, {}).status == 200


def test_a_depth_says_as_of_which_entry_it_is(memory_database: Database) -> None:
    """So a reader of depth changes knows which of them it has already."""
    desk = open_desk(World(memory_database))
    desk.placed(side="SELL", price="50", quantity="2")
    desk.match()
    depth = desk.send("GET", f"{ONE_BOOK}/snapshot", orderBookId=BOOK_ID)
    assert depth.headers["X-Book-Sequence"] == "1"


def test_a_customer_can_follow_one_pair(memory_database: Database) -> None:
    caller = _trade(memory_database)
    caller.logs.now_ms = now_ms()
    caller.put()
    caller.logs.journal(BOOK_ID, "cat", "ben")
    of_pair, _, _ = caller.ask({"after": "start", "pair": PAIR})
    assert [event["log"] for event in of_pair] == [f"book/{BOOK_ID}"]
    assert len(caller.ask({"after": "start"})[0]) == 2
    assert caller.send({"pair": "NO_PAIR"}, {}).status == 404


def test_every_taker_sees_which_orders_can_be_locked_and_no_maker_does(memory_database: Database) -> None:
    desk, logs = open_taker_desk(memory_database), Logs(memory_database, TAKER_INSTANCE)
    logs.now_ms = now_ms()
    logs.put(1, "takers")

    def seen(response: HttpResponse) -> int:
        return len(json.loads(response.body)["data"]["events"])

    start = {"after": "start"}
    assert seen(desk.get("/takers/events", start)) == seen(desk.as_other.get("/takers/events", start)) == 1
    assert seen(desk.maker_get("/makers/events", start)) == 0


def test_the_worlds_of_a_merchant_are_apart(memory_database: Database) -> None:
    desk, logs = EscrowDesk(memory_database), Logs(memory_database, ESCROW_INSTANCE)
    logs.now_ms = now_ms()
    logs.put(1, f"merchant/production/{SHOP}", area=escrow_area("production", SHOP), kind="EscrowPublished")
    seen = {}
    for key in (None, PRODUCTION_KEY):
        of = desk if key is None else desk.as_key(key)
        body = of.send("GET", "/2.0/events", query={"after": "start"}).body
        seen[key] = [event["type"] for event in json.loads(body)["data"]["events"]]
    assert seen == {None: [], PRODUCTION_KEY: ["EscrowPublished"]}
