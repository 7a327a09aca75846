"""Deliveries: one for each event and endpoint, tried again on schedule, signed, and never to another's endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.domain.feed.event import PUBLIC, customer_subject
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.endpoint import (
    CLOCKS_MS,
    DeliveryStatus,
    EndpointNotActive,
    EndpointStatus,
    Owner,
    UnknownDelivery,
    UnknownEndpoint,
    UrlRefused,
    merchant_owner,
)
from chalicelib.domain.webhooks.retries import PAUSES_S
from chalicelib.services.webhooks import delivering, endpoints
from chalicelib.services.webhooks.dispatching import CACHE_S
from chalicelib.services.webhooks.endpoints import SETTLE_S
from chalicelib.services.webhooks.sending import Answer
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import UnreadableRow
from chalicelib.tables.webhook_deliveries import WebhookDeliveries
from chalicelib.tables.webhooks import QUIET_MS
from tests.faults import WatchedClient
from tests.recording import nobody
from tests.services.webhooks.world import BOOK, INSTANCE, OK, OPERATOR, URL, Hooks, event

FAILED = Answer(500, "500")
DAY_S = 86_400


@pytest.fixture
def hooks(memory_database: Database) -> Hooks:
    return Hooks(memory_database)


def test_an_event_is_posted_once_with_its_id_and_the_catalogues_json(hooks: Hooks) -> None:
    hooks.endpoint()
    happened = event(7)
    hooks.receive(happened)
    hooks.receive(happened)
    hooks.work()
    hooks.sweep(after_s=300)
    (request,) = hooks.receiver.requests
    assert request.url == URL
    assert request.headers["webhook-id"] == happened.event_id
    assert request.headers["webhook-event"] == "order.filled"
    assert json.loads(request.body) == {
        "id": happened.event_id,
        "type": "order.filled",
        "time": "2025-01-15T10:30:00.000Z",
        "log": BOOK,
        "sequence": 7,
        "part": 0,
        "body": {"orderId": "ord_7"},
    }


def test_an_event_that_comes_again_after_it_was_delivered_is_not_sent_again(hooks: Hooks) -> None:
    hooks.endpoint()
    for _ in range(3):
        hooks.receive(event())
        hooks.work()
    assert len(hooks.receiver.requests) == 1


def test_an_endpoint_gets_what_it_wants_and_each_endpoint_its_own_delivery(hooks: Hooks) -> None:
    hooks.endpoint("https://a.example.com/", ("order.*",))
    hooks.endpoint("https://b.example.com/", ("*",), customers=("ben",))
    hooks.receive(event(1), event(2, "trade.executed", PUBLIC), event(3, "order.filled", customer_subject("ben")))
    hooks.work()
    got = sorted((request.url, json.loads(request.body)["sequence"]) for request in hooks.receiver.requests)
    assert got == [("https://a.example.com/", 1), ("https://a.example.com/", 3), ("https://b.example.com/", 3)]


def test_a_merchants_endpoint_gets_its_events_with_the_vendors_body_alone(hooks: Hooks) -> None:
    shop, other = (merchant_owner(INSTANCE, World.SANDBOX, name) for name in ("shop", "other"))
    hooks.endpoint("https://shop.example.com/", owner=shop)
    hooks.endpoint("https://other.example.com/", owner=other)
    assert shop.subject is not None
    hooks.receive(event(1, "EscrowPublished", shop.subject))
    hooks.work()
    (request,) = hooks.receiver.requests
    assert (request.url, json.loads(request.body)) == ("https://shop.example.com/", {"orderId": "ord_1"})
    assert request.headers["webhook-event"] == "EscrowPublished"


def test_another_instances_endpoint_gets_nothing(hooks: Hooks) -> None:
    hooks.endpoint(owner=Owner("inst_other001"))
    hooks.receive(event())
    hooks.work()
    assert hooks.receiver.requests == []


def test_without_an_endpoint_nothing_is_written_and_an_instance_is_read_once_a_second(
    memory_database: Database,
) -> None:
    calls: list[str] = []

    def watch(operation: str, call: object) -> object:
        calls.append(operation)
        return call()  # type: ignore[operator]

    hooks = Hooks(Database(WatchedClient(memory_database._client, watch), memory_database._prefix))
    for number in range(1, 100):
        hooks.receive(event(number))
    assert calls == ["query"]
    hooks.now_ms += int(CACHE_S * 1000)
    hooks.receive(event(100))
    assert calls == ["query", "query"]


def test_an_event_that_is_decided_once_an_endpoint_is_made_or_resumed_reaches_it(hooks: Hooks) -> None:
    """The dispatcher has just read that there is none; the command answers when it has forgotten that."""
    slept: list[float] = []
    hooks.database.pause = slept.append
    hooks.over(hooks.database)
    hooks.receive(event(1))
    one = hooks.desk.create(OPERATOR, URL, ("*",)).endpoint
    assert slept == [SETTLE_S]
    assert SETTLE_S > CACHE_S
    hooks.now_ms += int(SETTLE_S * 1000)
    hooks.receive(event(2))
    hooks.desk.pause(OPERATOR, one.endpoint_id)
    hooks.now_ms += CLOCKS_MS
    hooks.receive(event(3, at_ms=hooks.now_ms))
    hooks.desk.resume(OPERATOR, one.endpoint_id)
    assert slept == [SETTLE_S] * 2
    hooks.now_ms += int(SETTLE_S * 1000)
    hooks.receive(event(4))
    hooks.work()
    assert [json.loads(request.body)["sequence"] for request in hooks.receiver.requests] == [2, 4]


def test_a_failed_delivery_is_tried_ten_times_on_schedule_and_is_a_dead_letter_then(hooks: Hooks) -> None:
    one = hooks.endpoint()
    hooks.receiver.answers[URL] = [FAILED]
    hooks.receive(event())
    hooks.work()
    for number, pause_s in enumerate(PAUSES_S):
        assert len(hooks.receiver.requests) == number + 1
        hooks.sweep(after_s=pause_s - 1)
        assert len(hooks.receiver.requests) == number + 1
        hooks.sweep(after_s=1)
    hooks.sweep(after_s=30 * DAY_S)
    assert hooks.receiver.ids == [event().event_id] * 10
    (dead,) = hooks.desk.deliveries(OPERATOR, one.endpoint_id, DeliveryStatus.DEAD, 10)
    assert (dead.delivery_id, dead.attempts, dead.said) == (event().event_id, 10, "500")
    assert hooks.desk.deliveries(OPERATOR, one.endpoint_id, DeliveryStatus.WAITING, 10) == []


def test_a_dead_letter_is_redelivered_under_its_id(hooks: Hooks) -> None:
    one = hooks.endpoint()
    hooks.receiver.answers[URL] = [FAILED]
    hooks.receive(event())
    hooks.work()
    for pause_s in PAUSES_S:
        hooks.sweep(after_s=pause_s)
    hooks.receiver.answers[URL] = [FAILED, OK]
    hooks.desk.redeliver(OPERATOR, one.endpoint_id, event().event_id)
    hooks.work()
    hooks.sweep(after_s=PAUSES_S[0])
    assert hooks.receiver.ids == [event().event_id] * 12
    assert hooks.desk.delivery(OPERATOR, one.endpoint_id, event().event_id).status is DeliveryStatus.DELIVERED
    with pytest.raises(UnknownDelivery):
        hooks.desk.redeliver(OPERATOR, one.endpoint_id, "evt_none")


def test_an_endpoint_that_is_gone_ends_and_says_from_where_events_are_missing(hooks: Hooks) -> None:
    one = hooks.endpoint()
    hooks.receiver.answers[URL] = [Answer(410, "410")]
    hooks.receive(event(1))
    hooks.work()
    ended = hooks.desk.get(OPERATOR, one.endpoint_id)
    assert (ended.status, ended.reason, ended.cursor) == (EndpointStatus.ENDED, delivering.ENDED, "place")
    hooks.now_ms += CLOCKS_MS
    hooks.receive(event(2, at_ms=hooks.now_ms))
    hooks.sweep(after_s=DAY_S)
    assert len(hooks.receiver.requests) == 1
    assert hooks.desk.delivery(OPERATOR, one.endpoint_id, event(1).event_id).status is DeliveryStatus.DEAD
    with pytest.raises(EndpointNotActive):
        hooks.desk.redeliver(OPERATOR, one.endpoint_id, event(1).event_id)
    with pytest.raises(EndpointNotActive):
        hooks.desk.test(OPERATOR, one.endpoint_id)


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_answer_of_an_earlier_url_does_not_end_an_endpoint(hooks: Hooks, is_removed: bool) -> None:
    """The owner moves the endpoint, or removes it, while the receiver at the earlier URL answers 410."""
    one, moved = hooks.endpoint(), "https://moved.example.com/in"
    hooks.receive(event())

    def posting(url: str, headers: dict[str, str], body: bytes) -> Answer:
        hooks.receiver(url, headers, body)
        if url == moved:
            return OK
        if is_removed:
            nobody(hooks.desk.remove)(OPERATOR, one.endpoint_id)
        else:
            nobody(hooks.desk.change)(OPERATOR, one.endpoint_id, url=moved)
        return Answer(410, "410")

    hooks.deliverer._send = posting
    hooks.work()
    hooks.sweep(after_s=PAUSES_S[0])
    if is_removed:
        assert hooks.desk.all(OPERATOR) == []
    else:
        assert hooks.desk.get(OPERATOR, one.endpoint_id).is_active
        assert [request.url for request in hooks.receiver.requests] == [URL, moved]


def test_t170_what_was_decided_before_an_endpoint_stopped_is_sent_once_it_is_resumed(hooks: Hooks) -> None:
    """The stream is late, and the cursor that the owner is shown begins behind the event."""
    one = hooks.endpoint()
    before = event(1, at_ms=hooks.now_ms)
    hooks.desk.pause(OPERATOR, one.endpoint_id)
    hooks.now_ms += 60_000
    hooks.receive(before, event(2, at_ms=hooks.now_ms))
    hooks.work()
    assert hooks.receiver.requests == []
    hooks.desk.resume(OPERATOR, one.endpoint_id)
    hooks.work()
    assert hooks.receiver.ids == [before.event_id]


def test_a_receiver_that_is_busy_says_when_to_come_again(hooks: Hooks) -> None:
    hooks.endpoint()
    hooks.receiver.answers[URL] = [Answer(429, "429", 120), OK]
    hooks.receive(event())
    hooks.work()
    hooks.sweep(after_s=119)
    assert len(hooks.receiver.requests) == 1
    hooks.sweep(after_s=1)
    assert len(hooks.receiver.requests) == 2


def test_what_waits_when_an_endpoint_is_paused_is_sent_once_it_is_resumed(hooks: Hooks) -> None:
    one = hooks.endpoint()
    hooks.receiver.answers[URL] = [FAILED, OK]
    hooks.receive(event())
    hooks.work()
    paused = hooks.desk.pause(OPERATOR, one.endpoint_id)
    assert (paused.status, paused.reason, paused.cursor) == (
        EndpointStatus.PAUSED,
        endpoints.PAUSED_BY_OWNER,
        "place",
    )
    hooks.sweep(after_s=DAY_S)
    assert len(hooks.receiver.requests) == 1
    assert hooks.desk.resume(OPERATOR, one.endpoint_id).cursor is None
    hooks.work()
    assert len(hooks.receiver.requests) == 2


def test_an_endpoint_for_which_too_many_deliveries_wait_is_paused(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "WAITING_MAX", 5)
    one = hooks.endpoint()
    hooks.receiver.answers[URL] = [FAILED]
    hooks.receive(*map(event, range(1, 7)))
    hooks.work()
    full = hooks.desk.get(OPERATOR, one.endpoint_id)
    assert (full.status, full.reason, full.cursor) == (EndpointStatus.PAUSED, delivering.FULL, "place")
    assert hooks.receiver.requests == []


def test_a_test_event_goes_the_same_way_whatever_the_types(hooks: Hooks) -> None:
    secret = hooks.desk.create(OPERATOR, URL, ("order.filled",))
    delivery_id = hooks.desk.test(OPERATOR, secret.endpoint.endpoint_id)
    hooks.work()
    (request,) = hooks.receiver.requests
    assert (request.event_id, json.loads(request.body)["type"]) == (delivery_id, "webhook.test")


def test_a_secret_that_is_rotated_signs_beside_the_new_one_for_a_day(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", lambda _self, text: _utc(int(text)))
    old = hooks.desk.create(OPERATOR, URL, ("*",))
    new = hooks.desk.rotate(OPERATOR, old.endpoint.endpoint_id)
    assert old.secret != new.secret
    hooks.receive(event(1))
    hooks.work()
    hooks.now_ms += DAY_S * 1000
    hooks.receive(event(2))
    hooks.work()
    during, after = hooks.receiver.requests
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(during.body, dict(during.headers))
    Webhook(new.secret).verify(after.body, dict(after.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(after.body, dict(after.headers))


def test_without_a_master_key_no_secret_is_rotated_and_no_endpoint_made(hooks: Hooks) -> None:
    """The new secret would sign, and nobody would ever be shown it."""
    one = hooks.endpoint()

    def missing() -> bytes:
        raise LookupError

    hooks.desk._master_key = missing
    with pytest.raises(LookupError):
        hooks.desk.rotate(OPERATOR, one.endpoint_id)
    with pytest.raises(LookupError):
        hooks.desk.create(OPERATOR, URL, ("*",))
    assert hooks.desk.all(OPERATOR) == [one]


def _utc(at_s: int) -> object:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_s, UTC)


def test_no_owner_reaches_anothers_endpoint(hooks: Hooks) -> None:
    one = hooks.endpoint()
    stranger = Owner("inst_other001")
    for act in (
        lambda: hooks.desk.get(stranger, one.endpoint_id),
        lambda: hooks.desk.change(stranger, one.endpoint_id, url="https://evil.example.com/"),
        lambda: hooks.desk.pause(stranger, one.endpoint_id),
        lambda: hooks.desk.resume(stranger, one.endpoint_id),
        lambda: hooks.desk.rotate(stranger, one.endpoint_id),
        lambda: hooks.desk.remove(stranger, one.endpoint_id),
        lambda: hooks.desk.test(stranger, one.endpoint_id),
        lambda: hooks.desk.deliveries(stranger, one.endpoint_id, DeliveryStatus.DEAD, 1),
        lambda: hooks.desk.delivery(stranger, one.endpoint_id, event().event_id),
        lambda: hooks.desk.redeliver(stranger, one.endpoint_id, event().event_id),
    ):
        with pytest.raises(UnknownEndpoint):
            act()
    assert hooks.desk.all(stranger) == []
    assert hooks.desk.get(OPERATOR, one.endpoint_id) == one


def test_an_endpoint_is_not_made_for_an_address_that_is_not_public(hooks: Hooks) -> None:
    with pytest.raises(UrlRefused):
        hooks.desk.create(OPERATOR, "https://127.0.0.1/", ("*",))
    one = hooks.endpoint()
    with pytest.raises(UrlRefused):
        hooks.desk.change(OPERATOR, one.endpoint_id, url="http://example.com/")
    assert hooks.desk.all(OPERATOR) == [one]


def test_two_deliverers_of_one_endpoint_do_not_work_at_the_same_time(hooks: Hooks) -> None:
    one = hooks.endpoint()
    hooks.receive(event(1))
    inner: list[int] = []

    def posting(*_request: object) -> Answer:
        hooks.deliverer.run(OPERATOR, one.endpoint_id)
        inner.append(len(hooks.receiver.requests))
        return OK

    hooks.deliverer._send = posting
    hooks.work()
    assert inner == [0]


def test_events_that_come_while_a_deliverer_works_are_sent_by_it(hooks: Hooks) -> None:
    hooks.endpoint()
    hooks.receive(event(1))
    sent: list[str] = []

    def posting(_url: str, headers: dict[str, str], _body: bytes) -> Answer:
        sent.append(headers["webhook-id"])
        if len(sent) < 4:
            nobody(hooks.receive)(event(1 + len(sent)))
        return OK

    hooks.deliverer._send = posting
    hooks.deliverer.run(*hooks.starts.pop())
    assert hooks.starts == []
    assert sent == [event(number).event_id for number in range(1, 5)]


def test_t158_an_endpoint_that_cannot_be_read_keeps_no_other_from_its_events(hooks: Hooks) -> None:
    """The stream would bring the batch again and again, and what comes behind it would wait, of all instances."""
    damaged, other = hooks.endpoint(), hooks.endpoint()
    (row,) = [row for row in hooks.database.scan("webhooks") if row["entry"] == f"endpoint/{damaged.endpoint_id}"]
    hooks.database.put_many("webhooks", [{name: value for name, value in row.items() if name != "url"}])
    hooks.receive(event())
    assert [endpoint_id for _, endpoint_id, _ in hooks.starts] == [other.endpoint_id]
    with pytest.raises(UnreadableRow):
        hooks.desk.all(OPERATOR)


def test_t158_a_delivery_that_cannot_be_read_keeps_no_other_waiting(hooks: Hooks) -> None:
    endpoint = hooks.endpoint()
    hooks.receive(event(1))
    key = {"owner": f"endpoint/{endpoint.endpoint_id}", "entry": event(1).event_id}
    row = hooks.database.get("webhooks", key)
    assert row is not None
    hooks.database.put_many("webhooks", [row | {"payload": b"?", "is_compressed": True}])
    hooks.work()
    hooks.receive(event(2))
    hooks.work()
    assert hooks.receiver.ids == [event(2).event_id]


def test_a_deliverer_whose_time_is_over_starts_another(hooks: Hooks) -> None:
    hooks.endpoint()
    hooks.receive(*map(event, range(1, 20)))

    def posting(url: str, headers: dict[str, str], body: bytes) -> Answer:
        hooks.now_ms += delivering.RUN_MS // 10
        return hooks.receiver(url, headers, body)

    hooks.deliverer._send = posting
    hooks.deliverer.run(*hooks.starts.pop())
    assert len(hooks.starts) == 1
    assert len(hooks.receiver.requests) == 16
    hooks.work()
    assert len(set(hooks.receiver.ids)) == 19


def test_a_deliverer_whose_time_is_over_starts_another_although_more_is_noted_at_that_moment(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the endpoint's events wait until its lease ends, for the rest of a minute and a half."""
    hooks.endpoint()
    hooks.receive(event(1))
    waiting = WebhookDeliveries.waiting

    def posting(url: str, headers: dict[str, str], body: bytes) -> Answer:
        hooks.now_ms += delivering.RUN_MS
        return hooks.receiver(url, headers, body)

    def noted_meanwhile(*arguments: Any) -> list[str]:
        nobody(hooks.receive)(event(2))
        return waiting(*arguments)

    hooks.deliverer._send = posting
    monkeypatch.setattr(WebhookDeliveries, "waiting", noted_meanwhile)
    hooks.deliverer.run(*hooks.starts.pop())
    monkeypatch.undo()
    hooks.work()
    assert hooks.receiver.ids == [event(1).event_id, event(2).event_id]


def test_a_deliverer_that_fails_lets_another_go_on_before_its_lease_ends(hooks: Hooks) -> None:
    hooks.endpoint()
    hooks.receive(event(1), event(2))

    def posting(*_request: object) -> Answer:
        raise Unavailable

    hooks.deliverer._send = posting
    with pytest.raises(Unavailable):
        hooks.work()
    hooks.deliverer._send = hooks.receiver
    hooks.sweep(after_s=delivering.FAILED_MS / 1000)
    assert hooks.receiver.ids == [event(2).event_id], "the first is claimed for a minute"


def test_a_delivery_that_the_index_does_not_name_yet_is_sent_later(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start has come to a deliverer at work, which looks by the index alone and finds nothing."""
    one = hooks.endpoint()
    hooks.receive(event())
    monkeypatch.setattr(WebhookDeliveries, "waiting", lambda *_arguments: [])
    monkeypatch.setattr(WebhookDeliveries, "next_ms", lambda *_arguments: None)
    hooks.deliverer.run(OPERATOR, one.endpoint_id)
    assert hooks.receiver.requests == []
    monkeypatch.undo()
    hooks.starts.clear()
    hooks.sweep(after_s=QUIET_MS / 1000)
    assert hooks.receiver.ids == [event().event_id]
