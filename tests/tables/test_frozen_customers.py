"""Frozen customers: a row each and a count in the instance's row, changed together (T96)."""

from __future__ import annotations

from contextlib import suppress

import pytest

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.frozen_customers import FrozenCustomers
from chalicelib.tables.tenants import Tenants
from tests.faults import FAULTS, Died, FaultyClient
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB

INSTANCE, OTHER = "inst_demo0001", "inst_demo0002"
NOW_S = 1_736_937_000
LONG = "\U0001f600" * 256
"""The longest name: 1,024 bytes."""


@pytest.fixture
def client() -> MemoryDynamoDB:
    client = empty_tables()
    for ref in ("demo0001", "demo0002"):
        tenants_of(client).create_instance(ref, {"trading"})
    return client


def tenants_of(client: MemoryDynamoDB) -> Tenants:
    return Tenants(database_of(client), lambda: NOW_S)


def frozen_of(client: object) -> FrozenCustomers:
    return FrozenCustomers(database_of(client), lambda: NOW_S)


def test_a_customer_is_frozen_once_and_counted_once(client: MemoryDynamoDB) -> None:
    frozen = frozen_of(client)
    assert [frozen.freeze(INSTANCE, name, why) for name, why in (("ann", "fraud"), (LONG, None), ("ann", "x"))] == [
        True, True, False,
    ]  # fmt: skip
    assert {(one.customer, one.reason, one.frozen_s) for one in frozen.of_instance(INSTANCE)} == {
        ("ann", "fraud", NOW_S),
        (LONG, None, NOW_S),
    }
    assert (tenants_of(client).get(INSTANCE).frozen, tenants_of(client).get(OTHER).frozen) == (2, 0)
    assert (frozen.has(INSTANCE, "ann"), frozen.has(OTHER, "ann"), frozen.has(INSTANCE, "Ann")) == (True, False, False)
    assert [frozen.unfreeze(INSTANCE, "ann"), frozen.unfreeze(INSTANCE, "ann")] == [True, False]
    assert tenants_of(client).get(INSTANCE).frozen == 1


def test_no_customer_of_an_instance_that_does_not_exist_is_frozen(client: MemoryDynamoDB) -> None:
    assert not frozen_of(client).freeze("inst_none0001", "ann", None)
    assert not frozen_of(client).has("inst_none0001", "ann")


def test_other_changes_of_the_instance_keep_the_count(client: MemoryDynamoDB) -> None:
    def meanwhile(instance: object) -> object:
        frozen_of(client).freeze(INSTANCE, "ann", None)
        return instance.without_service("trading")  # type: ignore[attr-defined]

    tenants_of(client).change(INSTANCE, meanwhile)  # type: ignore[arg-type]
    found = tenants_of(client).get(INSTANCE)
    assert (found.frozen, found.services) == (1, frozenset())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_frozen", [False, True])
def test_row_and_count_agree_whatever_goes_wrong(client: MemoryDynamoDB, fault: str, is_frozen: bool) -> None:
    if is_frozen:
        frozen_of(client).freeze(INSTANCE, "ann", None)
    for at in range(1, 30):
        tables = client.clone()
        faulty = FaultyClient(tables, FAULTS[fault], at=at)
        frozen, told = frozen_of(faulty), None
        with suppress(Unavailable, OutcomeUnknown, Died):
            told = frozen.unfreeze(INSTANCE, "ann") if is_frozen else frozen.freeze(INSTANCE, "ann", None)
        has = frozen_of(tables).has(INSTANCE, "ann")
        assert tenants_of(tables).get(INSTANCE).frozen == int(has)
        assert told is None or has is not is_frozen
        if not faulty.has_struck:
            return
    pytest.fail("a freeze takes more than 30 calls")
