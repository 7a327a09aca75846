"""Frozen customers (table ``tenants``): a row each beside the instance's row, which counts them (T96).

Every request reads the instance's row. So a request that would place something reads the customer's row only where its
instance has any, and an instance without frozen customers pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.support.clock import new_id, now_s
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.settings_rows import TABLE
from chalicelib.tables.writes import Delete, IsDone, Put, TransactionRefused, Update, Write

_START = "frozen/"


@dataclass(frozen=True, slots=True)
class FrozenCustomer:
    """frozen_s: since when, Unix seconds. reason: the operator's words."""

    customer: str
    reason: str | None
    frozen_s: int


class FrozenCustomers:
    """now_s: Unix seconds. Changes raise Unavailable (nothing changed) or OutcomeUnknown."""

    def __init__(self, database: Database, now_s: Callable[[], int] = now_s) -> None:
        self._database = database
        self._now_s = now_s

    def freeze(self, instance: str, customer: str, reason: str | None) -> bool:
        """Freeze a customer of an existing instance. Return False if it is frozen already; that stays as it is."""
        not_frozen, command = "attribute_not_exists(#credential)", new_id("cmd")
        row = _key_of(instance, customer) | {"customer": customer, "reason": reason, "frozen_s": self._now_s()}
        put = Put(TABLE, row | {"command": command}, not_frozen)

        def is_done() -> bool | None:
            return (self._database.get(TABLE, _key_of(instance, customer)) or {}).get("command") == command or None

        return self._change(instance, put, 1, is_done)

    def unfreeze(self, instance: str, customer: str) -> bool:
        """End a customer's freeze. Return False if it is not frozen."""
        is_frozen = "attribute_exists(#credential)"
        delete = Delete(TABLE, _key_of(instance, customer), is_frozen)
        return self._change(instance, delete, -1, lambda: not self.has(instance, customer) or None)

    def has(self, instance: str, customer: str) -> bool:
        """Tell whether a customer is frozen, read consistently."""
        return self._database.get(TABLE, _key_of(instance, customer)) is not None

    def of_instance(self, instance: str) -> Iterator[FrozenCustomer]:
        """Yield an instance's frozen customers, in no particular order."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        rows = self._database.query(TABLE, condition, {":instance": instance, ":start": _START})
        return (FrozenCustomer(row["customer"], row["reason"], row["frozen_s"]) for row in rows)

    def _change(self, instance: str, write: Write, more: int, is_done: IsDone) -> bool:
        instance_exists = "attribute_exists(#credential)"
        key = {"instance": instance, "credential": "instance"}
        count = Update(TABLE, key, "ADD #frozen :more, #version :one", instance_exists, {":more": more, ":one": 1})
        try:
            self._database.transact([write, count], is_done)
        except TransactionRefused:
            return False
        return True


def frozen_at(instance: str, customer: str) -> RowAt:
    """Return where the row stands that ``FrozenCustomers.has`` reads."""
    return row_at(TABLE, _key_of(instance, customer))


def _key_of(instance: str, customer: str) -> Row:
    """The name may be longer than a sort key can be, so its digest stands for it."""
    return {"instance": instance, "credential": f"{_START}{digest_of(customer)}"}
