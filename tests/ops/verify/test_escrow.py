"""``verify`` reports every edit of escrow orders and their rows, with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.escrow.commands import Cancel, CreateCustomer, PayOut, Reimburse
from chalicelib.domain.escrow.payments import PayoutType
from chalicelib.ops.verify.report import lines, printed
from chalicelib.ops.verify.verifier import BookMoves, Verifier
from chalicelib.services.books.disagreements import Disproved
from chalicelib.tables.rows import Row
from chalicelib.tables.stored_events import content_of, stored
from tests.in_memory import database_of, empty_tables
from tests.memory import MemoryDynamoDB
from tests.services.escrow.world import INSTANCE, SANDBOX_EUR, EscrowWorld, eur, fee

OWNER = f"{INSTANCE}/escrow/sandbox/shop"


@pytest.fixture(scope="module")
def built() -> tuple[MemoryDynamoDB, EscrowWorld]:
    """Orders in every status, and everything that can belong to one.

    1 DRAFT, 2 PENDING_PUBLISH, 3 FAILURE, 4 PUBLISHED, 5 REJECTED, 6 BLOCKED_RELEASE, 7 CANCELLED with a payout, 8
    RELEASED with a fee after a refund, 9 settled, 10 PENDING_RELEASE, 11 cancelled unpaid, 12 rejected and paid back.
    """
    client = empty_tables()
    world = EscrowWorld(database_of(client))
    desk, scope = world.desk, world.scope
    desk.create_customer(scope, CreateCustomer(email="ANN@x.test", prefix="+34", phone="600"))
    world.deposit(500)
    world.order()
    world.bankwire(world.order())
    world.bankwire(failed := world.order(900))
    world.pay(failed)
    world.pay(world.order(20))
    desk.reject(scope, world.paid(30).order_id)
    desk.block(scope, world.paid(40).order_id)
    cancelled = world.paid(50)
    desk.accept(scope, cancelled.order_id)
    world.pay_out(cancelled)
    desk.cancel(scope, cancelled.order_id, Cancel())
    released = world.paid(60, fee_terms=fee(of=10))
    desk.reimburse(scope, released.order_id, Reimburse(eur(10)))
    desk.validate(scope, released.order_id, auto_accept=True)
    world.pay(world.order(70, is_auto_settle=True, seller_id=None, fee_terms=fee(1)))
    world.set_delay(60)
    desk.validate(scope, world.paid(80).order_id, auto_accept=True)
    desk.cancel(scope, world.order().order_id, Cancel())
    back = world.paid(90)
    desk.reject(scope, back.order_id)
    desk.reimburse(scope, back.order_id, Reimburse())
    return client, world


@pytest.fixture
def world(built: tuple[MemoryDynamoDB, EscrowWorld]) -> EscrowWorld:
    client: Any = built[0].clone()
    return built[1].over(database_of(client))


def told(world: EscrowWorld) -> str:
    with pytest.raises(Disproved) as disproved:
        Verifier(world.database).verify(None)
    return str(disproved.value)


def row(world: EscrowWorld, entry: str, owner: str = OWNER, table: str = "escrows") -> Row:
    found = world.database.get(table, {"owner": owner, "entry": entry})
    assert found is not None
    return found


def order_row(world: EscrowWorld, order_id: int) -> Row:
    return row(world, f"order/{order_id:012d}")


def edit(world: EscrowWorld, changed: Row, table: str = "escrows", **facts: Any) -> None:
    assert all(changed.get(name) != value for name, value in facts.items())
    world.database.put_many(table, [changed | facts])


def test_what_the_desk_has_written_agrees(world: EscrowWorld) -> None:
    report = Verifier(world.database).verify(None)
    (instance,) = report.instances
    assert instance.escrow_orders == 12
    statuses = {order.status for order in world.escrows.orders(world.scope)}
    assert len(statuses) == 9
    assert f"{INSTANCE}: escrow orders: 12 agree, with all that belongs to them, and the ledger" in lines(
        printed(report)
    )


@pytest.mark.parametrize(
    ("order_id", "facts", "what"),
    [
        (4, {"hold": eur(21)}, "order/000000000004 of inst_test0001/escrow/sandbox/shop, hold: expected 20"),
        (4, {"status": "ACCEPTED"}, "order/000000000004"),
        (1, {"status": "FAILURE"}, ", status: expected DRAFT, found FAILURE"),
        (1, {"status": "PUBLISHED"}, ", paid: expected True, found False"),
        (2, {"payins": 2}, ", payins: expected 1, found 2"),
        (2, {"payin_id": 2}, ", payin_id: expected that of one of its payins, found 2"),
        (4, {"payin_id": None}, ", payin_id"),
        (4, {"payin_amount": eur(19)}, ", hold: expected 19"),
        (5, {"hold": 0}, ", hold"),
        (8, {"refunds": 0}, ", refunds: expected [], found [1]"),
        (8, {"released": {"paid": eur(46), "fee": eur(4)}}, ", fee: expected 5"),
        (8, {"released": None}, ", hold"),
        (8, {"fee_terms": {"value": None, "percent": None}}, ", fee: expected 0"),
        (8, {"payout_id": None}, ", payout_id: expected that of one of its payouts, found None"),
        (8, {"is_paid_outside": True}, ", is_paid_outside: expected False, found True"),
        (9, {"seller": {"customer_id": 4, "uuid": "x", "wallet_id": 1}}, ", seller: expected Party"),
        (1, {"seller": {"customer_id": 4, "uuid": "x", "wallet_id": 1}}, ", seller, uuid and wallet"),
        (1, {"buyer": {"customer_id": 99, "uuid": "x", "wallet_id": 1}}, ", buyer, uuid and wallet: expected nothing"),
        (4, {"value": eur(19)}, ", value: expected 20"),
        (6, {"value": eur(41)}, ", value: expected 40"),
        (12, {"hold": eur(90)}, ", hold"),
        (4, {"public_id": "AAAAAAAAAAAA"}, "public-id/"),
        (4, {"status": "ODD"}, "a row that can be read"),
    ],
)
def test_an_edited_order_is_reported(world: EscrowWorld, order_id: int, facts: Row, what: str) -> None:
    edit(world, order_row(world, order_id), **facts)
    assert what in told(world)


@pytest.mark.parametrize("order_id", [4, 6, 10])
@pytest.mark.parametrize("name", ["buyer", "seller"])
def test_a_party_of_a_paid_order_that_is_another_customer_is_reported(
    world: EscrowWorld, order_id: int, name: str
) -> None:
    """A customer that there is, with its own wallet: nothing but what was agreed tells that it is another one."""
    order = order_row(world, order_id)
    other = {"buyer": "seller", "seller": "buyer"}[name]
    assert order[name] != order[other]
    edit(world, order, **{name: order[other]})
    assert f"order/{order_id:012d} of {OWNER}, {name}: expected Party" in told(world)


def test_a_mark_of_what_is_open_agrees_with_what_is_open(world: EscrowWorld) -> None:
    mark = row(world, "open/sandbox/payin/000000000001", f"{INSTANCE}/escrow")
    edit(world, mark, merchant="other")
    assert "open/sandbox/payin/000000000001 of inst_test0001/escrow, merchant: expected shop" in told(world)
    world.database.put_many("escrows", [mark, mark | {"entry": "open/sandbox/payout/000000000002"}])
    assert "open/sandbox/payout/000000000002" in told(world)


def test_a_payout_to_a_bank_without_its_debit_is_reported(world: EscrowWorld) -> None:
    desk, scope = world.desk, world.scope
    world.set_delay(0)
    order = world.paid(100)
    desk.accept(scope, order.order_id)
    payout = desk.pay_out(scope, PayOut(order.order_id, PayoutType.BANKWIRE))
    desk.validate(scope, order.order_id)
    desk.confirm_payout(scope, payout.payout_id, eur(100))
    Verifier(world.database).verify(None)
    debits = [one for one in world.database.scan("accounts") if one.get("kind") == "debit"]
    assert len(debits) == 2
    world.database.delete_many("accounts", [{name: debit[name] for name in ("owner", "entry")} for debit in debits])
    assert f"order/{order.order_id:012d} of {OWNER}, transactions" in told(world)


def test_a_counter_without_its_number_is_reported(world: EscrowWorld) -> None:
    """The one that was found: it ended in a traceback."""
    counter = row(world, "counter/order", f"{INSTANCE}/escrow")
    world.database.put_many("escrows", [{name: value for name, value in counter.items() if name != "last"}])
    assert "counter/order" in told(world)
    assert "KeyError('last')" in told(world)


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("name", ["available", "held"])
def test_an_edited_balance_is_reported(world: EscrowWorld, name: str, change: int) -> None:
    owner = f"{INSTANCE}/customer/{world.buyer.ref}"
    account = row(world, f"balance/{SANDBOX_EUR.asset}", owner, "accounts")
    edit(world, account, "accounts", **{name: account[name] + change})
    assert (
        f"account {owner} {SANDBOX_EUR.asset}, {name}: expected {account[name]}, found {account[name] + change}"
        in told(world)
    )


def test_an_edited_fee_account_is_reported(world: EscrowWorld) -> None:
    fees = row(world, f"balance/{SANDBOX_EUR.asset}", f"{INSTANCE}/fees/escrow-desk-sandbox", "accounts")
    assert fees["available"] == eur(6)
    edit(world, fees, "accounts", available=eur(5))
    assert f"escrow-desk-sandbox {SANDBOX_EUR.asset}, available: expected {eur(6)}, found {eur(5)}" in told(world)


@pytest.mark.parametrize(
    ("entry", "facts", "what"),
    [
        ("payin/000000000001", {"status": "CANCELLED"}, ", status of payin 1: expected CREATED, found CANCELLED"),
        ("payin/000000000004", {"status": "DENIED"}, ", status of payin 4"),
        ("payin/000000000004", {"status": "REFUNDED"}, ", all of its payin refunded: expected False, found True"),
        ("payin/000000000004", {"amount": eur(19)}, ", amount of payin 4"),
        ("payin/000000000004", {"order_id": 1}, ", payins"),
        ("payin/000000000004", {"wallet_id": 6}, ", wallet of payin 4: expected 5, found 6"),
        ("payin/000000000004", {"seller": None}, ", seller: expected None"),
        ("payout/000000000002", {"wallet_id": 5}, ", payout 2, wallet: expected 7, found 5"),
        ("refund/000000000002", {"wallet_id": 6}, ", wallet of its refunds"),
        ("payin/000000000004", {"order_id": 99}, ", payins"),
        ("payout/000000000001", {"status": "CREATED"}, ", payout 1, status: expected CANCELLED or DENIED"),
        ("payout/000000000002", {"status": "CANCELLED"}, ", payout 2, status: expected CONFIRMED, found CANCELLED"),
        ("payout/000000000002", {"order_id": 99}, ", payout_id"),
        ("refund/000000000002", {"amount": eur(9)}, ", hold"),
        ("refund/000000000002", {"number": 2}, ", refunds"),
        ("customer/000000000003", {"email": "other@x.test"}, "email/"),
        ("customer/000000000003", {"phone": "601"}, "phone/"),
        ("customer/000000000003", {"uuid": "other"}, "by its customer"),
        ("customer/000000000003", {"wallets": {"EUR": 5}}, "wallet/000000000006"),
        ("customer/000000000003", {"is_hidden": True}, "count"),
        ("wallet/000000000005", {"customer_id": 4}, "wallet/000000000005"),
        ("wallet/000000000005", {"uuid": "other"}, "wallet-uuid/"),
        ("count", {"orders": 13}, "count of inst_test0001/escrow/sandbox/shop, orders: expected 12, found 13"),
        ("count", {"wallets": 5}, ", wallets: expected 6, found 5"),
        (
            "email/ann@x.test",
            {"of": 4},
            "email/ann@x.test of inst_test0001/escrow/sandbox/shop, of: expected 3, found 4",
        ),
    ],
)
def test_an_edited_row_is_reported(world: EscrowWorld, entry: str, facts: Row, what: str) -> None:
    edit(world, row(world, entry), **facts)
    assert what in told(world)


@pytest.mark.parametrize(
    "entry",
    [
        "order/000000000001",
        "payin/000000000004",
        "payout/000000000002",
        "refund/000000000002",
        "customer/000000000003",
        "wallet/000000000005",
        "count",
        "email/ann@x.test",
        "phone/+34/600",
    ],
)
def test_a_removed_row_is_reported(world: EscrowWorld, entry: str) -> None:
    found = row(world, entry)
    world.database.delete_many("escrows", [{"owner": OWNER, "entry": entry}])
    assert found["entry"] == entry
    assert told(world)


def test_a_name_without_an_owner_is_reported(world: EscrowWorld) -> None:
    world.database.put_many("escrows", [{"owner": OWNER, "entry": "email/nobody@x.test", "of": 3}])
    assert "email/nobody@x.test" in told(world)


@pytest.mark.parametrize("kind", ["order", "payin", "payout", "refund", "customer", "wallet"])
def test_a_counter_behind_its_ids_is_reported(world: EscrowWorld, kind: str) -> None:
    counter = row(world, f"counter/{kind}", f"{INSTANCE}/escrow")
    edit(world, counter, last=counter["last"] + 5)
    Verifier(world.database).verify(None)
    edit(world, counter, last=counter["last"] - 1)
    assert f"counter/{kind} of {INSTANCE}/escrow, last: expected {counter['last']} at least" in told(world)


def entries_of(world: EscrowWorld, order_id: int) -> list[Row]:
    """Return the outbox rows of an order, oldest first."""
    found = [
        one for one in world.database.scan("outbox") if f'"id":"{order_id}","metadata"'.encode() in content_of(one)
    ]
    return sorted(found, key=lambda one: one["number"])


def edited(row: Row, old: str, new: str) -> dict[str, bytes]:
    content = content_of(row)
    assert old.encode() in content
    return stored(content.replace(old.encode(), new.encode()))


def test_a_lane_with_a_gap_is_reported(world: EscrowWorld) -> None:
    entries = entries_of(world, 8)
    for one in (entries[0], entries[-1]):
        others = list(world.database.scan("outbox"))
        is_last = not [other for other in others if other["owner"] == one["owner"] and other["number"] > one["number"]]
        world.database.delete_many("outbox", [{"owner": one["owner"], "number": one["number"]}])
        assert ("order/000000000008" if is_last else f"outbox {one['owner']}, number of entries") in told(world)
        world.database.put_many("outbox", [one])


def test_an_edited_entry_is_reported(world: EscrowWorld) -> None:
    first, second, *_, last = entries_of(world, 8)
    assert b"EscrowReleased" in content_of(last)
    edit(world, second, "outbox", **edited(second, '"status":"PENDING_PUBLISH"', '"status":"FAILURE"'))
    assert f"entry {second['number']}: expected an event that leaves DRAFT" in told(world)
    edit(world, second, "outbox", **edited(second, '"id":"8"', '"id":"99"'))
    assert "order/000000000008" in told(world)
    edit(world, first, "outbox", **edited(first, "EscrowUpdated", "EscrowAccepted"))
    assert "expected an event that leaves None" in told(world)
    world.database.put_many("outbox", [first, second])
    edit(world, last, "outbox", command="another")
    assert "order/000000000008" in told(world)


@pytest.mark.parametrize(("kind", "order_id"), [("credit", 4 + 1), ("transfer", 8), ("fee", 8)])
def test_a_removed_ledger_row_of_an_order_is_reported(world: EscrowWorld, kind: str, order_id: int) -> None:
    found = [
        one
        for one in world.database.scan("accounts")
        if one.get("reference") == f"order:{order_id}" and one["kind"] == kind
    ]
    assert len(found) in (2, 3)
    world.database.delete_many("accounts", [{"owner": one["owner"], "entry": one["entry"]} for one in found])
    assert f"order/{order_id:012d} of {OWNER}, transactions" in told(world)


def test_others_may_use_an_orders_reference(world: EscrowWorld) -> None:
    """A deposit has the reference that the operator gave it."""
    world.deposit(1, "order:5")
    Verifier(world.database).verify(None)


def test_an_order_that_moves_while_it_is_read_is_read_again(world: EscrowWorld) -> None:
    accepts = iter([4])

    def busy(items: Any, what: str, total: int | None) -> Any:  # noqa: ARG001
        """Accept an order when its row has been read, before the outbox is."""
        yield from items
        if what == "escrow orders":
            for order_id in accepts:
                world.desk.accept(world.scope, order_id)

    assert Verifier(world.database, busy).verify(None).instances[0].escrow_orders == 12


def test_a_desk_that_changes_at_every_reading_is_given_up(world: EscrowWorld) -> None:
    def busy(items: Any, what: str, total: int | None) -> Any:  # noqa: ARG001
        yield from items
        if what == "escrow orders":
            world.bankwire(replace(world.order(1)))
            world.desk.cancel(world.scope, next(iter(world.escrows.orders(world.scope))).order_id, Cancel())

    with pytest.raises(BookMoves):
        Verifier(world.database, busy).verify(None)
