"""POST /orders: what a maker signs, and in which order it is looked at (K1, K15, K32)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from chalicelib.domain.signed.eip712 import ORDER_TYPE, order_hash_of, signable, signer_of_order
from chalicelib.domain.signed.settings import DeskSettings, Domain
from tests.apis.taker.cases import (
    CONFLICT,
    FORBIDDEN,
    INVALID,
    NO_FUNDS,
    SINGLE,
    Outcome,
    id_of,
    locked,
    moment,
    new_order,
    nothing_changes,
    of_maker,
    order_body,
    outcome_of,
    totals,
)
from tests.apis.taker.desk import (
    AAPL,
    MAKER,
    MAKER_KEY,
    ORDER,
    OTHER_INSTANCE,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    QUOTE,
    TAKER,
    TSLA,
    UNIT,
    Desk,
    data_of,
    details_of,
    facts_of,
    open_instance,
    sign_order,
)
from tests.case_tables import cases

# --- K32: the vectors --------------------------------------------------------------------------------------------

A = ORDER | {"quantity": "100", "deadline": 1_735_689_600}
B = ORDER
C = ORDER | {
    "is_buy": False, "ticker": "TSLA", "nonce": 2, "price": "200000000000000000001", "quantity": "3000000000000000001",
}  # fmt: skip
R_AND_S = {
    "A": "3c1ec273b71388825e91352eb7539e59220cbbdf2585836cfad8875bf6723da4"
         "6b49d22b268532d654a8a1f8b1367dc28445697c2cde03f89f8dd3bb9b9f3600",
    "B": "3648bc30daa831fb38207705c076a823ab5ecb94d87865bb46c1d5710d55c85a"
         "2c2128190e71d563cc6271efc80cc35c6407f5ad52014b4504651c0b20bdd528",
    "C": "9f86bd201083319aee1c7f275d6083d699444a8e02e8254221c1942350eb2e3d"
         "152897ba3534afdf9133d5253103f0e029f42ca7d4c270e9ec771b9fdf39e356",
}  # fmt: skip
SIGNATURES = {
    "A": f"0x{R_AND_S['A']}1c",
    "B": f"0x{R_AND_S['B']}1c",
    "C": f"0x{R_AND_S['C']}1b",
}
HASH_OF_B = "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11"

VECTORS = cases(
    ("A, encoding only", "A", A, "0x6fe5acdbd536cedd965cb66332203a1558ff987be33ff28d1c7272afeda9573e",
     "0xe2d439bfc6b60c0b6ef3ff6bf12f163d0591ac0e14b3f37dfee4cda246e16def"),
    ("B, a buy", "B", B, "0x6fcdf844630379f1865d225d63c80d9efe859c951e2f78c700da49fc0c30499f", HASH_OF_B),
    ("C, a sell",        "C", C, "0x42a215da4ac8bc342d7a05d107c2d3b3b21a9ea2728b79e88f98ef2f4f3af660",
     "0xa9c8e6ebb7afbee052458a96efdcf4c7d01cb2e5eb7b31fba8057e5cb24e664f"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "order", "struct_hash", "order_hash"), VECTORS)
def test_k32_hashes_and_signatures_of_the_vectors(
    shared: Desk, name: str, order: dict[str, Any], struct_hash: str, order_hash: str
) -> None:
    facts, domain = facts_of(order), shared.settings.domain
    message = signable(domain, facts)
    assert (
        "0x" + keccak(ORDER_TYPE.encode()).hex() == "0x043d6bb5255c8a53a8dd164358b4de5ffb61d13dc332495e185ce15f82cc71b6"
    )
    assert "0x" + message.header.hex() == "0x2c96112fa55657382cc1ad45aed47deba93d96237d10df18585610c5d362e1ae"
    assert "0x" + message.body.hex() == struct_hash
    assert order_hash_of(domain, facts) == order_hash
    assert sign_order(order, MAKER_KEY, shared.settings) == SIGNATURES[name]
    assert signer_of_order(domain, facts, SIGNATURES[name]) == MAKER.lower()


def test_k32_the_vectors_are_created_but_for_the_one_whose_deadline_is_past(desk: Desk) -> None:
    with nothing_changes(desk):
        late = desk.maker_post("/orders", {"order": A, "signature": SIGNATURES["A"]})
        assert (outcome_of(late), list(details_of(late))) == (INVALID, ["deadline"])
    for name, order in (("B", B), ("C", C)):
        created = data_of(desk.maker_post("/orders", {"order": order, "signature": SIGNATURES[name]}))
        assert created["order_hash"] == order_hash_of(desk.settings.domain, facts_of(order))
        assert created["signature"] == SIGNATURES[name]


SIGNED: Any = cases(
    ("as it is",          SIGNATURES["B"],                                200),
    ("its last byte 1",   f"0x{R_AND_S['B']}01",                          200),
    ("in upper case",     "0x" + SIGNATURES["B"][2:].upper(),             200),
    ("its last byte 27",  f"0x{R_AND_S['B']}1b",                          INVALID),
    ("its last byte 0",   f"0x{R_AND_S['B']}00",                          INVALID),
    ("its last byte 29",  f"0x{R_AND_S['B']}1d",                          INVALID),
    ("its last byte 2",   f"0x{R_AND_S['B']}02",                          INVALID),
    ("its first byte 37", "0x37" + SIGNATURES["B"][4:],                   INVALID),
    ("64 bytes",          f"0x{R_AND_S['B']}",                            INVALID),
    ("66 bytes",          SIGNATURES["B"] + "00",                         INVALID),
    ("without 0x",        SIGNATURES["B"][2:],                            INVALID),
    ("of zeros",          "0x" + "00" * 65,                               INVALID),
    ("of ones",           "0x" + "ff" * 64 + "1b",                        INVALID),
    ("no hexadecimal",    "0x" + "zz" * 65,                               INVALID),
    ("empty",             "",                                             INVALID),
    ("a number",          5,                                              INVALID),
    ("of another order",  SIGNATURES["C"],                                INVALID),
    ("another wallet's",  sign_order(B, OTHER_MAKER_KEY, DeskSettings()), INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("signature", "outcome"), SIGNED)
def test_k32_a_signature_is_65_bytes_and_recovers_to_the_maker(desk: Desk, signature: object, outcome: Outcome) -> None:
    """A forged one changes no table, and its order can be created after it."""
    body = {"order": B, "signature": signature}
    if outcome == 200:
        assert data_of(desk.maker_post("/orders", body))["signature"] == SIGNATURES["B"]
        return
    with nothing_changes(desk):
        answer = desk.maker_post("/orders", body)
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, ["signature"])
    assert outcome_of(desk.maker_post("/orders", body | {"signature": SIGNATURES["B"]})) == 200


def test_k32_a_signature_whose_last_byte_is_0_is_one_of_27(shared: Desk) -> None:
    """Of the sell of the vectors, which ends in 27."""
    answer = shared.maker_post("/orders", {"order": C, "signature": f"0x{R_AND_S['C']}00"})
    assert data_of(answer)["signature"] == SIGNATURES["C"]


DOMAINS: Any = cases(
    ("another chain",    {"chain_id": 96}),
    ("another name",     {"name": "RFQ"}),
    ("another version",  {"version": "2"}),
    ("another contract", {"verifying_contract": "0x" + "0c" * 20}),
)  # fmt: skip


@pytest.mark.parametrize("members", DOMAINS)
def test_k32_an_order_that_is_signed_in_another_domain_is_not_its_makers(desk: Desk, members: dict[str, Any]) -> None:
    elsewhere = replace(desk.settings, domain=replace(Domain(), **members))
    order = order_body(desk)["order"]
    body = {"order": order, "signature": sign_order(order, MAKER_KEY, elsewhere)}
    with nothing_changes(desk):
        answer = desk.maker_post("/orders", body)
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, ["signature"])
    desk.change_settings(domain=elsewhere.domain)
    assert outcome_of(desk.maker_post("/orders", body)) == 200


CHANGED: Any = cases(*((name, name, value) for name, value in {
    "principal": OTHER_MAKER, "is_buy": False, "ticker": "TSLA", "price": "2000000000000000000", "quantity": "999",
    "incentive": "99", "deadline": 4_102_444_801, "nonce": 999,
}.items()))  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CHANGED)
def test_every_member_is_signed(shared: Desk, name: str, value: object) -> None:
    body = order_body(shared)
    with nothing_changes(shared):
        answer = shared.maker_post("/orders", body | {"order": body["order"] | {name: value}})
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, ["signature"])


def test_a_wallet_signs_the_same_in_other_hands(shared: Desk) -> None:
    """A signature by eth-account alone, from the type as it is documented, with the members' own names."""
    order = order_body(shared)["order"]
    names = [part.split() for part in ORDER_TYPE.removeprefix("Order(").removesuffix(")").split(",")]
    domain = {"name": "RFQSettlement", "version": "1", "chainId": 97,
              "verifyingContract": "0xCB310C56A19078aA969A922f382613d932D89D83"}  # fmt: skip
    signed = {name: value for name, value in order.items() if name != "is_buy"} | {"isBuy": order["is_buy"]}
    signed |= {name: int(order[name]) for name in ("price", "quantity", "incentive")}
    types = {"Order": [{"name": name, "type": kind} for kind, name in names]}
    signature = Account.sign_message(encode_typed_data(domain, types, signed), MAKER_KEY).signature
    body = {"order": order, "signature": "0x" + bytes(signature).hex()}
    assert outcome_of(shared.maker_post("/orders", body)) == 200


# --- asset and instrument ----------------------------------------------------------------------------------------

UNKNOWN: Any = cases(
    ("an asset that nobody knows",   {"asset": "0x" + "0d" * 20},       ["asset"]),
    ("K1: the stock as the asset",   {"asset": AAPL},                   ["asset"]),
    ("a ticker that nobody knows",   {"ticker": "MSFT"},                ["ticker"]),
    ("a ticker of another exchange", {"exchange": 1},                   ["ticker"]),
    ("both",                         {"asset": TSLA, "ticker": "MSFT"}, ["asset", "ticker"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "fields"), UNKNOWN)
def test_k1_asset_is_a_quote_token_of_the_instance_and_the_stock_an_instrument(
    shared: Desk, members: dict[str, Any], fields: list[str]
) -> None:
    with nothing_changes(shared):
        answer = shared.maker_post("/orders", order_body(shared, **members))
        assert (outcome_of(answer), sorted(details_of(answer))) == (INVALID, fields)


def test_k1_what_is_held_and_moved_is_the_quote_of_the_asset_and_the_stock_of_the_instrument(desk: Desk) -> None:
    locked(desk)
    assert (desk.balance(MAKER, QUOTE)[1], desk.balance(MAKER, AAPL)[1], desk.balance(MAKER, TSLA)[1]) == (1100, 0, 0)
    locked(desk, is_buy=False, ticker="TSLA")
    assert (desk.balance(MAKER, QUOTE)[1], desk.balance(MAKER, TSLA)[1]) == (1200, 1000)


def test_tokens_of_another_instance_are_unknown(desk: Desk) -> None:
    open_instance(desk.database, OTHER_INSTANCE)
    elsewhere = replace(desk, instance=OTHER_INSTANCE)
    elsewhere.credit(MAKER, QUOTE, 5000)
    body = order_body(elsewhere)
    assert outcome_of(elsewhere.maker_post("/orders", body)) == 200
    assert data_of(desk.get("/orders/available")) == []
    assert elsewhere.balance(MAKER, QUOTE) == (3900, 1100)
    assert desk.balance(MAKER, QUOTE)[1] == 0


# --- maker, deadline, nonce, funds -------------------------------------------------------------------------------


def test_only_the_wallet_itself_creates_its_orders(shared: Desk) -> None:
    other = shared.as_maker(OTHER_MAKER_KEY)
    with nothing_changes(shared):
        assert outcome_of(other.maker_post("/orders", order_body(shared))) == FORBIDDEN
    assert outcome_of(other.maker_post("/orders", order_body(other))) == 200


def test_maker_and_wallet_are_the_same_in_any_letter_case(shared: Desk) -> None:
    for maker in (MAKER.lower(), "0x" + MAKER[2:].upper()):
        assert data_of(shared.maker_post("/orders", order_body(shared, maker=maker)))["maker"] == maker


DEADLINES = cases(
    ("a second ahead",                0,         1,         200),
    ("now",                           0,         0,         INVALID),
    ("past",                          0,         -1,        INVALID),
    ("as far ahead as it must be",    2_592_000, 2_592_000, 200),
    ("a second less",                 2_592_000, 2_591_999, INVALID),
    ("past, with a span that is set", 2_592_000, -1,        INVALID),
)  # fmt: skip


@pytest.mark.parametrize(("min_validity_s", "ahead_s", "outcome"), DEADLINES)
def test_a_deadline_lies_ahead(desk: Desk, min_validity_s: int, ahead_s: int, outcome: Outcome) -> None:
    desk.change_settings(min_validity_seconds=min_validity_s)
    body = order_body(desk, deadline=desk.clock.now_s + ahead_s)
    if outcome == 200:
        assert outcome_of(desk.maker_post("/orders", body)) == 200
        return
    with nothing_changes(desk):
        answer = desk.maker_post("/orders", body)
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, ["deadline"])


def test_a_nonce_is_used_once_by_each_maker(desk: Desk) -> None:
    body = order_body(desk, nonce=7)
    order_hash = data_of(desk.maker_post("/orders", body))["order_hash"]
    for again in (body, order_body(desk, nonce=7, quantity="999")):
        with nothing_changes(desk):
            answer = desk.maker_post("/orders", again)
            assert (outcome_of(answer), details_of(answer)) == (CONFLICT, {"order_hash": order_hash})
    other = desk.as_maker(OTHER_MAKER_KEY)
    assert outcome_of(other.maker_post("/orders", order_body(other, nonce=7))) == 200
    assert outcome_of(desk.maker_post("/orders", order_body(desk, nonce=6))) == 200


FUNDS: Any = cases(
    ("a buy: value and incentive",        {},                                                              QUOTE, 1100),
    ("a sell: the quantity",              {"is_buy": False},                                               AAPL,  1000),
    ("a sell: its incentive",             {"is_buy": False},                                               QUOTE, 100),
    ("a buy whose value is rounded down", {"price": str(UNIT * 3 // 2), "quantity": "3", "incentive": "0"}, QUOTE, 4),
)  # fmt: skip


@pytest.mark.parametrize(("members", "asset", "required"), FUNDS)
def test_a_maker_must_own_what_is_held(desk: Desk, members: dict[str, Any], asset: str, required: int) -> None:
    desk.debit(MAKER, asset, desk.balance(MAKER, asset)[0] - required + 1)
    with nothing_changes(desk):
        answer = desk.maker_post("/orders", order_body(desk, **members))
        assert outcome_of(answer) == NO_FUNDS
        assert details_of(answer) == {"asset": asset, "required": str(required), "available": str(required - 1)}
    desk.credit(MAKER, asset, 1)
    before = totals(desk)
    assert outcome_of(desk.maker_post("/orders", order_body(desk, **members))) == 200
    assert desk.balance(MAKER, asset) == (0, required)
    assert totals(desk) == before


def test_what_is_held_already_is_not_available(desk: Desk) -> None:
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0] - 2199)
    new_order(desk)
    answer = desk.maker_post("/orders", order_body(desk))
    assert details_of(answer) == {"asset": QUOTE, "required": "1100", "available": "1099"}


# --- the answer, and what stays ----------------------------------------------------------------------------------


def test_the_answer_is_the_single_object(shared: Desk) -> None:
    body = order_body(shared, principal=TAKER)
    created = data_of(shared.maker_post("/orders", body))
    assert list(created) == SINGLE
    now = moment(shared.clock.now_s)
    expected = {"status": "pending", "filled_quantity": "0", "notes": None, "created_at": now, "updated_at": now}
    assert {name: created[name] for name in expected} == expected
    assert body["order"].items() <= created.items()
    assert created["signature"] == body["signature"]


def test_the_id_is_a_uuid_of_its_own(shared: Desk) -> None:
    ids = {id_of(shared, new_order(shared)) for _ in range(3)}
    assert {str(UUID(each)) for each in ids} == ids
    assert len(ids) == 3


ENDINGS: Any = cases(
    ("cancelled", lambda desk, one: desk.cancel(one)),
    ("rejected",  lambda desk, one: (desk.lock(one), desk.reject(one))),
    ("filled",    lambda desk, one: (desk.lock(one), desk.fill(one, 1000))),
    ("expired",   lambda desk, _: desk.clock.advance(1000)),
    ("suspended", lambda desk, one: desk.commands().suspend(desk.instance, id_of(desk, one))),
)  # fmt: skip


@pytest.mark.parametrize("end", ENDINGS)
def test_k15_a_nonce_stays_used_whatever_becomes_of_its_order(desk: Desk, end: Any) -> None:
    order_hash = new_order(desk, nonce=7, deadline=desk.clock.now_s + 1000)
    end(desk, order_hash)
    answer = desk.maker_post("/orders", order_body(desk, nonce=7))
    assert (outcome_of(answer), details_of(answer)) == (CONFLICT, {"order_hash": order_hash})


def test_k15_a_failed_creation_uses_no_nonce_and_stores_nothing(desk: Desk) -> None:
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0])
    body = order_body(desk, nonce=7)
    with nothing_changes(desk):
        assert outcome_of(desk.maker_post("/orders", body)) == NO_FUNDS
    assert data_of(desk.maker_get("/orders"))["total"] == 0
    assert data_of(desk.maker_get("/orders/maker/next-nonce"))["next_nonce"] == 1
    desk.credit(MAKER, QUOTE, 1100)
    assert outcome_of(desk.maker_post("/orders", body)) == 200


def test_k15_a_stored_order_is_never_judged_again(desk: Desk) -> None:
    """The rules of creation change under it: chain, span of deadlines. It is locked and filled as it was signed."""
    order_hash = new_order(desk, deadline=desk.clock.now_s + 1000)
    desk.change_settings(min_validity_seconds=2_592_000, domain=Domain(chain_id=1))
    desk.debit(MAKER, QUOTE, desk.balance(MAKER, QUOTE)[0])
    assert of_maker(desk, order_hash)["status"] == "pending"
    data_of(desk.lock(order_hash))
    assert data_of(desk.fill(order_hash, 1000))["status"] == "filled"


def test_an_order_of_which_maker_and_principal_differ_pays_the_principal(desk: Desk) -> None:
    principal = "0x" + "0f" * 20
    order_hash = locked(desk, principal=principal)
    data_of(desk.fill(order_hash, 1000))
    assert desk.balance(principal, AAPL) == (1000, 0)
    sell = locked(desk, principal=principal, is_buy=False)
    data_of(desk.fill(sell, 1000))
    assert desk.balance(principal, QUOTE) == (1000, 0)


def test_the_documented_creation(desk: Desk) -> None:
    """The example of the reference, word for word."""
    text = json.dumps({"order": B, "signature": SIGNATURES["B"]})
    created = data_of(desk.maker_post("/orders", text.encode()))
    assert (created["order_hash"], created["status"], created["filled_quantity"]) == (HASH_OF_B, "pending", "0")
