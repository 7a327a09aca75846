"""Whatever goes wrong at whichever call of the dispatcher and the deliverer, every event arrives, under one id.

Each fault strikes at each call in turn, in the dispatcher, the deliverer and the sweep. Then new processes go on: the
stream delivers the batch again, and the sweeps come as time passes. An event may arrive twice; none is lost, none is a
dead letter, and nothing waits in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest

from chalicelib.domain.webhooks.endpoint import DeliveryStatus
from chalicelib.services.webhooks.sending import Answer
from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from tests.faults import FAULTS, Died
from tests.in_memory import database_of, each_call, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.webhooks.world import OK, OPERATOR, URL, Hooks, Receiver, event

SLOW = "https://slow.example.com/"
EVENTS = [event(number) for number in range(1, 4)]
EXPECTED = {one.event_id for one in EVENTS}


@pytest.fixture(scope="module")
def built() -> MemoryDynamoDB:
    """Two endpoints, one of which fails once for each event."""
    client = empty_tables()
    hooks = Hooks(database_of(client))
    hooks.endpoint(URL)
    hooks.endpoint(SLOW)
    return client


def dispatch(hooks: Hooks) -> None:
    hooks.receive(*EVENTS)


def deliver(hooks: Hooks) -> None:
    hooks.work()


def retry(hooks: Hooks) -> None:
    hooks.sweep(after_s=10)


STEPS: list[Callable[[Hooks], None]] = [dispatch, deliver, retry]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_every_event_arrives_whatever_goes_wrong_at_whichever_call(
    built: MemoryDynamoDB, step: Callable[[Hooks], None], fault: str
) -> None:
    for client, faulty in each_call(built, FAULTS[fault]):
        hooks = Hooks(database_of(client))
        hooks.receiver.answers[SLOW] = [Answer(500, "500")] * len(EVENTS) + [OK]
        for before in STEPS[: STEPS.index(step)]:
            before(hooks)
        hooks.over(database_of(faulty))
        try:
            step(hooks)
        except (Died, Unavailable, OutcomeUnknown):
            hooks.starts.clear()
        hooks.over(database_of(client))
        dispatch(hooks)
        hooks.work()
        for _ in range(12):
            hooks.sweep(after_s=60)
        for url in (URL, SLOW):
            got = [request.event_id for request in hooks.receiver.requests if request.url == url]
            assert set(got) == EXPECTED
            assert len(got) <= 2 * len(EVENTS) + 2
        for endpoint in hooks.desk.all(OPERATOR):
            assert endpoint.wake_at_ms is None
            assert endpoint.busy_until_ms == 0
            for status in (DeliveryStatus.WAITING, DeliveryStatus.DEAD):
                assert hooks.desk.deliveries(OPERATOR, endpoint.endpoint_id, status, 10) == []


def resume(hooks: Hooks, endpoint_id: str) -> None:
    hooks.desk.resume(OPERATOR, endpoint_id)


def redeliver(hooks: Hooks, endpoint_id: str) -> None:
    hooks.desk.redeliver(OPERATOR, endpoint_id, EVENTS[0].event_id)


def send_test(hooks: Hooks, endpoint_id: str) -> None:
    hooks.desk.test(OPERATOR, endpoint_id)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", [resume, redeliver, send_test], ids=lambda command: command.__name__)
def test_what_waits_for_an_active_endpoint_is_sent_whatever_an_owners_command_dies_at(
    built: MemoryDynamoDB, command: Callable[[Hooks, str], None], fault: str
) -> None:
    """No event comes later that would wake the endpoint."""
    for client, faulty in each_call(built, FAULTS[fault]):
        hooks = Hooks(database_of(client))
        dispatch(hooks)
        hooks.work()
        hooks.sweep(after_s=60)
        hooks.sweep(after_s=60)
        (one, *_) = [one.endpoint_id for one in hooks.desk.all(OPERATOR) if one.url == URL]
        if command is resume:
            hooks.desk.pause(OPERATOR, one)
            hooks.now_ms += 10_000
            hooks.deliveries.revive(one, EVENTS[0].event_id, hooks.now_ms)
        hooks.over(database_of(faulty))
        with suppress(Died, Unavailable, OutcomeUnknown):
            command(hooks, one)
        hooks.starts.clear()
        hooks.over(database_of(client))
        for _ in range(3):
            hooks.sweep(after_s=60)
        if hooks.desk.get(OPERATOR, one).is_active:
            assert hooks.desk.deliveries(OPERATOR, one, DeliveryStatus.WAITING, 10) == []


def test_a_run_that_has_all_deliverers_does_not_wait_for_leases_of_those_before(built: MemoryDynamoDB) -> None:
    class Dying(Receiver):
        def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
            super().__call__(url, headers, body)
            raise Died

    database = database_of(built.clone())
    hooks = Hooks(database, Dying())
    hooks.receive(*EVENTS)
    while hooks.starts:
        with pytest.raises(Died):
            hooks.deliverer.run(*hooks.starts.pop(0))
    after = Hooks(database, now_ms=hooks.now_ms)
    after.sweep()
    assert after.receiver.requests == []
    after.deliverer.end_leases()
    after.sweep()
    assert {(one.url, one.event_id) for one in after.receiver.requests} == {
        (url, one.event_id) for url in (URL, SLOW) for one in EVENTS[1:]
    }, "the first of each is claimed for a minute"


def test_a_start_that_is_lost_is_made_by_the_sweep(built: MemoryDynamoDB) -> None:
    hooks = Hooks(database_of(built.clone()))

    def lost(*_arguments: object) -> None:
        raise ConnectionError

    hooks.dispatcher._start = lost
    dispatch(hooks)
    assert hooks.receiver.requests == []
    hooks.sweep()
    assert {request.event_id for request in hooks.receiver.requests} == EXPECTED
