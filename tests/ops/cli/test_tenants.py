"""Commands for instances and keys: output, refusals, and what a key permits afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.signed.settings import DeskSettings, Domain
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import AcceptedKey
from chalicelib.ops import cli
from chalicelib.ops.cli import tenants as cli_tenants
from chalicelib.support.clock import iso
from chalicelib.tables.desk_settings import TakerDesks
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import Tenants
from infra.settings import ROOT

Run = Callable[[str], dict[str, Any]]
NOW_S = 1_736_937_000
DAY_S = 86_400
INSTANCE = "inst_demo0001"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The operator's clock: its one member is the time in seconds."""
    now = [NOW_S]
    monkeypatch.setattr(cli_tenants, "now_s", lambda: now[0])
    return now


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch, clock: list[int]) -> Run:  # noqa: ARG001
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    cli.run(["instance", "create", "--ref", "demo0001"])
    return lambda line: cli.run(line.split())


def accepted(database: Database, api_key: str, at_s: int = NOW_S) -> AcceptedKey | None:
    return Tenants(database, lambda: at_s).accept("demo0001", api_key)


def test_an_instance_is_created_once_under_its_reference(run: Run) -> None:
    made = run("instance create --ref demo0002")
    contract = {"verifying_contract": Domain.of_its_own("inst_demo0002").verifying_contract}
    assert made == {"instance": "inst_demo0002", "services": ["trading"]} | contract
    with pytest.raises(cli.CommandFailed, match="exists already: inst_demo0002"):
        run("instance create --ref demo0002")
    assert run("instance create --ref demo0003 --service none")["services"] == []


def test_the_public_instance_alone_shares_the_vendors_domain(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """K39"""
    monkeypatch.setenv("TALLYBOOK_PUBLIC_INSTANCE", "inst_demo0003")
    shared = {"verifying_contract": Domain().verifying_contract}
    assert run("instance create --ref demo0003").items() >= shared.items()
    assert run("instance create --ref demo0004 --public").items() >= shared.items()
    made = run("instance create --ref demo0005")
    assert made["verifying_contract"] == Domain.of_its_own("inst_demo0005").verifying_contract
    desks = TakerDesks(wiring.database())
    assert desks.settings("inst_demo0003") == desks.settings("inst_demo0004") == DeskSettings()
    assert desks.settings("inst_demo0005") == DeskSettings(domain=Domain.of_its_own("inst_demo0005"))
    monkeypatch.delenv("TALLYBOOK_PUBLIC_INSTANCE")
    with pytest.raises(cli.CommandFailed, match="exists already: inst_demo0003"):
        run("instance create --ref demo0003")
    assert desks.settings("inst_demo0003") == DeskSettings(), "one that exists keeps its domain"


def test_services_are_switched_on_and_off(run: Run) -> None:
    """T5"""
    assert run(f"instance show {INSTANCE}")["services"] == ["trading"]
    off = {"instance": INSTANCE, "status": "ACTIVE", "services": [], "valid_keys": 0, "frozen_customers": 0}
    for _ in range(2):
        assert run(f"instance disable {INSTANCE} trading") == off
    assert run(f"instance show {INSTANCE}") == off
    assert run(f"instance enable {INSTANCE} trading")["services"] == ["trading"]


@pytest.mark.parametrize(
    "line", ["instance enable inst_demo0001 tradign", "instance create --ref demo0004 --service x"]
)
def test_an_unknown_service_is_wrong_usage(run: Run, memory_database: Database, line: str) -> None:
    before = list(memory_database.scan("tenants"))
    with pytest.raises(SystemExit):
        run(line)
    assert list(memory_database.scan("tenants")) == before


def test_an_archived_instance_keeps_its_keys_for_when_it_is_restored(run: Run, memory_database: Database) -> None:
    """T4"""
    api_key = run(f"key create --instance {INSTANCE}")["api_key"]
    archived = run(f"instance archive {INSTANCE}")
    assert (archived["status"], archived["valid_keys"]) == ("ARCHIVED", 1)
    assert accepted(memory_database, api_key) is None
    assert run(f"instance restore {INSTANCE}")["status"] == "ACTIVE"
    assert accepted(memory_database, api_key) is not None


def test_a_key_is_printed_once_and_accepted(run: Run, memory_database: Database) -> None:
    """T3, T6"""
    made = run(f"key create --instance {INSTANCE} --rate-limit 7")
    credential = accepted(memory_database, made["api_key"])
    assert credential == AcceptedKey(INSTANCE, made["key_id"], frozenset({"trading"}), 7)
    assert run(f"key create --instance {INSTANCE}")["rate_limit"] == 200
    secret = made["api_key"].rpartition("_")[2]
    assert len(secret) == 64
    assert secret not in repr(list(memory_database.scan("tenants")))


def test_keys_are_listed_without_anything_that_is_secret(run: Run, clock: list[int]) -> None:
    first = run(f"key create --instance {INSTANCE} --rate-limit 0")
    clock[0] += 5
    second = run(f"key rotate {INSTANCE} {first['key_id']} --grace-days 1")
    listed = run(f"key list {INSTANCE}")
    assert listed == {
        "instance": INSTANCE,
        "keys": [
            {
                "key_id": first["key_id"], "status": "PENDING_ROTATION", "rate_limit": 0,
                "made_at": iso(NOW_S * 1000), "ends_at": iso((NOW_S + 5 + DAY_S) * 1000),
            },
            {
                "key_id": second["key_id"], "status": "ACTIVE", "rate_limit": 0,
                "made_at": iso((NOW_S + 5) * 1000), "ends_at": None,
            },
        ],
    }  # fmt: skip
    for made in (first, second):
        assert made["api_key"] not in repr(listed)
        assert digest_of(made["api_key"]) not in repr(listed)
    clock[0] += DAY_S
    assert [key["status"] for key in run(f"key list {INSTANCE}")["keys"]] == ["EXPIRED", "ACTIVE"]


@pytest.mark.parametrize(("option", "days"), [("", 7), (" --grace-days 7", 7), (" --grace-days 1", 1)])
def test_a_rotated_key_stays_valid_for_a_week_or_less(
    run: Run, memory_database: Database, option: str, days: int
) -> None:
    old = run(f"key create --instance {INSTANCE} --rate-limit 7")
    new = run(f"key rotate {INSTANCE} {old['key_id']}{option}")
    ends_s = NOW_S + days * DAY_S
    assert new == {
        "instance": INSTANCE, "key_id": new["key_id"], "rate_limit": 7, "api_key": new["api_key"],
        "old_key_id": old["key_id"], "old_key_ends_at": iso(ends_s * 1000),
    }  # fmt: skip
    for at_s, valid in ((NOW_S, [True, True]), (ends_s - 1, [True, True]), (ends_s, [False, True])):
        assert [accepted(memory_database, made["api_key"], at_s) is not None for made in (old, new)] == valid


def test_a_key_rotated_without_grace_ends_at_once(run: Run, memory_database: Database) -> None:
    old = run(f"key create --instance {INSTANCE}")
    new = run(f"key rotate {INSTANCE} {old['key_id']} --grace-days 0")
    assert [accepted(memory_database, made["api_key"]) is not None for made in (old, new)] == [False, True]


@pytest.mark.parametrize("days", ["8", "-1", "1.5", "x"])
def test_an_invalid_grace_period_is_wrong_usage(run: Run, days: str) -> None:
    made = run(f"key create --instance {INSTANCE}")
    with pytest.raises(SystemExit):
        run(f"key rotate {INSTANCE} {made['key_id']} --grace-days {days}")
    assert [key["status"] for key in run(f"key list {INSTANCE}")["keys"]] == ["ACTIVE"]


def test_a_revoked_key_ends_at_once_and_for_good(run: Run, memory_database: Database, clock: list[int]) -> None:
    made = run(f"key create --instance {INSTANCE}")
    revoked = run(f"key revoke {INSTANCE} {made['key_id']}")
    assert (revoked["status"], revoked["ends_at"]) == ("REVOKED", iso(NOW_S * 1000))
    assert accepted(memory_database, made["api_key"]) is None
    clock[0] += 9
    assert run(f"key revoke {INSTANCE} {made['key_id']}") == revoked
    for command in (f"key rotate {INSTANCE} {made['key_id']}", f"key limit {INSTANCE} {made['key_id']} 5"):
        with pytest.raises(cli.CommandFailed, match=f"the key is REVOKED: {made['key_id']}"):
            run(command)


def test_a_keys_limit_is_changed(run: Run, memory_database: Database) -> None:
    """T6"""
    made = run(f"key create --instance {INSTANCE}")
    assert run(f"key limit {INSTANCE} {made['key_id']} 0")["rate_limit"] == 0
    credential = accepted(memory_database, made["api_key"])
    assert credential is not None
    assert credential.rate_limit == 0


def test_an_eleventh_valid_key_is_refused(run: Run) -> None:
    made = [run(f"key create --instance {INSTANCE}") for _ in range(10)]
    for command in (f"key create --instance {INSTANCE}", f"key rotate {INSTANCE} {made[0]['key_id']}"):
        with pytest.raises(cli.CommandFailed, match="ten valid keys"):
            run(command)
    run(f"key rotate {INSTANCE} {made[0]['key_id']} --grace-days 0")
    assert run(f"instance show {INSTANCE}")["valid_keys"] == 10


@pytest.mark.parametrize(
    "command",
    ["instance show I", "instance archive I", "instance enable I trading", "key list I", "key create --instance I",
     "key rotate I key_x", "key revoke I key_x", "key limit I key_x 5"],
)  # fmt: skip
def test_a_missing_instance_or_key_is_named(run: Run, command: str) -> None:
    with pytest.raises(cli.CommandFailed, match="no such instance: inst_none0001"):
        run(command.replace(" I", " inst_none0001"))
    if "key_x" in command:
        with pytest.raises(cli.CommandFailed, match="no such key: key_x"):
            run(command.replace(" I", f" {INSTANCE}"))


def test_the_commands_of_the_page_about_tenancy_work_as_printed(run: Run) -> None:
    page = (ROOT / "docs" / "tenancy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    printed: list[dict[str, Any]] = []
    for line in block.splitlines():
        made = next((one["key_id"] for one in printed if "key_id" in one), "")
        printed.append(run(line.removeprefix("tallybook ").replace("KEY_ID", made)))
    assert len(printed) > 10
    assert printed[-1] == {
        "instance": "inst_acme0001", "status": "ACTIVE", "services": ["trading"], "valid_keys": 1,
        "frozen_customers": 0,
    }  # fmt: skip


def test_all_instances_are_listed(run: Run) -> None:
    run("instance create --ref acme0001 --service none")
    run(f"key create --instance {INSTANCE}")
    run(f"customer freeze --instance {INSTANCE} --customer ann")
    listed = run("instance list")["instances"]
    assert listed == [run("instance show inst_acme0001"), run(f"instance show {INSTANCE}")]
    assert [(one["services"], one["valid_keys"], one["frozen_customers"]) for one in listed] == [
        ([], 0, 0),
        (["trading"], 1, 1),
    ]


def test_an_instance_lists_origins_of_pages_until_they_are_removed(run: Run) -> None:
    """K52"""
    command = f"instance origins {INSTANCE}"
    assert run(command) == {"instance": INSTANCE, "origins": []}
    assert run(f"{command} --add https://app.example")["origins"] == ["https://app.example"]
    both = ["http://127.0.0.1:5173", "https://app.example"]
    assert run(f"{command} --add http://127.0.0.1:5173")["origins"] == both
    assert run(f"{command} --add http://127.0.0.1:5173")["origins"] == run(command)["origins"] == both
    for _ in range(2):
        assert run(f"{command} --remove https://app.example")["origins"] == both[:1]
    with pytest.raises(cli.CommandFailed, match="no such instance: inst_nobody01"):
        run("instance origins inst_nobody01 --add https://app.example")


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "app.example", "https://App.example", "https://app.example/", "https://app.example:443", "ftp://a"],
)
def test_what_no_browser_sends_as_an_origin_is_refused(run: Run, memory_database: Database, origin: str) -> None:
    before = list(memory_database.scan("tenants"))
    with pytest.raises(SystemExit):
        run(f"instance origins {INSTANCE} --add {origin}")
    assert list(memory_database.scan("tenants")) == before
