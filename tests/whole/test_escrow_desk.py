"""The escrow desk over HTTP: concurrent requests and their results.

The second of two conflicting requests is refused with a reason, money moves once, and ``verify`` agrees.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.ops.verify.verifier import Verifier
from chalicelib.support.clock import new_id
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from tests.infra.stack import RunningStack
from tests.services.books.test_races import at_once

pytestmark = pytest.mark.stack

INSTANCE = "inst_demo0001"
ROUNDS = 2
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Shop:
    """The demo's merchant, its buyer and its seller; each request on a connection of its own."""

    stack: RunningStack
    database: Database

    @property
    def demo(self) -> dict[str, Any]:
        desk: dict[str, Any] = self.stack.demo["escrow_desk"]
        return desk

    def ask(self, method: str, path: str, body: object = None, *, key: str = "secret_key", once: str = "") -> Answer:
        """once: an Idempotency-Key."""
        headers = {"authorization": f"Bearer {self.demo[key]}", "content-type": "application/json"}
        headers |= {"idempotency-key": once} if once else {}
        connection = http.client.HTTPConnection(urlsplit(self.stack.base_url).netloc, timeout=30)
        try:
            connection.request(method, f"/2.0{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def done(self, method: str, path: str, body: object = None, **more: Any) -> dict[str, Any]:
        """Ask for something that must succeed; return its data."""
        status, answer = self.ask(method, path, body, **more)
        assert status == 200, answer
        return dict(answer["data"])

    def order(self, value: int = 30, **more: Any) -> dict[str, Any]:
        parties = {name: self.demo[name] for name in ("buyer_id", "seller_id")}
        return self.done("POST", "/orders", {"name": "Tent", "value": value, **parties, **more})

    def payment(self, order: dict[str, Any]) -> dict[str, Any]:
        return {"order_id": order["id"], "type": "WALLET", "wallet_id": self.demo["buyer_wallet_id"]}

    def paid(self, **more: Any) -> dict[str, Any]:
        order = self.order(**more)
        assert self.done("POST", "/payins", self.payment(order))["status"] == "CONFIRMED"
        return order

    def now(self, order: dict[str, Any]) -> dict[str, Any]:
        return self.done("GET", f"/orders/{order['id']}")

    def balances(self) -> tuple[float, float]:
        """Return what the buyer and the seller have available."""
        wallets = self.ask("GET", "/wallets?per_page=100&sort=asc")[1]["data"]
        customers = {row["id"]: row["self"] for row in self.ask("GET", "/customers?per_page=100")[1]["data"]}
        by_owner = {wallet["connections"]["customer"]: wallet["balance"] for wallet in wallets}
        return by_owner[customers[self.demo["buyer_id"]]], by_owner[customers[self.demo["seller_id"]]]

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


def refusal(answer: Answer) -> str:
    """Return what a 422 says of the status, and of nothing else."""
    status, body = answer
    assert (status, list(body["errors"])) == (422, ["status"]), answer
    return str(body["errors"]["status"][0])


def both(first: Callable[[], Answer], second: Callable[[], Answer]) -> list[Answer]:
    """Send two requests at the same moment."""
    answers: list[Any] = at_once([first, second])
    return answers


def test_of_two_concurrent_wallet_payins_one_pays_and_the_other_is_refused(shop: Shop) -> None:
    for _ in range(ROUNDS):
        order, before = shop.order(), shop.balances()
        answers = both(*[lambda order=order: shop.ask("POST", "/payins", shop.payment(order))] * 2)  # type: ignore[misc]
        assert sorted(status for status, _ in answers) == [200, 422]
        winner, loser = sorted(answers, key=lambda answer: answer[0])
        assert winner[1]["data"]["status"] == "CONFIRMED"
        assert refusal(loser) == "The order cannot be paid while its status is PUBLISHED."
        assert shop.balances() == (before[0] - 30, before[1])
        assert shop.done("GET", f"/orders/{order['id']}/payin")["id"] == winner[1]["data"]["id"]


def test_of_two_validations_at_once_one_releases(shop: Shop) -> None:
    for _ in range(ROUNDS):
        order = shop.paid(fee_value=1)
        shop.done("POST", f"/orders/{order['id']}/accept")
        before = shop.balances()
        answers = both(*[lambda order=order: shop.ask("POST", f"/orders/{order['id']}/validate")] * 2)  # type: ignore[misc]
        winner, loser = sorted(answers, key=lambda answer: answer[0])
        assert (winner[0], winner[1]["data"]["status"]) == (200, "RELEASED")
        assert refusal(loser).startswith("The order cannot be validated while its status is ")
        assert shop.balances() == (before[0], before[1] + 29)


def test_of_a_cancellation_and_a_validation_at_once_the_money_goes_one_way(shop: Shop) -> None:
    for number in range(ROUNDS):
        order = shop.paid()
        shop.done("POST", f"/orders/{order['id']}/accept")
        before = shop.balances()
        names = ("cancel", "validate") if number % 2 else ("validate", "cancel")
        answers = both(
            *[lambda name=name, order=order: shop.ask("POST", f"/orders/{order['id']}/{name}") for name in names]
        )  # type: ignore[misc]
        by_name = dict(zip(names, answers, strict=True))
        status = shop.now(order)["status"]
        assert status in ("CANCELLED", "RELEASED")
        if status == "RELEASED":
            assert refusal(by_name["cancel"]) == "The order cannot be cancelled while its status is RELEASED."
            assert shop.balances() == (before[0], before[1] + 30)
        else:
            told = by_name["validate"]
            assert told[0] == 200 or refusal(told).endswith("while its status is CANCELLED.")
            assert by_name["cancel"][0] == 200
            assert shop.balances() == (before[0] + 30, before[1])


def test_of_a_cancellation_and_an_unblocking_that_releases_at_once_one_wins(shop: Shop) -> None:
    """The operator lets an order go on whose release is due at once; its buyer's side cancels it."""
    for _ in range(ROUNDS):
        order = shop.paid()
        shop.done("POST", f"/orders/{order['id']}/accept")
        shop.set_delay(3600)
        assert shop.done("POST", f"/orders/{order['id']}/validate")["status"] == "PENDING_RELEASE"
        path = f"/operator/orders/{order['id']}"
        shop.done("POST", f"{path}/block", key="operator_key")
        shop.set_delay(0)
        before = shop.balances()
        unblocked, cancelled = both(
            lambda path=path: shop.ask("POST", f"{path}/unblock", key="operator_key"),  # type: ignore[misc]
            lambda order=order: shop.ask("POST", f"/orders/{order['id']}/cancel"),  # type: ignore[misc]
        )
        status = shop.now(order)["status"]
        if status == "RELEASED":
            assert refusal(cancelled) == "The order cannot be cancelled while its status is RELEASED."
            assert (unblocked[0], shop.balances()) == (200, (before[0], before[1] + 30))
        else:
            assert (status, cancelled[0]) == ("CANCELLED", 200)
            assert unblocked[0] == 200 or refusal(unblocked).endswith("while its status is CANCELLED.")
            assert shop.balances() == (before[0] + 30, before[1])


def test_one_order_that_is_sent_five_times_at_once_under_one_key_is_made_once(shop: Shop) -> None:
    body = {"name": new_id("once"), "value": 1, "buyer_id": shop.demo["buyer_id"], "seller_id": shop.demo["seller_id"]}
    answers: list[Any] = at_once([lambda: shop.ask("POST", "/orders", body, once=body["name"])] * 5)
    assert {status for status, _ in answers} == {200}
    assert len({json.dumps(answer) for _, answer in answers}) == 1
    assert shop.ask("GET", f"/orders?search=name&query={body['name']}")[1]["total"] == 1


def test_a_partial_refund_in_chunks_gives_back_that_part_and_no_more(shop: Shop) -> None:
    order = shop.paid()
    before = shop.balances()
    connection = http.client.HTTPConnection(urlsplit(shop.stack.base_url).netloc, timeout=30)
    headers = {"authorization": f"Bearer {shop.demo['secret_key']}", "content-type": "application/json"}
    content = iter([b'{"amo', b'unt":', b"10}"])  # of no known length, so http.client sends it in chunks
    connection.request("POST", f"/2.0/orders/{order['id']}/reimburse", content, headers, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    response.read()
    connection.request("GET", f"/2.0/orders/{order['id']}", headers=headers)  # nothing was left on the connection
    assert connection.getresponse().status == 200
    connection.close()
    assert shop.balances() == (before[0] + 10, before[1])
