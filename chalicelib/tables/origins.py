"""Origins that instances list (table ``tenants``): whose pages may call the routes of makers from a browser (K52).

A listed origin has two rows, written in one transaction: one in a partition of its own, "origin/<origin>", under the
instance's id, and one beside the instance's row. The first answers whether any instance lists the origin, the second
whether this one does.
"""

from __future__ import annotations

from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.tables.dynamodb import BATCH_GET_KEYS_MAX, Database, batched
from chalicelib.tables.rows import Row
from chalicelib.tables.writes import Delete, Put

TABLE = "tenants"
_START = "origin/"


class Origins:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, instance: str, origin: str) -> None:
        """List an origin. Idempotent."""
        writes = [Put(TABLE, key) for key in _keys_of(instance, origin)]
        self._database.transact(writes, lambda: self.is_listed_by(instance, origin))

    def remove(self, instance: str, origin: str) -> None:
        """List an origin no more. Idempotent."""
        writes = [Delete(TABLE, key) for key in _keys_of(instance, origin)]
        self._database.transact(writes, lambda: not self.is_listed_by(instance, origin))

    def of_instance(self, instance: str) -> list[str]:
        """Return the origins that an instance lists, in order."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        rows = self._database.query(TABLE, condition, {":instance": instance, ":start": _START})
        return [row["credential"].removeprefix(_START) for row in rows]

    def is_listed_by(self, instance: str, origin: str) -> bool:
        """Tell whether an instance lists an origin. One read."""
        _, beside = _keys_of(instance, origin)
        return self._database.get(TABLE, beside) is not None

    def is_listed(self, origin: str) -> bool:
        """Tell whether any active instance lists an origin. Two reads for each hundred instances that list it."""
        rows = self._database.query(TABLE, "#instance = :origin", {":origin": _START + origin})
        for some in batched((row["credential"] for row in rows), BATCH_GET_KEYS_MAX):
            keys = [{"instance": instance, "credential": "instance"} for instance in some]
            tenants = self._database.get_many(TABLE, keys)
            if any(tenant["status"] == InstanceStatus.ACTIVE.value for tenant in tenants):
                return True
        return False


def _keys_of(instance: str, origin: str) -> tuple[Row, Row]:
    named = _START + origin
    return {"instance": named, "credential": instance}, {"instance": instance, "credential": named}
