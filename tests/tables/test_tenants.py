"""Instances: one row each, changed under optimistic locking by concurrent operators."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import ENDED_KEYS_MAX, VALID_KEYS_MAX, Instance, InstanceStatus, TooManyKeys
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import encode
from chalicelib.tables.settings_rows import CHANGE_TRIES_MAX
from chalicelib.tables.tenants import InstanceExists, Tenants, UnknownInstance
from tests.faults import FAULTS, Call, FaultyClient, WatchedClient, after_another, raising, refusal
from tests.memory.values import size_of_item
from tests.services.books.test_races import at_once

REF, INSTANCE = "test0001", "inst_test0001"
NOW_S = 1_736_937_000
DAY_S = 86_400
READ_UNIT_BYTES = 4096


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> int:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tenants(store: Database, clock: Clock) -> Tenants:
    tenants = Tenants(store, clock)
    tenants.create_instance(REF, {"trading"})
    return tenants


def over(database: Database, client: Any) -> Tenants:
    """Return the tenants of the same tables through another client."""
    return Tenants(Database(client, database._prefix), lambda: NOW_S)


def test_a_key_stands_for_its_instance_its_services_and_its_limit(tenants: Tenants) -> None:
    tenants.add_key(INSTANCE, "key_1", "first", 7)
    tenants.add_key(INSTANCE, "key_2", "second", 0)
    credential = tenants.accept(REF, "first")
    assert credential is not None
    assert (credential.instance, credential.key_id, credential.rate_limit) == (INSTANCE, "key_1", 7)
    assert credential.services == {"trading"}
    assert tenants.accept(REF, "third") is None
    assert tenants.accept("none0001", "first") is None


def test_no_key_is_stored(tenants: Tenants, store: Database) -> None:
    """T3"""
    tenants.add_key(INSTANCE, "key_1", "in clear", 0)
    tenants.rotate_key(INSTANCE, "key_1", "key_2", "in clear too", DAY_S)
    stored = repr(list(store.scan("tenants")))
    assert "in clear" not in stored
    assert stored.count(digest_of("in clear")) == stored.count(digest_of("in clear too")) == 1


def test_an_instance_is_made_once(tenants: Tenants, store: Database) -> None:
    tenants.add_key(INSTANCE, "key_1", "first", 0)
    before = list(store.scan("tenants"))
    with pytest.raises(InstanceExists, match=f"exists already: {INSTANCE}"):
        tenants.create_instance(REF, set())
    assert list(store.scan("tenants")) == before


def test_a_missing_instance_is_not_changed(tenants: Tenants, store: Database) -> None:
    before = list(store.scan("tenants"))
    with pytest.raises(UnknownInstance, match="inst_none0001"):
        tenants.add_key("inst_none0001", "key_1", "first", 0)
    assert list(store.scan("tenants")) == before


def test_a_rotated_key_expires_without_anything_having_run(tenants: Tenants, store: Database, clock: Clock) -> None:
    tenants.add_key(INSTANCE, "key_1", "old", 7)
    tenants.rotate_key(INSTANCE, "key_1", "key_2", "new", 7 * DAY_S)
    before = list(store.scan("tenants"))
    clock.now_s += 7 * DAY_S - 1
    accepted = tenants.accept(REF, "old"), tenants.accept(REF, "new")
    assert [one and (one.key_id, one.rate_limit) for one in accepted] == [("key_1", 7), ("key_2", 7)]
    clock.now_s += 1
    assert tenants.accept(REF, "old") is None
    assert tenants.accept(REF, "new") is not None
    assert list(store.scan("tenants")) == before


def test_an_archived_instance_accepts_no_key_until_it_is_restored(tenants: Tenants) -> None:
    """T4"""
    tenants.add_key(INSTANCE, "key_1", "first", 0)
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert tenants.accept(REF, "first") is None
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert tenants.accept(REF, "first") is not None


def test_the_fullest_row_is_one_read_unit(tenants: Tenants, store: Database, clock: Clock) -> None:
    """Ten valid keys, half of them on their way out, and the ten that ended last: what each request reads."""
    names = [f"key_01JHMR6K204D9DMWM0Y7FCRE{number:02d}" for number in range(20)]
    for name in names[:10]:
        tenants.add_key(INSTANCE, name, name, 999_999_999)
        tenants.change(INSTANCE, lambda found, name=name: found.revoked(name, clock()))
    for old, new in zip(names[10:15], names[15:], strict=True):
        tenants.add_key(INSTANCE, old, old, 999_999_999)
        tenants.rotate_key(INSTANCE, old, new, new, 7 * DAY_S)
    found = tenants.get(INSTANCE)
    assert (len(found.valid_keys(clock())), len(found.keys)) == (VALID_KEYS_MAX, VALID_KEYS_MAX + ENDED_KEYS_MAX)
    (row,) = store.scan("tenants")
    assert READ_UNIT_BYTES // 2 < size_of_item(encode(row)) <= READ_UNIT_BYTES


def test_keys_made_at_once_are_ten_at_most(embedded_database: Database) -> None:
    tenants = Tenants(embedded_database, lambda: NOW_S)
    tenants.create_instance(REF, {"trading"})
    for number in range(6):
        tenants.add_key(INSTANCE, f"key_{number}", f"key {number}", 0)

    def make(number: int) -> bool:
        try:
            Tenants(embedded_database, lambda: NOW_S).add_key(INSTANCE, f"key_x{number}", f"new {number}", 0)
        except TooManyKeys:
            return False
        return True

    made = at_once([lambda number=number: make(number) for number in range(8)])  # type: ignore[misc]
    assert sorted(made) == [False] * 4 + [True] * 4  # type: ignore[type-var]
    assert len(tenants.get(INSTANCE).valid_keys(NOW_S)) == 10
    accepted = [tenants.accept(REF, f"new {number}") is not None for number in range(8)]
    assert accepted == made


def test_a_revocation_is_not_lost_to_another_change_at_the_same_moment(tenants: Tenants, store: Database) -> None:
    """Guarantee 8"""
    tenants.add_key(INSTANCE, "key_1", "first", 0)

    def revoke() -> None:
        tenants.change(INSTANCE, lambda found: found.revoked("key_1", NOW_S))

    in_between = FaultyClient(store._client, after_another(revoke), at=2)
    over(store, in_between).add_key(INSTANCE, "key_2", "second", 0)
    assert in_between.has_struck
    assert tenants.accept(REF, "first") is None
    assert tenants.accept(REF, "second") is not None


def test_a_change_whose_answer_was_lost_is_made_once(tenants: Tenants, store: Database) -> None:
    """The SDK sends the write again and is refused by its condition: the first one has been done."""
    tenants.add_key(INSTANCE, "key_1", "first", 0)
    sent_again = raising(refusal("ConditionalCheckFailedException", "UpdateItem"), after=True)
    repeated = FaultyClient(store._client, sent_again, at=2)
    instance = over(store, repeated).rotate_key(INSTANCE, "key_1", "key_2", "second", DAY_S)
    assert repeated.has_struck
    assert [key.key_id for key in instance.keys] == ["key_1", "key_2"]
    assert tenants.get(INSTANCE) == instance


def test_a_change_that_is_made_already_writes_nothing(tenants: Tenants, store: Database) -> None:
    tenants.add_key(INSTANCE, "key_1", "first", 7)
    before = list(store.scan("tenants"))
    tenants.change(INSTANCE, lambda found: found.with_service("trading"))
    tenants.change(INSTANCE, lambda found: found.limited("key_1", 7, NOW_S))
    assert list(store.scan("tenants")) == before


def test_a_change_whose_answer_is_lost_is_looked_up(tenants: Tenants, store: Database) -> None:
    lost = FaultyClient(store._client, raising(ReadTimeoutError(endpoint_url="http://dynamodb.test"), after=True), at=2)
    over(store, lost).add_key(INSTANCE, "key_1", "first", 0)
    assert [key.key_id for key in tenants.get(INSTANCE).keys] == ["key_1"]


def test_a_change_that_cannot_be_looked_up_is_not_known(memory_database: Database) -> None:
    calls: list[str] = []

    def watch(operation: str, call: Call) -> Any:
        calls.append(operation)
        return FAULTS["outcome unknown" if len(calls) == 2 else "throttled"](operation, call) if calls[1:] else call()

    tenants = Tenants(memory_database, lambda: NOW_S)
    tenants.create_instance(REF, set())
    with pytest.raises(OutcomeUnknown):
        over(memory_database, WatchedClient(memory_database._client, watch)).add_key(INSTANCE, "key_1", "first", 0)
    assert tenants.accept(REF, "first") is not None


def test_a_change_that_keeps_losing_races_is_given_up(memory_database: Database) -> None:
    tenants = Tenants(memory_database, lambda: NOW_S)
    tenants.create_instance(REF, set())
    asked: list[int] = []

    def change(found: Instance) -> Instance:
        asked.append(len(asked))
        tenants.change(INSTANCE, lambda now: now.with_service(f"service {len(asked)}"))
        return found.with_service("trading")

    with pytest.raises(Unavailable):
        tenants.change(INSTANCE, change)
    assert len(asked) == CHANGE_TRIES_MAX
    assert "trading" not in tenants.get(INSTANCE).services


def test_an_instance_of_an_earlier_version_gets_its_first_key(memory_database: Database) -> None:
    row = {"instance": INSTANCE, "credential": "instance", "services": ["trading"], "status": "ACTIVE"}
    memory_database.put_many("tenants", [row])
    tenants = Tenants(memory_database, lambda: NOW_S)
    assert tenants.get(INSTANCE).keys == ()
    tenants.add_key(INSTANCE, "key_1", "first", 0)
    assert tenants.accept(REF, "first") is not None
