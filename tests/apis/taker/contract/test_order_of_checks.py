"""Of several faults the first one in the order of the steps is answered.

Each table lists the faults of one request, earliest step first. Every one is tried alone, and with all later ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.desk_settings import TakerDesks
from tests.apis.taker.cases import (
    BAD_SIGNATURE,
    BAD_TIME,
    CONFLICT,
    FORBIDDEN,
    INVALID,
    KEY_ENDED,
    KEY_UNKNOWN,
    NO_FUNDS,
    NO_KEY,
    NO_SESSION,
    NOT_FOUND,
    TOO_MANY,
    UNKNOWN_HASH,
    Outcome,
    id_of,
    locked,
    new_order,
    nothing_changes,
    order_body,
    outcome_of,
)
from tests.apis.taker.desk import (
    AAPL,
    API_KEY,
    OTHER_MAKER_KEY,
    OTHER_TAKER,
    QUOTE,
    Desk,
    data_of,
    details_of,
    new_desk,
    sign_order,
)
from tests.case_tables import cases


@dataclass
class Request:
    """A request as it is sent, and the desk it is sent to; each fault is one change of it, or of what is there."""

    desk: Desk
    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    order_hash: str = ""
    query: str = ""

    def send(self) -> Outcome:
        body = self.body if self.method == "POST" else None
        answer = self.desk.signed(self.method, self.path, query=self.query, body=body, headers=self.headers)
        return outcome_of(answer)


class MakersRequest(Request):
    def send(self) -> Outcome:
        headers = {"authorization": f"Bearer {self.desk.jwt}"} | self.headers
        answer = self.desk.send(self.method, self.path, query=self.query, body=self.body, headers=headers)
        return outcome_of(answer)


Fault = Callable[[Any], object]
Step = tuple[str, Fault, Outcome]


def no_route(request: Request) -> None:
    request.path = "/nowhere" + request.path


def header(name: str, value: Any) -> Fault:
    return lambda request: request.headers.update({name: value})


def half_a_signature(request: Request) -> None:
    request.headers |= {"x-api-timestamp": "1", "x-api-signature": ...}


def must_sign(request: Request) -> None:
    Credentials(request.desk.database, TAKER_KEYS).change(digest_of(API_KEY), requires_signature=True)
    request.headers |= {"x-api-timestamp": ..., "x-api-signature": ...}


def key_ended(request: Request) -> None:
    Credentials(request.desk.database, TAKER_KEYS).change(digest_of(API_KEY), expires_s=request.desk.clock.now_s)


def key_off(request: Request) -> None:
    Credentials(request.desk.database, TAKER_KEYS).change(digest_of(API_KEY), is_enabled=False)


ONCE = RateLimit(bucket=1, refill_per_1000_s=1, per_day=0)


def at_the_limit(request: Request) -> None:
    Credentials(request.desk.database, TAKER_KEYS).change(digest_of(API_KEY), rate_limit=ONCE)
    request.desk.get("/takers/orders")


def maker_at_the_limit(request: Request) -> None:
    TakerDesks(request.desk.database).change(request.desk.instance, lambda found: replace(found, rate_limit=ONCE))
    request.desk.maker_get("/orders/maker/next-nonce")


def member(name: str, value: Any) -> Fault:
    return lambda request: request.body.update({name: value})


def late(request: Request) -> None:
    request.headers["x-api-timestamp"] = str(request.desk.clock() - 300_001)


GATE: list[Step] = [
    ("1 no such route",       no_route,                                 NOT_FOUND),
    ("2 no key",              header("x-api-key", ...),                 NO_KEY),
    ("2 half a signature",    half_a_signature,                         NO_KEY),
    ("3 key unknown",         header("x-api-key", "nobody"),            KEY_UNKNOWN),
    ("3 key must sign",       must_sign,                                NO_KEY),
    ("4 key ended",           key_ended,                                KEY_ENDED),
    ("5 outside the window",  late,                                     BAD_TIME),
    ("6 wrong signature",     header("x-api-signature", "A" * 43 + "="), BAD_SIGNATURE),
    ("7 key switched off",    key_off,                                  FORBIDDEN),
    ("8 rate",                at_the_limit,                             TOO_MANY),
]  # fmt: skip


# --- what the requests are, and what may be wrong with each ------------------------------------------------------


def lock_request() -> Request:
    desk = new_desk()
    order_hash = new_order(desk)
    return Request(desk, "POST", "/orders/lock", {"order_hash": order_hash, "taker_address": desk.taker})


def own_order(request: Request) -> None:
    request.body["order_hash"] = new_order(request.desk, principal=request.desk.taker)


def already_locked(request: Request) -> None:
    data_of(request.desk.as_other.lock(request.body["order_hash"]))


LOCK: list[Step] = [
    *GATE,
    ("9 form of the body",     member("lock_duration", 0),                   INVALID),
    ("10 another's address",   member("taker_address", OTHER_TAKER),         FORBIDDEN),
    ("11 no such order",       member("order_hash", UNKNOWN_HASH),           NOT_FOUND),
    ("14 own order",           own_order,                                    FORBIDDEN),
    ("15 state",               already_locked,                               CONFLICT),
]  # fmt: skip


def fill_request() -> Request:
    """A sell, so the taker needs funds; the same taker has filled some of it under the reference "first"."""
    desk = new_desk()
    order_hash = locked(desk, is_buy=False)
    data_of(desk.fill(order_hash, 100, reference_id="first"))
    body = {"order_hash": order_hash, "fill_quantity": "500", "reference_id": "second"}
    return Request(desk, "POST", "/orders/fill", body, order_hash=order_hash)


def other_values(request: Request) -> None:
    request.body["reference_id"] = "first"


def lock_is_over(request: Request) -> None:
    data_of(request.desk.unlock(request.order_hash))


def too_much(request: Request) -> None:
    request.body["fill_quantity"] = "901"


def no_funds(request: Request) -> None:
    request.desk.debit(request.desk.taker, QUOTE, request.desk.balance(request.desk.taker, QUOTE)[0])


FILL: list[Step] = [
    ("9 form of the body",      member("tx_hash", "0x"),                     INVALID),
    ("11 no such order",        member("order_hash", UNKNOWN_HASH),          NOT_FOUND),
    ("12 the reference",        other_values,                                CONFLICT),
    ("13 no lock",              lock_is_over,                                CONFLICT),
    ("16 more than is left",    too_much,                                    INVALID),
    ("17 funds",                no_funds,                                    NO_FUNDS),
]  # fmt: skip


def cancel_result_request() -> Request:
    desk = new_desk()
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    body = {"order_hash": order_hash, "taker_address": desk.taker, "cancellation_success": True, "message": "yes"}
    return Request(desk, "POST", "/orders/cancel-result", body, order_hash=order_hash)


def anothers_order(request: Request) -> None:
    request.body["order_hash"] = locked(request.desk.as_other)


def no_cancel_request(request: Request) -> None:
    data_of(request.desk.cancel_result(request.order_hash, False))


CANCEL_RESULT: list[Step] = [
    ("9 form of the body",      member("cancellation_success", "true"),      INVALID),
    ("10 another's address",    member("taker_address", OTHER_TAKER),        FORBIDDEN),
    ("11 no such order",        member("order_hash", UNKNOWN_HASH),          NOT_FOUND),
    ("13 another's order",      anothers_order,                              NOT_FOUND),
    ("15 state",                no_cancel_request,                           CONFLICT),
]  # fmt: skip


def reject_request() -> Request:
    desk = new_desk()
    order_hash = locked(desk)
    return Request(desk, "POST", "/orders/reject", {"order_hash": order_hash}, order_hash=order_hash)


def has_a_fill(request: Request) -> None:
    data_of(request.desk.fill(request.order_hash, 1))


REJECT: list[Step] = [
    ("9 form of the body",      member("reason", "x" * 257),                 INVALID),
    ("11 no such order",        member("order_hash", UNKNOWN_HASH),          NOT_FOUND),
    ("13 another's order",      anothers_order,                              NOT_FOUND),
    ("15 state",                has_a_fill,                                  CONFLICT),
]  # fmt: skip


def show_request() -> Request:
    desk = new_desk()
    return Request(desk, "GET", f"/takers/orders/{locked(desk)}")


def invisible(request: Request) -> None:
    request.path = f"/takers/orders/{locked(request.desk.as_other)}"


SHOW: list[Step] = [("2 no key", header("x-api-key", ...), NO_KEY), ("11 another's order", invisible, NOT_FOUND)]


def list_request() -> Request:
    return Request(new_desk(), "GET", "/takers/orders")


def bad_query(request: Request) -> None:
    request.query = "page=0"


def orders_request() -> MakersRequest:
    return MakersRequest(new_desk(), "GET", "/orders")


def create_request() -> MakersRequest:
    desk = new_desk()
    return MakersRequest(desk, "POST", "/orders", order_body(desk))


def signed_again(request: Request, **members: Any) -> None:
    """Change members of the order, which its maker then signs."""
    request.body["order"].update(members)
    request.body["signature"] = sign_order(request.body["order"], request.desk.maker_key, request.desk.settings)


def bad_form(request: Request) -> None:
    request.body["order"]["price"] = "0"


def another_maker(request: Request) -> None:
    signed_again(request, maker=OTHER_TAKER)


def forged(request: Request) -> None:
    request.body["signature"] = "0x" + "11" * 64 + "1b"


def nonce_used(request: Request) -> None:
    request.desk.credit(request.desk.maker, QUOTE, 1100)  # what its hold takes
    new_order(request.desk, nonce=request.body["order"]["nonce"])


def maker_without_funds(request: Request) -> None:
    maker = request.desk.maker
    request.desk.debit(maker, QUOTE, request.desk.balance(maker, QUOTE)[0])


CREATE: list[Step] = [
    ("1 no such route",              no_route,                                         NOT_FOUND),
    ("2 no JWT",                     header("authorization", ...),                     NO_SESSION),
    ("8 rate",                       maker_at_the_limit,                               TOO_MANY),
    ("9 form of the body",           bad_form,                                         INVALID),
    ("asset unknown",                lambda request: signed_again(request, asset=AAPL), INVALID),
    ("another maker",                another_maker,                                    FORBIDDEN),
    ("deadline",                     lambda request: signed_again(request, deadline=1), INVALID),
    ("signature",                    forged,                                           INVALID),
    ("nonce",                        nonce_used,                                       CONFLICT),
    ("funds",                        maker_without_funds,                              NO_FUNDS),
]  # fmt: skip


def cancel_request() -> MakersRequest:
    desk = new_desk()
    order_hash = new_order(desk)
    return MakersRequest(desk, "POST", f"/orders/{id_of(desk, order_hash)}/cancel", order_hash=order_hash)


def unknown_id(request: Request) -> None:
    request.path = "/orders/00000000-0000-8000-8000-000000000000/cancel"


def anothers(request: Request) -> None:
    request.desk = request.desk.as_maker(OTHER_MAKER_KEY)


def closed(request: Request) -> None:
    data_of(request.desk.cancel(request.order_hash))


CANCEL: list[Step] = [
    ("1 no such route",        no_route,                                 NOT_FOUND),
    ("2 no JWT",               header("authorization", "Bearer x"),      NO_SESSION),
    ("8 rate",                 maker_at_the_limit,                       TOO_MANY),
    ("11 no such order",       unknown_id,                               NOT_FOUND),
    ("14 another's order",     anothers,                                 FORBIDDEN),
    ("15 state",               closed,                                   CONFLICT),
]  # fmt: skip

TABLES: dict[str, tuple[Callable[[], Request], list[Step]]] = {
    "lock": (lock_request, LOCK),
    "fill": (fill_request, FILL),
    "cancel-result": (cancel_result_request, CANCEL_RESULT),
    "reject": (reject_request, REJECT),
    "show": (show_request, SHOW),
    "list": (list_request, [*GATE, ("9 form of the query", bad_query, INVALID)]),
    "orders": (
        orders_request,
        [
            ("2 no JWT", header("authorization", ...), NO_SESSION),
            ("8 rate", maker_at_the_limit, TOO_MANY),
            ("9 form of the query", bad_query, INVALID),
        ],
    ),
    "create": (create_request, CREATE),
    "cancel": (cancel_request, CANCEL),
}
EACH = cases(
    *(
        (f"{name} {step}", name, number)
        for name, (_, steps) in TABLES.items()
        for number, (step, _, _) in enumerate(steps)
    )
)
LIMITS = (at_the_limit, maker_at_the_limit)


@pytest.mark.parametrize(("name", "number"), EACH)
def test_each_fault_has_its_own_answer_and_changes_nothing(name: str, number: int) -> None:
    request_of, steps = TABLES[name]
    request = request_of()
    _, fault, outcome = steps[number]
    fault(request)
    with nothing_changes(request.desk):
        assert request.send() == outcome


@pytest.mark.parametrize(("name", "number"), EACH)
def test_with_all_later_faults_the_first_one_wins(name: str, number: int) -> None:
    """The later one's fault is made first, so where both change the same the earlier one's is."""
    request_of, steps = TABLES[name]
    request = request_of()
    _, fault, outcome = steps[number]
    for _, later, _ in reversed(steps[number + 1 :]):
        if later not in LIMITS:
            later(request)
    fault(request)
    assert request.send() == outcome


@pytest.mark.parametrize("name", cases(*((name, name) for name in TABLES)))
def test_without_a_fault_the_request_succeeds(name: str) -> None:
    """So each fault above is the only one."""
    assert TABLES[name][0]().send() == 200


def test_12_a_repeated_fill_is_answered_before_access_state_limits_and_funds() -> None:
    """K24: its lock is over, the order is gone, nothing is left of the taker's money."""
    request = fill_request()
    request.body |= {"fill_quantity": "100", "reference_id": "first"}
    lock_is_over(request)
    data_of(request.desk.cancel(request.order_hash))
    no_funds(request)
    with nothing_changes(request.desk):
        assert request.send() == 200


def test_all_bad_fields_are_named_at_once() -> None:
    desk = new_desk()
    body = {"order_hash": 1, "taker_address": "x", "lock_duration": "9", "reference_id": "a b"}
    assert set(details_of(desk.post("/orders/lock", body))) == set(body)
    query = "status=open&exchange=x&is_buy=maybe&created_after=-1&created_before=x&sort_by=id&sort_order=up"
    answer = desk.get("/takers/orders", query + "&page=0&page_size=0")
    names = {pair.partition("=")[0] for pair in query.split("&")} | {"page", "page_size"}
    assert set(details_of(answer)) == names
    assert details_of(answer)["page_size"] == "must be at least 1"
    assert details_of(answer)["sort_order"] == "must be one of asc, desc"
    order: dict[str, Any] = {name: [] for name in order_body(desk)["order"]}
    answer = desk.maker_post("/orders", {"order": order, "signature": 5})
    assert set(details_of(answer)) == {*order, "signature"}
    fill = {"order_hash": "x", "fill_quantity": 5, "taker_incentive": 5, "tx_hash": 1, "block_number": -1}
    assert set(details_of(desk.post("/orders/fill", fill))) == set(fill)
