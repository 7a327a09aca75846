"""POST /orders/fill: how an order is named, what may be filled and taken, by whom (K8, K23, K41)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.apis.taker.cases import (
    CONFLICT,
    INVALID,
    NO_FUNDS,
    NOT_FOUND,
    TX_HASH,
    UNKNOWN_HASH,
    listed,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    order_body,
    outcome_of,
    partly_filled,
    single,
)
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    OTHER_MAKER_KEY,
    QUOTE,
    TAKER,
    Desk,
    data_of,
    details_of,
    faulty_fields,
    sign_order,
)
from tests.case_tables import cases


def test_the_answer_to_a_fill_is_about_this_fill(desk: Desk) -> None:
    """K23: the second one's figures are its own."""
    order_hash = locked(desk)
    expected = {
        "success": True,
        "order_hash": order_hash,
        "filled_quantity": "400",
        "filled_amount": "400",
        "fee_amount": "0",
        "incentive_amount": "40",
        "status": "partially_filled",
        "reference_id": "REF-1",
        "tx_hash": None,
        "block_number": None,
    }
    assert list(data_of(desk.fill(order_hash, 400, reference_id="REF-1")).items()) == list(expected.items())
    second = data_of(desk.fill(order_hash, 250, reference_id="REF-2", tx_hash=TX_HASH, block_number=7))
    expected |= {"filled_quantity": "250", "filled_amount": "250", "incentive_amount": "25", "reference_id": "REF-2"}
    expected |= {"tx_hash": TX_HASH, "block_number": 7}
    assert list(second.items()) == list(expected.items())
    assert single(desk, order_hash)["filled_quantity"] == "650"


def test_k23_the_cumulative_quantity_is_read_from_the_order(desk: Desk) -> None:
    order_hash = locked(desk)
    for quantity, together in ((1, "1"), (400, "401"), (599, "1000")):
        answer = data_of(desk.fill(order_hash, quantity))
        assert (answer["filled_quantity"], single(desk, order_hash)["filled_quantity"]) == (str(quantity), together)
    assert answer["status"] == single(desk, order_hash)["status"] == "filled"


def test_the_documented_fill(desk: Desk) -> None:
    """The example of the reference, in its figures: order B, 4 of its 10 shares."""
    order_hash = desk.created()
    data_of(desk.lock(order_hash))
    answer = data_of(desk.fill(order_hash, 4 * 10**18, reference_id="REF123457"))
    assert answer == {
        "success": True,
        "order_hash": "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11",
        "filled_quantity": "4000000000000000000",
        "filled_amount": "601000000000000000000",
        "fee_amount": "0",
        "incentive_amount": "400000000000000000",
        "status": "partially_filled",
        "reference_id": "REF123457",
        "tx_hash": None,
        "block_number": None,
    }


# --- how an order is named ---------------------------------------------------------------------------------------


def _locked_body(desk: Desk) -> tuple[dict[str, Any], str]:
    body = order_body(desk)
    order_hash = data_of(desk.maker_post("/orders", body))["order_hash"]
    data_of(desk.lock(order_hash))
    return body, str(order_hash)


def upper(text: str) -> str:
    return "0x" + text[2:].upper()


def without_nonce(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"order": body["order"] | {"nonce": None}}


Naming = Callable[[dict[str, Any], str], dict[str, Any]]
NAMINGS: Any = cases(
    ("by its hash",                         lambda _, one: {"order_hash": one},                         200),
    ("by itself",                           lambda body, _: body,                                       200),
    ("by both",                             lambda body, one: body | {"order_hash": one},               200),
    ("by its hash in upper case",           lambda body, one: body | {"order_hash": upper(one)},        200),
    ("its signature in upper case",         lambda body, _: body | {"signature": upper(body["signature"])}, 200),
    ("a hash, and a signature for nothing", lambda _, one: {"order_hash": one, "signature": "0x12"},    200),
    ("by nothing",                          lambda *_: {},                                              ["order_hash"]),
    ("by a signature alone",                lambda body, _: {"signature": body["signature"]},           ["order_hash"]),
    ("by an order without signature",       lambda body, _: {"order": body["order"]},                   ["signature"]),
    ("by another hash too",                 lambda body, _: body | {"order_hash": UNKNOWN_HASH},        ["order_hash"]),
    ("another signature",                   lambda body, _: body | {"signature": "0x" + "11" * 65},     ["signature"]),
    ("an order that lacks a member",        lambda body, _: without_nonce(body),                        ["nonce"]),
)  # fmt: skip


@pytest.mark.parametrize(("naming", "outcome"), NAMINGS)
def test_a_fill_names_its_order_by_hash_or_whole(shared: Desk, naming: Naming, outcome: Any) -> None:
    body, order_hash = _locked_body(shared)
    sent = naming(body, order_hash) | {"fill_quantity": "5"}
    if outcome == 200:
        assert data_of(shared.post("/orders/fill", sent))["order_hash"] == order_hash
        return
    with nothing_changes(shared):
        assert faulty_fields(shared.post("/orders/fill", sent)) == outcome


def test_the_digest_of_an_order_that_is_sent_is_reckoned_anew(shared: Desk) -> None:
    """A changed member is another order, which there is not."""
    body, _ = _locked_body(shared)
    body["order"]["price"] = "5000000000000000000"
    with nothing_changes(shared):
        assert outcome_of(shared.post("/orders/fill", body | {"fill_quantity": "5"})) == NOT_FOUND
        body["signature"] = sign_order(body["order"], OTHER_MAKER_KEY, shared.settings)
        assert outcome_of(shared.post("/orders/fill", body | {"fill_quantity": "5"})) == NOT_FOUND


def test_k8_a_wrong_signature_tells_nothing_of_an_order_that_the_caller_may_not_know(desk: Desk) -> None:
    body, order_hash = _locked_body(desk)
    fill = body | {"signature": "0x", "fill_quantity": "5"}
    other = desk.as_other
    assert outcome_of(other.post("/orders/fill", fill)) == NOT_FOUND
    data_of(desk.unlock(order_hash))
    assert faulty_fields(other.post("/orders/fill", fill)) == ["signature"], "everybody may know of an open order"
    data_of(desk.lock(order_hash))
    data_of(desk.fill(order_hash, 1000))
    assert faulty_fields(desk.post("/orders/fill", fill)) == ["signature"], "the caller has filled it"
    assert outcome_of(other.post("/orders/fill", fill)) == NOT_FOUND
    never_stored = fill | {"order": body["order"] | {"nonce": 2}}
    assert outcome_of(desk.post("/orders/fill", never_stored)) == NOT_FOUND


# --- what may be filled, and taken -------------------------------------------------------------------------------

QUANTITIES: Any = cases(
    ("one",                    600, "1",    200),
    ("all that is left",       600, "400",  200),
    ("all of it",              0,   "1000", 200),
    ("one too many",           600, "401",  INVALID),
    ("all of it once more",    600, "1000", INVALID),
    ("one more than there is", 0,   "1001", INVALID),
    ("nothing",                0,   "0",    INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("before", "quantity", "outcome"), QUANTITIES)
def test_a_fill_takes_1_to_what_is_left(shared: Desk, before: int, quantity: str, outcome: Any) -> None:
    order_hash = locked(shared)
    if before:
        data_of(shared.fill(order_hash, before))
    if outcome == 200:
        assert data_of(shared.fill(order_hash, quantity))["filled_quantity"] == quantity
        return
    with nothing_changes(shared):
        assert faulty_fields(shared.fill(order_hash, quantity)) == ["fill_quantity"]


# of an order of 1000 with an incentive of 100
INCENTIVES: Any = cases(
    ("none is asked for",       "405", None, "40"),
    ("all of the allowance",    "405", "40", "40"),
    ("some of it",              "405", "7",  "7"),
    ("nothing",                 "405", "0",  "0"),
    ("rounded down to nothing", "9",   None, "0"),
    ("one too many",            "405", "41", None),
    ("one of nothing",          "9",   "1",  None),
)  # fmt: skip


@pytest.mark.parametrize(("quantity", "asked", "charged"), INCENTIVES)
def test_a_fill_takes_the_allowance_or_less(
    shared: Desk, quantity: str, asked: str | None, charged: str | None
) -> None:
    order_hash = locked(shared)
    if charged is not None:
        assert data_of(shared.fill(order_hash, quantity, taker_incentive=asked))["incentive_amount"] == charged
        return
    with nothing_changes(shared):
        assert faulty_fields(shared.fill(order_hash, quantity, taker_incentive=asked)) == ["taker_incentive"]


def test_what_is_not_taken_of_the_allowance_is_the_makers_at_the_end(desk: Desk) -> None:
    available = desk.balance(MAKER, QUOTE)[0]
    order_hash = locked(desk)
    data_of(desk.fill(order_hash, 400, taker_incentive="1"))
    assert desk.balance(MAKER, QUOTE) == (available - 1100, 699)
    data_of(desk.fill(order_hash, 600))
    assert desk.balance(MAKER, QUOTE) == (available - 1061, 0)


BOTH = {"tx_hash": TX_HASH, "block_number": 2**40}
NOTED: Any = cases(
    ("no tx_hash, no block",    {},                            {}),
    ("a tx_hash",               {"tx_hash": TX_HASH},          {"tx_hash": TX_HASH}),
    ("a tx_hash in upper case", {"tx_hash": "0x" + "AB" * 32}, {"tx_hash": TX_HASH}),
    ("the first block",         {"block_number": 0},           {"block_number": 0}),
    ("both",                    BOTH,                          BOTH),
)  # fmt: skip


@pytest.mark.parametrize(("members", "noted"), NOTED)
def test_tx_hash_and_block_number_are_noted_and_never_invented(
    shared: Desk, members: dict[str, Any], noted: dict[str, Any]
) -> None:
    """K53: null in the answer to a fill and in the list of fills, left out in the lists of orders."""
    order_hash = locked(shared)
    answer = data_of(shared.fill(order_hash, 5, **members))
    (fill,) = data_of(shared.get("/orders/filled", {"order_hash": order_hash}))["fills"]
    for shown in (answer, fill):
        assert {name: shown[name] for name in BOTH} == dict.fromkeys(BOTH) | noted
    (row,) = (row for row in listed(shared, "page_size=100") if row["order_hash"] == order_hash)
    (makers,) = of_maker(shared, order_hash)["fills"]
    assert ("tx_hash" in row, [name for name in BOTH if name in makers]) == ("tx_hash" in noted, list(noted))


BAD: Any = cases(
    ("a block below 0",        {"block_number": -1},      ["block_number"]),
    ("a block as a text",      {"block_number": "7"},     ["block_number"]),
    ("a block as a boolean",   {"block_number": True},    ["block_number"]),
    ("a fraction of a block",  {"block_number": 7.5},     ["block_number"]),
    ("no tx_hash",             {"tx_hash": "0x12"},       ["tx_hash"]),
    ("a bad reference",        {"reference_id": "a/b"},   ["reference_id"]),
    ("a negative incentive",   {"taker_incentive": "-1"}, ["taker_incentive"]),
    ("a quantity as a number", {"fill_quantity": 5},      ["fill_quantity"]),
    ("no quantity",            {"fill_quantity": None},   ["fill_quantity"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), BAD)
def test_bad_members_of_a_fill(shared: Desk, members: dict[str, Any], fields: list[str]) -> None:
    order_hash = locked(shared)
    with nothing_changes(shared):
        body = {"order_hash": order_hash, "fill_quantity": "5"} | members
        assert faulty_fields(shared.post("/orders/fill", body)) == fields


# --- access and funds --------------------------------------------------------------------------------------------


def _given_back(desk: Desk) -> str:
    order_hash = partly_filled(desk)
    data_of(desk.unlock(order_hash))
    return order_hash


ACCESS: Any = cases(
    ("open",                         new_order,                                       CONFLICT),
    ("given back, with a fill",      _given_back,                                     CONFLICT),
    ("open, filled by another",      lambda desk: _given_back(desk.as_other),         CONFLICT),
    ("locked by another",            lambda desk: locked(desk.as_other),              NOT_FOUND),
    ("locked and filled by another", lambda desk: partly_filled(desk.as_other),       NOT_FOUND),
    ("filled by another",            lambda desk: partly_filled(desk.as_other, 1000), NOT_FOUND),
    ("filled by the caller",         lambda desk: partly_filled(desk, 1000),          CONFLICT),
    ("unknown",                      lambda _: UNKNOWN_HASH,                          NOT_FOUND),
)  # fmt: skip


@pytest.mark.parametrize(("prepare", "outcome"), ACCESS)
def test_only_the_holder_of_the_lock_fills(shared: Desk, prepare: Callable[[Desk], str], outcome: Any) -> None:
    order_hash = prepare(shared)
    with nothing_changes(shared):
        assert outcome_of(shared.fill(order_hash, 5)) == outcome


def test_a_lock_fills_until_its_last_second(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.clock.advance(3599)
    assert data_of(desk.fill(order_hash, 5))["status"] == "partially_filled"
    desk.clock.advance(1)
    assert outcome_of(desk.fill(order_hash, 5)) == CONFLICT


def test_a_taker_without_funds_fills_nothing(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.debit(TAKER, AAPL, desk.balance(TAKER, AAPL)[0] - 399)
    with nothing_changes(desk):
        answer = desk.fill(order_hash, 400)
        assert outcome_of(answer) == NO_FUNDS
        assert details_of(answer) == {"asset": AAPL, "required": "400", "available": "399"}
    assert data_of(desk.fill(order_hash, 399))["filled_quantity"] == "399"


def test_two_takers_fill_one_order_one_after_the_other(desk: Desk) -> None:
    order_hash = _given_back(desk)
    other = desk.as_other
    data_of(other.lock(order_hash))
    assert data_of(other.fill(order_hash, 600))["status"] == "filled"
    for taker, quantity in ((desk, "400"), (other, "600")):
        (fill,) = data_of(taker.get("/orders/filled"))["fills"]
        assert (fill["fill_quantity"], fill["taker"]) == (quantity, taker.taker)
        assert single(taker, order_hash)["filled_quantity"] == "1000"


def test_a_fill_is_the_orders_last_change(desk: Desk) -> None:
    order_hash = locked(desk)
    desk.clock.advance(9)
    data_of(desk.fill(order_hash, 5))
    assert single(desk, order_hash)["updated_at"] == moment(desk.clock.now_s)
    assert replace(desk).seen(order_hash).status == 200


UNSERVED: Any = cases(
    # id,                             members,                                              bad fields
    ("an amount",                     {"filled_amount": "5"},                               ["filled_amount"]),
    ("a fee",                         {"fee_amount": 1},                                    ["fee_amount"]),
    ("an incentive of the answer",    {"incentive_amount": "1"},                            ["incentive_amount"]),
    ("an amount of the list",         {"fill_amount": [1]},                                 ["fill_amount"]),
    ("beside the incentive",          {"taker_incentive": "0", "fee_amount": "1"},          ["fee_amount"]),
    ("neutral ones", {"filled_amount": "0", "fee_amount": None, "incentive_amount": "", "fill_amount": False}, None),
    ("camelCase",                     {"takerIncentive": "0"},                              ["takerIncentive"]),
    ("misspelt",                      {"taker_incentve": "0"},                              ["taker_incentve"]),
    ("nested",                        {"fill": {"taker_incentive": "0"}},                   ["fill"]),
    ("empty",                         {"taker_incentive": ""},                              ["taker_incentive"]),
    ("unknown, without a value",      {"takerIncentive": None},                             None),
    ("unknown, beside the incentive", {"taker_incentive": "0", "note": "x", "isBuy": True}, None),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), UNSERVED)
def test_k41_a_fill_says_what_it_takes_or_is_refused(desk: Desk, members: dict[str, Any], fields: Any) -> None:
    order_hash = locked(desk)
    if fields is None:
        assert outcome_of(desk.fill(order_hash, 100, **members)) == 200
        return
    with nothing_changes(desk):
        assert faulty_fields(desk.fill(order_hash, 100, **members)) == fields
