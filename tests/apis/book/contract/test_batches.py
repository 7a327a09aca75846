"""Several orders in one request: POST offchain/orders/batch and DELETE offchain/orders (T76 to T79)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.gate import BATCH_BODY_BYTES_MAX
from chalicelib.apis.book.routes import BATCH, PLACE
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.services.books.parking import FAILED_BATCHES_MAX
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.batch_failures import BatchFailures
from chalicelib.tables.inbox import commands_of
from tests.apis.book.desk import API_KEY, ORDER, Desk, answer_of, data_of, fields_of, json_body, outcome_of
from tests.case_tables import cases
from tests.waiting import Clock
from tests.world import BASE, INSTANCE, QUOTE

KEY = {"idempotency-key": "batch-0001"}
MISSING = {"code": "ORDER_NOT_FOUND", "message": "Order not found or already closed"}


def send_batch(desk: Desk, *orders: Any, headers: dict[str, str] | None = None, key: str = API_KEY) -> HttpResponse:
    return desk.send("POST", BATCH, body=json.dumps({"orders": orders}).encode(), headers=headers, key=key)


def order(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in (ORDER | members).items() if value is not ...}


def results(response: HttpResponse, status: int = 201) -> list[dict[str, Any]]:
    data = data_of(response, status)
    assert list(data) == ["results"]
    found: list[dict[str, Any]] = data["results"]
    return found


def codes(response: HttpResponse, status: int = 201) -> list[str | None]:
    """Return the code of each order's refusal, None for one that is admitted."""
    return [one.get("error", {}).get("code") for one in results(response, status)]


def cancel_all_of(desk: Desk, order_ids: list[str], customer: str = "ann") -> HttpResponse:
    return desk.send("DELETE", PLACE, body=json_body({"customerRef": customer, "orderIds": order_ids}))


# --- placing ------------------------------------------------------------------------------------------------------


def test_t76_orders_are_admitted_together_and_each_is_answered_as_if_alone(desk: Desk) -> None:
    alone = data_of(desk.place(price="44"), 201)
    first, second = results(send_batch(desk, order(price="44"), order(side="SELL", price="70", quantity="3")))
    assert list(first) == ["success", "data"]
    assert first["success"] is True
    assert list(first["data"]) == list(alone)
    assert first["data"] | {"id": 0, "createdAt": 0} == alone | {"id": 0, "createdAt": 0}
    assert (second["data"]["side"], second["data"]["quantity"]) == ("SELL", "3")
    assert [row["id"] for row in desk.rows()] == [second["data"]["id"], first["data"]["id"], alone["id"]]
    assert desk.world.balance("ann", QUOTE) == (1000 - 880, 880)
    assert desk.world.balance("ann", BASE) == (997, 3)


def test_t76_a_batch_is_one_command_of_its_book(desk: Desk) -> None:
    placed = [one["data"]["id"] for one in results(send_batch(desk, *(order(quantity="1") for _ in range(10))))]
    (row,) = desk.world.inbox_rows()
    assert [command.command_id for command in commands_of(row)] == placed == sorted(placed)


def test_t76_matching_decides_the_orders_in_their_order(desk: Desk) -> None:
    desk.rested((5, 50))
    send_batch(desk, order(quantity="4"), order(quantity="4", price="49"), order(quantity="4", timeInForce="IOC"))
    desk.match()
    assert [(row["status"], row["filledQuantity"]) for row in desk.rows()] == [
        ("CANCELLED", "1"),
        ("OPEN", "0"),
        ("FILLED", "4"),
    ]


def test_t76_what_fails_its_form_or_checks_is_refused_and_the_others_are_admitted(desk: Desk) -> None:
    response = send_batch(
        desk, order(side="buy", quantity=1), 7, order(quantity="0"), order(price=...), order(), order(value="1")
    )
    wrong, number, none, no_price, _, unserved = results(response)
    expected = ["VALIDATION_ERROR", "VALIDATION_ERROR", "INVALID_QUANTITY", "PRICE_REQUIRED", None, "VALIDATION_ERROR"]
    assert codes(response) == expected
    assert list(wrong) == ["success", "error"]
    assert (wrong["success"], wrong["error"]) == (
        False,
        answer_of(desk.place(side="buy", quantity=1))["error"],
    )
    assert [detail["field"] for detail in number["error"]["details"]] == ["body"]
    assert none["error"] == answer_of(desk.place(quantity="0"))["error"]
    assert no_price["error"] == answer_of(desk.place(price=...))["error"]
    assert [detail["field"] for detail in unserved["error"]["details"]] == ["value"]
    assert len(desk.rows()) == 1


def test_t76_funds_are_taken_in_order(desk: Desk) -> None:
    """Ann has 1,000: 500 and 400 fit, 200 does not, 100 does again."""
    response = send_batch(desk, *(order(quantity=str(quantity)) for quantity in (10, 8, 4, 2, 1)))
    assert codes(response) == [None, None, "INSUFFICIENT_BALANCE", None, "INSUFFICIENT_BALANCE"]
    messages = [one["error"]["message"] for one in results(response) if "error" in one]
    expected = [(200, 100), (50, 0)]
    assert messages == [f"Insufficient balance: required {need}, available {left}" for need, left in expected]
    assert desk.world.balance("ann", QUOTE) == (0, 1000)


def test_t76_orders_that_together_hold_more_than_a_number_has_digits_are_refused_as_if_alone(desk: Desk) -> None:
    """Each holds 38 digits, all together 40. The order behind them is admitted."""
    huge = order(price="9" * 28, quantity="9" * 10)
    response = send_batch(desk, *[huge] * 24, order())
    assert codes(response) == ["INSUFFICIENT_BALANCE"] * 24 + [None]
    alone = answer_of(desk.send("POST", PLACE, body=json_body(huge)))["error"]["message"]
    assert results(response)[0]["error"]["message"].startswith(alone.partition(", available")[0])
    assert codes(send_batch(desk, huge, huge), 200) == ["INSUFFICIENT_BALANCE"] * 2


def test_t76_each_sides_funds_are_its_own(desk: Desk) -> None:
    sell = order(side="SELL", price="70", quantity="600")
    assert codes(send_batch(desk, sell, order(quantity="20"), sell, order(quantity="1"))) == [
        None,
        None,
        "INSUFFICIENT_BALANCE",
        "INSUFFICIENT_BALANCE",
    ]


def test_t38_a_market_buy_has_what_the_orders_before_it_leave(desk: Desk) -> None:
    """The asks ask for 500; with the collar of 5 % it is 525, as far as there is as much."""
    desk.rested((10, 50))
    market = order(orderType="MARKET", price=...)
    assert codes(send_batch(desk, order(quantity="1", price="480"), market, order(quantity="1", price="1"))) == [
        None,
        None,
        "INSUFFICIENT_BALANCE",
    ]
    assert desk.world.balance("ann", QUOTE) == (0, 1000)
    other = dict(market, customerRef="ben")
    desk.world.move("ben", None, QUOTE, 100)
    assert codes(send_batch(desk, other, other, order(customerRef="ben", quantity="1"))) == [
        None,
        "INSUFFICIENT_BALANCE",
        None,
    ]
    assert desk.world.balance("ben", QUOTE) == (900 - 525 - 50, 575)


ALL_REFUSED: list[Any] = cases(
    ("no such book", "ORDER_BOOK_NOT_FOUND", [order(orderBookId="ob_none")] * 2),
    ("form", "VALIDATION_ERROR", [{}, []]),
    ("funds", "INSUFFICIENT_BALANCE", [order(quantity="21"), order(quantity="30")]),
)


@pytest.mark.parametrize(("code", "orders"), ALL_REFUSED)
def test_t77_where_none_is_admitted_the_answer_is_200_and_nothing_changes(
    desk: Desk, code: str, orders: list[Any]
) -> None:
    before = desk.world.tables()
    assert codes(send_batch(desk, *orders), 200) == [code] * 2
    assert desk.world.tables() == before


WHOLE: list[Any] = cases(
    ("no orders", [], "orders"),
    ("too many", [ORDER] * 26, "orders"),
    ("two customers", [ORDER, order(customerRef="ben")], "orders"),
    ("two books", [ORDER, order(orderBookId="ob_other")], "orders"),
)


@pytest.mark.parametrize(("orders", "field"), WHOLE)
def test_t76_a_batch_that_is_none_is_a_fault_of_the_whole(desk: Desk, orders: list[Any], field: str) -> None:
    before = desk.world.tables()
    assert fields_of(send_batch(desk, *orders)) == [field]
    assert desk.world.tables() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"orders": null}', b'{"orders": {}}', b'{"orders": "x"}'])
def test_t76_a_body_without_a_list_of_orders_is_a_fault(desk: Desk, body: bytes) -> None:
    assert outcome_of(desk.send("POST", BATCH, body=body)) == (400, "VALIDATION_ERROR")


def test_t76_twenty_five_orders_are_admitted(desk: Desk) -> None:
    assert codes(send_batch(desk, *[order(quantity="1", price="40")] * 25)) == [None] * 25
    desk.match()
    assert desk.world.balance("ann", QUOTE) == (0, 1000)
    assert {row["status"] for row in desk.rows()} == {"OPEN"}


def escaped(text: str) -> str:
    """Return a string of JSON with every character as escapes of UTF-16, the longest way to write it."""
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def test_t76_twenty_five_orders_with_the_longest_names_are_admitted_however_they_are_written(desk: Desk) -> None:
    customer = "\U0001f600" * 256
    desk.world.credit(customer, QUOTE, 1000)
    members = ORDER | {"customerRef": customer, "quantity": "1", "price": "40"}
    written = ",".join(f'"{escaped(name)}":"{escaped(str(value))}"' for name, value in members.items())
    body = f'{{"orders":[{",".join([f"{{{written}}}"] * 25)}]}}'.encode()
    assert len(body) > 64 * 1024
    assert codes(desk.send("POST", BATCH, body=body)) == [None] * 25
    assert desk.world.balance(customer, QUOTE) == (0, 1000)


def test_t76_the_longest_batch_that_can_be_meant_is_below_the_bound() -> None:
    members = {
        "customerRef": "\U0001f600" * 256,
        "orderBookId": "\U0001f600" * 100,
        "side": "SELL",
        "orderType": "MARKET",
        "price": "9" * 38,
        "quantity": "9" * 38,
        "timeInForce": "GTC",
        "postOnly": "false",
    }
    written = sum(len(escaped(name + value)) + len('"":"",') for name, value in members.items())
    assert 64 * 1024 < 25 * (written + len("{},")) < 192 * 1024 < BATCH_BODY_BYTES_MAX


def test_t14_a_batch_under_a_key_is_admitted_once_and_its_answer_kept(desk: Desk) -> None:
    wanted = [order(), order(quantity="0"), order(side="SELL", price="70")]
    first = send_batch(desk, *wanted, headers=KEY)
    again = send_batch(desk, *wanted, headers=KEY)
    assert codes(first) == [None, "INVALID_QUANTITY", None]
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replay"] == "true"
    assert len(desk.rows()) == 2
    assert outcome_of(send_batch(desk, *wanted[:2], headers=KEY)) == (409, "IDEMPOTENCY_MISMATCH")


def test_t13_a_batch_of_which_nothing_is_admitted_is_kept_too(desk: Desk) -> None:
    first = send_batch(desk, order(quantity="21"), headers=KEY)
    desk.world.credit("ann", QUOTE, 1000)
    again = send_batch(desk, order(quantity="21"), headers=KEY)
    assert (again.status, again.body, again.headers["Idempotent-Replay"]) == (200, first.body, "true")


def test_t77_with_prefer_all_orders_are_shown_as_first_matched(desk: Desk, clock: Clock) -> None:
    desk.rested((3, 50))
    clock.meanwhile = desk.match
    prefer = KEY | {"prefer": "wait=5"}
    orders = [order(quantity="3"), order(quantity="0"), order(price="40"), order(timeInForce="FOK", price="2")]
    first, again = (send_batch(desk, *orders, headers=prefer) for _ in range(2))
    statuses = [one["data"]["status"] if "data" in one else None for one in results(first)]
    assert statuses == ["FILLED", None, "OPEN", "CANCELLED"]
    assert (first.status, first.headers["Preference-Applied"]) == (201, "wait=5")
    assert (again.status, again.body, again.headers["Preference-Applied"]) == (201, first.body, "wait=5")


@pytest.mark.parametrize("headers", [{}, KEY])
def test_t77_without_all_results_in_time_no_preference_is_applied(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    desk.rested((3, 50))
    prefer = {"prefer": "wait=2"} | headers
    orders = [order(quantity="3"), order(price="40", quantity="1", timeInForce="IOC")]
    nothing = send_batch(desk, *orders, headers={"prefer": "wait=2"})
    assert [one["data"]["status"] for one in results(nothing)] == ["OPEN", "OPEN"]
    assert clock.slept_s == pytest.approx(2)
    monkeypatch.setattr("chalicelib.apis.book.first_match.is_matched", lambda row: row.sequence and row.price == 40)
    clock.meanwhile = desk.match
    partly = send_batch(desk, *orders, headers=prefer)
    assert [one["data"]["status"] for one in results(partly)] == ["OPEN", "CANCELLED"]
    assert "Preference-Applied" not in nothing.headers | partly.headers


def test_each_order_of_a_batch_is_measured_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ...]] = []
    for name in ("order_admitted", "order_refused"):
        monkeypatch.setattr(f"chalicelib.apis.book.batches.{name}", lambda *told: seen.append(told))
    for _ in range(2):
        send_batch(desk, order(), order(quantity="0"), {}, order(price="40"), headers=KEY)
    assert seen == [("book", "VALIDATION_ERROR"), ("book",), ("book", "INVALID_QUANTITY"), ("book",)]


# --- rates --------------------------------------------------------------------------------------------------------


def limited(desk: Desk, limit: int) -> str:
    key = API_KEY[:-1] + "0"
    desk.world.tenants().add_key(INSTANCE, "key_2", key, limit)
    return key


def test_t79_a_batch_counts_as_many_requests_as_it_has_orders(desk: Desk) -> None:
    key = limited(desk, 10)
    assert send_batch(desk, *[order(quantity="1")] * 4, key=key).headers["X-RateLimit-Remaining"] == "6"
    ids = [row["id"] for row in desk.rows()]
    response = desk.send("DELETE", PLACE, body=json_body({"customerRef": "ann", "orderIds": ids}), key=key)
    assert (response.status, response.headers["X-RateLimit-Remaining"]) == (200, "2")


def test_t79_a_batch_larger_than_what_is_left_is_refused_whole_and_counts_as_one_request(desk: Desk) -> None:
    key = limited(desk, 10)
    send_batch(desk, *[order(quantity="1")] * 6, key=key)
    refused = send_batch(desk, *[order(quantity="1")] * 5, key=key)
    assert outcome_of(refused) == (429, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["X-RateLimit-Remaining"] == "3"
    assert refused.headers["Retry-After"] == str(answer_of(refused)["metadata"]["retryAfter"])
    assert len(desk.rows()) == 6
    assert send_batch(desk, *[order(quantity="1")] * 3, key=key).status == 201


def test_t79_a_batch_that_no_minute_has_room_for_is_a_fault_that_names_the_limit(desk: Desk) -> None:
    """Not 429: whoever waits and sends it again would be refused for ever."""
    key = limited(desk, 4)
    refused = send_batch(desk, *[order(quantity="1")] * 5, key=key)
    assert (outcome_of(refused), fields_of(refused)) == ((400, "VALIDATION_ERROR"), ["orders"])
    assert "must be at most 4" in answer_of(refused)["error"]["details"][0]["message"]
    assert (refused.headers["X-RateLimit-Remaining"], "Retry-After" in refused.headers) == ("3", False)
    body = json_body({"customerRef": "ann", "orderIds": ["ord_1"] * 5})
    assert fields_of(desk.send("DELETE", PLACE, body=body, key=key)) == ["orderIds"]
    assert desk.rows() == []


def test_t79_a_batch_of_the_whole_limit_is_served_in_a_minute_of_its_own(desk: Desk) -> None:
    key = limited(desk, 4)
    assert send_batch(desk, *[order(quantity="1")] * 4, key=key).status == 201


# --- cancelling ---------------------------------------------------------------------------------------------------


def test_t78_each_order_of_a_list_is_cancelled_as_if_alone(desk: Desk, clock: Clock) -> None:
    placed = [one["data"]["id"] for one in results(send_batch(desk, order(), order(price="40"), order(price="10")))]
    foreign = desk.placed(customerRef="ben", price="5")
    filled = desk.placed(customerRef="ben", side="SELL", price="50")
    clock.meanwhile = desk.match
    asked = [placed[0], "ord_none", placed[2], foreign, filled, placed[2], placed[1]]
    response = cancel_all_of(desk, asked)
    done = results(response, 200)
    assert [one.get("error") for one in done] == [MISSING, MISSING, None, MISSING, MISSING, None, None]
    assert list(done[2]["data"]) == ["id", "status", "cancelledAt"]
    assert [done[at]["data"]["id"] for at in (2, 5, 6)] == [placed[2], placed[2], placed[1]]
    assert {done[at]["data"]["status"] for at in (2, 5, 6)} == {"CANCELLED"}
    assert desk.world.balance("ann", QUOTE) == (500, 0)
    assert {row["status"] for row in desk.rows("ben")} == {"OPEN", "FILLED"}


def test_t78_cancels_without_a_result_are_pending_after_5_seconds_in_all(desk: Desk, clock: Clock) -> None:
    placed = [one["data"]["id"] for one in results(send_batch(desk, order(), order(price="40")))]
    done = results(cancel_all_of(desk, placed), 200)
    assert {one["error"]["code"] for one in done} == {"CANCEL_PENDING"}
    assert clock.slept_s == pytest.approx(5)
    clock.meanwhile = desk.match
    assert [one["success"] for one in results(cancel_all_of(desk, placed), 200)] == [True, True]


def test_t78_an_order_of_a_parked_book_is_not_cancelled_and_the_others_are(desk: Desk, clock: Clock) -> None:
    placed = [one["data"]["id"] for one in results(send_batch(desk, order(), order(price="40")))]
    desk.match()
    parked = BatchFailures(FAILED_BATCHES_MAX, desk.world.now_ms, placed[0], "reason", desk.world.now_ms)
    desk.world.failed_batches.note(desk.world.book, BatchFailures(), parked)
    clock.meanwhile = desk.match
    assert [one["error"]["code"] for one in results(cancel_all_of(desk, placed), 200)] == ["SERVICE_UNAVAILABLE"] * 2
    assert {row["status"] for row in desk.rows()} == {"OPEN"}


@pytest.mark.parametrize(
    ("error", "code"), [(Unavailable("gone"), "SERVICE_UNAVAILABLE"), (OutcomeUnknown("lost"), "INTERNAL_ERROR")]
)
def test_t78_a_cancel_that_cannot_be_queued_does_not_stop_the_others(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    placed = [one["data"]["id"] for one in results(send_batch(desk, order(), order(price="40"), order(price="10")))]
    admission = type(desk.world.admission)
    cancel = admission.cancel

    def failing(self: Any, instance: str, customer: str, order_id: str) -> bool:
        if order_id == placed[1]:
            raise error
        return cancel(self, instance, customer, order_id)

    monkeypatch.setattr(admission, "cancel", failing)
    clock.meanwhile = desk.match
    done = results(cancel_all_of(desk, placed), 200)
    assert [one.get("error", {}).get("code") for one in done] == [None, code, None]


FAULTY_IDS: list[Any] = cases(
    ("none", []),
    ("26", ["ord_1"] * 26),
    ("a number", [7]),
    ("empty", [""]),
    ("101 characters", ["x" * 101]),
    ("no list", "ord_1"),
    ("null", None),
)


@pytest.mark.parametrize("order_ids", FAULTY_IDS)
def test_t78_a_list_that_is_none_of_ids_is_a_fault(desk: Desk, order_ids: Any) -> None:
    assert fields_of(cancel_all_of(desk, order_ids)) == ["orderIds"]
    assert fields_of(desk.send("DELETE", PLACE, body=json_body({"orderIds": ["ord_1"]}))) == ["customerRef"]
