"""API tokens, taker keys and escrow keys on each engine: found by text, listed by instance, unique (R9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.tenancy.credentials import CredentialExists, Kind, UnknownCredential, digest_of
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.tenancy.keys import (
    API_TOKENS,
    ESCROW_KEYS,
    TAKER_KEYS,
    ApiToken,
    EscrowKey,
    Permission,
    TakerKey,
    TokenStatus,
)
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from tests.world import INSTANCE, NOW_MS

OTHER_INSTANCE = "inst_other001"
NOW_S = NOW_MS // 1000
TEXT, OTHER_TEXT, THIRD_TEXT = (start + "a" * 24 for start in ("sk_stage_", "sk_production_", "op_stage_"))
SAMPLES: dict[str, tuple[Kind[Any], dict[str, Any], list[dict[str, Any]]]] = {
    "API token": (
        API_TOKENS,
        {"customer": "ann", "permission": Permission.READ},
        [{"status": TokenStatus.BLOCKED}, {"status": TokenStatus.BLOCKED}, {"status": TokenStatus.ACTIVE}],
    ),
    "taker key": (
        TAKER_KEYS,
        {"taker": "0xAb" + "0" * 38},
        [{"is_enabled": False}, {"requires_signature": True}, {"expires_s": NOW_S + 5}, {"expires_s": None}],
    ),
    "escrow key": (
        ESCROW_KEYS,
        {"world": World.SANDBOX, "merchant": "shop"},
        [{"is_enabled": False}, {"is_enabled": False}, {"is_enabled": True}],
    ),
}
"""By kind: what one says of itself, and changes that follow each other."""


class Sample:
    """A kind's credentials in a store, and how one is made."""

    def __init__(self, store: Database, noun: str) -> None:
        self.kind, self.own, self.changes = SAMPLES[noun]
        self.credentials = Credentials(store, self.kind)

    def one(self, text: str = TEXT, instance: str = INSTANCE, made_s: int = NOW_S) -> Any:
        key_id, limit = digest_of(text), RateLimit(3, 1500, 100)
        return self.kind.type(key_id=key_id, instance=instance, made_s=made_s, rate_limit=limit, **self.own)


@pytest.fixture(params=SAMPLES)
def sample(store: Database, request: pytest.FixtureRequest) -> Sample:
    return Sample(store, request.param)


def test_a_credential_is_found_by_its_text_with_all_its_members(store: Database, sample: Sample) -> None:
    sample.credentials.create(sample.one())
    assert sample.credentials.accept(TEXT) == sample.one()
    for unknown in (TEXT.upper(), TEXT + "a", digest_of(TEXT), "sk_stage_" + "\udc80" * 24, ""):
        assert sample.credentials.accept(unknown) is None
    assert TEXT not in str(list(store.scan("tenants")))


def test_a_credential_is_one_owners_in_the_whole_system(sample: Sample) -> None:
    sample.credentials.create(sample.one())
    with pytest.raises(CredentialExists):
        sample.credentials.create(sample.one(instance=OTHER_INSTANCE))
    assert sample.credentials.accept(TEXT) == sample.one()
    assert sample.credentials.of_instance(OTHER_INSTANCE) == []


def test_an_instance_lists_its_own_credentials_oldest_first(sample: Sample) -> None:
    second, first = sample.one(TEXT, made_s=2), sample.one(OTHER_TEXT, made_s=1)
    foreign = sample.one(THIRD_TEXT, OTHER_INSTANCE)
    for each in (second, first, foreign):
        sample.credentials.create(each)
    assert sample.credentials.of_instance(INSTANCE) == [first, second]
    assert sample.credentials.of_instance(OTHER_INSTANCE) == [foreign]
    assert sample.credentials.of_instance("inst_none") == []


def test_every_change_leaves_the_rest_as_it_was(sample: Sample) -> None:
    now = sample.one()
    sample.credentials.create(now)
    for members in ({"rate_limit": RateLimit(bucket=0, refill_per_1000_s=1, per_day=0)}, *sample.changes):
        now = replace(now, **members)
        assert sample.credentials.change(now.key_id, **members) == now
        assert sample.credentials.accept(TEXT) == sample.credentials.of_instance(INSTANCE)[0] == now


def test_a_credential_that_is_deleted_leaves_nothing(store: Database, sample: Sample) -> None:
    sample.credentials.create(sample.one())
    assert sample.credentials.delete(sample.one().key_id) == sample.one()
    assert sample.credentials.accept(TEXT) is None
    assert list(store.scan("tenants")) == []


def test_changing_a_missing_credential_does_not_create_it(store: Database, sample: Sample) -> None:
    for action in (sample.credentials.delete, lambda key_id: sample.credentials.change(key_id, **sample.changes[0])):
        with pytest.raises(UnknownCredential, match=f"no such {sample.kind.noun}: x"):
            action("x")
    assert list(store.scan("tenants")) == []


def test_kinds_do_not_mix(store: Database) -> None:
    tokens, keys = Sample(store, "API token"), Sample(store, "taker key")
    tokens.credentials.create(tokens.one())
    assert keys.credentials.accept(TEXT) is None
    assert keys.credentials.of_instance(INSTANCE) == []


def test_rows_are_as_earlier_versions_wrote_them(store: Database) -> None:
    limit = RateLimit(3, 1500, 100)
    of_any = {"instance": INSTANCE, "made_s": 1, "rate_limit": limit}
    stored = {"owner_instance": INSTANCE, "made_s": 1, "bucket": 3, "refill_per_1000_s": 1500, "per_day": 100}
    Credentials(store, API_TOKENS).create(ApiToken(key_id="a", customer="ann", permission=Permission.READ, **of_any))
    Credentials(store, TAKER_KEYS).create(TakerKey(key_id="b", taker="0xAb", **of_any))
    Credentials(store, ESCROW_KEYS).create(EscrowKey(key_id="c", world=World.SANDBOX, merchant=None, **of_any))
    rows = {row["instance"]: row for row in store.scan("tenants") if row["instance"] != INSTANCE}
    assert rows == {
        "api-token/a": {"instance": "api-token/a", "credential": "api-token"}
        | stored
        | {"customer": "ann", "permission": "READ", "status": "ACTIVE"},
        "taker-key/b": {"instance": "taker-key/b", "credential": "taker-key"}
        | stored
        | {"taker": "0xAb", "expires_s": None, "is_enabled": True, "requires_signature": False},
        "escrow-key/c": {"instance": "escrow-key/c", "credential": "escrow-key"}
        | stored
        | {"world": "sandbox", "merchant": None, "is_enabled": True, "is_read_only": False},
    }
    pointers = [row["credential"] for row in store.scan("tenants") if row["instance"] == INSTANCE]
    assert sorted(pointers) == ["api-token/a", "escrow-key/c", "taker-key/b"]
