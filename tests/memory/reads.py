"""Query and Scan of an in-memory table: one page each, ended by Limit or by the page size.

An incomplete page has a LastEvaluatedKey, even if no row follows: then the next page is empty, as on DynamoDB. A query
reads only the rows of its key condition.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from tests.memory.expressions import check_used, query_plan_of
from tests.memory.parser import Predicate
from tests.memory.tables import Index, Key, Row, Schema, Table, bounds_of, ring_place
from tests.memory.values import Invalid, Item, Ordered, canonical, copied_item, size_of_item

Page = dict[str, Any]
_KEY_BYTES_UNBOUNDED = 1 << 62


def query_page(
    table: Table,
    bytes_max: int,
    *,
    KeyConditionExpression: str,
    ExpressionAttributeValues: Mapping[str, Any] | None = None,
    ExpressionAttributeNames: Mapping[str, str] | None = None,
    IndexName: str | None = None,
    ConsistentRead: bool = False,
    ScanIndexForward: bool = True,
    Limit: int | None = None,
    ExclusiveStartKey: Mapping[str, Any] | None = None,
    ProjectionExpression: str | None = None,
) -> Page:
    """Return a page of a query. Raises Invalid."""
    index = _index_of(table, IndexName, ConsistentRead)
    schema = index.schema if index else table.schema
    names = tuple((ExpressionAttributeNames or {}).items())
    plan = query_plan_of(KeyConditionExpression, ProjectionExpression, names)
    values = {name: canonical(value) for name, value in (ExpressionAttributeValues or {}).items()}
    check_used("Value", values.keys(), plan.values)
    partition, sort_condition = _conditions(plan.predicates, schema)
    wanted = _operands(partition, schema, values)[0]
    entries: list[Any] = (index.partitions if index else table.partitions).get(wanted, [])
    operands = _operands(sort_condition, schema, values) if sort_condition else []
    within = bounds_of(entries, sort_condition, operands, index is not None)
    if ExclusiveStartKey is not None:
        within = _after(within, entries, _entry_of(table, index, wanted, ExclusiveStartKey), ScanIndexForward)
    positions: Iterable[int] = within if ScanIndexForward else reversed(within)
    keys: Iterator[Key] = (entries[at][1] if index else (wanted, entries[at]) for at in positions)
    page = _page(table, index, keys, Limit, bytes_max)
    if plan.projected is not None:
        page["Items"] = [{name: item[name] for name in plan.projected if name in item} for item in page["Items"]]
    return page


def scan_page(
    table: Table,
    bytes_max: int,
    *,
    IndexName: str | None = None,
    ConsistentRead: bool = False,
    Limit: int | None = None,
    ExclusiveStartKey: Mapping[str, Any] | None = None,
) -> Page:
    """Return a page of a scan. Raises Invalid."""
    index = _index_of(table, IndexName, ConsistentRead)
    if index is not None:
        return _page(table, index, _keys_of_index(table, index, ExclusiveStartKey), Limit, bytes_max)
    start = 0
    first: list[Key] = []
    if ExclusiveStartKey is not None:
        key = table.schema.key_alone(ExclusiveStartKey)
        start = bisect_right(table.ring, ring_place(key[0]))
        sorts = table.partitions.get(key[0], [])
        first = [(key[0], sort) for sort in sorts[bisect_right(sorts, key[1]) :]]
    others = ((value, sort) for _, value in table.ring[start:] for sort in table.partitions[value])
    return _page(table, None, chain(first, others), Limit, bytes_max)


class Paginator:
    """boto3's paginator over an operation that returns a page."""

    def __init__(self, operation: Callable[..., Page]) -> None:
        self._operation = operation

    def paginate(self, **request: Any) -> Iterator[Page]:
        """Yield pages, fetched on demand."""
        page = self._operation(**request)
        yield page
        while "LastEvaluatedKey" in page:
            page = self._operation(**request | {"ExclusiveStartKey": page["LastEvaluatedKey"]})
            yield page


def _keys_of_index(table: Table, index: Index, start: Mapping[str, Any] | None) -> Iterator[Key]:
    """Yield the keys of the rows in an index, partition after partition, behind the row that a page has ended with."""
    wanted = sorted(index.partitions, key=ring_place)
    if start is None:
        return (entry[1] for value in wanted for entry in index.partitions[value])
    item = {name: canonical(value) for name, value in start.items()}
    place = index.place(table.schema.key_in(item), item)
    if place is None:
        raise Invalid("The provided starting key is invalid")
    partition, last = place
    own = index.partitions.get(partition, [])
    behind = [entry[1] for entry in own[bisect_right(own, last) :]]
    others = (value for value in wanted if ring_place(value) > ring_place(partition))
    return chain(behind, (entry[1] for value in others for entry in index.partitions[value]))


def _index_of(table: Table, name: str | None, consistent: bool) -> Index | None:
    if name is None:
        return None
    if name not in table.indexes:
        raise Invalid(f"The table does not have the specified index: {name}")
    if consistent:
        raise Invalid("Consistent reads are not supported on global secondary indexes")
    return table.indexes[name]


def _conditions(predicates: tuple[Predicate, ...], schema: Schema) -> tuple[Predicate, Predicate | None]:
    """Return the condition on the partition key and the one on the sort key, if there is one. Raises Invalid."""
    by_attribute = {one.operands[0].removeprefix("#"): one for one in predicates}
    if len(by_attribute) < len(predicates):
        raise Invalid("KeyConditionExpressions must only contain one condition per key")
    partition = by_attribute.pop(schema.hash, None)
    if partition is None:
        raise Invalid(f"Query condition missed key schema element: {schema.hash}")
    sort = by_attribute.pop(schema.range, None) if schema.range is not None else None
    if by_attribute:
        raise Invalid(f"Query condition missed key schema element: {schema.range}")
    allowed = {"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"}
    if partition.operator != "=" or (sort and sort.operator not in allowed):
        raise Invalid("Query key condition not supported")
    return partition, sort


def _operands(predicate: Predicate, schema: Schema, values: Item) -> list[Ordered]:
    """Return the values that a key is compared with. Raises Invalid for one of another type than the key's."""
    name = predicate.operands[0].removeprefix("#")
    kind = schema.hash_type if name == schema.hash else schema.range_type
    if predicate.operator == "begins_with" and kind == "N":
        raise Invalid("Invalid KeyConditionExpression: Incorrect operand type for operator or function: begins_with")
    mismatch = "One or more parameter values were invalid: Condition parameter type does not match schema type"
    operands = []
    for operand in predicate.operands[1:]:
        if not operand.startswith(":"):
            raise Invalid("Invalid KeyConditionExpression: a key is compared with a value")
        operands.append(schema.value(name, kind, values[operand], _KEY_BYTES_UNBOUNDED, mismatch))
    if predicate.operator == "BETWEEN" and operands[0] > operands[1]:  # type: ignore[operator]
        raise Invalid("Invalid KeyConditionExpression: The BETWEEN operator requires upper bound >= lower bound")
    return operands


def _entry_of(table: Table, index: Index | None, partition: Ordered, start: Mapping[str, Any]) -> Any:
    """Return the place, within its partition's order, that a LastEvaluatedKey names. Raises Invalid."""
    names = {*table.schema.names, *(index.schema.names if index else ())}
    if start.keys() != names:
        raise Invalid("The provided starting key is invalid")
    item = {name: canonical(value) for name, value in start.items()}
    key = table.schema.key_in(item)
    place = index.place(key, item) if index else key
    if place is None or place[0] != partition:
        raise Invalid("The provided starting key is outside query boundaries based on provided conditions")
    return place[1]


def _after(within: range, entries: list[Any], start: Any, forward: bool) -> range:
    if forward:
        return range(max(within.start, bisect_right(entries, start)), within.stop)
    return range(within.start, min(within.stop, bisect_left(entries, start)))


def _page(table: Table, index: Index | None, keys: Iterator[Key], limit: int | None, bytes_max: int) -> Page:
    if limit is not None and limit < 1:
        raise Invalid("Limit must be greater than or equal to 1")
    items: list[Item] = []
    last: Row | None = None
    bytes_read, is_cut = 0, False
    for key in keys:
        row = table.rows[key]
        item, size = row
        if index is not None and index.projected is not None:
            item = {name: value for name, value in item.items() if name in index.projected}
            size = size_of_item(item)
        if items and bytes_read + size > bytes_max:
            is_cut = True
            break
        items.append(copied_item(item))
        bytes_read += size
        last = row
        if len(items) == limit or bytes_read >= bytes_max:
            is_cut = True
            break
    page: Page = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    if is_cut and last is not None:
        names = {*table.schema.names, *(index.schema.names if index else ())}
        page["LastEvaluatedKey"] = copied_item({name: last.item[name] for name in sorted(names)})
    return page
