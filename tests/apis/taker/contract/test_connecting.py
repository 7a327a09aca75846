"""POST /makers/connect: a wallet proves itself by a message of now, with a nonce of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.signed.settings import Domain
from tests.apis.taker.cases import INVALID, NO_SESSION, Outcome, nothing_changes, outcome_of
from tests.apis.taker.desk import (
    MAKER,
    MAKER_KEY,
    NOW_S,
    OTHER_MAKER,
    OTHER_MAKER_KEY,
    Desk,
    connect_body,
    data_of,
    details_of,
    sign_message,
)
from tests.case_tables import cases

PATH = "/makers/connect"
SIGNATURE = (
    "0xc4044d9ac18461957c529a7ecb8335821e3ea5e0e1ab2d6bf8dbb8d71296225f7d7d69a90c58e87c9611f2266ffa349937f7e5d"
    "dac86f9c02e5ef35f079851c91b"
)
"""By the demo's wallet, of the message with nonce n-0001."""
LINES = [f"Wallet address: {MAKER}", "ChainId: 97", "Timestamp: 2025-01-17T03:00:24Z"]


def signed(desk: Desk, message: str, /, **members: Any) -> dict[str, Any]:
    """Return the body with a message that the wallet signs; a member set to ... is left out."""
    body = {"wallet_address": MAKER, "chain_id": "97", "message": message}
    body |= {"signature": sign_message(message, desk.maker_key)} | members
    return {name: value for name, value in body.items() if value is not ...}


_addresses = iter(range(10**6))


def connect(desk: Desk, body: object) -> Any:
    """Send it from an address of its own, so that none is over its limit."""
    return desk.send("POST", PATH, body=body, client_address=f"client {next(_addresses)}")


def test_the_vector_connects_once_and_not_when_it_is_old(desk: Desk) -> None:
    body = connect_body(desk)
    assert body["signature"] == SIGNATURE
    assert desk.clock.now_s == NOW_S
    assert list(data_of(connect(desk, body))) == ["jwt"]
    assert outcome_of(connect(desk, body)) == NO_SESSION
    desk.clock.advance(301)
    answer = connect(desk, body)
    assert (outcome_of(answer), list(details_of(answer))) == (INVALID, OF_TIME)


def said(*more: str) -> str:
    """Return a message of the usual lines and these."""
    return "\n".join([*LINES, *more])


OF_WALLET, OF_CHAIN, OF_MESSAGE, OF_TIME = ["wallet_address"], ["chain_id"], ["message"], ["timestamp"]
MESSAGES: Any = cases(
    ("in another order",                   "\n".join([*reversed(LINES), "Nonce: a1"]),               200),
    ("other lines among them",             "\n".join(["Hello", "", *LINES, "", "Nonce: a2", "Bye"]), 200),
    ("separated as Windows does",          "\r\n".join([*LINES, "Nonce: a3"]),                       200),
    ("a line break at the end",            said("Nonce: a4", ""),                                    200),
    ("a fraction of a second",             said("Nonce: a5").replace("24Z", "24.123Z"),              200),
    ("an address in lower case",           said("Nonce: a6").replace(MAKER, MAKER.lower()),          200),
    ("a nonce of 128 characters",          "\n".join([*LINES, "Nonce: " + "x" * 128]),               200),
    ("a nonce of words",                   said("Nonce: one two: three"),                            200),
    ("a nonce of 129 characters",          "\n".join([*LINES, "Nonce: " + "x" * 129]),               OF_MESSAGE),
    ("an empty nonce",                     said("Nonce: "),                                          OF_MESSAGE),
    ("no nonce",                           "\n".join(LINES),                                         OF_MESSAGE),
    ("no address",                         "\n".join([*LINES[1:], "Nonce: b1"]),                     OF_MESSAGE),
    ("no chain",                           "\n".join([LINES[0], LINES[2], "Nonce: b2"]),             OF_MESSAGE),
    ("no time",                            "\n".join([*LINES[:2], "Nonce: b3"]),                     OF_MESSAGE),
    ("a nonce twice",                      said("Nonce: b4", "Nonce: b4"),                           OF_MESSAGE),
    ("a line twice",                       "\n".join([*LINES, LINES[1], "Nonce: b4"]),               OF_MESSAGE),
    ("no blank behind a name",             said("Nonce:b5"),                                         OF_MESSAGE),
    ("no colon",                           said("Nonce b5"),                                         OF_MESSAGE),
    ("lines separated by CR alone",        "\r".join([*LINES, "Nonce: b5"]),                         OF_MESSAGE),
    ("an empty message",                   "",                                                       OF_MESSAGE),
    ("an address that is too short",       said("Nonce: b5").replace(MAKER, MAKER[:-1]),             OF_MESSAGE),
    ("a chain in hexadecimal",             said("Nonce: b5").replace("97", "0x61"),                  OF_MESSAGE),
    ("a chain with a zero in front",       said("Nonce: b5").replace("97", "097"),                   OF_MESSAGE),
    ("a time without a zone",              said("Nonce: b5").replace("24Z", "24"),                   OF_MESSAGE),
    ("a fraction without digits",          said("Nonce: b5").replace("24Z", "24.Z"),                 OF_MESSAGE),
    ("a time in Unix seconds",             said("Nonce: b5").replace("2025-01-17T03:00:24Z", str(NOW_S)), OF_MESSAGE),
    ("the year 0",                         said("Nonce: b5").replace("2025", "0000"),                OF_MESSAGE),
    ("a name in another case",             said("nonce: b5"),                                        OF_MESSAGE),
    ("a name in the vendor's other words", said("Nonce: b6").replace("ChainId", "Chain ID"),         OF_MESSAGE),
    ("a time with an offset",              said("Nonce: b7").replace("24Z", "24+00:00"),             OF_MESSAGE),
    ("a time that there is not",           said("Nonce: b8").replace("01-17", "02-30"),              OF_MESSAGE),
    ("another address",                    said("Nonce: b9").replace(MAKER, OTHER_MAKER),            OF_WALLET),
    ("another chain",                      said("Nonce: c1").replace("97", "96"),                    OF_CHAIN),
    ("5 minutes old",                      said("Nonce: c2").replace("03:00:24", "02:55:24"),        200),
    ("a second older",                     said("Nonce: c3").replace("03:00:24", "02:55:23"),        OF_TIME),
    ("5 minutes ahead",                    said("Nonce: c4").replace("03:00:24", "03:05:24"),        200),
    ("a second further",                   said("Nonce: c5").replace("03:00:24", "03:05:25"),        OF_TIME),
)  # fmt: skip


@pytest.mark.parametrize(("message", "outcome"), MESSAGES)
def test_four_lines_of_the_message_count(shared: Desk, message: str, outcome: Any) -> None:
    if outcome == 200:
        assert outcome_of(connect(shared, signed(shared, message))) == 200
        return
    with nothing_changes(shared):
        answer = connect(shared, signed(shared, message))
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, outcome)


LONG = said("Nonce: d1")


def of_length(characters: int) -> str:
    return f"{LONG}\n".ljust(characters, "x")


FIELDS: Any = cases(
    ("all of them",                  {"message": LONG.replace("d1", "d0")}, 200),
    ("2,048 characters",             {"message": of_length(2048)},          200),
    ("a character more",             {"message": of_length(2049)},          OF_MESSAGE),
    ("no wallet",                    {"wallet_address": ...},               OF_WALLET),
    ("no chain",                     {"chain_id": ...},                     OF_CHAIN),
    ("no message",                   {"message": ...},                      OF_MESSAGE),
    ("no signature",                 {"signature": ...},                    ["signature"]),
    ("a wallet too short",           {"wallet_address": MAKER[:-1]},        OF_WALLET),
    ("a chain that is a number",     {"chain_id": 97},                      OF_CHAIN),
    ("a chain with a zero in front", {"chain_id": "097"},                   OF_CHAIN),
    ("another chain",                {"chain_id": "1"},                     OF_CHAIN),
    ("a message that is none",       {"message": [LONG]},                   OF_MESSAGE),
    ("half a letter in a message",   {"message": "\ud800", "signature": SIGNATURE}, OF_MESSAGE),
    ("a signature that is none",     {"signature": "0x12"},                 ["signature"]),
    ("a signature a byte short",     {"signature": SIGNATURE[:-2]},         ["signature"]),
    ("another chain in both",        {"message": LONG.replace("97", "98"), "chain_id": "98"}, OF_CHAIN),
    ("all that is not of the message", {"message": LONG.replace("97", "98").replace("03:00", "04:00"),
     "wallet_address": OTHER_MAKER}, [*OF_WALLET, *OF_CHAIN, *OF_TIME]),
    ("a bad field before a signature of another message", {"chain_id": "1", "signature": SIGNATURE}, OF_CHAIN),
    ("all faults at once",          {"wallet_address": 1, "chain_id": 1, "message": 1, "signature": 1},
     ["wallet_address", "chain_id", "message", "signature"]),
)  # fmt: skip


@pytest.mark.parametrize(("members", "outcome"), FIELDS)
def test_members_of_the_body(shared: Desk, members: dict[str, Any], outcome: Any) -> None:
    message = members.get("message")
    usual = (
        SIGNATURE if "signature" in members else sign_message(message if isinstance(message, str) else LONG, MAKER_KEY)
    )
    body = signed(shared, LONG, **({"signature": usual} | members))
    if outcome == 200:
        assert outcome_of(connect(shared, body)) == 200
        return
    with nothing_changes(shared):
        answer = connect(shared, body)
        assert (outcome_of(answer), list(details_of(answer))) == (INVALID, outcome)


def _flipped(signature: str) -> str:
    return "0x" + ("0" if signature[2] != "0" else "1") + signature[3:]


SIGNERS: Any = cases(
    ("another wallet",    lambda message: sign_message(message, OTHER_MAKER_KEY),            NO_SESSION),
    ("another message",   lambda message: sign_message(message + "x", "0x" + "11" * 32),     NO_SESSION),
    ("a digit off",       lambda message: _flipped(sign_message(message, "0x" + "11" * 32)), NO_SESSION),
    ("nothing but zeros", lambda _: "0x" + "00" * 65,                                        NO_SESSION),
    ("all ones",          lambda _: "0x" + "ff" * 65,                                        NO_SESSION),
)  # fmt: skip


@pytest.mark.parametrize(("sign", "outcome"), SIGNERS)
def test_only_the_wallet_itself_is_let_in(shared: Desk, sign: Any, outcome: Outcome) -> None:
    """A forged signature does not use up the nonce."""
    message = "\n".join([*LINES, f"Nonce: forged {next(_addresses)}"])
    with nothing_changes(shared):
        assert outcome_of(connect(shared, signed(shared, message, signature=sign(message)))) == outcome
    assert outcome_of(connect(shared, signed(shared, message))) == 200


def test_a_nonce_is_a_wallets_own_and_kept_for_a_day(desk: Desk) -> None:
    other = desk.as_maker(OTHER_MAKER_KEY)
    assert outcome_of(connect(desk, connect_body(desk, Nonce="mine"))) == 200
    assert outcome_of(connect(other, connect_body(other, Nonce="mine"))) == 200
    for seconds, outcome in ((86_399, NO_SESSION), (1, 200), (0, NO_SESSION)):
        desk.clock.advance(seconds)
        assert outcome_of(connect(desk, connect_body(desk, Nonce="mine"))) == outcome


def test_an_address_may_try_ten_times_a_minute(desk: Desk) -> None:
    tries = [desk.send("POST", PATH, body=connect_body(desk, Nonce=number)) for number in range(11)]
    assert [outcome_of(each) for each in tries] == [200] * 10 + [(429, 429)]
    assert int(tries[-1].headers["Retry-After"]) >= 1
    elsewhere = desk.send("POST", PATH, body=connect_body(desk, Nonce="elsewhere"), client_address="198.51.100.7")
    assert outcome_of(elsewhere) == 200
    desk.clock.advance(int(tries[-1].headers["Retry-After"]))
    assert json.loads(desk.send("POST", PATH, body=connect_body(desk, Nonce=11)).body)["code"] == 0


def test_a_message_is_for_the_chain_that_its_instance_sets(desk: Desk) -> None:
    elsewhere = desk.change_settings(domain=Domain(chain_id=1))
    assert list(details_of(connect(desk, connect_body(desk)))) == OF_CHAIN
    assert outcome_of(connect(desk, connect_body(elsewhere))) == 200
