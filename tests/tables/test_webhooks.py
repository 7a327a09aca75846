"""Webhook endpoints, claims and wake-ups on the engines: every write is conditional."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from chalicelib.domain.webhooks.endpoint import (
    ENDPOINTS_MAX,
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointStatus,
    Owner,
    TooManyEndpoints,
    UnknownEndpoint,
)
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import WebhookEndpoints
from tests import lossy_endpoint

_numbers = count(1)
NOW_MS = 1_736_937_000_000


@pytest.fixture(params=["embedded_database", "memory_database"])
def store(request: pytest.FixtureRequest) -> Database:
    """Empty tables, on each engine that knows statements."""
    database: Database = request.getfixturevalue(request.param)
    return database


@pytest.fixture
def owner() -> Owner:
    return Owner(f"inst_w{next(_numbers)}")


def endpoint(owner: Owner, name: str = "", **members: object) -> Endpoint:
    values: dict[str, object] = {"url": "https://example.com/", "types": ("*",), "made_at_ms": NOW_MS}
    return Endpoint(owner=owner, endpoint_id=f"we_{owner.instance}{name}", **values | members)  # type: ignore[arg-type]


def delivery(of: Endpoint, name: str = "evt_1", **members: object) -> Delivery:
    values: dict[str, object] = {"type": "order.filled", "payload": b"{}", "made_at_ms": NOW_MS, "at_ms": NOW_MS}
    return Delivery(endpoint_id=of.endpoint_id, delivery_id=name, **values | members)  # type: ignore[arg-type]


def created(store: Database, owner: Owner) -> Endpoint:
    one = endpoint(owner)
    WebhookEndpoints(store).create(one)
    return one


def test_an_endpoint_is_read_as_it_was_stored(store: Database, owner: Owner) -> None:
    table = WebhookEndpoints(store)
    one = endpoint(owner, customers=("ann",), description="mine")
    table.create(one)
    assert table.find(owner, one.endpoint_id) == one
    assert table.of_owner(owner) == [one]
    assert table.find(Owner("inst_other"), one.endpoint_id) is None


def test_an_owner_has_a_bounded_number_of_endpoints(store: Database, owner: Owner) -> None:
    table = WebhookEndpoints(store)
    for number in range(ENDPOINTS_MAX):
        table.create(endpoint(owner, f"_{number:02}"))
    with pytest.raises(TooManyEndpoints):
        table.create(endpoint(owner, "_more"))
    table.remove(owner, endpoint(owner, "_00").endpoint_id)
    table.create(endpoint(owner, "_more"))
    assert len(table.of_owner(owner)) == ENDPOINTS_MAX


def test_an_endpoint_is_removed_once_and_only_by_its_owner(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    with pytest.raises(UnknownEndpoint):
        table.remove(Owner("inst_other"), one.endpoint_id)
    table.remove(owner, one.endpoint_id)
    with pytest.raises(UnknownEndpoint):
        table.remove(owner, one.endpoint_id)
    with pytest.raises(UnknownEndpoint):
        table.change(owner, one.endpoint_id, url="https://example.org/")
    assert table.note(one, NOW_MS) is None
    assert table.of_owner(owner) == []


def test_a_change_sets_members(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    changed = table.change(owner, one.endpoint_id, types=("order.*",), description="mine")
    assert changed == replace(one, types=("order.*",), description="mine")
    assert table.find(owner, one.endpoint_id) == changed


def test_an_endpoint_that_is_resumed_is_looked_at_and_no_longer_says_why_it_stopped(
    store: Database, owner: Owner
) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    table.stop(owner, one.endpoint_id, EndpointStatus.PAUSED, "why", "place", NOW_MS)
    resumed = table.resume(owner, one.endpoint_id, NOW_MS + 1)
    assert resumed == replace(one, notes=1, noted_at_ms=NOW_MS + 1, wake_at_ms=NOW_MS + 1)
    assert (owner, one.endpoint_id) in list(table.to_wake(NOW_MS + 1))
    with pytest.raises(UnknownEndpoint):
        table.resume(owner, "we_none", NOW_MS)
    assert table.find(owner, "we_none") is None


def test_one_deliverer_at_a_time_has_the_lease_of_an_endpoint(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    first = table.acquire(owner, one.endpoint_id, "first", NOW_MS, NOW_MS + 10)
    assert first is not None
    assert table.acquire(owner, one.endpoint_id, "late", NOW_MS + 9, NOW_MS + 20) is None
    second = table.acquire(owner, one.endpoint_id, "second", NOW_MS + 10, NOW_MS + 20)
    assert second is not None
    assert not table.release(first, None)
    assert table.release(second, None)
    assert list(table.to_wake(NOW_MS + 100)) == []


def test_who_loses_a_lease_in_the_same_millisecond_does_not_take_the_winners_for_its_own(
    owner: Owner, memory_database: Database
) -> None:
    """The loser's first attempt is lost, and its second finds the lease of the other, with the same end."""
    table, one = WebhookEndpoints(memory_database), created(memory_database, owner)

    class Overtaken(lossy_endpoint.Endpoint):
        def _carried_out_in_part(self, _operation: str, _body: bytes) -> None:
            assert table.acquire(owner, one.endpoint_id, "other", NOW_MS, NOW_MS + 10)

    lost = lossy_endpoint.LOSSES["applied, once without an answer"]
    with lossy_endpoint.Lossy().over(Overtaken(memory_database._client, lost, at=1)) as client:
        unsure = WebhookEndpoints(Database(client, memory_database._prefix))
        assert unsure.acquire(owner, one.endpoint_id, "mine", NOW_MS, NOW_MS + 10) is None


def test_who_takes_a_lease_and_loses_the_answer_has_it(owner: Owner, memory_database: Database) -> None:
    one = created(memory_database, owner)
    lost = lossy_endpoint.LOSSES["applied, once without an answer"]
    with lossy_endpoint.Lossy().over(lossy_endpoint.Endpoint(memory_database._client, lost, at=1)) as client:
        unsure = WebhookEndpoints(Database(client, memory_database._prefix))
        assert unsure.acquire(owner, one.endpoint_id, "mine", NOW_MS, NOW_MS + 10)


def test_a_stopped_endpoint_is_woken_no_more_and_has_no_lease(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    assert table.note(one, NOW_MS) is not None
    stopped = table.stop(owner, one.endpoint_id, EndpointStatus.PAUSED, "why", "place", NOW_MS)
    assert stopped is not None
    assert (stopped.reason, stopped.cursor, stopped.stopped_at_ms) == ("why", "place", NOW_MS)
    assert table.stop(owner, one.endpoint_id, EndpointStatus.ENDED, "other", None, NOW_MS + 1) == stopped
    assert table.stop(owner, one.endpoint_id, EndpointStatus.ENDED, "other", None, NOW_MS, "https://b.example/") is None
    assert table.acquire(owner, one.endpoint_id, "lease", NOW_MS, NOW_MS + 10) is None
    assert table.note(one, NOW_MS) is None
    assert (owner, one.endpoint_id) not in list(table.to_wake(NOW_MS + 100))


def test_a_rotation_moves_to_the_next_secret(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    rotated = table.rotate(owner, one.endpoint_id, NOW_MS + 10)
    assert (rotated.generations(NOW_MS + 9), rotated.generations(NOW_MS + 10)) == ((2, 1), (2,))
    with pytest.raises(UnknownEndpoint):
        table.rotate(owner, "we_none", NOW_MS)


def test_a_lease_is_not_given_back_past_a_note(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    held = table.acquire(owner, one.endpoint_id, "lease", NOW_MS, NOW_MS + 10)
    assert held is not None
    noted = table.note(one, NOW_MS + 1)
    assert noted is not None
    assert not table.release(held, None)
    assert (owner, one.endpoint_id) in list(table.to_wake(NOW_MS + 1))
    assert table.release(noted, NOW_MS + 5)
    assert (owner, one.endpoint_id) not in list(table.to_wake(NOW_MS + 4))
    assert (owner, one.endpoint_id) in list(table.to_wake(NOW_MS + 5))
    held = table.acquire(owner, one.endpoint_id, "lease", NOW_MS, NOW_MS + 10)
    assert held is not None
    assert table.release(held, None)


def test_a_lease_is_handed_over_past_a_note_but_not_anothers(store: Database, owner: Owner) -> None:
    table, one = WebhookEndpoints(store), created(store, owner)
    held = table.acquire(owner, one.endpoint_id, "mine", NOW_MS, NOW_MS + 10)
    assert held is not None
    assert table.note(one, NOW_MS + 1) is not None
    assert table.hand_over(held, NOW_MS + 2)
    assert (owner, one.endpoint_id) in list(table.to_wake(NOW_MS + 2))
    assert table.acquire(owner, one.endpoint_id, "other", NOW_MS + 2, NOW_MS + 10) is not None
    assert not table.hand_over(held, NOW_MS + 3)


def test_a_claim_whose_answer_is_lost_is_nobodys_and_due_again_when_its_lease_ends(
    owner: Owner, memory_database: Database
) -> None:
    """It stops no deliverer: the endpoint's other deliveries are made meanwhile."""
    one = created(memory_database, owner)
    WebhookDeliveries(memory_database).put([delivery(one)])
    lost = lossy_endpoint.LOSSES["applied, once without an answer"]
    with lossy_endpoint.Lossy().over(lossy_endpoint.Endpoint(memory_database._client, lost, at=1)) as client:
        table = WebhookDeliveries(Database(client, memory_database._prefix))
        assert table.claim(one.endpoint_id, "evt_1", NOW_MS, NOW_MS + 10) is None
        again = table.claim(one.endpoint_id, "evt_1", NOW_MS + 10, NOW_MS + 20)
        assert again is not None
        assert again.attempts == 2


def test_deliveries_are_listed_behind_one_also_among_those_of_one_millisecond(store: Database, owner: Owner) -> None:
    table, one = WebhookDeliveries(store), created(store, owner)
    deliveries = [delivery(one, f"evt_{number}", at_ms=NOW_MS + number // 4) for number in range(10)]
    table.put(deliveries)
    seen: list[Delivery] = []
    while page := table.listed(one.endpoint_id, DeliveryStatus.WAITING, 3, seen[-1] if seen else None):
        seen += page
    assert sorted(seen, key=lambda each: each.delivery_id) == deliveries
    assert [each.at_ms for each in seen] == sorted(each.at_ms for each in deliveries)


def test_a_delivery_that_is_there_is_not_put_again(store: Database, owner: Owner) -> None:
    table, one = WebhookDeliveries(store), created(store, owner)
    long = delivery(one, "evt_2", payload=b'{"a":"' + b"x" * 5000 + b'"}')
    table.put([delivery(one), long])
    claimed = table.claim(one.endpoint_id, "evt_1", NOW_MS, NOW_MS + 10)
    assert claimed is not None
    table.delivered(claimed, "200", NOW_MS + 1)
    table.put([delivery(one), long])
    found = table.find(one.endpoint_id, "evt_1")
    assert found is not None
    assert (found.status, found.said, found.attempts) == (DeliveryStatus.DELIVERED, "200", 1)
    assert table.find(one.endpoint_id, "evt_2") == long
    assert table.waiting(one.endpoint_id, NOW_MS, 10) == ["evt_2"]


def test_of_two_claims_one_wins_until_its_lease_ends(store: Database, owner: Owner) -> None:
    table, one = WebhookDeliveries(store), created(store, owner)
    table.put([delivery(one)])
    assert table.claim(one.endpoint_id, "evt_1", NOW_MS - 1, NOW_MS + 10) is None
    first = table.claim(one.endpoint_id, "evt_1", NOW_MS, NOW_MS + 10)
    assert first is not None
    assert table.claim(one.endpoint_id, "evt_1", NOW_MS + 9, NOW_MS + 20) is None
    second = table.claim(one.endpoint_id, "evt_1", NOW_MS + 10, NOW_MS + 20)
    assert second is not None
    table.buried(first, "late", NOW_MS + 11)
    table.delivered(second, "200", NOW_MS + 12)
    table.failed(second, "late", NOW_MS + 13, NOW_MS + 99)
    found = table.find(one.endpoint_id, "evt_1")
    assert found is not None
    assert (found.status, found.said, found.attempts) == (DeliveryStatus.DELIVERED, "200", 2)


def test_a_dead_delivery_waits_again_with_all_its_attempts(store: Database, owner: Owner) -> None:
    table, one = WebhookDeliveries(store), created(store, owner)
    table.put([delivery(one)])
    claimed = table.claim(one.endpoint_id, "evt_1", NOW_MS, NOW_MS + 10)
    assert claimed is not None
    table.buried(claimed, "500", NOW_MS + 1)
    (dead,) = table.listed(one.endpoint_id, DeliveryStatus.DEAD, 10)
    assert (dead.status, dead.said, dead.at_ms) == (DeliveryStatus.DEAD, "500", NOW_MS + 1)
    assert table.next_ms(one.endpoint_id) is None
    revived = table.revive(one.endpoint_id, "evt_1", NOW_MS + 2)
    assert revived is not None
    assert (revived.status, revived.attempts, revived.at_ms) == (DeliveryStatus.WAITING, 0, NOW_MS + 2)
    assert table.revive(one.endpoint_id, "evt_1", NOW_MS + 3) == revived
    assert table.revive(one.endpoint_id, "evt_none", NOW_MS) is None
    assert table.listed(one.endpoint_id, DeliveryStatus.DEAD, 10) == []
    assert table.next_ms(one.endpoint_id) == NOW_MS + 2


def test_waiting_deliveries_are_counted_up_to_a_bound(store: Database, owner: Owner) -> None:
    table, one = WebhookDeliveries(store), created(store, owner)
    table.put([delivery(one, f"evt_{number}", at_ms=NOW_MS + number) for number in range(5)])
    assert table.count_waiting(one.endpoint_id, 3) == 3
    assert table.count_waiting(one.endpoint_id, 9) == 5
    assert table.waiting(one.endpoint_id, NOW_MS + 3, 2) == ["evt_0", "evt_1"]
    assert [each.delivery_id for each in table.listed(one.endpoint_id, DeliveryStatus.WAITING, 2)] == ["evt_0", "evt_1"]
