"""API tokens, on each store: found by the token, listed by the instance, unique in the whole system (R9)."""

from __future__ import annotations

import pytest

from chalicelib.domain.tenancy.api_tokens import (
    ApiToken,
    ApiTokenExists,
    Permission,
    TokenStatus,
    UnknownApiToken,
    token_id_of,
)
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.api_tokens import ApiTokens
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE, NOW_MS

OTHER_INSTANCE = "inst_other001"


def token(text: str, instance: str = INSTANCE, made_s: int = NOW_MS // 1000) -> ApiToken:
    return ApiToken(token_id_of(text), instance, "ann", Permission.READ, made_s, RateLimit(3, 1500, 100))


def test_a_token_is_found_by_its_text_with_everything_that_was_said_of_it(store: Database) -> None:
    tokens = ApiTokens(store)
    tokens.create(token("first"))
    assert tokens.accept("first") == tokens.get(token_id_of("first")) == token("first")
    assert tokens.accept("First") is None
    assert tokens.accept(token_id_of("first")) is None


def test_a_token_is_one_customers_in_the_whole_system(store: Database) -> None:
    tokens = ApiTokens(store)
    tokens.create(token("first"))
    with pytest.raises(ApiTokenExists):
        tokens.create(token("first", OTHER_INSTANCE))
    assert tokens.accept("first") == token("first")
    assert tokens.of_instance(OTHER_INSTANCE) == []


def test_an_instance_lists_its_own_tokens_oldest_first(store: Database) -> None:
    tokens = ApiTokens(store)
    second, first, foreign = token("a", made_s=2), token("b", made_s=1), token("c", OTHER_INSTANCE)
    for each in (second, first, foreign):
        tokens.create(each)
    assert tokens.of_instance(INSTANCE) == [first, second]
    assert tokens.of_instance(OTHER_INSTANCE) == [foreign]
    assert tokens.of_instance("inst_none") == []


def test_a_blocked_token_is_shown_as_blocked_until_it_is_unblocked(store: Database) -> None:
    tokens = ApiTokens(store)
    tokens.create(token("first"))
    for status in (TokenStatus.BLOCKED, TokenStatus.BLOCKED, TokenStatus.ACTIVE):
        changed = tokens.change_status(token_id_of("first"), status)
        assert changed.status is status
        assert tokens.accept("first") == tokens.of_instance(INSTANCE)[0] == changed


def test_a_token_that_there_is_not_cannot_be_changed_into_being(store: Database) -> None:
    tokens = ApiTokens(store)
    for action in (lambda: tokens.get("x"), lambda: tokens.change_status("x", TokenStatus.ACTIVE)):
        with pytest.raises(UnknownApiToken):
            action()
    assert list(store.scan("tenants")) == []
