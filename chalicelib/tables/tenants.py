"""Instances and their API keys (table ``tenants``): one row for each instance, read once by every request.

The read is consistent, so a change (a revoked key, an archived instance, a service, a limit) applies from the next
request on, in every process. Keys are stored as SHA-256, never in clear (T3).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from functools import partial

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import (
    AcceptedKey,
    ExistsAlready,
    Instance,
    InstanceStatus,
    Key,
    KeyStatus,
    NotFound,
)
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row, reads_row
from chalicelib.tables.settings_rows import TABLE, change_row
from chalicelib.tables.writes import Put, TransactionRefused, Write


class InstanceExists(ExistsAlready):
    """An instance with this reference exists."""

    def __init__(self, instance: str) -> None:
        super().__init__(f"exists already: {instance}")


class UnknownInstance(NotFound):
    def __init__(self, instance: str) -> None:
        super().__init__(f"no such instance: {instance}")
        self.instance = instance


def instance_id(ref: str) -> str:
    return f"inst_{ref}"


class Tenants:
    """now_s: time in whole seconds; rotated keys expire.

    Changes raise UnknownInstance and what the change itself raises (``domain.tenancy.instances``); nothing is changed
    then.
    """

    def __init__(self, database: Database, now_s: Callable[[], int]) -> None:
        self._database = database
        self._now_s = now_s

    def create_instance(self, ref: str, services: Collection[str], beside: Sequence[Write] = ()) -> str:
        """Create an instance. Return its id. beside: further writes of its transaction.

        The command id in the row tells this creation from another one of the same instance. Raises InstanceExists,
        Unavailable (nothing changed) or OutcomeUnknown.
        """
        instance = Instance(instance_id(ref), frozenset(services))
        instance_not_exists = "attribute_not_exists(#credential)"
        row = _key_of(instance.instance) | _facts_of(instance) | {"version": 0, "command": new_id("cmd")}
        try:
            writes = [Put(TABLE, row, instance_not_exists), *beside]
            self._database.transact(writes, lambda: self._was_made_by(instance.instance, row["command"]))
        except TransactionRefused as error:
            raise InstanceExists(instance.instance) from error
        return instance.instance

    def _was_made_by(self, instance: str, command: str) -> bool:
        row = self._database.get(TABLE, _key_of(instance))
        return row is not None and row.get("command") == command

    def add_key(self, instance: str, key_id: str, api_key: str, rate_limit: int) -> None:
        """Store a new key's digest. Raises TooManyKeys."""
        now_s = self._now_s()
        new = Key(key_id, digest_of(api_key), rate_limit, now_s)
        self.change(instance, lambda found: found.with_key(new, now_s))

    def rotate_key(self, instance: str, key_id: str, new_key_id: str, api_key: str, grace_s: int) -> Instance:
        """Replace a key by a new one; the old one stays valid for ``grace_s``. Raises as ``Instance.rotated``."""
        now_s = self._now_s()
        new = Key(new_key_id, digest_of(api_key), 0, now_s)
        return self.change(instance, lambda found: found.rotated(key_id, new, now_s + grace_s, now_s))

    def get(self, instance: str) -> Instance:
        """Return the instance, read consistently. Raises UnknownInstance."""
        return _found(instance, self._database.get(TABLE, _key_of(instance)))

    def all(self) -> list[Instance]:
        """Return all instances, by id. For operators: scans the table."""
        rows = (row for row in self._database.scan(TABLE) if row["credential"] == "instance")
        return sorted(map(_instance_of, rows), key=lambda one: one.instance)

    def change(self, instance: str, change: Callable[[Instance], Instance]) -> Instance:
        """Change an instance, conditional on the version read. Return the changed instance. Concurrent changes are
        serialized.

        A change without effect writes nothing. Raises UnknownInstance and what ``change`` raises; Unavailable if
        concurrent changes keep winning; OutcomeUnknown if the change may have been made.
        """
        found = partial(_found, instance)
        return change_row(self._database, _key_of(instance), change, found, _facts_of, "this instance")

    def accept(self, ref: str, api_key: str) -> AcceptedKey | None:
        """Return the accepted key for this text; None if it is not accepted (T4)."""
        row = self._database.get(TABLE, _key_of(instance_id(ref)))
        return None if row is None else _instance_of(row).accepted(digest_of(api_key), self._now_s())


def instance_at(instance: str) -> RowAt:
    return row_at(TABLE, _key_of(instance))


def _key_of(instance: str) -> Row:
    return {"instance": instance, "credential": "instance"}


def _facts_of(instance: Instance) -> Row:
    """Return the attributes of an instance's row, without its key and version."""
    return {
        "services": sorted(instance.services),
        "status": instance.status.value,
        "keys": [asdict(key) | {"status": key.status.value} for key in instance.keys],
    }


def _found(instance: str, row: Row | None) -> Instance:
    if row is None:
        raise UnknownInstance(instance)
    return _instance_of(row)


@reads_row
def _instance_of(row: Row) -> Instance:
    """Return the instance in a row; rows of an earlier version have no keys."""
    keys = (Key(**facts | {"status": KeyStatus(facts["status"])}) for facts in row.get("keys", []))
    status = InstanceStatus(row["status"])
    return Instance(row["instance"], frozenset(row["services"]), status, tuple(keys), row.get("frozen", 0))
