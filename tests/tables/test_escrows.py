"""Escrow tables on each engine: round trips, conditions, lists, counters and due releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest

from chalicelib.domain.escrow.lifecycle import Status
from chalicelib.domain.escrow.money import FeeTerms
from chalicelib.domain.escrow.order import (
    Callbacks,
    Counts,
    Customer,
    Links,
    Order,
    Party,
    RefundStatus,
    Released,
    Scope,
    Wallet,
)
from chalicelib.domain.escrow.payments import Payin, PayinStatus, PayinType, Payout, PayoutStatus, PayoutType, Refund
from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_finder import EscrowFinder
from chalicelib.tables.escrow_rows import order_of, row_of_order, scope_of
from chalicelib.tables.escrows import Escrows
from chalicelib.tables.rows import UnreadableRow
from chalicelib.tables.writes import ConditionFailed, TransactionRefused
from tests.faults import WatchedClient
from tests.services.escrow.world import EUR, NOW_S, eur

SCOPE = Scope("inst_test0001", World.SANDBOX, "shop")
ELSEWHERE = replace(SCOPE, world=World.PRODUCTION)


def order(order_id: int = 1, **more: object) -> Order:
    facts = Order(
        SCOPE,
        order_id,
        f"PUBLIC{order_id:06d}",
        "Road bike",
        eur(150),
        EUR,
        Party(1, "b", 11),
        Party(2, "s", 12),
        Links(*(f"{order_id:010d}{page}" for page in "bsq")),
        NOW_S,
        version=1,
    )
    return replace(facts, **more)  # type: ignore[arg-type]


FULL = order(
    7,
    description="red",
    fee_terms=FeeTerms(eur(1), 25_000),
    is_auto_settle=True,
    tag="t",
    metadata={"weight": Decimal("0.10"), "of": [1, True, None, {"x": "é"}]},
    template={"expires_in": 5},
    images=("http://x.test/1",),
    payin_intents=3,
    payin_types=("WALLET",),
    payin_fallback=("BANKWIRE",),
    callbacks=Callbacks("http://x.test/a", None, "http://x.test/b", None),
    status=Status.BLOCKED_RELEASE,
    hold=10**27,
    payins=2,
    payin_id=5,
    payin_amount=eur(150),
    payout_id=6,
    is_paid_outside=True,
    released=Released(1, 2),
    refunds=1,
    refund_status=RefundStatus.CONFIRMED,
    blocked_from=Status.ACCEPTED,
    release_at_s=NOW_S + 5,
    published_at_s=1,
    accepted_at_s=2,
    cancelled_at_s=3,
    validated_at_s=4,
    released_at_s=5,
    command="c",
)


@pytest.mark.parametrize(
    "stored", [order(), order(2, buyer=None), FULL], ids=["new", "without a buyer", "everything set"]
)
def test_an_order_comes_back_as_it_was_put(store: Database, stored: Order) -> None:
    escrows = Escrows(store)
    store.transact(escrows.put_order(stored))
    assert escrows.order(SCOPE, stored.order_id) == stored
    assert escrows.order(ELSEWHERE, stored.order_id) is None
    assert escrows.order(replace(SCOPE, merchant="other"), stored.order_id) is None
    assert escrows.counts(SCOPE) == Counts(orders=1)


def test_every_fact_of_an_order_is_set_in_the_full_one() -> None:
    """So that the test above misses none."""
    plain = order(7)
    same = [name for name in Order.__slots__ if getattr(FULL, name) == getattr(plain, name)]
    assert set(same) == {
        *("scope", "order_id", "public_id", "name", "value", "currency", "buyer", "seller", "links", "created_at_s"),
        "version",
    }


@pytest.mark.parametrize("damage", [{"status": "ODD"}, {"buyer": {"x": 1}}, {"metadata": "["}, {"owner": "x"}])
def test_an_impossible_row_is_unreadable(damage: dict[str, object]) -> None:
    with pytest.raises(UnreadableRow):
        order_of(row_of_order(FULL) | damage)
    row = row_of_order(FULL)
    del row["links"]
    with pytest.raises(UnreadableRow):
        order_of(row)


def test_a_place_is_read_off_its_owner_whatever_the_merchants_name() -> None:
    assert scope_of("inst_a/escrow/production/a/b") == Scope("inst_a", World.PRODUCTION, "a/b")


def test_an_order_is_put_once_and_its_public_id_is_its_own(store: Database) -> None:
    escrows = Escrows(store)
    store.transact(escrows.put_order(order()))
    for other in (order(), order(2, public_id="PUBLIC000001"), order(2, public_id="PUBLIC000001", scope=ELSEWHERE)):
        with pytest.raises(TransactionRefused):
            store.transact(escrows.put_order(other))
    assert escrows.counts(SCOPE) == Counts(orders=1)


def test_an_order_is_changed_from_what_was_read_of_it_only(store: Database) -> None:
    escrows, before = Escrows(store), order()
    store.transact(escrows.put_order(before))
    after = replace(before, status=Status.FAILURE, version=2)
    for stale in (replace(before, version=0), replace(before, status=Status.PENDING_PUBLISH)):
        with pytest.raises(ConditionFailed):
            store.write(escrows.change_order(stale, after))
    with pytest.raises(ConditionFailed):
        store.write(escrows.change_order(order(9), order(9, version=2)))
    store.write(escrows.change_order(before, after))
    with pytest.raises(ConditionFailed):
        store.write(escrows.change_order(before, after))
    assert escrows.order(SCOPE, 1) == after


def test_payins_payouts_and_refunds_come_back_and_leave_the_status_that_was_read(store: Database) -> None:
    escrows = Escrows(store)
    payin = Payin(SCOPE, 5, 1, PayinType.BANKWIRE, eur(150), "b", NOW_S, None, "ES00", "Shop", error="x")
    payout = Payout(SCOPE, 6, 1, PayoutType.BANKWIRE, NOW_S, bankaccount_id=7, bankwire_ref="Invoice", error="x")
    refund = Refund(SCOPE, 3, 1, 2, eur(5), 11, 5, EUR, NOW_S)
    writes = [escrows.put_payin(payin, None), escrows.put_payout(payout, None), [escrows.put_refund(refund)]]
    store.transact([write for of_one in writes for write in of_one])
    assert escrows.attached(order(payin_id=5, payout_id=6)) == (payin, payout)
    assert escrows.attached(order()) == (None, None)
    assert (escrows.payin(SCOPE, 5), escrows.payout(SCOPE, 6), escrows.refund(SCOPE, 3)) == (payin, payout, refund)
    for again in writes:
        with pytest.raises(TransactionRefused):
            store.transact(again)
    confirmed = replace(payin, status=PayinStatus.CONFIRMED, confirmed_at_s=NOW_S)
    store.transact(escrows.put_payin(confirmed, PayinStatus.CREATED))
    store.transact(escrows.put_payout(replace(payout, status=PayoutStatus.CANCELLED), PayoutStatus.CREATED))
    with pytest.raises(TransactionRefused):
        store.transact(escrows.put_payin(replace(payin, status=PayinStatus.DENIED), PayinStatus.CREATED))
    with pytest.raises(TransactionRefused):
        store.transact(escrows.put_payout(replace(payout, status=PayoutStatus.CONFIRMED), PayoutStatus.CREATED))
    assert escrows.payin(SCOPE, 5) == confirmed


def test_what_is_open_is_listed_for_the_operator_until_it_is_decided(store: Database) -> None:
    """A payout to a wallet is not: the desk pays it itself."""
    escrows = Escrows(store)
    elsewhere, produced = replace(SCOPE, merchant="other"), replace(SCOPE, world=World.PRODUCTION)
    places = (5, SCOPE), (7, elsewhere), (8, produced)
    payins = [Payin(scope, number, 1, PayinType.BANKWIRE, 1, "b", NOW_S) for number, scope in places]
    for payin in payins:
        store.transact(escrows.put_payin(payin, None))
    for number, kind in ((5, PayoutType.WALLET), (6, PayoutType.ACCOUNT)):
        store.transact(escrows.put_payout(Payout(SCOPE, number, 1, kind, NOW_S), None))

    def opened(kind: str) -> list[tuple[Scope, int]]:
        return EscrowFinder(store).open_payments(SCOPE.instance, SCOPE.world, kind, newest_first=True)

    assert opened("payin") == [(elsewhere, 7), (SCOPE, 5)]
    assert opened("payout") == [(SCOPE, 6)]
    store.transact(escrows.put_payin(replace(payins[0], status=PayinStatus.DENIED), PayinStatus.CREATED))
    assert opened("payin") == [(elsewhere, 7)]
    store.transact(escrows.put_payin(replace(payins[0], status=PayinStatus.DENIED), PayinStatus.DENIED))
    assert [payin.payin_id for payin in EscrowFinder(store).payins_at(opened("payin"))] == [7]


def customer(customer_id: int, **more: object) -> Customer:
    facts = Customer(SCOPE, customer_id, f"uuid-{customer_id}", NOW_S, metadata={"a": Decimal("1.50")})
    return replace(facts, **more)  # type: ignore[arg-type]


def test_a_customer_is_found_by_each_of_its_names(store: Database) -> None:
    escrows = Escrows(store)
    ann = customer(1, email="Ann@X.test", prefix="+34", phone="600", wallets={"EUR": 21}, name="Ann")
    wallet = Wallet(SCOPE, 21, "wallet-21", 1, ann.uuid, EUR, NOW_S)
    store.transact(escrows.put_customer(ann, [wallet]))
    own = customer(2, is_hidden=True)
    store.transact(escrows.put_customer(own, []))
    assert escrows.customer(SCOPE, ann.uuid) == escrows.customer_with_email(SCOPE, "aNN@x.TEST") == ann
    assert escrows.customer_with_phone(SCOPE, "+34", "600") == ann
    assert escrows.customer_with_phone(SCOPE, "+3", "4600") is None
    assert escrows.customers_by_id(SCOPE, [1, 2, 2, 9]) == {1: ann, 2: own}
    assert list(escrows.customers(SCOPE)) == [ann]
    assert escrows.wallets_of(ann) == [escrows.wallet(SCOPE, "wallet-21")] == [wallet]
    assert escrows.counts(SCOPE) == Counts(customers=1, wallets=1)
    for name in ({"email": "ANN@x.test"}, {"prefix": "+34", "phone": "600"}, {"uuid": ann.uuid}):
        with pytest.raises(TransactionRefused):
            store.transact(escrows.put_customer(customer(3, **name), []))


def test_a_name_is_given_up_for_another(store: Database) -> None:
    escrows, ann, bob = Escrows(store), customer(1, email="ann@x.test"), customer(2, email="bob@x.test")
    for one in (ann, bob):
        store.transact(escrows.put_customer(one, []))
    with pytest.raises(TransactionRefused):
        store.transact(escrows.change_customer(ann, replace(ann, email="BOB@x.test", version=1)))
    moved = replace(ann, email="lee@x.test", version=1)
    store.transact(escrows.change_customer(ann, moved))
    assert escrows.customer_with_email(SCOPE, "ann@x.test") is None
    assert escrows.customer_with_email(SCOPE, "lee@x.test") == moved
    with pytest.raises(TransactionRefused):
        store.transact(escrows.change_customer(ann, replace(ann, name="late", version=1)))


def test_lists_are_by_id_and_each_ones_own(store: Database) -> None:
    escrows = Escrows(store)
    for number in (2, 10, 1, 100):
        store.transact(escrows.put_order(order(number)))
    store.transact(escrows.put_order(order(3, scope=ELSEWHERE)))
    assert [one.order_id for one in escrows.orders(SCOPE)] == [100, 10, 2, 1]
    assert [one.order_id for one in escrows.orders(SCOPE, newest_first=False, page_rows=2)] == [1, 2, 10, 100]
    assert list(escrows.payins(SCOPE)) == list(escrows.payouts(SCOPE)) == list(escrows.wallets(SCOPE)) == []


@pytest.mark.parametrize("order_id", [0, -1, 10**12, 10**20])
def test_an_impossible_id_is_not_found(store: Database, order_id: int) -> None:
    assert Escrows(store).order(SCOPE, order_id) is None


def test_an_operator_finds_what_is_at_one_of_many_places(store: Database) -> None:
    escrows = Escrows(store)
    store.transact(escrows.put_order(order()))
    store.transact(escrows.put_payin(Payin(SCOPE, 5, 1, PayinType.WALLET, 1, "b", NOW_S), None))
    store.transact(escrows.put_wallet(Wallet(SCOPE, 21, "wallet-21", 1, "b", EUR, NOW_S)))
    scopes = [replace(SCOPE, merchant=f"m{number}") for number in range(99)] + [SCOPE]
    assert EscrowFinder(store).scope_of_order(scopes, 1) == EscrowFinder(store).scope_of_payin(scopes, 5) == SCOPE
    assert EscrowFinder(store).scope_of_wallet(scopes, "wallet-21") == SCOPE
    assert EscrowFinder(store).scope_of_order(scopes[:99], 1) is None
    assert EscrowFinder(store).scope_of_order([], 1) is None


def test_counters_start_at_one_and_are_an_instances_own(store: Database) -> None:
    escrows = Escrows(store)
    assert [escrows.next_id("inst_a", "payin") for _ in range(3)] == [1, 2, 3]
    assert escrows.next_id("inst_a", "wallet", 5) == 1
    assert escrows.next_id("inst_a", "wallet", 2) == 6
    assert escrows.next_id("inst_b", "payin") == 1


def test_the_creation_time_never_goes_back(store: Database) -> None:
    escrows = Escrows(store)
    clock = [100, 90, 100, 105, 50]
    assert [escrows.next_order("inst_a", now_s) for now_s in clock] == [
        (1, 100),
        (2, 100),
        (3, 100),
        (4, 105),
        (5, 105),
    ]


def test_what_is_due_is_found_and_what_was_due_first_comes_first(store: Database) -> None:
    escrows = Escrows(store)
    for number in range(1, 12):
        due_s = NOW_S + number % 2 - number // 9
        store.transact(escrows.put_order(order(number, status=Status.PENDING_RELEASE, release_at_s=due_s)))
    assert list(escrows.due_releases(NOW_S - 2)) == []
    assert ids_due(escrows, NOW_S - 1) == [10]
    assert ids_due(escrows, NOW_S) == [10, 2, 4, 6, 8, 9, 11]
    assert ids_due(escrows, NOW_S + 1) == [10, 2, 4, 6, 8, 9, 11, 1, 3, 5, 7]
    before = escrows.order(SCOPE, 2)
    assert before is not None
    store.write(escrows.change_order(before, replace(before, status=Status.RELEASED, release_at_s=None, version=2)))
    assert ids_due(escrows, NOW_S) == [10, 4, 6, 8, 9, 11]


def ids_due(escrows: Escrows, now_s: int) -> list[int]:
    return [order_id for _, order_id in escrows.due_releases(now_s)]


def test_a_page_of_the_newest_orders_is_one_query_however_many_there_are(memory_database: Database) -> None:
    escrows, queries = Escrows(memory_database), []
    for number in range(1, 41):
        memory_database.transact(escrows.put_order(order(number)))

    def watch(operation: str, call: Callable[[], Any]) -> Any:
        answer = call()
        queries.append((operation, answer["ScannedCount"]))
        return answer

    watched: Any = WatchedClient(memory_database._client, watch)
    page = islice(Escrows(Database(watched, memory_database._prefix)).orders(SCOPE, page_rows=15), 15)
    assert [one.order_id for one in page] == list(range(40, 25, -1))
    assert queries == [("query", 15)]
