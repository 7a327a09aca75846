"""Tokens: unique by address, and by symbol in any letter case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.ledger.tokens import TokenExists, new_token
from chalicelib.support.outcomes import ReceiptExists
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tokens import Tokens
from chalicelib.tables.writes import Put
from tests.ordering import in_order

GOLD = new_token("tok_01JHMR6K204D9DMWM0Y7FCREPF", "0x" + "a" * 40, "Gold", "Xau", 3, "https://x.test", "METAL")
SILVER = new_token("tok_01JHMR6K204D9DMWM0Y7FCREPG", "0x" + "b" * 40, "Silver", "XAG")
INSTANCE = "inst_x"


@pytest.fixture
def tokens(store: Database) -> Tokens:
    tokens = Tokens(store)
    tokens.register(INSTANCE, GOLD)
    return tokens


def test_a_token_is_as_it_was_registered(tokens: Tokens) -> None:
    assert tokens.get(INSTANCE, GOLD.address) == GOLD
    assert (GOLD.created_at_ms, GOLD.updated_at_ms, GOLD.is_active) == (1_736_937_000_000, 1_736_937_000_000, True)
    assert tokens.get(INSTANCE, SILVER.address) is None
    assert tokens.get("inst_y", GOLD.address) is None


@pytest.mark.parametrize(
    "clash", [{"address": GOLD.address}, {"symbol": "xAU"}, {"address": GOLD.address, "symbol": "xau"}]
)
def test_an_address_or_a_symbol_that_is_taken_registers_nothing(
    tokens: Tokens, store: Database, clash: dict[str, str]
) -> None:
    """T44"""
    before = in_order(store.scan("tokens"))
    with pytest.raises(TokenExists):
        tokens.register(INSTANCE, replace(SILVER, **clash))  # type: ignore[arg-type]
    assert in_order(store.scan("tokens")) == before
    tokens.register("inst_y", replace(SILVER, **clash))  # type: ignore[arg-type]


def test_an_instances_tokens_are_listed_newest_first(tokens: Tokens) -> None:
    tokens.register(INSTANCE, SILVER)
    tokens.register("inst_y", replace(SILVER, symbol="OTHER"))
    assert tokens.of_instance(INSTANCE) == [SILVER, GOLD]
    found = tokens.get_many(INSTANCE, [GOLD.address, "0xnone", GOLD.address, SILVER.address])
    assert found == {GOLD.address: GOLD, SILVER.address: SILVER}
    assert tokens.get_many(INSTANCE, []) == {}


def test_a_receipt_that_is_there_already_stops_the_registration(tokens: Tokens) -> None:
    """T14"""
    receipt = Put("requests", {"scope": "s", "request": "r"}, "attribute_not_exists(#scope)")
    tokens.register(INSTANCE, SILVER, receipt)
    with pytest.raises(ReceiptExists):
        tokens.register(INSTANCE, replace(SILVER, address="0x" + "c" * 40, symbol="NEW"), receipt)
    assert tokens.of_instance(INSTANCE) == [SILVER, GOLD]
