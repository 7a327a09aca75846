"""Keys of the escrow desk (table ``tenants``): one row a key, found by its digest with one read.

The row stands under a partition of its own, "escrow-key/<key_id>"; beside the instance's own row stands a pointer to
it, so that an operator lists an instance's keys without a scan. Keys are not stored.
"""

from __future__ import annotations

from chalicelib.domain.escrow.keys import EscrowKey, EscrowKeyExists, UnknownEscrowKey, is_well_formed, key_id_of
from chalicelib.domain.escrow.order import World
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import ConditionFailed, Database, Delete, Put, Row, TransactionRefused, Update

TABLE = "tenants"
_POINTER = "escrow-key/"


class EscrowKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: EscrowKey) -> None:
        """Store a new key, for an instance, and a merchant, that there is. Raises EscrowKeyExists."""
        key_not_exists = "attribute_not_exists(#credential)"
        try:
            writes = [Put(TABLE, _row_of(key), key_not_exists), Put(TABLE, _pointer(key))]
            self._database.transact(writes, lambda: self._get(key.key_id) == key)
        except TransactionRefused as error:
            raise EscrowKeyExists(key.key_id) from error

    def accept(self, key: str) -> EscrowKey | None:
        """Return what the key stands for, enabled or not; None where it is malformed, unknown or deleted."""
        return self._get(key_id_of(key)) if is_well_formed(key) else None

    def get(self, key_id: str) -> EscrowKey:
        """Raises UnknownEscrowKey."""
        key = self._get(key_id)
        if key is None:
            raise UnknownEscrowKey(key_id)
        return key

    def of_instance(self, instance: str) -> list[EscrowKey]:
        """Return an instance's keys, oldest first."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        pointers = self._database.query(TABLE, condition, {":instance": instance, ":start": _POINTER})
        keys = [_key_of(row["credential"].removeprefix(_POINTER)) for row in pointers]
        found = map(_escrow_key_of, self._database.get_many(TABLE, keys))
        return sorted(found, key=lambda key: (key.made_s, key.key_id))

    def switch(self, key_id: str, *, is_enabled: bool) -> EscrowKey:
        """Let a key in, or no more; return it as it is then. Raises UnknownEscrowKey."""
        key_exists = "attribute_exists(#credential)"
        update = Update(TABLE, _key_of(key_id), "SET #is_enabled = :is", key_exists, {":is": is_enabled})
        try:
            return _escrow_key_of(self._database.write(update))
        except ConditionFailed as error:
            raise UnknownEscrowKey(key_id) from error

    def delete(self, key_id: str) -> EscrowKey:
        """Forget a key for good; return it as it was. Raises UnknownEscrowKey."""
        key, key_exists = self.get(key_id), "attribute_exists(#credential)"
        pointer = Delete(TABLE, _pointer(key))
        try:
            writes = [Delete(TABLE, _key_of(key_id), key_exists), pointer]
            self._database.transact(writes, lambda: self._get(key_id) is None)
        except TransactionRefused as error:
            raise UnknownEscrowKey(key_id) from error
        return key

    def _get(self, key_id: str) -> EscrowKey | None:
        row = self._database.get(TABLE, _key_of(key_id))
        return None if row is None else _escrow_key_of(row)


def _key_of(key_id: str) -> Row:
    return {"instance": f"{_POINTER}{key_id}", "credential": "escrow-key"}


def _pointer(key: EscrowKey) -> Row:
    return {"instance": key.instance, "credential": f"{_POINTER}{key.key_id}"}


def _row_of(key: EscrowKey) -> Row:
    return _key_of(key.key_id) | {
        "owner_instance": key.instance,
        "world": key.world.value,
        "merchant": key.merchant,
        "made_s": key.made_s,
        "bucket": key.allowance.bucket,
        "refill_per_1000_s": key.allowance.refill_per_1000_s,
        "per_day": key.allowance.per_day,
        "is_enabled": key.is_enabled,
        "is_read_only": key.is_read_only,
    }


def _escrow_key_of(row: Row) -> EscrowKey:
    return EscrowKey(
        key_id=row["instance"].removeprefix(_POINTER),
        instance=row["owner_instance"],
        world=World(row["world"]),
        merchant=row["merchant"],
        made_s=row["made_s"],
        allowance=RateLimit(row["bucket"], row["refill_per_1000_s"], row["per_day"]),
        is_enabled=row["is_enabled"],
        is_read_only=row["is_read_only"],
    )
