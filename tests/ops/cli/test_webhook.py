"""``tallybook webhook``: an operator's endpoints and a merchant's, from making one to sending a dead letter again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.tenancy.instances import World
from chalicelib.domain.webhooks.endpoint import Owner, merchant_owner
from chalicelib.domain.webhooks.signing import secret_of
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import Code, CommandFailed
from chalicelib.services.webhooks.sending import Answer
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.webhooks import WebhookEndpoints
from tests.ops.cli.merchants import make_merchants
from tests.services.webhooks.world import INSTANCE, URL, Hooks, event

MASTER_KEY = b"k" * 32
Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    cli.run(["instance", "create", "--ref", INSTANCE.removeprefix("inst_")])
    return lambda line: cli.run(line.split())


def test_an_endpoint_is_made_with_its_secret_listed_without_and_removed(run: Run) -> None:
    made = run(f"webhook create {INSTANCE} {URL} --type order.* --type trade.executed --customer ann")
    assert made["secret"] == secret_of(MASTER_KEY, made["id"], 1)
    assert (made["types"], made["customerRefs"]) == (["order.*", "trade.executed"], ["ann"])
    (listed,) = run(f"webhook list {INSTANCE}")["webhooks"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert run(f"webhook remove {INSTANCE} {made['id']}") == {"id": made["id"], "removed": True}
    assert run(f"webhook list {INSTANCE}")["webhooks"] == []


def test_an_endpoint_is_paused_resumed_tested_and_its_secret_rotated(run: Run) -> None:
    made = run(f"webhook create {INSTANCE} {URL}")
    assert made["types"] == ["*"]
    assert run(f"webhook pause {INSTANCE} {made['id']}")["status"] == "PAUSED"
    with pytest.raises(CommandFailed, match="not active"):
        run(f"webhook test {INSTANCE} {made['id']}")
    assert run(f"webhook resume {INSTANCE} {made['id']}")["status"] == "ACTIVE"
    assert run(f"webhook test {INSTANCE} {made['id']}")["deliveryId"].startswith("evt_test_")
    assert run(f"webhook rotate {INSTANCE} {made['id']} --hours 0")["secret"] == secret_of(MASTER_KEY, made["id"], 2)


def test_a_dead_letter_is_listed_and_sent_again(run: Run, memory_database: Database) -> None:
    made = run(f"webhook create {INSTANCE} {URL}")
    hooks = Hooks(memory_database)
    hooks.receiver.answers[URL] = [Answer(None, "timeout")]
    hooks.receive(event())
    hooks.work()
    for _ in range(10):
        hooks.sweep(after_s=100_000)
    (dead,) = run(f"webhook dead {INSTANCE} {made['id']}")["deliveries"]
    assert (dead["id"], dead["status"], dead["attempts"], dead["lastAnswer"]) == (
        event().event_id,
        "DEAD",
        10,
        "timeout",
    )
    again = run(f"webhook redeliver {INSTANCE} {made['id']} {dead['id']}")
    assert (again["id"], again["status"], again["attempts"]) == (dead["id"], "WAITING", 0)
    assert run(f"webhook dead {INSTANCE} {made['id']}")["deliveries"] == []
    assert run(f"webhook waiting {INSTANCE} {made['id']}")["deliveries"] == [again]
    assert run(f"webhook waiting {INSTANCE} {made['id']} --after {again['id']}")["deliveries"] == []
    with pytest.raises(CommandFailed, match="no such delivery"):
        run(f"webhook dead {INSTANCE} {made['id']} --after {again['id']}")


@pytest.mark.parametrize("more", ["--world sandbox", "--merchant shop --customer ann"])
def test_an_option_that_would_be_passed_over_is_wrong_usage(run: Run, more: str) -> None:
    make_merchants(run, INSTANCE, "shop")
    with pytest.raises(CommandFailed, match="of no use") as refused:
        run(f"webhook create {INSTANCE} {URL} {more}")
    assert refused.value.code is Code.USAGE


def test_a_merchants_endpoints_are_its_own_in_each_world(run: Run, memory_database: Database) -> None:
    make_merchants(run, INSTANCE, "shop", "other")
    made = run(f"webhook create {INSTANCE} {URL} --merchant shop --world sandbox --type EscrowPublished")
    owner = merchant_owner(INSTANCE, World.SANDBOX, "shop")
    table = WebhookEndpoints(memory_database)
    assert [one.endpoint_id for one in table.of_owner(owner)] == [made["id"]]
    assert table.of_owner(Owner(INSTANCE)) == []
    for other in ("", "--merchant shop", "--merchant other --world sandbox"):
        assert run(f"webhook list {INSTANCE} {other}")["webhooks"] == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"webhook create inst_none0001 {URL}", "no such instance"),
        (f"webhook create {INSTANCE} {URL} --merchant nobody", "no such merchant: nobody"),
        (f"webhook create {INSTANCE} http://hooks.example.com/", "https URL"),
        (f"webhook create {INSTANCE} https://10.0.0.1/", "not a public address"),
        (f"webhook pause {INSTANCE} we_none", "no such webhook endpoint"),
        (f"webhook dead {INSTANCE} we_none", "no such webhook endpoint"),
        (f"webhook pause {INSTANCE} {'x' * 2000}", "no such webhook endpoint"),
        (f"webhook waiting {INSTANCE} we_none", "no such webhook endpoint"),
    ],
)
def test_what_is_refused_says_why(run: Run, line: str, says: str) -> None:
    with pytest.raises(CommandFailed, match=says):
        run(line)


@pytest.mark.parametrize(
    "more",
    [
        "--type Order-Filled",
        "--type **",
        "--world moon",
        "--type * " * 51,
        "--customer=",
        f"--customer {'x' * 257}",
        "--customer ann " * 101,
        f"--description {'x' * 201}",
    ],
)
def test_wrong_usage_is_refused(run: Run, more: str) -> None:
    """The bounds are those of the book desk."""
    with pytest.raises(SystemExit):
        run(f"webhook create {INSTANCE} {URL} {more}")
