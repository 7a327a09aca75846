"""A wallet's signature is good where the wallet meant it: at one instance (K37, K39), in one form (K38).

What strangers learn of instances from connecting: nothing (K40).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jwt
import pytest

from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.signed.settings import DeskSettings, Domain
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from tests.apis.taker.cases import INVALID, NO_SESSION, NOT_FOUND, locked, nothing_changes, order_body, outcome_of
from tests.apis.taker.desk import (
    INSTANCE,
    MAKER_KEY,
    NOW_S,
    OTHER_INSTANCE,
    QUOTE,
    Desk,
    connect_body,
    data_of,
    details_of,
    faulty_fields,
    hash_of,
    open_instance,
    sign_message,
    sign_order,
)
from tests.case_tables import cases

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_addresses = iter(range(10**6))


def connect(desk: Desk, body: Any, instance: str | None = None) -> HttpResponse:
    """Connect from an address of its own. instance: the one in ``X-Instance``."""
    headers = {} if instance is None else {"x-instance": instance}
    client = f"client {next(_addresses)}"
    return desk.send("POST", "/makers/connect", body=body, headers=headers, client_address=client)


def mirrored(signature: str, v: int | None = None) -> str:
    """Return the other signature that recovers the same signer: s taken from the order of the curve, v flipped."""
    r, s, last = signature[2:66], int(signature[66:130], 16), int(signature[130:], 16)
    return f"0x{r}{CURVE_ORDER - s:064x}{55 - last if v is None else v:02x}"


@pytest.fixture
def two(desk: Desk) -> Desk:
    """Two instances, of which the first is the public one."""
    open_instance(desk.database, OTHER_INSTANCE)
    return desk


# --- connecting --------------------------------------------------------------------------------------------------


def test_k37_a_message_that_names_no_instance_is_good_at_the_public_one_only(two: Desk) -> None:
    body = connect_body(two)
    with nothing_changes(two):
        assert outcome_of(connect(two, body, OTHER_INSTANCE)) == NOT_FOUND
    assert outcome_of(connect(two, body, INSTANCE)) == 200


@pytest.mark.parametrize("header", [None, "", OTHER_INSTANCE])
def test_k37_a_message_that_names_its_instance_is_good_there(two: Desk, header: str | None) -> None:
    text = data_of(connect(two, connect_body(two, Instance=OTHER_INSTANCE), header))["jwt"]
    assert jwt.decode(text, options={"verify_signature": False})["iss"] == OTHER_INSTANCE


def test_k37_a_message_is_good_at_no_other_instance_than_it_names(two: Desk) -> None:
    with nothing_changes(two):
        for names, header in ((INSTANCE, OTHER_INSTANCE), (OTHER_INSTANCE, INSTANCE), (INSTANCE, "inst_nobody")):
            answer = connect(two, connect_body(two, Instance=names), header)
            assert (outcome_of(answer), list(details_of(answer))) == (INVALID, ["message"])


def test_k37_a_nonce_is_spent_everywhere(two: Desk) -> None:
    assert outcome_of(connect(two, connect_body(two, Instance=OTHER_INSTANCE))) == 200
    with nothing_changes(two):
        assert outcome_of(connect(two, connect_body(two, Instance=INSTANCE))) == NO_SESSION
        assert outcome_of(connect(two, connect_body(two))) == NO_SESSION


LINES: Any = cases(
    ("twice",             f"Instance: {OTHER_INSTANCE}\nInstance: {OTHER_INSTANCE}"),
    ("two of them",       f"Instance: {INSTANCE}\nInstance: {OTHER_INSTANCE}"),
    ("no blank",          f"Instance:{OTHER_INSTANCE}"),
    ("empty",             "Instance: "),
    ("blanks behind",     f"Instance: {OTHER_INSTANCE} "),
    ("no instance's id",  "Instance: ../x"),
)  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_k37_the_line_is_there_once_and_in_its_form(two: Desk, line: str) -> None:
    message = f"{connect_body(two)['message']}\n{line}"
    body = connect_body(two) | {"message": message, "signature": sign_message(message, MAKER_KEY)}
    with nothing_changes(two):
        for header in (None, OTHER_INSTANCE, INSTANCE):
            assert faulty_fields(connect(two, body, header)) == ["message"]


# --- who learns which instances there are ------------------------------------------------------------------------

SENT: Any = cases(
    ("nothing",                   lambda *_: {}),
    ("no JSON",                   lambda *_: b"{"),
    ("a message that names none", lambda desk, _: connect_body(desk)),
    ("another's signature",       lambda desk, one: connect_body(desk, Instance=one) | {"signature": "0x" + "11" * 65}),
    ("another chain",             lambda desk, one: connect_body(desk, Instance=one, ChainId=5)
                                  | {"signature": "0x" + "11" * 65, "chain_id": "5"}),
    ("an old message",            lambda desk, one: connect_body(desk, Instance=one, Timestamp="2024-01-17T03:00:24Z")),
    ("two chains",                lambda desk, one: connect_body(desk, Instance=one, ChainId=5)),
)  # fmt: skip


@pytest.mark.parametrize("body", SENT)
@pytest.mark.parametrize("state", ["open", "archived", "switched off", "on another chain"])
def test_k40_who_proves_no_wallet_cannot_tell_which_instances_there_are(two: Desk, body: Any, state: str) -> None:
    tenants = Tenants(two.database, lambda: NOW_S)
    if state == "archived":
        tenants.change(OTHER_INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    if state == "switched off":
        tenants.change(OTHER_INSTANCE, lambda found: found.without_service("trading"))
    if state == "on another chain":
        replace(two, instance=OTHER_INSTANCE).change_settings(domain=Domain(chain_id=5))
    with nothing_changes(two):
        there, not_there = (connect(two, body(two, one), one) for one in (OTHER_INSTANCE, "inst_nobody01"))
    assert (there.status, there.body, there.headers) == (not_there.status, not_there.body, not_there.headers)
    assert there.status in (400, 401, 404)


def test_k40_who_proves_a_wallet_is_told(two: Desk) -> None:
    """It would be let in otherwise."""
    assert outcome_of(connect(two, connect_body(two, Instance="inst_nobody01"))) == NOT_FOUND
    replace(two, instance=OTHER_INSTANCE).change_settings(domain=Domain(chain_id=5))
    assert faulty_fields(connect(two, connect_body(two, Instance=OTHER_INSTANCE))) == ["chain_id"]


def test_k40_an_address_that_connects_is_counted_whichever_instance_it_names(two: Desk) -> None:
    names = [f"inst_guess{number:03d}" for number in range(11)]
    tries = [two.send("POST", "/makers/connect", body={}, headers={"x-instance": name}) for name in names]
    assert [each.status for each in tries] == [400] * 10 + [429]


# --- one form ----------------------------------------------------------------------------------------------------


def test_k38_an_order_keeps_its_signature_in_one_form(desk: Desk) -> None:
    body = order_body(desk)
    kept = body["signature"]
    recovery = f"{int(kept[-2:], 16) - 27:02x}"
    for nonce_free, sent in enumerate((kept[:-2] + recovery, "0x" + kept[2:].upper(), kept)):
        answer = desk.maker_post("/orders", body | {"signature": sent})
        if nonce_free == 0:
            assert data_of(answer)["signature"] == kept
        else:
            assert outcome_of(answer) == (409, 409)
    listed = data_of(desk.maker_get("/orders"))["orders"]
    assert [each["signature"] for each in listed] == [kept]


def test_k38_the_other_half_of_the_curve_signs_nothing(desk: Desk) -> None:
    body = order_body(desk)
    with nothing_changes(desk):
        for forged in (mirrored(body["signature"]), mirrored(body["signature"], v=0), mirrored(body["signature"], v=1)):
            sent = body | {"signature": forged}
            assert faulty_fields(desk.maker_post("/orders", sent)) == ["signature"]
            judged = data_of(desk.post("/orders/validate", sent))
            assert (judged["signature_valid"], judged["errors"]) == (False, ["signature_invalid"])
        proof = connect_body(desk)
        assert outcome_of(connect(desk, proof | {"signature": mirrored(proof["signature"])})) == NO_SESSION
    assert outcome_of(connect(desk, proof)) == 200


def test_k38_a_compact_signature_is_none(desk: Desk) -> None:
    """EIP-2098: r, and s with the recovery in its top bit."""
    body = order_body(desk)
    r, s, v = body["signature"][2:66], int(body["signature"][66:130], 16), int(body["signature"][130:], 16)
    compact = f"0x{r}{s | (v - 27) << 255:064x}"
    with nothing_changes(desk):
        assert faulty_fields(desk.maker_post("/orders", body | {"signature": compact})) == ["signature"]
        proof = connect_body(desk)
        assert faulty_fields(connect(desk, proof | {"signature": proof["signature"][:-2]})) == ["signature"]


def test_k38_a_fill_may_write_the_signature_in_either_way(desk: Desk) -> None:
    order_hash = locked(desk)
    (shown,) = data_of(desk.maker_get("/orders", {"order_hash": order_hash}))["orders"]
    order = {name: shown[name] for name in order_body(desk)["order"]}
    recovery = f"{int(shown['signature'][-2:], 16) - 27:02x}"
    for number, signature in enumerate((shown["signature"], shown["signature"][:-2] + recovery)):
        body = {"order": order, "signature": signature, "fill_quantity": "100", "reference_id": f"r{number}"}
        assert data_of(desk.post("/orders/fill", body))["order_hash"] == order_hash
    body |= {"signature": mirrored(shown["signature"]), "reference_id": "r3"}
    with nothing_changes(desk):
        assert faulty_fields(desk.post("/orders/fill", body)) == ["signature"]


# --- orders ------------------------------------------------------------------------------------------------------


def test_k39_an_order_that_is_signed_for_one_instance_is_good_at_no_other(two: Desk) -> None:
    elsewhere = replace(two, instance=OTHER_INSTANCE).change_settings(domain=Domain.of_its_own(OTHER_INSTANCE))
    body = order_body(two)
    with nothing_changes(two):
        assert faulty_fields(elsewhere.maker_post("/orders", body)) == ["signature"]
    assert outcome_of(two.maker_post("/orders", body)) == 200
    own = {"order": body["order"], "signature": sign_order(body["order"], MAKER_KEY, elsewhere.settings)}
    elsewhere.credit(elsewhere.maker, QUOTE, 10**30)
    assert data_of(elsewhere.maker_post("/orders", own))["order_hash"] != hash_of(body["order"], two.settings)
    assert faulty_fields(two.maker_post("/orders", own)) == ["signature"]


def test_k39_no_two_instances_have_one_domain() -> None:
    domains = {Domain.of_its_own(f"inst_{number:08d}") for number in range(100)} | {DeskSettings().domain}
    assert len(domains) == 101
    own = Domain.of_its_own("inst_test0001").verifying_contract
    assert own == "0xc7d038e46af3be01b51e2f87321d3b2a908a1d52", "for good, since orders are signed with it"


def test_k39_what_the_operator_sets_takes_the_place_of_an_own_domain(memory_database: Database) -> None:
    desks, own = TakerDesks(memory_database), Domain.of_its_own(INSTANCE)
    Tenants(memory_database, lambda: NOW_S).create_instance("test0001", {"trading"}, [desks.creation(INSTANCE, own)])
    assert desks.settings(INSTANCE) == DeskSettings(domain=own)
    opened = desks.open_desk(INSTANCE)
    assert opened is not None
    assert opened.settings.domain == own
    changed = desks.change(INSTANCE, lambda found: replace(found, domain=replace(found.domain, chain_id=1)))
    assert changed == DeskSettings(domain=replace(own, chain_id=1))
    assert desks.change(INSTANCE, lambda found: replace(found, domain=Domain())) == DeskSettings()


def test_k39_an_instance_that_names_no_domain_has_the_vendors(two: Desk) -> None:
    """Those that were made before instances had domains of their own, and the public one."""
    assert replace(two, instance=OTHER_INSTANCE).change_settings().settings.domain == Domain()
