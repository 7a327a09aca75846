"""The demo's traders: whom they are, where they trade, how much at most, and that they can be kept away."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from chalicelib.domain.ledger.owners import book_key, customer_key
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.journal import is_entry
from infra import demo, demo_traders
from infra.demo_rounds import TRADERS, MustStay, Rounds
from infra.demo_traders import RESTING_MAX, RESTING_MIN, DemoTraders
from infra.settings import StartRefused, read_settings
from tests.infra.stack import RunningStack
from tests.waiting import eventually


class CountedRounds(Rounds):
    """Rounds without tables: each of the traders' steps is an entry. must_stay: whether the first book must stay."""

    def __init__(self, entries: int, *, must_stay: bool) -> None:
        super().__init__(removes=True)
        self.length = entries
        self.must_stay = must_stay
        self.asked_to_start_over = 0

    def entries(self, _book_id: str) -> int:
        return self.length

    def start_over(self, _book_id: str) -> str:
        self.asked_to_start_over += 1
        if self.must_stay:
            raise MustStay("others have traded there")
        self.length = 0
        return f"book {self.asked_to_start_over}"

    def remove_closed(self) -> Iterator[None]:
        yield


class Asked(DemoTraders):
    """Traders whose requests are kept. entries: of the book's journal at first."""

    def __init__(self, entries: int = 0, *, must_stay: bool = True) -> None:
        self.counted = CountedRounds(entries, must_stay=must_stay)
        super().__init__(0, "key", random.Random(20261130), self.counted, period_s=0)
        self.asked: list[tuple[str, str, Any]] = []

    @property
    def steps(self) -> int:
        """How many orders and cancels they have asked for."""
        return len([body for *_, body in self.asked if body is not None])

    def _ask(self, method: str, path: str, body: object = None, **_: object) -> dict[str, Any]:
        self.asked.append((method, path, body))
        self.counted.length += body is not None
        return {"id": f"ord_{len(self.asked)}"}

    def run_for(self, steps: int) -> list[tuple[str, str, Any]]:
        """Return what so many steps asked for, after what an earlier run left was taken back."""
        self._begin(threading.Event())
        first = len(self.asked)
        for _ in range(steps):
            self._step()
        return self.asked[first:]

    def run_until(self, is_so: Callable[[], object]) -> None:
        stop = threading.Event()
        begun = threading.Thread(target=self.run, args=(stop,))
        begun.start()
        try:
            eventually(is_so)
        finally:
            stop.set()
            begun.join()


@pytest.fixture(autouse=True)
def _book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "open_vendors_book", lambda: demo.VENDORS_BOOK)


def test_they_trade_on_their_own_book_as_their_own_customers_one_request_a_step() -> None:
    asked = Asked().run_for(2_000)
    assert len(asked) == 2_000
    placed = [body for method, _, body in asked if method == "POST"]
    assert {body["orderBookId"] for body in placed} == {demo.VENDORS_BOOK} != {demo.BOOK}
    assert {body["customerRef"] for body in placed} == set(TRADERS)
    assert not set(TRADERS) & set(demo.CUSTOMERS)
    assert {body["timeInForce"] for body in placed} == {"GTC", "IOC"}
    assert all(int(body["price"]) > 0 < int(body["quantity"]) for body in placed)


def test_their_resting_orders_are_bounded_and_an_earlier_runs_are_taken_back_first() -> None:
    traders = Asked()
    asked = traders.run_for(3_000)
    assert [path.split("/")[2] for method, path, _ in traders.asked[: len(TRADERS)] if method == "DELETE"] == [*TRADERS]
    resting = 0
    for method, _, body in asked:
        resting += (method == "POST" and body["timeInForce"] == "GTC") - (method == "DELETE")
        assert 0 <= resting <= RESTING_MAX + 1


@pytest.mark.parametrize(("entries", "steps"), [(demo_traders.ENTRIES_MAX, 0), (demo_traders.ENTRIES_MAX - 3, 3)])
def test_they_rest_once_the_journal_is_as_long_as_it_may_become_and_must_stay(
    entries: int, steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    traders = Asked(entries)
    traders.run_until(lambda: "rest: 10000 entries of BTC_BRL are enough, and others have traded there." in caplog.text)
    assert traders.steps == steps
    assert traders.counted.asked_to_start_over == 1


def test_they_start_over_on_another_book(caplog: pytest.LogCaptureFixture) -> None:
    traders = Asked(demo_traders.ENTRIES_MAX - 3, must_stay=False)
    traders.run_until(lambda: traders.counted.length > RESTING_MIN and traders.counted.asked_to_start_over)
    books = [body["orderBookId"] for method, _, body in traders.asked if method == "POST"]
    assert books[:4] == [demo.VENDORS_BOOK] * 3 + ["book 1"]
    assert {*books[3:]} == {"book 1"}
    assert "start over: book 1 is BTC_BRL's book now" in caplog.text


def test_a_run_is_lively_unless_it_shall_be_quiet() -> None:
    assert read_settings({}).lively
    assert not read_settings({"DEMO": "quiet"}).lively
    with pytest.raises(StartRefused, match="DEMO=loud is unknown"):
        read_settings({"DEMO": "loud"})


@pytest.mark.stack
def test_a_lively_run_trades_by_itself(tmp_path: Path) -> None:
    with RunningStack(tmp_path / "local", DEMO="", TALLYBOOK_PUBLIC_REQUESTS_PER_MINUTE="0") as stack:
        address = f"{stack.base_url}/trade/public/orders/level-2?pair={demo.VENDORS_PAIR}"

        def has_depth() -> bool:
            depth = requests.get(address, timeout=10).json()["data"]
            return bool(depth["bids"] or depth["asks"])

        eventually(has_depth, bound_s=30)
        assert "/console#token=" in stack.output


def ask(stack: RunningStack, method: str, path: str, body: object = None, **query: str) -> Any:
    """Return what the book desk answers: its data, or the code of its refusal."""
    headers = {"x-api-key": stack.demo["book_desk"]["api_key"], "Prefer": "wait=1"}
    address = f"{stack.base_url}{demo.DESK_PATH}{path}"
    answer = requests.request(method, address, headers=headers, json=body, params=query, timeout=30).json()
    return answer["data"] if answer["success"] else answer["error"]["code"]


def place(stack: RunningStack, book: str, customer: str, side: str, price: int, quantity: int) -> Any:
    order = {"orderBookId": book, "customerRef": customer, "side": side, "orderType": "LIMIT", "timeInForce": "GTC"}
    return ask(stack, "POST", "/orders", {**order, "price": str(price), "quantity": str(quantity)})


@dataclass
class Followers:
    """Clients that follow the trades of two pairs, each on a connection of its own, and every event by long poll.

    told: the topics of messages, in order. cut: those of connections that the service has closed. books: of the pair's
    events by long poll, in order. failures: of these clients.
    """

    stack: RunningStack
    stop: threading.Event = field(default_factory=threading.Event)
    told: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    books: dict[str, None] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Followers:
        topics = (f"trade@{demo.VENDORS_PAIR}", f"trade@{demo.PAIR}")
        for call in (*(partial(self._follow, topic) for topic in topics), self._poll):
            self.threads.append(threading.Thread(target=self._run, args=(call,)))
            self.threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            while not self.stop.is_set():
                call()
        except Exception as error:
            self.failures.append(repr(error))

    def _follow(self, topic: str) -> None:
        with connect(self.stack.demo["websocket_url"], open_timeout=20) as socket:
            socket.send(json.dumps({"method": "subscribe", "topics": [topic]}))
            while not self.stop.is_set():
                try:
                    self.told.append(json.loads(socket.recv(0.2))["topic"])
                except TimeoutError:
                    continue
                except ConnectionClosed:
                    self.cut.append(topic)
                    return

    def _poll(self) -> None:
        cursor: dict[str, str] = {}
        while not self.stop.is_set():
            page = ask(self.stack, "GET", "/events", **cursor)
            cursor = {"after": page["cursor"]}
            books = [event["body"].get("bookId", "") for event in page["events"]]
            self.books |= dict.fromkeys(book for book in books if demo.round_of(book))


@pytest.mark.stack
def test_they_start_over_and_disturb_nobody_until_somebody_else_trades_there(tmp_path: Path) -> None:
    hurried = ("tests.infra.lively", "40", "0.02", "200")
    buyer, seller = demo.CUSTOMERS[:2]
    with RunningStack(tmp_path / "local", hurried, DEMO="") as stack, Followers(stack) as followers:
        for count in (1, 2):
            eventually(lambda count=count: stack.output.count("traders start over") >= count, bound_s=120)
            placed = [place(stack, demo.BOOK, seller, "SELL", 10**20, 10**18)]
            placed.append(place(stack, demo.BOOK, buyer, "BUY", 10**20, 10**18))
            assert [one["status"] for one in placed] == ["OPEN", "FILLED"]
            told = followers.told.count(f"trade@{demo.VENDORS_PAIR}")
            eventually(lambda told=told: followers.told.count(f"trade@{demo.VENDORS_PAIR}") > told + 2, bound_s=60)
        answers: list[Any] = []

        def trades() -> bool:
            """Buy on the open book."""
            books = ask(stack, "GET", "/order-books", status="ACTIVE")
            open_books = [one["id"] for one in books if demo.round_of(one["id"])]
            price, quantity = 400_000 * demo_traders.UNIT, demo_traders.UNIT
            answers.extend(place(stack, book, buyer, "BUY", price, quantity) for book in open_books)
            return any(isinstance(answer, dict) for answer in answers)

        eventually(trades, bound_s=60)
        eventually(lambda: "others have traded there" in stack.output, bound_s=120)
        assert {answer for answer in answers if isinstance(answer, str)} <= {"ORDER_BOOK_INACTIVE"}
        order = ask(stack, "GET", f"/orders/{answers[-1]['id']}", customerRef=buyer)
    assert order["status"] in ("PARTIALLY_FILLED", "FILLED", "REJECTED")
    assert followers.failures == []
    assert set(followers.cut) == {f"trade@{demo.VENDORS_PAIR}"}, "nobody else is disconnected"
    assert followers.told.count(f"trade@{demo.PAIR}") >= 3, "its confirmation, and two trades"
    assert list(followers.books)[:3] == [demo.VENDORS_BOOK, f"{demo.VENDORS_BOOK}_2", f"{demo.VENDORS_BOOK}_3"]
    leftover = f"{demo.VENDORS_BOOK}_99"
    with RunningStack(tmp_path / "local") as stack:
        database = Database(boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url), stack.prefix)
        assert len(Verifier(database).verify(None).books) <= 3
        entries = [row for row in database.scan("journal") if is_entry(row)]
        assert len(entries) < 2 * 60, "of two rounds at most"
        owner = customer_key(demo.INSTANCE, TRADERS[0])
        database.put_many("orders", [{"owner": owner, "order_id": "ord_1", "book_id": leftover}])
        database.put_many("books", [{"book": book_key(demo.INSTANCE, leftover), "part": "depth"}])
    with RunningStack(tmp_path / "local") as stack:
        database = Database(boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url), stack.prefix)
        assert Verifier(database).verify(None), "a start goes on where a run has died"
        assert not any(leftover in row["book"] for row in database.scan("books"))
