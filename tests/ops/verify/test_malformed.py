"""``verify`` reports malformed rows and never raises an exception for them.

For each kind of row in each table, every attribute is removed, and replaced by a fraction and by values of other types:
each third of them, in turn from attribute to attribute, or all in ``make sweep``. ``CANNOT_BE_SEEN`` lists the edits
that nothing reveals (docs/verify.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.domain.books.vocabulary import Protection
from chalicelib.domain.escrow.commands import Reimburse
from chalicelib.ops.verify.verifier import Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import encode
from infra.tables import table_definitions
from tests.apis.taker.desk import NOW_S, UNIT, open_taker_desk
from tests.faults import FULL_SWEEP
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.ops.verify.hands import Built
from tests.services.escrow.world import EscrowWorld, eur, fee

KEYS = {
    one.name.removeprefix("x-"): [part["AttributeName"] for part in one.create_request["KeySchema"]]
    for one in table_definitions("x")
}
READ = ("accounts", "open-orders", "orders", "fills", "journal", "books", "signed-orders", "escrows", "outbox")
"""The tables that are read whole."""
FRACTION = {"N": "7.5"}
OTHER_VALUES: list[dict[str, Any]] = [
    {"N": "7"}, {"S": "x"}, {"S": "7"}, {"BOOL": True}, {"NULL": True}, {"B": b"x"}, {"L": []},
    {"M": {}},
]  # fmt: skip
Item = dict[str, Any]
CANNOT_BE_SEEN = {
    *(("books", name, "{'N': '7'}") for name in ("order_size_min", "order_size_max", "tick_size")),
    *(("books", "stock_token_id", value) for value in ("{'S': 'x'}", "{'S': '7'}", "removed")),
    *(("books", name, "removed") for name in ("created_at_ms", "token_type", "lot_size", "min_order_value")),
    *(("books", name, "removed") for name in Protection._fields),
    ("books", "quote_decimals", "removed"),
    *(("signed-orders", "notes", value) for value in ("{'S': 'x'}", "{'S': '7'}")),
    ("signed-orders", "reference_id", "{'NULL': True}"),
    ("signed-orders", "fills", "removed"),
    ("escrows", "customers", "removed"),
    *(
        ("escrows", name, value)
        for name in ("first_name", "last_name", "name", "phone", "prefix", "tag", "description", "error")
        for value in ("{'S': 'x'}", "{'S': '7'}")
    ),
    *(("escrows", name, "{'N': '7'}") for name in ("accepted_at_s", "validated_at_s", "payin_intents")),
    *(("escrows", name, "{'NULL': True}") for name in ("iban", "beneficiary")),
}
"""Table, attribute, what was done to it: such values the program may have written, and nothing else tells of them."""


def kind_of(table: str, item: Item) -> tuple[str, ...]:
    """Return what tells kinds of rows apart: the words in the keys, without ids, and the attributes."""
    keys = (re.sub(r"[0-9A-Za-z]*\d[0-9A-Za-z]*", "*", next(iter(item[name].values()))) for name in KEYS[table])
    return (*keys, *sorted(item))


def examples(client: MemoryDynamoDB, database: Database) -> Iterator[tuple[str, Item]]:
    for table in READ:
        kinds: dict[tuple[str, ...], Item] = {}
        for item in client.scan(TableName=database.name(table))["Items"]:
            kinds.setdefault(kind_of(table, item), item)
        for item in kinds.values():
            yield table, item


def malformed(table: str, item: Item) -> Iterator[tuple[str, str, Item]]:
    """Yield the row with each attribute removed, and with values of other types, and what was done."""
    for turn, (name, value) in enumerate(item.items()):
        if name in KEYS[table]:
            continue
        yield name, "removed", {other: item[other] for other in item if other != name}
        yield name, str(FRACTION), item | {name: FRACTION}
        others = [other for other in OTHER_VALUES if other.keys() != value.keys()]
        for other in others if FULL_SWEEP else others[turn % 3 :: 3]:
            yield name, str(other), item | {name: other}


def unseen(client: MemoryDynamoDB) -> list[str]:
    """Return what was done to which attribute and not told; raises what verifying raises but for findings."""
    database = database_of(client)
    Verifier(database).verify(None)
    found = []
    for table, item in examples(client, database):
        for name, change, changed in malformed(table, item):
            try:
                client.put_item(TableName=database.name(table), Item=changed)
            except ClientError:  # an index takes no other type: no such row can stand there
                continue
            try:
                Verifier(database).verify(None)
                if (table, name, change) not in CANNOT_BE_SEEN:
                    found.append(f"{table} {' '.join(kind_of(table, item)[: len(KEYS[table])])} {name} {change}")
            except Disproved:
                pass
            finally:
                client.put_item(TableName=database.name(table), Item=item)
    return found


def of_books(built: Built) -> MemoryDynamoDB:
    return built.client.clone()


def of_takers(_built: Built) -> MemoryDynamoDB:
    client = empty_tables()
    desk = open_taker_desk(database_of(client))
    orders = [desk.created(nonce=nonce, deadline=NOW_S + 9000) for nonce in range(3)]
    for order in orders[:2]:
        desk.lock(order, reference_id="first")
    desk.fill(orders[0], UNIT, reference_id="first")
    return client


def test_a_fraction_is_reported_with_its_row_and_never_cut(built: Built) -> None:
    """The one that was found: 1000.9 was read as 1000."""
    client = of_books(built)
    database = database_of(client)
    row = next(one for one in database.scan("accounts") if one["entry"].startswith("balance/"))
    item = encode(row) | {"available": {"N": f"{row['available']}.9"}}
    client.put_item(TableName=database.name("accounts"), Item=item)
    with pytest.raises(Disproved, match=f"{row['owner']}.*{row['available']}.9 is no whole number"):
        Verifier(database).verify(None)


def of_escrows(_built: Built) -> MemoryDynamoDB:
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    world.deposit(500)
    world.order()
    released = world.paid(60, fee_terms=fee(of=10))
    world.desk.reimburse(world.scope, released.order_id, Reimburse(eur(10)))
    world.desk.validate(world.scope, released.order_id, auto_accept=True)
    return client


@pytest.mark.parametrize("tables", [of_books, of_takers, of_escrows])
def test_every_malformed_row_is_reported(built: Built, tables: Callable[[Built], MemoryDynamoDB]) -> None:
    found = unseen(tables(built))
    assert found == [], "\n".join(found)
