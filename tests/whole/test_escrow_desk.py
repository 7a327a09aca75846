"""The escrow desk over HTTP: concurrent requests and their results.

The second of two conflicting requests is refused with a reason, money moves once, and ``verify`` agrees.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.ops.verify.verifier import Verifier
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from tallybook_client import EscrowDesk, EscrowOperator, Retries
from tallybook_client.escrow import NewOrder
from tallybook_client.escrow.errors import Invalid
from tallybook_client.escrow.models import Order, Payin
from tests.infra.stack import RunningStack
from tests.services.books.test_races import at_once

pytestmark = pytest.mark.stack

INSTANCE = "inst_demo0001"
ROUNDS = 2
Outcome = Order | Payin | Invalid


class Shop:
    """The demo's merchant and operator, its buyer and its seller. They repeat nothing."""

    def __init__(self, stack: RunningStack, database: Database) -> None:
        self.database = database
        self.demo: dict[str, Any] = stack.demo["escrow_desk"]
        once = Retries(attempts=1)
        self.desk = EscrowDesk(stack.base_url, self.demo["secret_key"], retries=once)
        self.operator = EscrowOperator(stack.base_url, self.demo["operator_key"], retries=once)
        self.base_url = stack.base_url

    def tent(self, **more: Any) -> NewOrder:
        usual = {"name": "Tent", "value": 30, "buyer_id": self.demo["buyer_id"], "seller_id": self.demo["seller_id"]}
        return NewOrder(**{**usual, **more})

    def pay(self, order: Order) -> Payin:
        return self.desk.payments.pay(order.id, "WALLET", wallet_id=self.demo["buyer_wallet_id"])

    def paid(self, **more: Any) -> Order:
        order = self.desk.orders.create(self.tent(**more))
        assert self.pay(order).status == "CONFIRMED"
        return order

    def balances(self) -> tuple[Decimal, Decimal]:
        """Return what the buyer and the seller have available."""
        customers = {one.id: one.uuid for one in self.desk.customers.all()}
        buyer, seller = (customers[self.demo[name]] for name in ("buyer_id", "seller_id"))
        return next(self.desk.customers.wallets(buyer)).balance, next(self.desk.customers.wallets(seller)).balance

    def set_delay(self, seconds: int) -> None:
        EscrowDesks(self.database).change(INSTANCE, lambda found: replace(found, release_delay_seconds=seconds))


@pytest.fixture
def shop(stack: RunningStack) -> Iterator[Shop]:
    """The desk of the running stack; afterwards its delay is none, and everything in its tables agrees."""
    client = boto3.client("dynamodb", endpoint_url=stack.aws_endpoint_url)
    shop = Shop(stack, Database(client, stack.prefix))
    yield shop
    shop.set_delay(0)
    Verifier(shop.database).verify(None)


def refusal(outcome: Outcome) -> str:
    """Return what a refusal says of the status, and of nothing else."""
    assert isinstance(outcome, Invalid), outcome
    assert list(outcome.fields) == ["status"], outcome.fields
    return outcome.fields["status"]


def both(*calls: Callable[[], Order | Payin]) -> list[Outcome]:
    """Send requests at the same moment. Return what came of each."""

    def outcome_of(call: Callable[[], Order | Payin]) -> Outcome:
        try:
            return call()
        except Invalid as refused:
            return refused

    outcomes: list[Any] = at_once([partial(outcome_of, call) for call in calls])
    return outcomes


def winner_and_loser(outcomes: list[Outcome]) -> tuple[Order | Payin, Invalid]:
    """Return what the one that succeeded gave, and how the other was refused."""
    (winner,) = (one for one in outcomes if not isinstance(one, Invalid))
    (loser,) = (one for one in outcomes if isinstance(one, Invalid))
    return winner, loser


def test_of_two_concurrent_wallet_payins_one_pays_and_the_other_is_refused(shop: Shop) -> None:
    for _ in range(ROUNDS):
        order, before = shop.desk.orders.create(shop.tent()), shop.balances()
        winner, loser = winner_and_loser(both(*[partial(shop.pay, order)] * 2))
        assert winner.status == "CONFIRMED"
        assert refusal(loser) == "The order cannot be paid while its status is PUBLISHED."
        assert shop.balances() == (before[0] - 30, before[1])
        assert shop.desk.orders.payin(order.id).id == winner.id


def test_of_two_validations_at_once_one_releases(shop: Shop) -> None:
    for _ in range(ROUNDS):
        order = shop.paid(fee_value=1)
        shop.desk.orders.accept(order.id)
        before = shop.balances()
        winner, loser = winner_and_loser(both(*[partial(shop.desk.orders.validate, order.id)] * 2))
        assert winner.status == "RELEASED"
        assert refusal(loser).startswith("The order cannot be validated while its status is ")
        assert shop.balances() == (before[0], before[1] + 29)


def test_of_a_cancellation_and_a_validation_at_once_the_money_goes_one_way(shop: Shop) -> None:
    for number in range(ROUNDS):
        order = shop.paid()
        shop.desk.orders.accept(order.id)
        before = shop.balances()
        commands = [partial(shop.desk.orders.cancel, order.id), partial(shop.desk.orders.validate, order.id)]
        outcomes = both(*commands) if number % 2 else both(*commands[::-1])[::-1]
        cancelled, validated = outcomes
        status = shop.desk.orders.one(order.id).status
        assert status in ("CANCELLED", "RELEASED")
        if status == "RELEASED":
            assert refusal(cancelled) == "The order cannot be cancelled while its status is RELEASED."
            assert shop.balances() == (before[0], before[1] + 30)
        else:
            assert isinstance(validated, Order) or refusal(validated).endswith("while its status is CANCELLED.")
            assert isinstance(cancelled, Order)
            assert shop.balances() == (before[0] + 30, before[1])


def test_of_a_cancellation_and_an_unblocking_that_releases_at_once_one_wins(shop: Shop) -> None:
    """The operator lets an order go on whose release is due at once; its buyer's side cancels it."""
    for _ in range(ROUNDS):
        order = shop.paid()
        shop.desk.orders.accept(order.id)
        shop.set_delay(3600)
        assert shop.desk.orders.validate(order.id).status == "PENDING_RELEASE"
        shop.operator.block(order.id)
        shop.set_delay(0)
        before = shop.balances()
        unblocked, cancelled = both(
            partial(shop.operator.unblock, order.id), partial(shop.desk.orders.cancel, order.id)
        )
        status = shop.desk.orders.one(order.id).status
        if status == "RELEASED":
            assert refusal(cancelled) == "The order cannot be cancelled while its status is RELEASED."
            assert isinstance(unblocked, Order)
            assert shop.balances() == (before[0], before[1] + 30)
        else:
            assert status == "CANCELLED"
            assert isinstance(cancelled, Order)
            assert isinstance(unblocked, Order) or refusal(unblocked).endswith("while its status is CANCELLED.")
            assert shop.balances() == (before[0] + 30, before[1])


def test_one_order_that_is_sent_five_times_at_once_under_one_key_is_made_once(shop: Shop) -> None:
    tent = shop.tent(name=new_id("once"), value=1)
    orders: list[Any] = at_once([partial(shop.desk.orders.create, tent, key=tent.name)] * 5)
    assert orders == [orders[0]] * 5
    assert [one.id for one in shop.desk.orders.all(search="name", query=tent.name)] == [orders[0].id]


def test_a_partial_refund_in_chunks_gives_back_that_part_and_no_more(shop: Shop) -> None:
    order = shop.paid()
    before = shop.balances()
    connection = http.client.HTTPConnection(urlsplit(shop.base_url).netloc, timeout=30)
    headers = {"authorization": f"Bearer {shop.demo['secret_key']}", "content-type": "application/json"}
    content = iter([b'{"amo', b'unt":', b"10}"])  # of no known length, so http.client sends it in chunks
    connection.request("POST", f"/2.0/orders/{order.id}/reimburse", content, headers, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    response.read()
    connection.request("GET", f"/2.0/orders/{order.id}", headers=headers)  # nothing was left on the connection
    assert connection.getresponse().status == 200
    connection.close()
    assert shop.balances() == (before[0] + 10, before[1])
