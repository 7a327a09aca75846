"""One write to an in-memory table: parsed and checked without its row first, then applied to the row.

A single write fails completely in either step. In a transaction, a failure that depends on the row, or a key that does
not match the schema, becomes the action's reason (CancellationReasons).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.memory.errors import ConditionFailed
from tests.memory.expressions import Plan, plan_of
from tests.memory.tables import Key, Row, Table
from tests.memory.values import Invalid, Item, canonical, canonical_item, size_of, size_of_item, size_of_name

ITEM_BYTES_MAX = 400 * 1024
TOO_LARGE = "Item size has exceeded the maximum allowed size"
_TOO_LARGE_TO_UPDATE = "Item size to update has exceeded the maximum allowed size"


@dataclass(slots=True)
class Write:
    """One write, parsed and checked as far as possible without its row."""

    table: Table
    key: Key
    plan: Plan
    values: Item
    put: Row | None
    created_from: Item | None
    """Key attributes of the row that an update creates if there is none; None: not an update."""
    is_check: bool
    tells_old: bool

    def outcome(self, old: Row | None) -> Row | None:
        """Return the row after the write. Raises ConditionFailed or Invalid."""
        holds = self.plan.holds
        if holds is not None and not holds(old.item if old else {}, self.values):
            raise ConditionFailed(old.item if old and self.tells_old else None)
        if self.is_check:
            return old
        new = self.put
        if self.created_from is not None:
            new = self._updated(old)
        if new is not None:
            for index in self.table.indexes.values():
                index.place(self.key, new.item)
        return new

    def _updated(self, old: Row | None) -> Row | None:
        plan = self.plan
        if old is None and plan.removes and not plan.sets:
            return None
        item, size = old or Row(self.created_from, size_of_item(self.created_from))  # type: ignore[arg-type]
        changes = plan.changes(item, self.values)
        new = item | changes
        for name in plan.removes:
            if name in new:
                del new[name]
        for name in plan.targets:
            if name in item:
                size -= size_of_name(name) + size_of(item[name])
        for name, value in changes.items():
            size += size_of_name(name) + size_of(value)
        if size > ITEM_BYTES_MAX:
            raise Invalid(_TOO_LARGE_TO_UPDATE)
        return Row(new, size)

    def payload_bytes(self) -> int:
        row_bytes = self.put.size if self.put else 0
        return row_bytes + size_of_item(self.created_from or {}) + sum(map(size_of, self.values.values()))


def _read_expressions(
    update: str | None,
    *,
    ConditionExpression: str | None = None,
    ExpressionAttributeNames: Mapping[str, str] | None = None,
    ExpressionAttributeValues: Mapping[str, Any] | None = None,
    ReturnValuesOnConditionCheckFailure: str = "NONE",
) -> tuple[Plan, Item, bool]:
    """Return the plan of a write, its values, and whether a failed condition tells the row. Raises Invalid."""
    for given, what in ((ExpressionAttributeNames, "Names"), (ExpressionAttributeValues, "Values")):
        if given is not None and not given:
            raise Invalid(f"ExpressionAttribute{what} must not be empty")
    plan = plan_of(ConditionExpression, update, tuple((ExpressionAttributeNames or {}).items()))
    values = {name: canonical(value) for name, value in (ExpressionAttributeValues or {}).items()}
    plan.check(values)
    if ReturnValuesOnConditionCheckFailure not in ("NONE", "ALL_OLD"):
        raise Invalid("ReturnValuesOnConditionCheckFailure must be one of ALL_OLD, NONE")
    return plan, values, ReturnValuesOnConditionCheckFailure == "ALL_OLD"


def _read_put(table: Table, *, Item: Mapping[str, Any], **expressions: Any) -> Write:
    plan, values, tells_old = _read_expressions(None, **expressions)
    item = canonical_item(Item)
    size = size_of_item(item)
    if size > ITEM_BYTES_MAX:
        raise Invalid(TOO_LARGE)
    return Write(table, table.schema.key_in(item), plan, values, Row(item, size), None, False, tells_old)


def _read_update(
    table: Table,
    *,
    Key: Mapping[str, Any],
    UpdateExpression: str | None = None,
    **expressions: Any,
) -> Write:
    plan, values, tells_old = _read_expressions(UpdateExpression, **expressions)
    key = table.schema.key_alone(Key)
    table.schema.refuse_change(plan.targets)
    return Write(table, key, plan, values, None, canonical_item(Key), False, tells_old)


def _read_delete(table: Table, *, Key: Mapping[str, Any], **expressions: Any) -> Write:
    plan, values, tells_old = _read_expressions(None, **expressions)
    return Write(table, table.schema.key_alone(Key), plan, values, None, None, False, tells_old)


def _read_check(table: Table, *, ConditionExpression: str, **request: Any) -> Write:
    write = _read_delete(table, ConditionExpression=ConditionExpression, **request)
    write.is_check = True
    return write


READERS: dict[str, Callable[..., Write]] = {
    "Put": _read_put,
    "Update": _read_update,
    "Delete": _read_delete,
    "ConditionCheck": _read_check,
}
"""Parser of each kind of write, from its table and the members of its request."""
