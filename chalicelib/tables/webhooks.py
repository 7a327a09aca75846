"""Webhook endpoints (table ``webhooks``) and their wake-ups; ``webhook_deliveries`` has what is sent to them.

A deliverer works for one endpoint at a time, under a lease of the endpoint (``lease``, until ``busy_until_ms``).
Whoever puts deliveries then adds one to ``notes``; a deliverer gives its lease back only if ``notes`` is what it read
before it last looked for deliveries. So a delivery that a deliverer has not seen keeps the endpoint's wake-up. The
index may lag: an endpoint stays on the list for a minute after its last note (QUIET_MS).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from chalicelib.domain.webhooks.endpoint import (
    ENDPOINTS_MAX,
    Endpoint,
    EndpointStatus,
    Owner,
    TooManyEndpoints,
    UnknownEndpoint,
    is_id,
    owner_of,
)
from chalicelib.support.telemetry import logger
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, UnreadableRow, reads_row
from chalicelib.tables.writes import ConditionFailed, Delete, Put, TransactionRefused, Update, Write, as_refused

TABLE, INDEX = "webhooks", "by_queue"
WAKE = "wake"
QUIET_MS = 60_000
_COUNT = "count"
_WOKEN = "#queue = :wake, #at_ms = :now, #noted_at_ms = :now"


class WebhookEndpoints:
    def __init__(self, database: Database) -> None:
        self._database = database

    # --- endpoints

    def create(self, endpoint: Endpoint) -> None:
        """Store a new endpoint. Raises TooManyEndpoints."""
        owner, not_exists = endpoint.owner, "attribute_not_exists(#entry)"
        none_yet, has_room = "attribute_not_exists(#endpoints)", "#endpoints < :most"
        counted = Update(
            TABLE,
            {"owner": owner.key, "entry": _COUNT},
            "ADD #endpoints :one",
            f"{none_yet} OR {has_room}",
            {":one": 1, ":most": ENDPOINTS_MAX},
        )
        writes: list[Write] = [Put(TABLE, _row_of(endpoint), not_exists), counted]
        try:
            self._database.transact(writes, lambda: self.find(owner, endpoint.endpoint_id) is not None)
        except TransactionRefused as error:
            raise TooManyEndpoints() from error

    def remove(self, owner: Owner, endpoint_id: str) -> None:
        """Delete an endpoint; its deliveries expire. Raises UnknownEndpoint."""
        exists = "attribute_exists(#entry)"
        writes: list[Write] = [
            Delete(TABLE, _key(owner, endpoint_id), exists),
            Update(TABLE, {"owner": owner.key, "entry": _COUNT}, "ADD #endpoints :less", exists, {":less": -1}),
        ]
        try:
            self._database.transact(writes, lambda: self.find(owner, endpoint_id) is None)
        except TransactionRefused as error:
            raise UnknownEndpoint(endpoint_id) from error

    def find(self, owner: Owner, endpoint_id: str) -> Endpoint | None:
        row = self._database.get(TABLE, _key(owner, endpoint_id))
        return None if row is None else _endpoint_of(row)

    def of_owner(self, owner: Owner) -> list[Endpoint]:
        """Return an owner's endpoints, oldest first, read consistently. Raises UnreadableRow."""
        return list(map(_endpoint_of, self._rows_of(owner)))

    def readable_of(self, owner: Owner) -> list[Endpoint]:
        """As ``of_owner``, but one that cannot be read is logged, and keeps no other waiting (T158)."""
        found: list[Endpoint] = []
        for row in self._rows_of(owner):
            try:
                found.append(_endpoint_of(row))
            except UnreadableRow:
                logger.exception("a webhook endpoint cannot be read; its events are not noted")
        return found

    def _rows_of(self, owner: Owner) -> Iterator[Row]:
        condition = "#owner = :owner AND begins_with(#entry, :start)"
        return self._database.query(TABLE, condition, {":owner": owner.key, ":start": "endpoint/"})

    def change(self, owner: Owner, endpoint_id: str, **members: Any) -> Endpoint:
        """Set members of an endpoint; the last change wins. Raises UnknownEndpoint."""
        expression = f"SET {', '.join(f'#{name} = :{name}' for name in members)}"
        values = {f":{name}": list(value) if isinstance(value, tuple) else value for name, value in members.items()}
        exists = "attribute_exists(#entry)"
        update = Update(TABLE, _key(owner, endpoint_id), expression, exists, values)
        try:
            return _endpoint_of(self._database.write(update))
        except ConditionFailed as error:
            raise UnknownEndpoint(endpoint_id) from error

    def rotate(self, owner: Owner, endpoint_id: str, previous_until_ms: int) -> Endpoint:
        """Move to the next secret; the one before it signs until then. Return the endpoint. Raises UnknownEndpoint.

        A lost answer leaves it open whether there is another secret: OutcomeUnknown.
        """
        exists = "attribute_exists(#entry)"
        expression = "SET #previous_until_ms = :until ADD #generation :one"
        update = Update(TABLE, _key(owner, endpoint_id), expression, exists, {":until": previous_until_ms, ":one": 1})
        try:
            return _endpoint_of(self._database.write(update))
        except ConditionFailed as error:
            raise UnknownEndpoint(endpoint_id) from error

    def stop(
        self,
        owner: Owner,
        endpoint_id: str,
        status: EndpointStatus,
        reason: str,
        cursor: str | None,
        now_ms: int,
        url: str | None = None,
    ) -> Endpoint | None:
        """Stop an active endpoint: it is woken no more. Return it; one that is not active stays as it is.

        url: stop it only while it has this one. None: it was removed, or has another URL.
        """
        is_active = "#status = :active"
        has_cursor = ", #cursor = :cursor" if cursor is not None else ""
        values = {":active": EndpointStatus.ACTIVE.value, ":status": status.value, ":reason": reason, ":now": now_ms}
        has_url = " AND #url = :url" if url is not None else ""
        update = Update(
            TABLE,
            _key(owner, endpoint_id),
            f"SET #status = :status, #reason = :reason, #stopped_at_ms = :now{has_cursor} "
            "REMOVE #lease, #busy_until_ms, #queue, #at_ms",
            f"{is_active}{has_url}",
            values | ({":cursor": cursor} if has_cursor else {}) | ({":url": url} if has_url else {}),
        )
        try:
            return _endpoint_of(self._database.write(update, as_refused))
        except ConditionFailed as refused:
            found = None if refused.row is None else _endpoint_of(refused.row)
            return found if found and url in (None, found.url) else None

    def resume(self, owner: Owner, endpoint_id: str, now_ms: int) -> Endpoint:
        """Make an endpoint active, and have a deliverer look at it now. Raises UnknownEndpoint."""
        exists, active = "attribute_exists(#entry)", EndpointStatus.ACTIVE.value
        update = Update(
            TABLE,
            _key(owner, endpoint_id),
            f"SET #status = :active, {_WOKEN} REMOVE #reason, #stopped_at_ms, #cursor ADD #notes :one",
            exists,
            {":active": active, ":wake": WAKE, ":now": now_ms, ":one": 1},
        )
        try:
            return _endpoint_of(self._database.write(update))
        except ConditionFailed as error:
            raise UnknownEndpoint(endpoint_id) from error

    # --- wake-ups

    def note(self, endpoint: Endpoint, now_ms: int) -> Endpoint | None:
        """Note that deliveries were put, so that a deliverer looks at the endpoint now. Return it as it is then.

        None: it was removed or is not active.
        """
        is_active = "#status = :active"
        update = Update(
            TABLE,
            _key(endpoint.owner, endpoint.endpoint_id),
            f"SET {_WOKEN} ADD #notes :one",
            is_active,
            {":wake": WAKE, ":now": now_ms, ":one": 1, ":active": EndpointStatus.ACTIVE.value},
        )
        try:
            return _endpoint_of(self._database.write(update))
        except ConditionFailed:
            return None

    def to_wake(self, now_ms: int) -> Iterator[tuple[Owner, str]]:
        """Yield the endpoints that a deliverer should look at, longest due first."""
        condition, values = "#queue = :queue AND #at_ms <= :now", {":queue": WAKE, ":now": now_ms}
        for row in self._database.query(TABLE, condition, values, IndexName=INDEX):
            yield owner_of(row["owner"]), row["entry"].removeprefix("endpoint/")

    def acquire(self, owner: Owner, endpoint_id: str, lease: str, now_ms: int, until_ms: int) -> Endpoint | None:
        """Take the lease of an endpoint. Return the endpoint; None if another has the lease, or it is not active.

        lease: its name. It must be unique: two that take it in the same millisecond write the same otherwise, and one
        whose answer is lost would take the other's for its own.
        """
        is_free, is_active = "(attribute_not_exists(#busy_until_ms) OR #busy_until_ms <= :now)", "#status = :active"
        update = Update(
            TABLE,
            _key(owner, endpoint_id),
            "SET #lease = :lease, #busy_until_ms = :until, #queue = :wake, #at_ms = :until",
            f"{is_active} AND {is_free}",
            {
                ":lease": lease,
                ":until": until_ms,
                ":now": now_ms,
                ":wake": WAKE,
                ":active": EndpointStatus.ACTIVE.value,
            },
        )
        try:
            return _endpoint_of(self._database.write(update, lambda row: row is not None and row.get("lease") == lease))
        except ConditionFailed:
            return None

    def release(self, endpoint: Endpoint, next_ms: int | None) -> bool:
        """Give the lease back and set the next wake-up (None: none). endpoint: as last read.

        Return False if deliveries were noted since, or the lease is another's now; then nothing is changed.
        """
        nothing_noted = "#notes = :notes"
        return self._give_back(endpoint, next_ms, f" AND {nothing_noted}", {":notes": endpoint.notes})

    def hand_over(self, endpoint: Endpoint, at_ms: int) -> bool:
        """Give the lease back and have a deliverer look at the endpoint then, so whatever was noted since is seen.

        Return False if the lease is another's now; then nothing is changed.
        """
        return self._give_back(endpoint, at_ms, "", {})

    def _give_back(self, endpoint: Endpoint, next_ms: int | None, more: str, values: dict[str, Any]) -> bool:
        """Give the lease back if it is the endpoint's own, and ``more`` holds. Return whether it was."""
        is_own = "#lease = :lease"
        values = {":lease": endpoint.lease, **values}
        expression = "REMOVE #lease, #busy_until_ms, #queue, #at_ms"
        if next_ms is not None:
            expression = "SET #queue = :wake, #at_ms = :next REMOVE #lease, #busy_until_ms"
            values |= {":wake": WAKE, ":next": next_ms}
        key = _key(endpoint.owner, endpoint.endpoint_id)
        try:
            self._database.write(Update(TABLE, key, expression, f"{is_own}{more}", values), as_refused)
        except ConditionFailed:
            return False
        return True


def _key(owner: Owner, endpoint_id: str) -> Row:
    if not is_id(endpoint_id):
        raise UnknownEndpoint(endpoint_id)
    return {"owner": owner.key, "entry": f"endpoint/{endpoint_id}"}


def _row_of(endpoint: Endpoint) -> Row:
    members = asdict(endpoint)
    del members["owner"], members["endpoint_id"], members["wake_at_ms"], members["busy_until_ms"]
    members |= {"types": list(endpoint.types), "customers": list(endpoint.customers), "status": endpoint.status.value}
    return _key(endpoint.owner, endpoint.endpoint_id) | {k: v for k, v in members.items() if v is not None}


@reads_row
def _endpoint_of(row: Row) -> Endpoint:
    return Endpoint(
        owner=owner_of(row["owner"]),
        endpoint_id=row["entry"].removeprefix("endpoint/"),
        url=row["url"],
        types=tuple(row["types"]),
        made_at_ms=row["made_at_ms"],
        customers=tuple(row["customers"]),
        description=row["description"],
        status=EndpointStatus(row["status"]),
        reason=row.get("reason"),
        stopped_at_ms=row.get("stopped_at_ms"),
        cursor=row.get("cursor"),
        generation=row["generation"],
        previous_until_ms=row["previous_until_ms"],
        notes=row["notes"],
        noted_at_ms=row["noted_at_ms"],
        lease=row.get("lease"),
        busy_until_ms=row.get("busy_until_ms", 0),
        wake_at_ms=row.get("at_ms"),
    )
