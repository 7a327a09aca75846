"""Deliveries of webhooks (table ``webhooks``): every write is conditional, so each may be made twice or too late.

Whoever attempts a delivery claims it first: its time moves to the end of a lease. The condition is that the time has
come, so of two deliverers one wins, and after a crash the delivery is due again when the lease ends. The outcome is
written only if no other claim came in between (``attempts``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from chalicelib.domain.webhooks.endpoint import Delivery, DeliveryStatus, UnknownDelivery, is_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, encode, reads_row
from chalicelib.tables.webhooks import INDEX, TABLE
from chalicelib.tables.writes import ConditionFailed, Put, Update, as_refused

KEPT_DAYS = {DeliveryStatus.WAITING: 35, DeliveryStatus.DELIVERED: 2, DeliveryStatus.DEAD: 30}
"""How long a delivery is kept once it has a status."""
_COMPRESSED_FROM_BYTES = 1024


class WebhookDeliveries:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries; one that is there already, in whatever status, stays as it is."""
        not_exists = "attribute_not_exists(#entry)"
        self._database.write_each([Put(TABLE, _row_of_delivery(one), not_exists) for one in deliveries])

    def find(self, endpoint_id: str, delivery_id: str) -> Delivery | None:
        row = self._database.get(TABLE, _delivery_key(endpoint_id, delivery_id))
        return None if row is None else _delivery_of(row)

    def waiting(self, endpoint_id: str, by_ms: int, limit: int) -> list[str]:
        """Return the ids of deliveries to be tried by this time, longest due first. By the index, which may lag."""
        condition, queue = "#queue = :queue AND #at_ms <= :by", _queue(DeliveryStatus.WAITING, endpoint_id)
        rows = self._database.query(TABLE, condition, {":queue": queue, ":by": by_ms}, IndexName=INDEX, Limit=limit)
        return [row["entry"] for row in islice(rows, limit)]

    def next_ms(self, endpoint_id: str) -> int | None:
        """Return when the first waiting delivery is tried; None if none waits."""
        rows = self._queued(DeliveryStatus.WAITING, endpoint_id, 1)
        return next((int(row["at_ms"]) for row in rows), None)

    def listed(
        self, endpoint_id: str, status: DeliveryStatus, limit: int, after: Delivery | None = None
    ) -> list[Delivery]:
        """Return waiting deliveries, those tried first first, or dead ones, oldest first. after: those behind it."""
        names = [row["entry"] for row in self._queued(status, endpoint_id, limit, after)]
        rows = self._database.get_many(TABLE, [_delivery_key(endpoint_id, name) for name in names])
        found = {row["entry"]: _delivery_of(row) for row in rows}
        return [found[name] for name in names if name in found and found[name].status is status]

    def count_waiting(self, endpoint_id: str, most: int) -> int:
        """Return how many deliveries wait, ``most`` at most."""
        return sum(1 for _ in self._queued(DeliveryStatus.WAITING, endpoint_id, most))

    def claim(self, endpoint_id: str, delivery_id: str, now_ms: int, until_ms: int) -> Delivery | None:
        """Claim a due delivery for one attempt. Return it; None if it is not due, or another has claimed it.

        So it is for a claim whose answer was lost: the delivery is due again when the lease ends.
        """
        is_waiting, is_due = "#queue = :waiting", "#at_ms <= :now"
        update = Update(
            TABLE,
            _delivery_key(endpoint_id, delivery_id),
            "SET #at_ms = :until ADD #attempts :one",
            f"{is_waiting} AND {is_due}",
            {
                ":waiting": _queue(DeliveryStatus.WAITING, endpoint_id),
                ":now": now_ms,
                ":until": until_ms,
                ":one": 1,
            },
        )
        try:
            return _delivery_of(self._database.write(update, as_refused))
        except ConditionFailed:
            return None

    def delivered(self, claimed: Delivery, said: str, now_ms: int) -> None:
        """Record that a claimed delivery was accepted."""
        self._decide(claimed, DeliveryStatus.DELIVERED, said, now_ms, now_ms)

    def failed(self, claimed: Delivery, said: str, now_ms: int, next_ms: int) -> None:
        """Record that the attempt failed and when the next one is."""
        self._decide(claimed, DeliveryStatus.WAITING, said, now_ms, next_ms)

    def buried(self, claimed: Delivery, said: str, now_ms: int) -> None:
        """Record that the last attempt failed: the delivery is a dead letter."""
        self._decide(claimed, DeliveryStatus.DEAD, said, now_ms, now_ms)

    def _decide(self, claimed: Delivery, status: DeliveryStatus, said: str, now_ms: int, at_ms: int) -> None:
        """Write the outcome of an attempt, unless another claim came in between or it was decided otherwise."""
        is_waiting, is_own = "#queue = :waiting", "#attempts = :attempts"
        changes = "SET #status = :status, #said = :said, #at_ms = :at, #expires = :expires"
        values: dict[str, Any] = {
            ":waiting": _queue(DeliveryStatus.WAITING, claimed.endpoint_id),
            ":attempts": claimed.attempts,
            ":status": status.value,
            ":said": said,
            ":at": at_ms,
            ":expires": _expires_s(now_ms, status),
        }
        if status is DeliveryStatus.DELIVERED:
            changes += " REMOVE #queue"
        else:
            changes += ", #queue = :queue"
            values[":queue"] = _queue(status, claimed.endpoint_id)
        key = _delivery_key(claimed.endpoint_id, claimed.delivery_id)
        try:
            self._database.write(Update(TABLE, key, changes, f"{is_waiting} AND {is_own}", values), as_refused)
        except ConditionFailed:
            return

    def revive(self, endpoint_id: str, delivery_id: str, now_ms: int) -> Delivery | None:
        """Make a decided delivery wait again, with all its attempts before it.

        Return it; None if there is none. A waiting one stays as it is.
        """
        exists, is_decided = "attribute_exists(#entry)", "#status <> :waiting"
        waiting = DeliveryStatus.WAITING
        update = Update(
            TABLE,
            _delivery_key(endpoint_id, delivery_id),
            "SET #status = :waiting, #queue = :queue, #at_ms = :now, #attempts = :zero, #expires = :expires",
            f"{exists} AND {is_decided}",
            {
                ":waiting": waiting.value,
                ":queue": _queue(waiting, endpoint_id),
                ":now": now_ms,
                ":zero": 0,
                ":expires": _expires_s(now_ms, waiting),
            },
        )
        try:
            return _delivery_of(self._database.write(update, lambda row: row is not None))
        except ConditionFailed as error:
            return None if error.row is None else _delivery_of(error.row)

    def _queued(
        self, status: DeliveryStatus, endpoint_id: str, limit: int, after: Delivery | None = None
    ) -> Iterator[Row]:
        queue, options = _queue(status, endpoint_id), {}
        if after is not None:
            place = _delivery_key(endpoint_id, after.delivery_id) | {"queue": queue, "at_ms": after.at_ms}
            options = {"ExclusiveStartKey": encode(place)}
        rows = self._database.query(
            TABLE, "#queue = :queue", {":queue": queue}, IndexName=INDEX, Limit=limit, **options
        )
        return islice(rows, limit)


def _delivery_key(endpoint_id: str, delivery_id: str) -> Row:
    if not is_id(delivery_id):
        raise UnknownDelivery(delivery_id)
    return {"owner": f"endpoint/{endpoint_id}", "entry": delivery_id}


def _expires_s(now_ms: int, status: DeliveryStatus) -> int:
    return now_ms // 1000 + KEPT_DAYS[status] * 86_400


def _queue(status: DeliveryStatus, endpoint_id: str) -> str:
    return f"{status.value}/{endpoint_id}"


def _row_of_delivery(delivery: Delivery) -> Row:
    payload = delivery.payload
    is_long = len(payload) >= _COMPRESSED_FROM_BYTES
    return _delivery_key(delivery.endpoint_id, delivery.delivery_id) | {
        "type": delivery.type,
        "payload": zlib.compress(payload) if is_long else payload,
        "is_compressed": is_long,
        "made_at_ms": delivery.made_at_ms,
        "status": delivery.status.value,
        "queue": _queue(delivery.status, delivery.endpoint_id),
        "at_ms": delivery.at_ms,
        "attempts": delivery.attempts,
        "expires": _expires_s(delivery.made_at_ms, DeliveryStatus.WAITING),
    }


@reads_row
def _delivery_of(row: Row) -> Delivery:
    return Delivery(
        endpoint_id=row["owner"].removeprefix("endpoint/"),
        delivery_id=row["entry"],
        type=row["type"],
        payload=zlib.decompress(row["payload"]) if row["is_compressed"] else row["payload"],
        made_at_ms=row["made_at_ms"],
        at_ms=row["at_ms"],
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        said=row.get("said"),
    )
