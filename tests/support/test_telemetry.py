"""Telemetry: each metric in the situations that it counts, and no secret in any log line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib import wiring
from chalicelib.apis.taker.signature import signature_of as taker_signature_of
from chalicelib.apis.trade.signature import signature_of
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.services.books import matcher as matcher_module
from chalicelib.services.books.expiry import Expiring
from chalicelib.services.books.matcher import Matcher
from chalicelib.services.books.metrics import MatchTelemetry
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.services.books.projection import Projector
from chalicelib.services.books.stream import match_records
from chalicelib.support.clock import now_ms
from chalicelib.support.ids import time_of
from chalicelib.support.outcomes import Unavailable
from chalicelib.support.redaction import HIDDEN, SECRETS_MAX, masked, secrets_of, shortened
from chalicelib.support.telemetry import DIMENSIONS, Metric, add_log_members, invocation, logger, measure
from chalicelib.tables.dynamodb import Database
from tests.apis.book.desk import API_KEY, ORDER, open_desk
from tests.apis.escrow.desk import KEY, OPERATOR_KEY
from tests.apis.escrow.desk import Desk as EscrowDesk
from tests.apis.taker.desk import Clock, connect_body, open_taker_desk
from tests.apis.taker.desk import Desk as TakerDesk
from tests.apis.trade.desk import MASTER_KEY, make_token
from tests.apis.trade.desk import ORDER as TRADE_ORDER
from tests.desks import fresh_desks
from tests.faults import WatchedClient
from tests.watched import Watched, directives, names_of, watched, written
from tests.world import BASE, INSTANCE, QUOTE, Record, World, break_core_at, failing_book, record_of

PLACE = "/orderbooks/stocks/api/offchain/orders"
TOKEN = "token-of-ann"
FUNDS = 10**6


@pytest.fixture
def world(memory_database: Database) -> World:
    world = World(memory_database)
    for customer in ("ann", "ben"):
        world.credit(customer, BASE, FUNDS)
        world.credit(customer, QUOTE, FUNDS)
    return world


def matcher_of(world: World, clock: Callable[[], int] = now_ms) -> Matcher:
    return Matcher(world.database, clock, MatchTelemetry())


def delivered(world: World, matcher: Matcher | None = None, records: list[Record] | None = None) -> Watched:
    """Return what is seen of a batch: all records there are, unless some are named."""
    with watched() as seen:
        match_records(matcher or matcher_of(world), world.records if records is None else records, MatchTelemetry())
    return seen


# --- matching


def test_entries_and_orders_are_counted_an_order_once_when_it_first_trades(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 4, 50)
    matcher = matcher_of(world)
    assert delivered(world, matcher).measured() | {"MatchLatency": 0} == {
        "BatchSize": 2,
        "Entries": 1,
        "OrdersMatched": 2,
        "MatchLatency": 0,
    }
    world.placed("ben", "SELL", 6, 50)
    seen = delivered(world, matcher, world.records[2:])
    assert seen.values(Metric.ORDERS_MATCHED) == [1], "ann's order traded before"
    world.placed("ben", "SELL", 6, 50)
    assert Metric.ORDERS_MATCHED not in delivered(world, matcher, world.records[3:]).measured()


def test_latency_is_from_each_orders_admission_to_the_commit(world: World) -> None:
    first, second = world.placed("ann", "BUY", 10, 50), world.placed("ben", "BUY", 10, 51)
    world.cancel("ann", first)
    decided_ms = time_of(second) + 1_000
    clock = iter([decided_ms, decided_ms + 234])
    seen = delivered(world, matcher_of(world, lambda: next(clock)))
    committed_ms = decided_ms + 234
    assert seen.values(Metric.MATCH_LATENCY) == [committed_ms - time_of(first), committed_ms - time_of(second)]
    (line,) = [line for line in seen.emf if "MatchLatency" in line]
    assert {"Name": "MatchLatency", "Unit": "Milliseconds"} in directives(line)[0]["Metrics"]


def test_a_clock_behind_admissions_gives_no_negative_latency(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    assert delivered(world, matcher_of(world, lambda: 0)).values(Metric.MATCH_LATENCY) == [0]


def test_an_id_that_names_no_time_is_matched_and_not_timed(world: World) -> None:
    order_id = world.placed("ann", "BUY", 10, 50)
    text = json.dumps(world.records).replace(order_id, "ord_1").replace(order_id.partition("_")[2], "1")
    seen = delivered(world, records=json.loads(text))
    assert seen.values(Metric.ENTRIES) == [1]
    assert seen.values(Metric.MATCH_LATENCY) == []


def test_what_is_delivered_again_is_counted_as_redelivered_and_as_nothing_else(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    world.placed("ben", "SELL", 10, 50)
    matcher = matcher_of(world)
    assert Metric.REDELIVERIES not in delivered(world, matcher).measured()
    for again in (matcher, matcher_of(world)):
        assert delivered(world, again).measured() == {"BatchSize": 2, "Redeliveries": 2}
    world.placed("ben", "SELL", 10, 50)
    assert delivered(world, matcher, world.records[1:]).values(Metric.REDELIVERIES) == [1]


def test_a_record_that_comes_twice_in_one_batch_is_a_redelivery(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    assert delivered(world, records=world.records * 3).values(Metric.REDELIVERIES) == [2]


def test_a_matcher_that_lost_a_race_counts_the_loss_and_the_others_decisions(world: World) -> None:
    slow, fast = matcher_of(world), matcher_of(world)
    world.placed("ann", "BUY", 10, 50)
    delivered(world, slow)
    world.placed("ben", "SELL", 10, 50)
    assert Metric.FENCING_LOSSES not in delivered(world, fast, world.records[1:]).measured()
    seen = delivered(world, slow, world.records[1:])
    assert seen.measured() == {"BatchSize": 1, "FencingLosses": 1, "Redeliveries": 1}
    assert [line["book"] for line in seen.log if line["message"] == "another matcher was first"] == [world.book]


def test_what_this_batch_committed_before_it_was_fenced_off_is_no_redelivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matcher_module, "EVENTS_PER_ENTRY_GROUP", 2)
    slow = matcher_of(world)
    delivered(world, slow, [])
    for _ in range(3):
        world.placed("ann", "BUY", 10, 50)
    append = slow._journal.append
    groups: list[int] = []

    def overtaken(entries: Any) -> int:
        groups.append(len(entries))
        if len(groups) == 2:
            matcher_of(world).process(world.book, [])
            world.deliver(records=world.records[1:2])
        return append(entries)

    monkeypatch.setattr(slow._journal, "append", overtaken)
    measured = delivered(world, slow).measured()
    assert (measured["FencingLosses"], measured["Redeliveries"]) == (1, 1)


def test_projections_that_an_earlier_run_left_are_counted_when_they_are_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.placed("ann", "BUY", 10, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "project", fail)
        failed = delivered(world)
    assert failed.values(Metric.UNFINISHED) == [1]
    assert failed.values(Metric.ERRORS_LOGGED) == [1]
    assert delivered(world).measured() == {"BatchSize": 1, "FinishedForOthers": 1, "Redeliveries": 1}
    assert delivered(world).measured() == {"BatchSize": 1, "Redeliveries": 1}


def test_an_entry_that_a_matcher_leaves_to_its_own_reload_was_nobody_elses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.placed("ann", "BUY", 10, 50)
    poison = world.placed("ben", "SELL", 4, 50)
    break_core_at(poison, monkeypatch)
    measured = delivered(world).measured()
    assert (measured["Entries"], measured["ErrorsLogged"]) == (2, 1)
    assert Metric.FINISHED_FOR_OTHERS not in measured


def test_commands_that_are_handed_back_are_counted_as_unfinished_the_others_are_not(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    book = failing_book(world)
    lost = [record_of(row | {"book": book}, 900 + number) for number, row in enumerate(world.inbox_rows() * 3)]
    seen = delivered(world, records=[*world.records, *lost])
    assert (seen.values(Metric.UNFINISHED), seen.values(Metric.ENTRIES)) == ([3], [1])
    (error,) = [line for line in seen.log if line["level"] == "ERROR"]
    assert (error["instance"], error["book"]) == (INSTANCE, book)
    assert error["exception_name"] == "UnreadableRow"


def test_what_is_left_in_the_inbox_is_counted_and_parked_books_are_while_there_are_any(world: World) -> None:
    """T53: the batch that parks a book is an error in the log; each minute tells how many are parked."""
    world.placed("ann", "BUY", 10, 50)
    book = failing_book(world)
    failing = [record_of(row | {"book": book}, 900) for row in world.inbox_rows()]
    for _ in range(FAILED_BATCHES_MAX):
        seen = delivered(world, records=failing)
    assert [line["failed_batches"] for line in seen.log if "failed_batches" in line] == [FAILED_BATCHES_MAX]
    seen = delivered(world, records=failing)
    assert (seen.values(Metric.UNFINISHED), seen.values(Metric.PASSED_OVER)) == ([], [1])
    for parked in ([1], []):
        expiring = Expiring(world.database, matcher_of(world), lambda: world.now_ms)
        with watched() as told:
            expiring.report_parked()
        assert told.values(Metric.BOOKS_PARKED) == parked
        found = world.books.with_failures(book)
        assert found is not None
        world.failed_batches.release(book, found[1])


def test_a_commit_is_logged_with_its_book_and_its_last_sequence(world: World) -> None:
    world.placed("ann", "BUY", 10, 50)
    (line,) = [line for line in delivered(world).log if line["message"] == "committed"]
    assert line.items() >= {
        "level": "INFO", "service": "tallybook", "function": "match_inbox",
        "instance": INSTANCE, "book": world.book, "sequence": 1, "entries": 1, "commands": 1,
    }.items()  # fmt: skip


# --- how metrics are written


def test_metrics_have_the_stage_and_no_dimension_that_grows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_STAGE", "dev")
    world.placed("ann", "BUY", 10, 50)
    (line,) = delivered(world).emf
    (directive,) = directives(line)
    assert (directive["Namespace"], directive["Dimensions"]) == ("Tallybook", [["stage", "function"]])
    assert (line["stage"], line["function"]) == ("dev", "match_inbox")
    for names in DIMENSIONS.values():
        assert set(names) <= {"stage", "desk", "code", "function"}


def test_more_values_than_a_line_may_have_are_written_in_many() -> None:
    with watched() as seen:
        measure(Metric.MATCH_LATENCY, *range(250))
        measure(Metric.ENTRIES, 3)
        measure(Metric.ENTRIES, 4)
    assert [len(line["MatchLatency"]) for line in seen.emf] == [100, 100, 50]
    assert seen.values(Metric.MATCH_LATENCY) == list(range(250))
    assert seen.values(Metric.ENTRIES) == [7]
    assert [names_of(directives(line)[0]) for line in seen.emf[1:]] == [{"MatchLatency"}] * 2


def test_nothing_is_measured_outside_of_an_invocation_or_when_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with written() as outside:
        measure(Metric.ENTRIES, 1)
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    with watched() as switched_off:
        measure(Metric.ENTRIES, 1)
    assert (outside.text, switched_off.text) == ("", "")


def test_what_is_measured_before_a_function_fails_is_written() -> None:
    def failing() -> None:
        with invocation("match_inbox", None):
            measure(Metric.ENTRIES, 1)
            raise ZeroDivisionError

    with written() as seen, pytest.raises(ZeroDivisionError):
        failing()
    assert seen.values(Metric.ENTRIES) == [1]


def test_parallel_threads_see_only_their_own_invocation() -> None:
    both = threading.Barrier(2)

    def serve(desk: str) -> None:
        with invocation("api_handler", None):
            add_log_members(desk=desk)
            both.wait(10)
            logger.info("served")
            measure(Metric.ORDERS_ADMITTED, 1, desk=desk)
            both.wait(10)

    with written() as seen:
        threads = [threading.Thread(target=serve, args=(desk,)) for desk in ("book", "trade")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(line["desk"] for line in seen.log) == ["book", "trade"]
    assert [seen.values(Metric.ORDERS_ADMITTED, desk=desk) for desk in ("book", "trade")] == [[1], [1]]


def test_members_end_with_their_invocation() -> None:
    add_log_members(instance="of nobody")
    with watched() as seen:
        add_log_members(instance=INSTANCE, book=None)
        logger.error("inside")
    add_log_members(instance="of nobody")
    with watched() as later:
        logger.info("outside")
    assert seen.log[0]["instance"] == INSTANCE
    assert "book" not in seen.log[0]
    assert seen.values(Metric.ERRORS_LOGGED, function="match_inbox") == [1]
    assert "instance" not in later.log[0]
    assert later.emf == []


# --- the desks


class Service:
    """The whole app over tables in memory: each desk with its credentials. sent: what the next request carries."""

    def __init__(self, client: Client, database: Database) -> None:
        self.client = client
        self.takers: TakerDesk = open_taker_desk(database, clock=Clock(now_ms()), is_there=True)
        self.escrows = EscrowDesk(database)
        self.secrets = {
            API_KEY, TOKEN, token_secret_of(MASTER_KEY, TOKEN), self.takers.api_key, self.takers.secret,
            self.takers.jwt, KEY, OPERATOR_KEY, MASTER_KEY.hex(), MASTER_KEY.decode(),
        }  # fmt: skip
        self.sent = ""

    def request(self, method: str, path: str, headers: dict[str, str], body: object = None) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        self.sent = f"{list(headers.values())} {raw.decode()}"
        return self.client.http.request(method, path, headers=headers, body=raw)

    def book(self, key: str = API_KEY, **members: Any) -> Any:
        return self.request("POST", PLACE, {"X-Api-Key": key}, ORDER | members)

    def trade(self, token: str = TOKEN, spoilt: str = "", **members: Any) -> Any:
        timestamp, body = str(now_ms()), TRADE_ORDER | members
        secret = token_secret_of(MASTER_KEY, token)
        signature = signature_of(secret, timestamp, "POST", "/trade/orders", json.dumps(body).encode()) + spoilt
        self.secrets.add(signature)
        headers = {"Authorization": token, "Timestamp": timestamp, "Signature": signature}
        return self.request("POST", "/trade/orders", headers, body)

    def maker(self, jwt: str | None = None, spoilt: str = "", **members: Any) -> Any:
        body = self.takers.order_body(**members)
        body["signature"] += spoilt
        self.secrets.add(body["signature"])
        return self.request("POST", "/api/v1/orders", {"Authorization": f"Bearer {jwt or self.takers.jwt}"}, body)

    def connect(self) -> Any:
        body = connect_body(self.takers)
        self.secrets.add(body["signature"])
        answer = self.request("POST", "/api/v1/makers/connect", {}, body)
        if answer.status_code == 200:
            self.secrets.add(answer.json_body["data"]["jwt"])
        return answer

    def taker(self, key: str | None = None, spoilt: str = "") -> Any:
        timestamp, path = str(now_ms()), "/api/v1/takers/orders"
        signature = taker_signature_of(self.takers.secret, "GET", path, timestamp, b"") + spoilt
        self.secrets.add(signature)
        key = key or self.takers.api_key
        headers = {"X-Api-Key": key, "X-Api-Timestamp": timestamp, "X-Api-Signature": signature}
        return self.request("GET", path, headers)

    def escrow(self, key: str = KEY, **members: Any) -> Any:
        body = {"name": "Lamp", "value": "23.77"} | members
        body |= {"buyer_id": self.escrows.buyer["id"], "seller_id": self.escrows.seller["id"]}
        return self.request("POST", "/2.0/orders", {"Authorization": f"Bearer {key}"}, body)

    def every_desk(self) -> list[int]:
        """Send each desk its good credentials and bad ones; return the statuses of the answers."""
        bad_jwt = self.takers.jwt[:-4] + "AAAA"
        bad = {"book": API_KEY[:-1] + "x", "token": TOKEN + "-bad", "taker": "key-of-nobody", "escrow": KEY + "x"}
        self.secrets |= {bad_jwt, *bad.values()}
        answers = [
            self.book(), self.book(bad["book"]), self.book(customerRef="nobody"), self.book(price="x"),
            self.trade(), self.trade(bad["token"]), self.trade(spoilt="AAAA"),
            self.connect(), self.maker(), self.maker(bad_jwt), self.maker(spoilt="00", nonce=2),
            self.taker(), self.taker(bad["taker"]), self.taker(spoilt="00"),
            self.escrow(), self.escrow(bad["escrow"]), self.escrow(OPERATOR_KEY), self.escrow(value="x"),
        ]  # fmt: skip
        return [answer.status_code for answer in answers]


@pytest.fixture
def service(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(wiring, "counters", lambda: memory_database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    monkeypatch.setattr(wiring, "previous_master_key", lambda: None)
    monkeypatch.setattr(wiring, "public_instance", lambda: INSTANCE)
    monkeypatch.setattr("tests.apis.escrow.desk.INSTANCE", "inst_escrow01")
    world = World(memory_database)
    open_desk(world, rate_limit=1000)
    world.credit("ann", QUOTE, 10**24)
    make_token(memory_database, TOKEN, "ann")
    with fresh_desks(), Client(app.app) as client:
        yield Service(client, memory_database)


def test_each_desk_counts_what_it_admits(service: Service) -> None:
    with written() as seen:
        answers = [service.book(), service.trade(), service.maker(), service.escrow()]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    for desk in ("book", "trade", "taker", "escrow"):
        assert seen.values(Metric.ORDERS_ADMITTED, desk=desk) == [1]
    assert set(seen.measured()) == {"OrdersAdmitted"}


def test_an_answer_that_is_given_again_admits_no_second_order(service: Service) -> None:
    body = json.dumps(ORDER).encode()
    headers = {"X-Api-Key": API_KEY, "Idempotency-Key": "order-0001"}
    with written() as seen:
        ids = {service.client.http.post(PLACE, headers=headers, body=body).json_body["data"]["id"] for _ in range(2)}
    assert len(ids) == 1
    assert seen.values(Metric.ORDERS_ADMITTED) == [1]


def test_each_desk_counts_what_it_refuses_by_its_own_code(service: Service) -> None:
    with written() as seen:
        service.every_desk()
        service.client.http.get(PLACE, headers={"X-Api-Key": API_KEY})
        service.client.http.get("/trade/orders")
    refused = {(line["desk"], line["code"]): line["OrdersRefused"] for line in seen.emf if "OrdersRefused" in line}
    assert refused == {
        ("book", "AUTH_FAILED"): [1],
        ("book", "INSUFFICIENT_BALANCE"): [1],
        ("book", "VALIDATION_ERROR"): [1],
        ("trade", "TOKEN_INVALID"): [1],
        ("trade", "SIGNATURE_INVALID"): [1],
        ("taker", "UNAUTHORIZED"): [1],
        ("taker", "INVALID_PARAMETER"): [1],
        ("escrow", "401"): [1],
        ("escrow", "403"): [1],
        ("escrow", "422"): [1],
    }


def test_a_refusal_under_an_idempotency_key_counts_once_and_its_repeats_do_not(service: Service) -> None:
    order = json.dumps(ORDER | {"customerRef": "nobody"}).encode()
    headers = {"X-Api-Key": API_KEY, "Idempotency-Key": "order-0001"}
    with written() as seen:
        answers = [service.client.http.post(PLACE, headers=headers, body=order) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].headers["Idempotent-Replay"] == "true"
    assert seen.values(Metric.ORDERS_REFUSED, desk="book", code="INSUFFICIENT_BALANCE") == [1]


def test_an_order_that_the_service_failed_is_not_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(service, monkeypatch, Unavailable("throttled"))
    with written() as seen:
        statuses = service.every_desk()
    assert set(statuses) <= {500, 503, 400, 401}
    assert seen.values(Metric.ORDERS_ADMITTED) == []
    codes = {line["code"] for line in seen.emf if "OrdersRefused" in line}
    assert codes <= {"AUTH_FAILED", "UNAUTHORIZED"}, "those are told without a table"


@pytest.mark.parametrize(
    ("desk", "send"),
    [("book", Service.book), ("trade", Service.trade), ("taker", Service.maker), ("escrow", Service.escrow)],
)
def test_a_line_of_a_request_names_desk_instance_function_and_request(
    service: Service, monkeypatch: pytest.MonkeyPatch, desk: str, send: Callable[[Service], Any]
) -> None:
    def fault(operation: str, call: Callable[[], Any]) -> Any:
        if "write" in operation:
            raise RuntimeError("the table is gone")
        return call()

    monkeypatch.setattr(wiring.database(), "_client", WatchedClient(wiring.database()._client, fault))
    with written() as seen:
        answer = send(service)
    assert answer.status_code == 500
    (line,) = [line for line in seen.log if line["level"] == "ERROR"]
    instance = "inst_escrow01" if desk == "escrow" else INSTANCE
    assert line.items() >= {"desk": desk, "instance": instance, "function": "api_handler", "method": "POST"}.items()
    assert "RuntimeError: the table is gone" in line["exception"]
    if desk == "book":
        assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["request_id"]
    assert seen.values(Metric.ERRORS_LOGGED, function="api_handler") == [1]


def breaking(service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
    """Have every call to the tables fail: with this error, or with all that the request has sent in the text of one."""

    def fault(_operation: str, _call: Callable[[], Any]) -> Any:
        raise error or RuntimeError(f"it was sent {service.sent} and {service.sent.encode()!r}")

    monkeypatch.setattr(wiring.database(), "_client", WatchedClient(wiring.database()._client, fault))


def test_no_line_shows_a_credential_whatever_the_request_comes_to(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written() as seen:
        statuses = service.every_desk()
        assert {200, 201, 400, 401, 403, 422} <= set(statuses)
        breaking(service, monkeypatch)
        assert 500 in service.every_desk()
    told = [line for line in seen.log if "it was sent" in line.get("exception", "")]
    assert {line["desk"] for line in told} == {"book", "trade", "taker", "escrow"}, "each was put to the test"
    assert all("***" in line["exception"] for line in told if line["desk"] != "book" or line["level"] == "ERROR")
    for secret in service.secrets:
        assert secret not in seen.text, secret
        assert json.dumps(secret)[1:-1] not in seen.text, secret


def fail(*_: object) -> Any:
    raise Unavailable("throttled")


# --- redaction


@pytest.mark.parametrize("path", ["/b/{}", "/2.0/s/{}", "//2.0//q//{}/", "/dev/2.0/b/{}?x=1"])
def test_the_token_in_a_pages_path_is_masked_below_any_prefix(path: str) -> None:
    token = "tok_0123456789"
    text = masked({"path": path.format(token)}, secrets_of({}, b"", path.format(token)))["path"]
    assert text == path.format(f"{HIDDEN}6789")


def test_credentials_are_found_in_headers_and_bodies_and_shown_by_their_last_four_characters() -> None:
    headers = {"authorization": "Bearer sk_stage_SSSSabcd", "x-api-key": "short", "prefer": "wait=1, handling=x"}
    secrets = secrets_of(headers, b'{"signature": "0x12345678", "name": "signature of ann"}')
    assert secrets == ["Bearer sk_stage_SSSSabcd", "sk_stage_SSSSabcd", "0x12345678"]
    text = "sk_stage_SSSSabcd, 0x12345678, Bearer sk_stage_SSSSabcd"
    assert masked(text, secrets) == "***abcd, ***5678, ***abcd"


@pytest.mark.parametrize("quoted", [str, repr, json.dumps])
def test_a_credential_is_found_however_a_text_quotes_it(quoted: Callable[[str], str]) -> None:
    secret = "quo'te\\and-\u00fc-umlaut"
    assert "te" not in masked(f"sent: {quoted(secret)}", [secret]).removeprefix("sent: ")


def test_whatever_a_line_holds_is_masked_but_numbers_and_the_names_of_its_members() -> None:
    line = {"order": 7, "secret-1": ["a secret-1", {"b": ("secret-1", None, True)}, ValueError("secret-1")]}
    shown = {"order": 7, "secret-1": ["a ***et-1", {"b": ["***et-1", None, True]}, "***et-1"]}
    assert masked(line, ["secret-1"]) == shown


def test_texts_of_a_request_with_too_many_credentials_are_left_out() -> None:
    secrets = secrets_of({"authorization": " ".join(f"secret-{number}" for number in range(SECRETS_MAX))}, b"")
    assert len(secrets) == SECRETS_MAX + 1
    assert masked({"message": "secret-1 is bad", "level": "ERROR", "n": 12345678}, secrets) == {
        "message": HIDDEN,
        "level": "ERROR",
        "n": 12345678,
    }


def test_a_caller_cannot_spoil_the_metrics_by_its_credentials(service: Service) -> None:
    with written() as seen:
        for word in ("OrdersRefused", "CloudWatchMetrics", "AUTH_FAILED"):
            service.book(word)
    assert seen.values(Metric.ORDERS_REFUSED, code="AUTH_FAILED") == [1, 1, 1]


def test_a_digest_is_shown_by_its_beginning() -> None:
    assert (shortened("ab" * 32), shortened("key_1")) == ("ab" * 6, "key_1")
