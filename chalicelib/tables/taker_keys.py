"""API keys of the taker desk (table ``tenants``): one row a key, found by its digest with one read.

The row stands under a partition of its own, "taker-key/<key_id>"; beside the instance's own row stands a pointer to it,
so that an operator lists an instance's keys without a scan. Neither keys nor secrets are stored.
"""

from __future__ import annotations

from typing import Any

from chalicelib.domain.signed.settings import TakerKey, TakerKeyExists, UnknownTakerKey, key_id_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row, TransactionRefused, Update

TABLE = "tenants"
_POINTER = "taker-key/"


class TakerKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: TakerKey) -> None:
        """Store a new key, for an instance that there is. Raises TakerKeyExists; nothing is changed then."""
        key_not_exists = "attribute_not_exists(#credential)"
        pointer = {"instance": key.instance, "credential": f"{_POINTER}{key.key_id}"}
        row = _key_of(key.key_id) | {"owner_instance": key.instance, "taker": key.taker, "made_s": key.made_s}
        try:
            writes = [Put(TABLE, row | _changeable(key), key_not_exists), Put(TABLE, pointer)]
            self._database.transact(writes, lambda: self._get(key.key_id) == key)
        except TransactionRefused as error:
            raise TakerKeyExists(key.key_id) from error

    def accept(self, api_key: str) -> TakerKey | None:
        """Return what the key stands for, enabled or not, past its end or not; None where there is no such key."""
        return self._get(key_id_of(api_key))

    def get(self, key_id: str) -> TakerKey:
        """Raises UnknownTakerKey."""
        key = self._get(key_id)
        if key is None:
            raise UnknownTakerKey(key_id)
        return key

    def of_instance(self, instance: str) -> list[TakerKey]:
        """Return an instance's keys, oldest first."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        pointers = self._database.query(TABLE, condition, {":instance": instance, ":start": _POINTER})
        keys = [_key_of(row["credential"].removeprefix(_POINTER)) for row in pointers]
        found = map(_taker_key_of, self._database.get_many(TABLE, keys))
        return sorted(found, key=lambda key: (key.made_s, key.key_id))

    def switch(self, key_id: str, *, is_enabled: bool) -> TakerKey:
        """Let a key in, or no more; return it as it is then. Raises UnknownTakerKey."""
        return self._change(key_id, {"is_enabled": is_enabled})

    def require_signature(self, key_id: str, *, is_required: bool) -> TakerKey:
        """Let a key in with signed requests only, or with any (K4). Raises UnknownTakerKey."""
        return self._change(key_id, {"requires_signature": is_required})

    def limit(self, key_id: str, allowance: RateLimit) -> TakerKey:
        """Set how often a key may come. Raises UnknownTakerKey."""
        return self._change(key_id, _allowance_members(allowance))

    def end(self, key_id: str, expires_s: int | None) -> TakerKey:
        """Set when a key ends; None: never. Raises UnknownTakerKey."""
        return self._change(key_id, {"expires_s": expires_s})

    def _change(self, key_id: str, members: Row) -> TakerKey:
        """Set members of a row, whatever they were: the last operator's word counts."""
        key_exists = "attribute_exists(#credential)"
        sets = ", ".join(f"#{name} = :{name}" for name in members)
        values = {f":{name}": value for name, value in members.items()}
        try:
            return _taker_key_of(
                self._database.write(Update(TABLE, _key_of(key_id), f"SET {sets}", key_exists, values))
            )
        except ConditionFailed as error:
            raise UnknownTakerKey(key_id) from error

    def _get(self, key_id: str) -> TakerKey | None:
        row = self._database.get(TABLE, _key_of(key_id))
        return None if row is None else _taker_key_of(row)


def _key_of(key_id: str) -> Row:
    return {"instance": f"{_POINTER}{key_id}", "credential": "taker-key"}


def _changeable(key: TakerKey) -> dict[str, Any]:
    return _allowance_members(key.allowance) | {
        "expires_s": key.expires_s,
        "is_enabled": key.is_enabled,
        "requires_signature": key.requires_signature,
    }


def _allowance_members(allowance: RateLimit) -> dict[str, Any]:
    return {"bucket": allowance.bucket, "refill_per_1000_s": allowance.refill_per_1000_s, "per_day": allowance.per_day}


def _taker_key_of(row: Row) -> TakerKey:
    return TakerKey(
        key_id=row["instance"].removeprefix(_POINTER),
        instance=row["owner_instance"],
        taker=row["taker"],
        made_s=row["made_s"],
        allowance=RateLimit(row["bucket"], row["refill_per_1000_s"], row["per_day"]),
        expires_s=row["expires_s"],
        is_enabled=row["is_enabled"],
        requires_signature=row["requires_signature"],
    )
