"""The registry of tokens over the desk: every member, bound, default and error; bad input changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.apis.book.routes import BALANCES, ONE_TOKEN, TOKENS
from chalicelib.domain.ledger.tokens import new_token
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from tests.apis.book.desk import Desk, code_of, fields_of, open_desk
from tests.apis.book.till import TOKEN, data_of, post, posted
from tests.world import BASE, INSTANCE, QUOTE, World

OTHER = "0x" + "e" * 40


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def listed(desk: Desk, **query: str) -> dict[str, Any]:
    return data_of(desk.get(TOKENS, query))


def deactivate(desk: Desk, address: str) -> None:
    """Set a token inactive, as the operator does by hand."""
    row = desk.world.database.get("tokens", {"instance": INSTANCE, "entry": f"token/{address}"})
    assert row is not None
    desk.world.database.put_many("tokens", [row | {"is_active": False}])


def test_a_registered_token_is_answered_with_every_member(desk: Desk) -> None:
    response = post(desk, TOKENS, tokenAddress="0x" + "D" * 40, metadataURI="https://x.test/gold", assetType="METAL",
                    decimals=3)  # fmt: skip
    assert response.status == 201
    token = data_of(response)
    created = token["createdAt"]
    assert token["id"].startswith("tok_")
    assert len(token["id"]) == 30
    assert list(token.items()) == list({
        "id": token["id"], "instanceId": INSTANCE, "tokenAddress": "0x" + "d" * 40, "name": "Gold", "symbol": "XAU",
        "decimals": 3, "metadataURI": "https://x.test/gold", "assetType": "METAL", "isActive": True,
        "createdAt": created, "updatedAt": created,
    }.items())  # fmt: skip
    assert data_of(desk.get(ONE_TOKEN, tokenAddress="0x" + "D" * 40)) == token
    assert listed(desk)["tokens"][0] == token


def test_what_a_token_leaves_out_has_its_default(desk: Desk) -> None:
    token = posted(desk, TOKENS, metadataURI=None, unknown=1)
    assert (token["decimals"], token["metadataURI"], token["assetType"]) == (18, None, None)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "x"), ("name", "é" * 64), ("symbol", "x" * 16), ("decimals", 0), ("decimals", 30),
        ("metadataURI", ""), ("metadataURI", "x" * 2048), ("assetType", "x" * 64), ("decimals", None),
    ],
)  # fmt: skip
def test_a_bound_of_a_token_is_allowed_itself(desk: Desk, member: str, value: object) -> None:
    assert post(desk, TOKENS, **{member: value}).status == 201


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("tokenAddress", value) for value in (..., None, 1, "", "0x" + "d" * 39, "0x" + "d" * 41, "0X" + "d" * 40,
                                                "d" * 42, "0x" + "g" * 40, "0x" + "d" * 40 + "\n")),
        *(("name", value) for value in (..., None, 1, "", "x" * 65, "\ud800", ["x"])),
        *(("symbol", value) for value in (..., None, 1, "", "x" * 17, "\udfff")),
        *(("decimals", value) for value in (-1, 31, "18", 1.5, True, [])),
        *(("metadataURI", value) for value in (1, "x" * 2049, "\ud800", {})),
        *(("assetType", value) for value in (1, "x" * 65, "\ud800")),
    ],
)  # fmt: skip
def test_a_faulty_member_of_a_token_is_named_and_nothing_changes(desk: Desk, member: str, value: object) -> None:
    before = desk.world.tables()
    assert fields_of(post(desk, TOKENS, **{member: value})) == [member]
    assert desk.world.tables() == before


def test_all_faults_of_a_token_are_named_in_the_order_of_its_members(desk: Desk) -> None:
    """T7"""
    faulty = {"assetType": 1, "metadataURI": 1, "decimals": 31, "symbol": "", "name": "", "tokenAddress": ""}
    assert fields_of(post(desk, TOKENS, **faulty)) == list(reversed(faulty))
    assert fields_of(desk.send("POST", TOKENS, body=b"[]")) == ["body"]


@pytest.mark.parametrize("clash", [{"tokenAddress": BASE}, {"symbol": "B"}, {"symbol": "b"}])
def test_an_address_and_a_symbol_whatever_its_case_are_registered_once(desk: Desk, clash: dict[str, str]) -> None:
    """T44"""
    before = desk.world.tables()
    assert code_of(post(desk, TOKENS, **clash)) == (409, "TOKEN_EXISTS")
    assert desk.world.tables() == before


def test_a_symbol_that_differs_in_more_than_the_case_of_a_to_z_is_another(desk: Desk) -> None:
    """T44"""
    assert post(desk, TOKENS, symbol="STRASSE").status == 201
    assert code_of(post(desk, TOKENS, tokenAddress=OTHER, symbol="strasse")) == (409, "TOKEN_EXISTS")
    assert post(desk, TOKENS, tokenAddress=OTHER, symbol="straße").status == 201


def test_tokens_are_listed_newest_first_page_by_page_with_their_number(desk: Desk) -> None:
    posted(desk, TOKENS)
    assert [token["symbol"] for token in listed(desk)["tokens"]] == ["XAU", "Q", "B"]
    page = listed(desk, limit="1", offset="1")
    assert ([token["symbol"] for token in page["tokens"]], page["total"]) == (["Q"], 3)
    assert list(page) == ["tokens", "total"]
    assert listed(desk, offset="3") == {"tokens": [], "total": 3}


def test_an_inactive_token_is_listed_only_where_it_is_asked_for_and_not_shown(desk: Desk) -> None:
    posted(desk, TOKENS)
    deactivate(desk, QUOTE)
    assert [token["symbol"] for token in listed(desk)["tokens"]] == ["XAU", "B"]
    assert listed(desk, activeOnly="true")["total"] == 2
    everything = listed(desk, activeOnly="false")
    assert [(token["symbol"], token["isActive"]) for token in everything["tokens"]] == [
        ("XAU", True), ("Q", False), ("B", True),
    ]  # fmt: skip
    assert code_of(desk.get(ONE_TOKEN, tokenAddress=QUOTE)) == (404, "TOKEN_NOT_FOUND")


@pytest.mark.parametrize("route", [TOKENS, BALANCES])
def test_a_page_of_the_ledger_has_100_rows_by_default_and_500_at_most(desk: Desk, route: str) -> None:
    tokens = Tokens(desk.world.database)
    for number in range(505):
        token = post(desk, TOKENS, tokenAddress=f"0x{number:040x}", symbol=f"S{number}")
        assert token.status == 201
        desk.world.credit("cat", f"0x{number:040x}", 1)
    assert len(tokens.of_instance(INSTANCE)) == 507
    name = {TOKENS: "tokens", BALANCES: "balances"}[route]
    for query, rows in (({}, 100), ({"limit": "500"}, 500), ({"limit": "501"}, 500), ({"limit": "9" * 30}, 500)):
        assert len(data_of(desk.get(route, query, customerRef="cat"))[name]) == rows


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"activeOnly": ""}, "activeOnly"), ({"activeOnly": "True"}, "activeOnly"), ({"activeOnly": "1"}, "activeOnly"),
        ({"limit": "0"}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": ""}, "limit"), ({"limit": "1.5"}, "limit"),
        ({"offset": "-1"}, "offset"), ({"offset": "x"}, "offset"), ({"offset": str(2**31)}, "offset"),
    ],
)  # fmt: skip
def test_a_faulty_query_is_named(desk: Desk, query: dict[str, str], field: str) -> None:
    assert fields_of(desk.get(TOKENS, query)) == [field]


def test_a_query_parameter_given_twice_is_a_fault(desk: Desk) -> None:
    """T25"""
    query = {"limit": ["1", "1"], "activeOnly": ["true", "true"]}
    assert fields_of(desk.send("GET", TOKENS, query=query)) == ["activeOnly", "limit"]


@pytest.mark.parametrize("segment", [OTHER, "x", "0X" + "b" * 40, BASE + "0", BASE + "%20", "x" * 100])
def test_a_token_that_there_is_not_is_not_found(desk: Desk, segment: str) -> None:
    assert code_of(desk.get(ONE_TOKEN, tokenAddress=segment)) == (404, "TOKEN_NOT_FOUND")


@pytest.mark.parametrize("segment", ["%FF", "%zz", "%00", "x" * 101, "%0A"])
def test_a_path_that_is_not_well_encoded_is_refused(desk: Desk, segment: str) -> None:
    assert code_of(desk.get(ONE_TOKEN, tokenAddress=segment)) == (400, "INVALID_PARAM")


def test_a_token_of_another_instance_is_not_there(desk: Desk) -> None:
    """Guarantee 8"""
    token = new_token("tok_01JHMR6K204D9DMWM0Y7FCREPF", OTHER, "Else", "ELSE")
    Tokens(desk.world.database).register("inst_other001", token)
    assert code_of(desk.get(ONE_TOKEN, tokenAddress=OTHER)) == (404, "TOKEN_NOT_FOUND")
    assert listed(desk)["total"] == 2


def test_one_key_registers_one_token_and_gets_one_answer(desk: Desk) -> None:
    """T14: without the key the second request would be TOKEN_EXISTS."""
    first = post(desk, TOKENS, key="token-0001")
    again = post(desk, TOKENS, key="token-0001")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Idempotent-Replay"] == "true"
    assert code_of(post(desk, TOKENS, key="token-0001", name="Silver")) == (409, "IDEMPOTENCY_MISMATCH")
    refused = post(desk, TOKENS, key="token-0002", symbol="B", tokenAddress=OTHER)
    assert code_of(refused) == (409, "TOKEN_EXISTS")
    assert post(desk, TOKENS, key="token-0002", symbol="B", tokenAddress=OTHER).body == refused.body  # T13
    assert code_of(post(desk, TOKENS, key="short")) == (400, "IDEMPOTENCY_KEY_REQUIRED")


def test_tokens_pass_the_gate_like_every_request(desk: Desk) -> None:
    assert code_of(desk.send("GET", TOKENS, key=None)) == (401, "AUTH_REQUIRED")
    response = desk.send("DELETE", TOKENS)
    assert (code_of(response), response.headers["Allow"]) == ((405, "METHOD_NOT_ALLOWED"), "GET, POST")
    assert json.loads(desk.get(TOKENS).body)["metadata"]["instanceId"] == INSTANCE
    assert TOKEN["tokenAddress"] not in desk.get(TOKENS).body
