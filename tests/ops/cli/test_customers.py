"""Commands for customers: freezing (T96), holders (T97), and verifying one tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.ledger.owners import fees_key
from chalicelib.ops import cli
from chalicelib.ops.cli.failures import CommandFailed
from chalicelib.tables.accounts import Accounts
from chalicelib.tables.dynamodb import Database
from tests.world import BASE, INSTANCE, QUOTE, World

Run = Callable[[str], dict[str, Any]]
OF = f"--instance {INSTANCE}"


@pytest.fixture
def world(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    world = World(memory_database)
    world.tenants().create_instance("test0001", {"trading"})
    return world


@pytest.fixture
def run(world: World) -> Run:  # noqa: ARG001 - the tables that the commands work on
    return lambda line: cli.run(line.split())


def test_a_customer_is_frozen_listed_and_let_go(run: Run) -> None:
    freeze = f"customer freeze {OF} --customer ann"
    assert run(f"{freeze} --reason fraud") == {"customer": "ann", "frozen": True, "changed": True}
    assert run(freeze)["changed"] is False
    run(f"customer freeze {OF} --customer ben")
    listed = run(f"customer frozen {OF}")["customers"]
    assert [(one["customer"], one["reason"]) for one in listed] == [("ann", "fraud"), ("ben", None)]
    assert run(f"customer unfreeze {OF} --customer ann") == {"customer": "ann", "frozen": False, "changed": True}
    assert run(f"customer unfreeze {OF} --customer ann")["changed"] is False


def test_a_freeze_by_a_name_in_another_case_is_refused(run: Run, world: World) -> None:
    wallet = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    world.credit("sandbox:5756be34", QUOTE, 1)
    for name in (wallet, "sandbox:5756BE34"):
        with pytest.raises(CommandFailed, match=f"in lower case: --customer {name.lower()}"):
            run(f"customer freeze {OF} --customer {name}")
        assert run(f"customer freeze {OF} --customer {name.lower()}")["changed"] is True
    world.credit(wallet, QUOTE, 1)  # a customer of the book desk may have any name
    for name in (wallet, "ANN"):
        assert run(f"customer freeze {OF} --customer {name}")["changed"] is True


def test_holders_are_listed_with_fees_the_largest_first(run: Run, world: World) -> None:
    world.credit("ann", BASE, 30)
    world.credit("ben", BASE, 70)
    world.credit("gone", BASE, 5)
    world.move("gone", None, BASE, 5)
    world.credit("ann", QUOTE, 10**6)
    World(world.database, instance="inst_test0002").credit("stranger", BASE, 99)
    world.database.write(Accounts(world.database).change(fees_key(INSTANCE, "ob_test"), BASE, 4, 0, 1))
    world.placed("ben", "SELL", 20, 5)
    holders = f"holders {OF} --asset {BASE}"
    amounts = ("balance", "available", "held")
    assert [
        (one["customer"], one["fee_account"], *(one[name] for name in amounts)) for one in run(holders)["holders"]
    ] == [("ben", None, "70", "50", "20"), ("ann", None, "30", "30", "0"), (None, "ob_test", "4", "4", "0")]


def test_one_tenant_is_verified_with_or_without_books(run: Run, world: World) -> None:
    world.credit("ann", BASE, 30)
    World(world.database, instance="inst_test0002").credit("ann", BASE, 5)
    for ref in ("test0002", "test0003"):
        world.tenants().create_instance(ref, {"trading"})
    own = run(f"verify {OF}")
    assert [book["book"] for book in own["books"]] == [world.book]
    assert [(one["instance"], one["assets"]) for one in own["instances"]] == [
        (INSTANCE, [{"asset": BASE, "total": "30"}])
    ]
    empty = run("verify --instance inst_test0003")
    assert (empty["books"], [one["instance"] for one in empty["instances"]]) == ([], ["inst_test0003"])
    owner = "inst_test0002/customer/ann"
    (row,) = (row for row in world.database.scan("accounts") if row["owner"] == owner and "held" in row)
    world.database.put_many("accounts", [row | {"available": 6}])
    assert run(f"verify {OF}") == own, "what is wrong with another tenant is not this one's"
    with pytest.raises(CommandFailed, match="does not agree"):
        run("verify --instance inst_test0002")


@pytest.mark.parametrize(
    "line",
    ["customer freeze I --customer a", "customer unfreeze I --customer a", "customer frozen I",
     f"holders I --asset {BASE}", "verify I"],
)  # fmt: skip
def test_an_instance_that_does_not_exist_is_named(run: Run, line: str) -> None:
    with pytest.raises(CommandFailed, match="no such instance: inst_none0001"):
        run(line.replace(" I", " --instance inst_none0001"))


@pytest.mark.parametrize("line", ["verify --all --instance i", "verify i/b --instance i", "verify"])
def test_verify_takes_one_of_a_book_an_instance_and_all(run: Run, line: str) -> None:
    with pytest.raises(SystemExit):
        run(line)
