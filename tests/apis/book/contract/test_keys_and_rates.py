"""Who may come in, to what, and how often (T3 to T6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import wiring
from chalicelib.apis.book.routes import CREDIT, LIST, ONE_BOOK, ONE_ORDER, PLACE, ROUTES, TOKENS
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.tenancy.instances import InstanceStatus, TooManyKeys
from chalicelib.ops import cli
from chalicelib.ops.cli import tenants as cli_tenants
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.book import new_book_desk
from tests.apis.book.desk import (
    API_KEY,
    ORDER,
    TOKEN,
    Desk,
    answer_of,
    data_of,
    json_body,
    message_of,
    open_desk,
    outcome_of,
    rate_headers,
)
from tests.case_tables import cases, deviates
from tests.faults import Fault, FaultyClient, raising, refusal, throttled
from tests.waiting import Clock
from tests.world import BASE, BOOK_ID, INSTANCE, World

SECRET = "0123456789abcdef" * 4
SECOND_KEY = "trusset_test0001_" + SECRET[::-1]
DAY_S = 86_400
LIMITS = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
Send = Callable[[Desk], HttpResponse]
Operator = Callable[[str], dict[str, Any]]
DENIED = raising(refusal("AccessDeniedException", "Query"), after=False)


@pytest.fixture
def operator(memory_database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Operator:  # noqa: ARG001
    """The operator's command line over the desk's tables."""
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(cli_tenants, "now_s", clock.now_s)
    return lambda line: cli.run(line.split())


# --- authentication ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", cases(*((name, name) for name in ("x-api-key", "X-Api-Key", "X-API-KEY", "x-aPI-kEy")))
)
def test_the_name_of_the_header_has_no_case(client: Client, name: str) -> None:
    listed = "/orderbooks/stocks/api/offchain/customers/ann/orders"
    assert client.http.get(listed, headers={name: API_KEY}).status_code == 200


def test_a_key_that_the_operator_makes_has_its_81_characters(memory_database: Database, operator: Operator) -> None:
    made = operator("key create --instance inst_test0001")
    assert re.fullmatch(r"trusset_[A-Za-z0-9]{8}_[0-9a-f]{64}", made["api_key"])
    assert len(made["api_key"]) == 81
    assert made["api_key"] not in repr(list(memory_database.scan("tenants")))


SCOPED: list[Any] = cases(
    ("its order",     lambda desk, key: desk.send("GET", ONE_ORDER, key=key, query={"customerRef": ["ann"]},
                                                  orderId=desk.placed()), 404, "ORDER_NOT_FOUND"),
    ("its book",      lambda desk, key: desk.send("GET", ONE_BOOK, key=key, orderBookId=BOOK_ID),
                      404, "ORDER_BOOK_NOT_FOUND"),
    ("an order on its book", lambda desk, key: desk.send("POST", PLACE, key=key, body=json_body(ORDER)),
                      404, "ORDER_BOOK_NOT_FOUND"),
    ("its token",     lambda desk, key: desk.send("GET", f"{TOKENS}/{{tokenAddress}}", key=key, tokenAddress=BASE),
                      404, "TOKEN_NOT_FOUND"),
    ("its customer",  lambda desk, key: desk.send("GET", LIST, key=key, customerRef="ann"), 200, None),
)  # fmt: skip


@pytest.mark.parametrize(("send", "status", "code"), SCOPED)
def test_what_is_another_instances_does_not_exist(
    desk: Desk, send: Callable[[Desk, str], HttpResponse], status: int, code: str | None
) -> None:
    tenants = desk.world.tenants()
    tenants.create_instance("other001", {"trading"})
    foreign = f"trusset_other001_{SECRET}"
    tenants.add_key("inst_other001", "key_1", foreign, 0)
    desk.placed()
    response = send(desk, foreign)
    assert outcome_of(response) == (status, code)
    assert status != 200 or data_of(response) == []


def test_a_rotated_key_stays_valid_for_seven_days(desk: Desk, operator: Operator, clock: Clock) -> None:
    new = operator("key rotate inst_test0001 key_1")["api_key"]
    status = {key["key_id"]: key["status"] for key in operator("key list inst_test0001")["keys"]}
    assert status["key_1"] == "PENDING_ROTATION"
    clock.sleep(7 * DAY_S - 1)
    assert [desk.send("GET", LIST, key=key, customerRef="ann").status for key in (API_KEY, new)] == [200, 200]
    clock.sleep(1)
    assert [desk.send("GET", LIST, key=key, customerRef="ann").status for key in (API_KEY, new)] == [401, 200]


def test_an_instance_has_ten_valid_keys_at_most(desk: Desk) -> None:
    """The desk's own is the first of them."""
    keys = [API_KEY[:-1] + digit for digit in "0123456789"]
    tenants = desk.world.tenants()
    for number, key in enumerate(keys[:9]):
        tenants.add_key(INSTANCE, f"more_{number}", key, 0)
    with pytest.raises(TooManyKeys):
        tenants.add_key(INSTANCE, "eleventh", keys[9], 0)
    assert [desk.send("GET", LIST, key=key, customerRef="ann").status for key in keys] == [200] * 9 + [401]


# --- T3, T4: what is accepted ------------------------------------------------------------------------------------

FAULTY_KEYS = cases(
    ("T4 no header",                None,                                      "AUTH_REQUIRED"),
    ("T4 empty header",             "",                                        "AUTH_REQUIRED"),
    ("T4 malformed",                "x",                                       "AUTH_FAILED"),
    ("T4 unknown secret",           API_KEY[:-1] + "0",                        "AUTH_FAILED"),
    ("T4 unknown instance",         API_KEY.replace("test0001", "nobody01"),   "AUTH_FAILED"),
    ("T3 not trimmed in front",     " " + API_KEY,                             "AUTH_FAILED"),
    ("T3 not trimmed at the end",   API_KEY + " ",                             "AUTH_FAILED"),
    ("T3 reference keeps its case", API_KEY.replace("test0001", "TEST0001"),   "AUTH_FAILED"),
    ("T3 another secret",           "trusset_test0001_" + "0" * 64,            "AUTH_FAILED"),
    ("T3 upper case in front",      API_KEY.replace("trusset", "TRUSSET"),     "AUTH_FAILED"),
    ("T3 7 reference characters",   API_KEY.replace("test0001", "test001"),    "AUTH_FAILED"),
    ("T3 9 reference characters",   API_KEY.replace("test0001", "test00012"),  "AUTH_FAILED"),
    ("T3 63 secret characters",     API_KEY[:-1],                              "AUTH_FAILED"),
    ("T3 upper-case hexadecimal",   API_KEY.replace("abcdef", "ABCDEF"),       "AUTH_FAILED"),
    ("T3 a trailing character",     API_KEY + "0",                             "AUTH_FAILED"),
    ("T3 a line end",               API_KEY + "\n",                            "AUTH_FAILED"),
)  # fmt: skip


@pytest.mark.parametrize(("key", "code"), FAULTY_KEYS)
def test_t4_a_key_that_is_not_accepted(desk: Desk, key: str | None, code: str) -> None:
    response = desk.send("GET", LIST, key=key, customerRef="ann")
    assert outcome_of(response) == (401, code)
    assert code != "AUTH_FAILED" or message_of(response) == "API key is not valid"


ENDED: list[Any] = cases(
    ("revoked",  lambda found, now: found.revoked("key_1", now)),
    ("archived", lambda found, _: found.with_status(InstanceStatus.ARCHIVED)),
)  # fmt: skip


@pytest.mark.parametrize("change", ENDED)
def test_t4_a_key_that_has_ended_gets_the_message_of_an_unknown_one(desk: Desk, clock: Clock, change: Any) -> None:
    unknown = desk.send("GET", LIST, key=SECOND_KEY, customerRef="ann")
    desk.world.tenants().change(INSTANCE, lambda found: change(found, clock.now_s()))
    response = desk.list()
    assert outcome_of(response) == (401, "AUTH_FAILED")
    assert answer_of(response)["error"] == answer_of(unknown)["error"]


def test_what_the_operator_changes_holds_in_every_copy_of_the_desk_from_the_next_request_on(
    desk: Desk, clock: Clock
) -> None:
    """T4, T5: two desks that have both served both keys; each remembers nothing of them."""
    tenants = desk.world.tenants()
    tenants.add_key(INSTANCE, "key_2", SECOND_KEY, 0)
    copies, keys = [desk, Desk(desk.world, new_book_desk(desk.world.database))], [API_KEY, SECOND_KEY]
    assert statuses(copies, keys) == [200, 200, 200, 200]
    tenants.change(INSTANCE, lambda found: found.revoked("key_1", clock.now_s()))
    assert statuses(copies, keys) == [401, 200, 401, 200]
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert statuses(copies, keys) == [401, 401, 401, 401]
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert statuses(copies, keys) == [401, 200, 401, 200]
    tenants.change(INSTANCE, lambda found: found.without_service("trading"))
    assert statuses(copies, keys) == [401, 403, 401, 403]


def statuses(desks: list[Desk], keys: list[str]) -> list[int]:
    """Return how each desk answers each key."""
    return [desk.send("GET", LIST, key=key, customerRef="ann").status for desk in desks for key in keys]


ALL_ROUTES = [pytest.param(route.method, route.path, id=route.name) for route in ROUTES]


@pytest.mark.parametrize(("method", "route"), ALL_ROUTES)
def test_t5_every_route_needs_the_service_trading(memory_database: Database, method: str, route: str) -> None:
    desk = open_desk(World(memory_database), services=frozenset())
    response = desk.send(method, route)
    assert outcome_of(response) == (403, "SERVICE_NOT_ENABLED")
    assert message_of(response) == "Service 'trading' is not enabled for this instance"


# --- T6: rate limit ----------------------------------------------------------------------------------------------

LIMIT = 3


@pytest.fixture
def limited(clock: Clock, memory_database: Database) -> Desk:
    """A desk whose key may come in three times a minute; the minute is a quarter over."""
    clock.started_ms = clock.started_ms // 60_000 * 60_000 + 15_250
    return open_desk(World(memory_database), rate_limit=LIMIT)


def remaining(response: HttpResponse) -> str:
    return response.headers["X-RateLimit-Remaining"]


def test_t6_a_key_has_200_requests_a_minute_unless_told_otherwise(desk: Desk, operator: Operator) -> None:
    made = operator("key create --instance inst_test0001")
    response = desk.send("GET", LIST, key=made["api_key"], customerRef="ann")
    assert (response.headers["X-RateLimit-Limit"], remaining(response)) == ("200", "199")


def test_t6_the_figure_is_set_for_each_key_and_0_switches_it_off(desk: Desk, operator: Operator) -> None:
    """The desk's own key has no limit."""
    other = operator("key create --instance inst_test0001 --rate-limit 1")["api_key"]
    assert [desk.send("GET", LIST, key=other, customerRef="ann").status for _ in range(3)] == [200, 429, 429]
    assert {desk.list().status for _ in range(250)} == {200}


def test_t6_the_window_starts_at_the_full_minute(limited: Desk, clock: Clock) -> None:
    end_s = clock.started_ms // 60_000 * 60 + 60
    assert [remaining(limited.list()) for _ in range(2)] == ["2", "1"]
    clock.sleep(end_s - clock.now_ms() / 1000 - 0.01)
    last = limited.list()
    assert (remaining(last), last.headers["X-RateLimit-Reset"]) == ("0", str(end_s))
    clock.sleep(0.02)
    first = limited.list()
    assert (remaining(first), first.headers["X-RateLimit-Reset"]) == ("2", str(end_s + 60))


REFUSED_KEYS = cases(("no key", None), ("empty", ""), ("unknown", API_KEY[:-1] + "0"))


@pytest.mark.parametrize("key", REFUSED_KEYS)
def test_t6_an_answer_401_does_not_count_and_tells_no_limit(limited: Desk, key: str | None) -> None:
    for _ in range(LIMIT + 1):
        assert rate_headers(limited.send("GET", LIST, key=key, customerRef="ann")) == []
    assert remaining(limited.list()) == "2"


def test_t6_a_replay_counts(limited: Desk) -> None:
    answers = [limited.place(headers={"idempotency-key": "order-0001"}) for _ in range(2)]
    assert [remaining(answer) for answer in answers] == ["2", "1"]
    assert answers[1].headers["Idempotent-Replay"] == "true"


def test_over_the_limit_the_answer_says_when_to_come_again(limited: Desk, clock: Clock) -> None:
    for _ in range(LIMIT):
        limited.list()
    for seconds_on, retry_after in ((0, 45), (44, 1), (0.7, 1)):
        clock.sleep(seconds_on)
        refused = limited.list()
        assert outcome_of(refused) == (429, "RATE_LIMIT_EXCEEDED")
        assert refused.headers["Retry-After"] == str(retry_after)
        assert answer_of(refused)["metadata"]["retryAfter"] == retry_after
        assert (refused.headers["X-RateLimit-Limit"], remaining(refused)) == ("3", "0")


def without_the_service(desk: Desk) -> HttpResponse:
    desk.world.tenants().change(INSTANCE, lambda found: found.without_service("trading"))
    return desk.list()


def over_the_limit(desk: Desk) -> HttpResponse:
    return [desk.list() for _ in range(101)][-1]


def struck_by(fault: Fault) -> Send:
    """Return a list that fails at its third call: after the key and the count."""

    def send(desk: Desk) -> HttpResponse:
        database = desk.world.database
        faulty = FaultyClient(database._client, fault, at=3)
        behind = Database(faulty, database._prefix, lambda _: None)  # type: ignore[arg-type]
        return Desk(desk.world, new_book_desk(behind)).list()

    return send


def mismatched(desk: Desk) -> HttpResponse:
    key = {"idempotency-key": "order-0001"}
    return [desk.place(headers=key, quantity=quantity) for quantity in ("1", "2")][-1]


BEFORE_THE_KEY = "none: route and method are looked at first, and an answer to them comes before the key is known"
TO_A_VALID_KEY: list[Any] = cases(
    ("200",                           200, lambda desk: desk.list()),
    ("201",                           201, lambda desk: desk.place()),
    ("201 of the ledger",             201, lambda desk: desk.post(TOKENS, **TOKEN)),
    ("400 INVALID_PARAM",             400, lambda desk: desk.list("%zz")),
    ("400 IDEMPOTENCY_KEY_REQUIRED",  400, lambda desk: desk.place(headers={"idempotency-key": "short"})),
    ("400 VALIDATION_ERROR",          400, lambda desk: desk.place(quantity="x")),
    ("400 INSUFFICIENT_BALANCE",      400, lambda desk: desk.post(CREDIT.replace("credit", "debit"), amount="1001")),
    ("403 SERVICE_NOT_ENABLED",       403, without_the_service),
    ("404 ORDER_BOOK_NOT_FOUND",      404, lambda desk: desk.place(orderBookId="ob_none")),
    deviates(BEFORE_THE_KEY, "404 NOT_FOUND",          404, lambda desk: desk.send("GET", None)),
    deviates(BEFORE_THE_KEY, "405 METHOD_NOT_ALLOWED", 405, lambda desk: desk.send("GET", PLACE)),
    ("409 IDEMPOTENCY_MISMATCH",      409, mismatched),
    ("413 PAYLOAD_TOO_LARGE",         413, lambda desk: desk.send("POST", PLACE, body=b" " * 65_537)),
    ("429 RATE_LIMIT_EXCEEDED",       429, over_the_limit),
    ("500 INTERNAL_ERROR",            500, struck_by(DENIED)),
    ("503 SERVICE_UNAVAILABLE",       503, struck_by(throttled)),
    ("503 CANCEL_PENDING",            503, lambda desk: desk.cancel(desk.placed())),
)  # fmt: skip


@pytest.mark.parametrize(("status", "send"), TO_A_VALID_KEY)
def test_every_answer_to_a_valid_key_has_the_three_headers(
    clock: Clock, memory_database: Database, status: int, send: Send
) -> None:
    response = send(open_desk(World(memory_database), rate_limit=100))
    assert response.status == status, response.body
    assert rate_headers(response) == LIMITS
    limit, left, reset = (int(response.headers[name]) for name in LIMITS)
    assert (limit, reset) == (100, clock.started_ms // 60_000 * 60 + 60)
    assert 0 <= left < 100


def test_t6_every_request_with_a_valid_key_counts_faulty_ones_too(limited: Desk) -> None:
    sent = [limited.list("%zz"), limited.place(quantity="x"), limited.send("POST", PLACE, body=b" " * 65_537)]
    assert [remaining(answer) for answer in sent] == ["2", "1", "0"]
    assert json.loads(limited.list().body)["error"]["code"] == "RATE_LIMIT_EXCEEDED"
