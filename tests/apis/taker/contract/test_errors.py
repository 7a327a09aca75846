"""Answers, and each error in its place (K7 to K9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import TAKER_KEYS
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.writes import TransactionRefused
from chalicelib.wiring.taker import new_taker_desk
from tests.apis.taker.cases import (
    BROKEN,
    CONFLICT,
    FORBIDDEN,
    INVALID,
    KEY_ENDED,
    KEY_UNKNOWN,
    LIST,
    NO_FUNDS,
    NO_KEY,
    NO_SESSION,
    NOT_FOUND,
    TOO_MANY,
    UNKNOWN_HASH,
    Outcome,
    locked,
    message_of,
    moment,
    new_order,
    nothing_changes,
    order_body,
    outcome_of,
    partly_filled,
    status_of,
)
from tests.apis.taker.desk import (
    INSTANCE,
    MASTER_KEY,
    OTHER_MAKER_KEY,
    OTHER_TAKER,
    QUOTE,
    TAKER,
    UNIT,
    Desk,
    data_of,
    details_of,
    make_key,
)
from tests.case_tables import cases
from tests.faults import ENDPOINT, FaultyClient, raising, throttled

NOW = "2025-01-17T03:00:24Z"
IN_AN_HOUR = "2025-01-17T04:00:24Z"


# --- K7: classes and codes ---------------------------------------------------------------------------------------


def _ended(desk: Desk) -> HttpResponse:
    make_key(desk.database, "ended", TAKER, expires_s=desk.clock.now_s)
    return replace(desk, api_key="ended").get(LIST)


def _switched_off(desk: Desk) -> HttpResponse:
    make_key(desk.database, "off", TAKER)
    Credentials(desk.database, TAKER_KEYS).change(digest_of("off"), is_enabled=False)
    return replace(desk, api_key="off").get(LIST)


def _over_the_limit(desk: Desk) -> HttpResponse:
    make_key(desk.database, "often", TAKER, rate_limit=RateLimit(bucket=1, refill_per_1000_s=500, per_day=0))
    often = replace(desk, api_key="often")
    often.get(LIST)
    return often.get(LIST)


def _late(desk: Desk) -> HttpResponse:
    return desk.signed("GET", LIST, headers={"x-api-timestamp": "0"})


def _forged(desk: Desk) -> HttpResponse:
    return desk.signed("GET", LIST, headers={"x-api-signature": "x"})


def _anothers_cancel(desk: Desk) -> HttpResponse:
    return desk.as_maker(OTHER_MAKER_KEY).cancel(new_order(desk))


def _another_maker(desk: Desk) -> HttpResponse:
    return desk.as_maker(OTHER_MAKER_KEY).maker_post("/orders", order_body(desk))


def _too_dear(desk: Desk) -> HttpResponse:
    return desk.maker_post("/orders", order_body(desk, quantity=str(2 * 10**6 * UNIT)))


def _without_stock(desk: Desk) -> HttpResponse:
    poor = "0x" + "0e" * 20
    make_key(desk.database, "poor", poor)
    poor_taker = replace(desk, api_key="poor", taker=poor)
    return poor_taker.fill(locked(poor_taker), 7)


def _taken_nonce(desk: Desk) -> HttpResponse:
    new_order(desk, nonce=5)
    return desk.maker_post("/orders", order_body(desk, nonce=5, ticker="TSLA"))


def _other_values(desk: Desk) -> HttpResponse:
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 5, reference_id="r"))
    return desk.fill(order_hash, 6, reference_id="r")


ERRORS: Any = cases(
    ("400001 a bad parameter",          lambda desk: desk.get(LIST, "page=0"),                           400, 400001),
    ("400001 a bad member",             lambda desk: desk.lock("x"),                                     400, 400001),
    ("400001 malformed JSON",           lambda desk: desk.post("/orders/lock", b"{"),                    400, 400001),
    ("400001 too large",                lambda desk: desk.post("/orders/lock", b" " * 65_537),           400, 400001),
    ("400001 asset unknown",            lambda desk: desk.create(asset=OTHER_TAKER),                     400, 400001),
    ("400001 instrument unknown",       lambda desk: desk.create(ticker="NOPE"),                         400, 400001),
    ("400001 deadline",                 lambda desk: desk.create(deadline=1),                            400, 400001),
    ("400001 more than is left",        lambda desk: desk.fill(locked(desk), 1001),                      400, 400001),
    ("400001 above the allowance",      lambda desk: desk.fill(locked(desk), 10, taker_incentive="2"),   400, 400001),
    ("400 maker without funds",         _too_dear,                                                       400, 400),
    ("400 taker without funds",         _without_stock,                                                  400, 400),
    ("10010012 no key",                 lambda desk: desk.send("GET", LIST),                             401, 10010012),
    ("10010009 key unknown",            lambda desk: replace(desk, api_key="x").get(LIST),               401, 10010009),
    ("10010010 key ended",              _ended,                                                          401, 10010010),
    ("10010011 timestamp",              _late,                                                           401, 10010011),
    ("10010008 signature",              _forged,                                                         401, 10010008),
    ("401 no JWT",                      lambda desk: desk.send("GET", "/orders"),                        401, 401),
    ("403 key switched off",            _switched_off,                                                   403, 403),
    ("403 another's address",           lambda desk: desk.lock(new_order(desk), taker_address=OTHER_TAKER), 403, 403),
    ("403 another maker's order",       _another_maker,                                                  403, 403),
    ("403 another maker's cancel",      _anothers_cancel,                                                403, 403),
    ("403 own order",                   lambda desk: desk.lock(new_order(desk, principal=desk.taker)),   403, 403),
    ("404 unknown hash",                lambda desk: desk.lock(UNKNOWN_HASH),                            404, 404),
    ("404 another taker's order",       lambda desk: desk.unlock(locked(desk.as_other)),                 404, 404),
    ("404 no such path",                lambda desk: desk.get("/nowhere"),                               404, 404),
    ("409 state",                       lambda desk: desk.unlock(new_order(desk)),                       409, 409),
    ("409 locked already",              lambda desk: desk.lock(locked(desk)),                            409, 409),
    ("409 nonce used",                  _taken_nonce,                                                    409, 409),
    ("409 reference with other values", _other_values,                                                   409, 409),
    ("429 rate",                        _over_the_limit,                                                 429, 429),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "status", "code"), ERRORS)
def test_k7_the_status_is_the_class_and_the_code_the_vendors_where_it_has_one(
    shared: Desk, ask: Callable[[Desk], HttpResponse], status: int, code: int
) -> None:
    response = ask(shared)
    assert outcome_of(response) == (status, code)
    answer = json.loads(response.body)
    assert list(answer)[:2] == ["code", "message"]
    assert set(answer) <= {"code", "message", "details"}
    assert answer.get("details") != {}
    assert ("Retry-After" in response.headers) == (status == 429)
    if code == 400001:
        assert answer["message"] == "Invalid parameter"
        assert details_of(response)


def test_answers_are_written_in_these_bytes(shared: Desk) -> None:
    success, failure = shared.maker_get("/orders/maker/next-nonce"), shared.get("/nowhere")
    assert success.body.startswith(f'{{"code":0,"data":{{"maker":"{shared.maker}","next_nonce":')
    assert failure.body == '{"code":404,"message":"Not found"}'
    assert shared.post("/orders/unlock", {}).body == (
        '{"code":400001,"message":"Invalid parameter","details":"order_hash: is required"}'
    )
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Vary": "Origin"}
    assert success.headers == failure.headers == headers


def test_a_success_has_code_0_and_its_data(shared: Desk) -> None:
    for response in (shared.get(LIST), shared.get("/orders/available"), shared.maker_get("/orders")):
        answer = json.loads(response.body)
        assert (response.status, list(answer), answer["code"]) == (200, ["code", "data"], 0)


DETAILS: Any = cases(
    ("a page size of 0",  lambda desk: desk.get(LIST, "page_size=0"),                           ["page_size"]),
    ("two of them",       lambda desk: desk.get(LIST, "page=x&is_buy=maybe"),                   ["is_buy", "page"]),
    ("an order's member", lambda desk: desk.maker_post("/orders", order_body(desk, price="0")), ["price"]),
    ("asset and ticker",  lambda desk: desk.create(asset=OTHER_TAKER, ticker="NO"),             ["asset", "ticker"]),
    ("quantity",          lambda desk: desk.fill(locked(desk), 1001),                           ["fill_quantity"]),
    ("incentive",         lambda desk: desk.fill(locked(desk), 10, taker_incentive="2"),        ["taker_incentive"]),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "names"), DETAILS)
def test_details_of_a_400001_name_every_bad_field(
    shared: Desk, ask: Callable[[Desk], HttpResponse], names: list[str]
) -> None:
    response = ask(shared)
    assert outcome_of(response) == INVALID
    assert sorted(details_of(response)) == names


SHOWN: Any = cases(
    ("a bad field",  lambda desk: desk.get(LIST, "page=0"),
     "page: must be at least 1", {"page": "must be at least 1"}),
    ("two of them",  lambda desk: desk.post("/orders/fill", {}),
     "order_hash: is required where no order is sent; fill_quantity: is required",
     {"order_hash": "is required where no order is sent", "fill_quantity": "is required"}),
    ("a conflict",   lambda desk: desk.unlock(new_order(desk)),
     "status: pending", {"status": "pending"}),
    ("of a maker",   lambda desk: desk.maker_get("/orders", "page=0"),
     "page: must be at least 1", {"page": "must be at least 1"}),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "text", "members"), SHOWN)
def test_k51_details_are_the_vendors_text_unless_the_instance_keeps_the_object(
    desk: Desk, ask: Callable[[Desk], HttpResponse], text: str, members: dict[str, str]
) -> None:
    assert json.loads(ask(desk).body)["details"] == text
    desk.change_settings(has_details_object=True)
    assert json.loads(ask(desk).body)["details"] == members
    desk.change_settings(has_details_object=False)
    assert json.loads(ask(desk).body)["details"] == text


def test_k51_connecting_does_not_reveal_how_an_instance_shows_details(desk: Desk) -> None:
    desk.change_settings(has_details_object=True)
    refused = desk.send("POST", "/makers/connect", body={}, headers={"x-instance": desk.instance})
    assert isinstance(json.loads(refused.body)["details"], str)


def test_details_of_too_little_are_asset_required_and_available(desk: Desk) -> None:
    available = 10**6 * UNIT
    required = 2 * available + 100
    answer = _too_dear(desk)
    assert outcome_of(answer) == NO_FUNDS
    assert details_of(answer) == {"asset": QUOTE, "required": str(required), "available": str(available)}
    answer = _without_stock(desk)
    assert outcome_of(answer) == NO_FUNDS
    assert {name: details_of(answer)[name] for name in ("required", "available")} == {"required": "7", "available": "0"}


def test_retry_after_says_when_one_more_request_fits_in(desk: Desk) -> None:
    answer = _over_the_limit(desk)
    assert outcome_of(answer) == TOO_MANY
    often = replace(desk, api_key="often")
    wait_s = int(answer.headers["Retry-After"])
    desk.clock.advance(wait_s - 1)
    assert outcome_of(often.get(LIST)) == TOO_MANY
    desk.clock.advance(1)
    assert outcome_of(often.get(LIST)) == 200


def test_keys_and_wallets_have_20_a_second_and_bursts_of_40_by_default(desk: Desk) -> None:
    usual = DeskSettings().rate_limit
    Credentials(desk.database, TAKER_KEYS).change(digest_of(desk.api_key), rate_limit=usual)
    desk.change_settings(rate_limit=usual)
    for ask in (lambda: desk.get(LIST), lambda: desk.maker_get("/orders/maker/next-nonce")):
        desk.clock.advance(10)
        assert [outcome_of(ask()) for _ in range(41)] == [200] * 40 + [TOO_MANY]
        desk.clock.now_ms += 50
        assert [outcome_of(ask()) for _ in range(2)] == [200, TOO_MANY]


# --- 500 ---------------------------------------------------------------------------------------------------------


def test_a_fault_of_the_service_is_500_and_tells_nothing(desk: Desk) -> None:
    def no_master_key() -> bytes:
        raise RuntimeError("secret words")

    served = new_taker_desk(desk.database, master_key=no_master_key, public_instance=INSTANCE, clock=desk.clock)
    broken = replace(desk, desk=served)
    for answer in (
        broken.signed("GET", LIST, headers={"x-request-id": "r-1"}),
        broken.maker_post("/orders", {}, headers={"x-request-id": "r-1"}),
    ):
        assert (answer.status, answer.body) == (500, '{"code":500,"message":"Internal server error"}')
        assert answer.headers["X-REQUEST-ID"] == "r-1"
    assert outcome_of(broken.get(LIST)) == 200, "it needs no secret"


@pytest.mark.parametrize("fault", [throttled, raising(EndpointConnectionError(endpoint_url=ENDPOINT), after=False)])
def test_tables_that_do_not_answer_are_an_internal_error(desk: Desk, fault: Any) -> None:
    down = Database(FaultyClient(desk.database._client, fault, at=1), desk.database._prefix)  # type: ignore[arg-type]
    broken = replace(desk, desk=new_taker_desk(down, master_key=lambda: MASTER_KEY, clock=desk.clock))
    answer = broken.get(LIST)
    assert outcome_of(answer) == BROKEN
    assert ENDPOINT not in answer.body


class ContendedDatabase(Database):
    """Tables in which somebody else is always first."""

    transactions = 0

    def transact(self, writes: Any, is_done: Any = None) -> None:  # noqa: ARG002 - it is never done
        self.transactions += 1
        raise TransactionRefused(dict.fromkeys(range(len(writes))))


def test_a_write_that_others_always_forestall_is_tried_eight_times(desk: Desk) -> None:
    contended = ContendedDatabase(desk.database._client, desk.database._prefix, pause=lambda _seconds: None)
    served = new_taker_desk(contended, master_key=lambda: MASTER_KEY, public_instance=INSTANCE, clock=desk.clock)
    order_hash = new_order(desk)
    with nothing_changes(desk):
        assert outcome_of(replace(desk, desk=served).lock(order_hash)) == BROKEN
    assert contended.transactions == 8


# --- K8: another's is unknown ------------------------------------------------------------------------------------

HIDDEN: Any = cases(
    ("show",          lambda desk, one: desk.seen(one)),
    ("unlock",        lambda desk, one: desk.unlock(one)),
    ("fill",          lambda desk, one: desk.fill(one, 1, reference_id="r")),
    ("reject",        lambda desk, one: desk.reject(one)),
    ("cancel-result", lambda desk, one: desk.cancel_result(one, True)),
)  # fmt: skip


def _invisible(desk: Desk) -> dict[str, str]:
    """Return orders that the desk's taker may not know of."""
    other = desk.as_other
    closed = locked(other)
    data_of(other.reject(closed))
    cancelled = new_order(desk)
    data_of(desk.cancel(cancelled))
    given_back = locked(desk)
    data_of(desk.unlock(given_back))
    data_of(other.lock(given_back))
    suspended = locked(other)
    desk.commands().suspend(desk.instance, data_of(other.seen(suspended))["id"])
    return {
        "locked by another": locked(other),
        "partly filled by another": partly_filled(other),
        "rejected by another": closed,
        "cancelled unseen": cancelled,
        "locked once, another's now": given_back,
        "suspended": suspended,
    }


@pytest.mark.parametrize("ask", HIDDEN)
def test_k8_anothers_order_and_an_unknown_one_get_the_same_answer_byte_for_byte(
    desk: Desk, ask: Callable[[Desk, str], HttpResponse]
) -> None:
    unknown = ask(desk, UNKNOWN_HASH)
    assert (outcome_of(unknown), message_of(unknown)) == (NOT_FOUND, "Order not found")
    hidden = _invisible(desk)
    for name, order_hash in hidden.items():
        with nothing_changes(desk):
            answer = ask(desk, order_hash)
            assert (answer.status, answer.body, answer.headers) == (unknown.status, unknown.body, unknown.headers), name


def test_k8_a_fill_by_the_order_itself_tells_no_more(desk: Desk) -> None:
    """Whoever knows an order's members, but not its signature, learns nothing of it."""
    body = order_body(desk)
    data_of(desk.maker_post("/orders", body))
    data_of(desk.as_other.lock(data_of(desk.get("/orders/available"))[0]["order_hash"]))
    never_stored = order_body(desk)
    for signature in (body["signature"], "0x" + "11" * 65):
        known = desk.post("/orders/fill", body | {"signature": signature, "fill_quantity": "1"})
        unknown = desk.post("/orders/fill", never_stored | {"signature": signature, "fill_quantity": "1"})
        assert (known.status, known.body) == (unknown.status, unknown.body)
        assert outcome_of(known) == NOT_FOUND


# --- K9: details of a 409 ----------------------------------------------------------------------------------------


def _cancel_requested(desk: Desk) -> str:
    order_hash = locked(desk)
    data_of(desk.cancel(order_hash))
    return order_hash


def _filled(desk: Desk) -> str:
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 1000))
    return order_hash


def _given_back(desk: Desk) -> str:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    return order_hash


def _taken_over(desk: Desk) -> str:
    order_hash = _given_back(desk)
    data_of(desk.as_other.lock(order_hash))
    return order_hash


LOCKED, PARTIAL = {"status": "locked"}, {"status": "partially_filled"}
LIVE = {"expires_at": IN_AN_HOUR}
MINE = LIVE | {"locked_by": TAKER}
CONFLICTS: Any = cases(
    ("lock what the caller holds", locked,        lambda desk, one: desk.lock(one),     LOCKED | MINE),
    ("lock what another holds",         lambda desk: locked(desk.as_other), lambda desk, one: desk.lock(one),
     {"status": "locked"} | LIVE),
    ("lock what is filled",        _filled,       lambda desk, one: desk.lock(one),     {"status": "filled"}),
    ("unlock what is open",        new_order,     lambda desk, one: desk.unlock(one),   {"status": "pending"}),
    ("unlock what was given back", _given_back,   lambda desk, one: desk.unlock(one),   {"status": "partially_filled"}),
    ("unlock what another took over",   _taken_over, lambda desk, one: desk.unlock(one),
     {"status": "partially_filled"} | LIVE),
    ("fill what is open",          new_order,     lambda desk, one: desk.fill(one, 1),  {"status": "pending"}),
    ("reject what has a fill",     partly_filled, lambda desk, one: desk.reject(one),   PARTIAL | MINE),
    ("answer where nobody asked",  locked,        lambda desk, one: desk.cancel_result(one, True), LOCKED | MINE),
    ("cancel what is filled",      _filled,       lambda desk, one: desk.cancel(one),   {"status": "filled"}),
    ("a reference with other values",   lambda desk: _other_reference(desk),
     lambda desk, one: desk.fill(one, 6, reference_id="mine"), PARTIAL | MINE),
)  # fmt: skip


def _other_reference(desk: Desk) -> str:
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 5, reference_id="mine"))
    return order_hash


@pytest.mark.parametrize(("prepare", "ask", "details"), CONFLICTS)
def test_k9_a_conflict_tells_status_and_end_of_the_lock_and_the_holder_to_itself(
    shared: Desk, prepare: Callable[[Desk], str], ask: Callable[[Desk, str], HttpResponse], details: dict[str, str]
) -> None:
    order_hash = prepare(shared)
    with nothing_changes(shared):
        answer = ask(shared, order_hash)
        assert outcome_of(answer) == CONFLICT
        assert details_of(answer) == details


def test_k9_the_status_is_the_effective_one(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.clock.advance(3600)
    assert details_of(desk.unlock(order_hash)) == {"status": "pending"}
    soon = new_order(desk, deadline=desk.clock.now_s + 5)
    desk.clock.advance(5)
    assert details_of(desk.lock(soon)) == {"status": "expired"}
    assert status_of(desk, soon) == "expired"


def test_a_maker_is_told_nothing_of_the_holder(desk: Desk) -> None:
    """K9: a cancel of a suspended order; there is no lock left to tell of."""
    order_hash = locked(desk)
    desk.commands().suspend(desk.instance, data_of(desk.seen(order_hash))["id"])
    assert details_of(desk.cancel(order_hash)) == {"status": "suspended"}


def test_a_used_nonce_names_the_order_that_has_it(desk: Desk) -> None:
    first = new_order(desk, nonce=5)
    answer = desk.maker_post("/orders", order_body(desk, nonce=5, quantity="999"))
    assert (outcome_of(answer), details_of(answer)) == (CONFLICT, {"order_hash": first})


def test_times_in_details_are_written_as_everywhere(desk: Desk) -> None:
    order_hash = new_order(desk)
    data_of(desk.lock(order_hash, lock_duration=61))
    assert details_of(desk.lock(order_hash))["expires_at"] == moment(desk.clock.now_s + 61)


SECRETS: Any = cases(
    ("without a key", NO_KEY,      {}),
    ("a wrong key",   KEY_UNKNOWN, {"x-api-key": "my-own-key"}),
    ("an ended one",  KEY_ENDED,   {"x-api-key": "ends"}),
    ("no JWT",        NO_SESSION,  {"authorization": "Bearer my-own-key"}),
    ("switched off",  FORBIDDEN,   {"x-api-key": "off2"}),
)  # fmt: skip


@pytest.mark.parametrize(("outcome", "headers"), SECRETS)
def test_no_error_repeats_a_credential(desk: Desk, outcome: Outcome, headers: dict[str, str]) -> None:
    make_key(desk.database, "ends", TAKER, expires_s=1)
    make_key(desk.database, "off2", TAKER)
    Credentials(desk.database, TAKER_KEYS).change(digest_of("off2"), is_enabled=False)
    path = "/orders" if outcome == NO_SESSION else LIST
    answer = desk.send("GET", path, headers=headers)
    assert outcome_of(answer) == outcome
    for sent in headers.values():
        assert sent.split()[-1] not in answer.body
