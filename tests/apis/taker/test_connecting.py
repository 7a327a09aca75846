"""A wallet gets a JWT for a message that it signs: what the message must hold, and how often it is good."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from chalicelib.domain.signed.settings import Domain, jwt_secret_of
from chalicelib.tables.dynamodb import Database
from tests.apis.taker.desk import (
    INSTANCE,
    MAKER,
    MASTER_KEY,
    NOW_S,
    OTHER_INSTANCE,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    Desk,
    connect_body,
    connect_message,
    data_of,
    details_of,
    fault_of,
    faulty_fields,
    open_instance,
    open_taker_desk,
    sign_message,
)
from tests.domain.signed.test_eip712 import MESSAGE, SIGNATURE_OF_B, SIGNATURE_OF_MESSAGE

PUBLISHED = {"wallet_address": MAKER, "chain_id": "97", "message": MESSAGE, "signature": SIGNATURE_OF_MESSAGE}
REFUSED, NOT_FOUND = (401, 401), (404, 404)


def connect(desk: Desk, body: Any, **headers: str) -> Any:
    return desk.send("POST", "/makers/connect", body=body, headers=headers)


def with_message(message: str) -> dict[str, str]:
    return PUBLISHED | {"message": message, "signature": sign_message(message, "0x" + "11" * 32)}


def refuses(desk: Desk, body: Any) -> list[str]:
    """Send a bad body, which changes nothing; return the bad fields."""
    before = desk.tables()
    fields = faulty_fields(connect(desk, body))
    assert desk.tables() == before
    return fields


def test_the_published_message_is_good_once_and_for_five_minutes(desk: Desk) -> None:
    assert connect(desk, PUBLISHED).status == 200
    assert fault_of(connect(desk, PUBLISHED)) == REFUSED
    desk.clock.advance(301)
    assert list(details_of(connect(desk, PUBLISHED))) == ["timestamp"]


def test_the_jwt_is_the_wallets_for_a_day_and_opens_the_makers_endpoints(desk: Desk) -> None:
    text = data_of(connect(desk, PUBLISHED))["jwt"]
    claims = jwt.decode(text, jwt_secret_of(MASTER_KEY, INSTANCE), ["HS256"], options={"verify_exp": False})
    assert claims == {"sub": MAKER.lower(), "iss": INSTANCE, "iat": NOW_S, "exp": NOW_S + 86_400}
    bearer = {"authorization": f"Bearer {text}"}
    nonce = desk.send("GET", "/orders/maker/next-nonce", headers=bearer)
    assert data_of(nonce) == {"maker": MAKER.lower(), "next_nonce": 1}
    desk.clock.advance(86_399)
    assert desk.send("GET", "/orders", headers=bearer).status == 200
    desk.clock.advance(1)
    assert fault_of(desk.send("GET", "/orders", headers=bearer)) == REFUSED


def test_how_long_a_jwt_is_good_is_the_instances_setting(desk: Desk) -> None:
    desk.change_settings(jwt_ttl_seconds=60)
    text = data_of(connect(desk, PUBLISHED))["jwt"]
    claims = jwt.decode(text, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


LINES = MESSAGE.split("\n")
GOOD = {
    "any order": "\n".join(reversed(LINES)),
    "crlf": "\r\n".join(LINES),
    "other lines": "\n".join(["Welcome!", *LINES, "", "nonce: other", "Nonces: 3", "Chain Id: 5"]),
    "a fraction of a second": MESSAGE.replace("24Z", "24.123456789Z"),
    "lower case": MESSAGE.replace(MAKER, MAKER.lower()),
    "nonce with blanks": MESSAGE + " and more: \u00e9",
    "nonce of 128": MESSAGE + "x" * 122,
}


@pytest.mark.parametrize("message", GOOD.values(), ids=GOOD)
def test_the_four_lines_may_be_written_in_these_ways(desk: Desk, message: str) -> None:
    assert connect(desk, with_message(message)).status == 200


BAD = {
    **{f"without {line.partition(':')[0]}": MESSAGE.replace(line, "") for line in LINES},
    **{f"two lines of {line.partition(':')[0]}": f"{MESSAGE}\n{line}" for line in LINES},
    "other case of a name": MESSAGE.replace("ChainId", "chainId"),
    "no blank": MESSAGE.replace("Nonce: ", "Nonce:"),
    "no colon": MESSAGE.replace("Nonce:", "Nonce"),
    "empty nonce": MESSAGE.replace("n-0001", ""),
    "nonce of 129": MESSAGE + "x" * 123,
    "no address": MESSAGE.replace(MAKER, MAKER[:-1]),
    "chain in hexadecimal": MESSAGE.replace("97", "0x61"),
    "chain with zeros": MESSAGE.replace("97", "097"),
    "no such time": MESSAGE.replace("01-17", "02-30"),
    "year zero": MESSAGE.replace("2025", "0000"),
    "offset": MESSAGE.replace("24Z", "24+00:00"),
    "no zone": MESSAGE.replace("24Z", "24"),
    "fraction without digits": MESSAGE.replace("24Z", "24.Z"),
    "unix time": MESSAGE.replace("2025-01-17T03:00:24Z", str(NOW_S)),
    "lines apart by cr": MESSAGE.replace("\n", "\r"),
    "empty": "",
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD)
def test_a_message_without_its_four_lines_once_each_is_bad(desk: Desk, message: str) -> None:
    assert refuses(desk, with_message(message)) == ["message"]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ["wallet_address", "chain_id", "message", "signature"]),
        (PUBLISHED | {"wallet_address": "0x12"}, ["wallet_address"]),
        (PUBLISHED | {"wallet_address": None, "message": None}, ["wallet_address", "message"]),
        (PUBLISHED | {"chain_id": 97}, ["chain_id"]),
        (PUBLISHED | {"chain_id": "x", "signature": 5}, ["chain_id", "signature"]),
        (PUBLISHED | {"message": "x" * 2049}, ["message"]),
        (PUBLISHED | {"message": "\ud800"}, ["message"]),
        (PUBLISHED | {"signature": SIGNATURE_OF_MESSAGE[:-2]}, ["signature"]),
        ({"walletAddress": MAKER, "chainId": "97"}, ["wallet_address", "chain_id", "message", "signature"]),
        (PUBLISHED | {"wallet_address": OTHER_MAKER}, ["wallet_address"]),
        (PUBLISHED | {"chain_id": "98"}, ["chain_id"]),
        (with_message(MESSAGE.replace("97", "98")), ["chain_id"]),
        (with_message(MESSAGE.replace("97", "98")) | {"chain_id": "98"}, ["chain_id"]),
        (
            with_message(MESSAGE.replace("97", "98").replace("03:00", "04:00")) | {"wallet_address": OTHER_MAKER},
            ["wallet_address", "chain_id", "timestamp"],
        ),
    ],
)
def test_all_bad_fields_are_named_at_once(desk: Desk, members: dict[str, Any], fields: list[str]) -> None:
    assert refuses(desk, members) == fields


@pytest.mark.parametrize(("offset_s", "status"), [(-301, 400), (-300, 200), (300, 200), (301, 400)])
def test_a_message_is_of_now_within_five_minutes(desk: Desk, offset_s: int, status: int) -> None:
    desk.clock.advance(offset_s)
    assert connect(desk, PUBLISHED).status == status


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE_OF_B,
        sign_message(MESSAGE, OTHER_MAKER_KEY),
        sign_message(MESSAGE + "\n", "0x" + "11" * 32),
        SIGNATURE_OF_MESSAGE[:-2] + "02",
        "0x" + "00" * 65,
    ],
)
def test_a_signature_that_is_not_the_wallets_is_refused_and_spends_no_nonce(desk: Desk, signature: str) -> None:
    before = desk.tables()
    assert fault_of(connect(desk, PUBLISHED | {"signature": signature})) == REFUSED
    assert desk.tables() == before
    assert connect(desk, PUBLISHED).status == 200


def test_a_bad_field_comes_before_a_wrong_signature(desk: Desk) -> None:
    assert refuses(desk, PUBLISHED | {"chain_id": "1", "signature": SIGNATURE_OF_B}) == ["chain_id"]


def test_a_nonce_is_its_wallets_at_every_instance_for_a_day(desk: Desk) -> None:
    """K37"""
    assert connect(desk, PUBLISHED).status == 200
    assert connect(desk, connect_body(desk.as_maker(OTHER_MAKER_KEY))).status == 200
    open_instance(desk.database, OTHER_INSTANCE)
    assert fault_of(connect(desk, connect_body(desk, Instance=OTHER_INSTANCE))) == REFUSED
    desk.clock.advance(86_399)
    assert fault_of(connect(desk, connect_body(desk))) == REFUSED
    desk.clock.advance(1)
    assert connect(desk, connect_body(desk)).status == 200


def test_a_message_is_checked_against_its_instances_chain(desk: Desk) -> None:
    domain = Domain(chain_id=1)
    mainnet = desk.change_settings(domain=domain)
    assert connect(desk, PUBLISHED).status == 400
    assert "ChainId: 1" in connect_message(mainnet)
    assert connect(desk, connect_body(mainnet)).status == 200


@pytest.mark.parametrize("instance", ["inst_nobody01", "x", "../inst_test0001", "\u00e9", "x" * 2000])
def test_an_instance_that_is_not_there_is_not_found(desk: Desk, instance: str) -> None:
    """K6"""
    assert fault_of(connect(desk, PUBLISHED, **{"x-instance": instance})) == NOT_FOUND


def test_makers_connect_at_the_instance_that_they_name_else_at_the_public_one(desk: Desk) -> None:
    """K6"""
    open_instance(desk.database, OTHER_INSTANCE)
    elsewhere = connect_body(desk, Instance=OTHER_INSTANCE, Nonce="n-2")
    named = data_of(connect(desk, elsewhere, **{"x-instance": OTHER_INSTANCE}))["jwt"]
    public = data_of(connect(desk, PUBLISHED, **{"x-instance": ""}))["jwt"]
    issuers = [jwt.decode(text, options={"verify_signature": False})["iss"] for text in (named, public)]
    assert issuers == [OTHER_INSTANCE, INSTANCE]


def test_without_a_public_instance_one_must_be_named(memory_database: Database) -> None:
    """K6"""
    desk = open_taker_desk(memory_database, public_instance=None)
    assert fault_of(connect(desk, PUBLISHED)) == NOT_FOUND
    assert fault_of(connect(desk, PUBLISHED, **{"x-instance": INSTANCE})) == NOT_FOUND
    assert connect(desk, connect_body(desk, Instance=INSTANCE)).status == 200
