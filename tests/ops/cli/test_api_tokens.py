"""``tallybook api-token``: output, refusals, and what a token permits afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.keys import API_TOKENS, Permission, TokenStatus, token_secret_of
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.ops import cli
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from tests.apis.trade.desk import MASTER_KEY

Run = Callable[[str], dict[str, Any]]
CREATE = "api-token create --instance inst_demo0001 --customer cust_12345 --permission"


@pytest.fixture
def run(memory_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(wiring, "database", lambda: memory_database)
    monkeypatch.setattr(wiring, "master_key", lambda: MASTER_KEY)
    cli.run(["instance", "create", "--ref", "demo0001"])
    return lambda line: cli.run(line.split())


def test_a_new_token_is_printed_with_its_secret_and_the_usual_rate_limit(run: Run, memory_database: Database) -> None:
    """R9, R13"""
    printed = run(f"{CREATE} buy-sell")
    token = printed["token"]
    assert 1 <= len(token) <= 256
    assert printed["secret"] == token_secret_of(MASTER_KEY, token)
    assert printed["token_id"] == digest_of(token)
    limits = {name: printed[name] for name in ("bucket", "per_second", "per_day")}
    assert limits == {"bucket": 7, "per_second": "3.5", "per_day": 302_400}
    stored = Credentials(memory_database, API_TOKENS).accept(token)
    assert stored is not None
    assert (stored.instance, stored.customer, stored.permission) == ("inst_demo0001", "cust_12345", Permission.BUY_SELL)
    assert (stored.rate_limit, stored.status) == (RateLimit(), TokenStatus.ACTIVE)


def test_limits_are_chosen_or_switched_off(run: Run, memory_database: Database) -> None:
    """R13"""
    token = run(f"{CREATE} read --bucket 0 --per-day 0")["token"]
    stored = Credentials(memory_database, API_TOKENS).accept(token)
    assert stored is not None
    assert stored.rate_limit.is_off
    for off in ("--bucket 0 --per-second 0", "--per-second 0", "--bucket 20 --per-second 0.000"):
        stored = Credentials(memory_database, API_TOKENS).accept(run(f"{CREATE} read {off} --per-day 0")["token"])
        assert stored is not None
        assert stored.rate_limit.is_off
    token = run(f"{CREATE} read --bucket 20 --per-second 0.125 --per-day 1000")["token"]
    stored = Credentials(memory_database, API_TOKENS).accept(token)
    assert stored is not None
    assert stored.rate_limit == RateLimit(20, 125, 1000)


@pytest.mark.parametrize(
    "line",
    [
        f"{CREATE} write",
        f"{CREATE} read --per-second 1.2345",
        f"{CREATE} read --per-second -1",
        f"{CREATE} read --bucket x",
        f"{CREATE} read --per-day -1",
        f"{CREATE} buy-sell --wait-default -1",
        f"{CREATE} buy-sell --wait-default 10001",
        f"{CREATE} buy-sell --wait-default 0.5",
        f"api-token change {'0' * 64}",
        "api-token create --instance inst_demo0001 --permission read",
        "api-token block abc",
    ],
)
def test_wrong_usage_creates_nothing(run: Run, memory_database: Database, line: str) -> None:
    before = list(memory_database.scan("tenants"))
    with pytest.raises(SystemExit):
        run(line)
    assert list(memory_database.scan("tenants")) == before


def test_an_unknown_instance_gets_no_token(run: Run, memory_database: Database) -> None:
    before = list(memory_database.scan("tenants"))
    with pytest.raises(cli.CommandFailed, match="no such instance: inst_demo0002"):
        run(f"{CREATE} read".replace("demo0001", "demo0002"))
    assert list(memory_database.scan("tenants")) == before


def test_without_a_master_key_no_token_is_made(
    run: Run, memory_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its secret could not be said, then or later."""

    def missing() -> bytes:
        raise wiring.NoMasterKey("no master key")

    monkeypatch.setattr(wiring, "master_key", missing)
    before = list(memory_database.scan("tenants"))
    with pytest.raises(cli.CommandFailed, match="no master key"):
        run(f"{CREATE} read")
    assert list(memory_database.scan("tenants")) == before


def test_listed_tokens_show_no_secret(run: Run, memory_database: Database) -> None:
    reader, trader = run(f"{CREATE} read"), run(f"{CREATE} buy-sell --bucket 0 --per-day 0")
    printed = run("api-token list inst_demo0001")
    assert {each["token_id"]: each["permission"] for each in printed["tokens"]} == {
        reader["token_id"]: "READ",
        trader["token_id"]: "BUY_SELL",
    }
    for secret in (reader["token"], reader["secret"], trader["token"], trader["secret"]):
        assert secret not in json.dumps(printed)
        assert secret not in repr(list(memory_database.scan("tenants")))
    by_id = {each["token_id"]: each for each in printed["tokens"]}
    limits = ("bucket", "per_second", "per_day")
    assert [by_id[reader["token_id"]][name] for name in limits] == [7, "3.5", 302_400]
    assert [by_id[trader["token_id"]][name] for name in limits] == [0, "0", 0]


def test_a_token_has_a_default_wait_if_it_is_given_one(run: Run, memory_database: Database) -> None:
    """R64"""
    tokens = Credentials(memory_database, API_TOKENS)
    assert run(f"{CREATE} buy-sell")["wait_default_ms"] == 0
    made = run(f"{CREATE} buy-sell --wait-default 10000")
    for wait_ms in (10_000, 250, 0):
        changed = run(f"api-token change {made['token_id']} --wait-default {wait_ms}")
        stored = tokens.accept(made["token"])
        assert stored is not None
        assert stored.wait_default_ms == changed["wait_default_ms"] == wait_ms
    run(f"api-token change {made['token_id']} --wait-default 250")
    listed = run("api-token list inst_demo0001")["tokens"]
    assert sorted(one["wait_default_ms"] for one in listed) == [0, 250]


def test_a_token_is_blocked_and_unblocked_by_its_id(run: Run, memory_database: Database) -> None:
    made = run(f"{CREATE} read")
    for word, status in (("block", TokenStatus.BLOCKED), ("unblock", TokenStatus.ACTIVE)):
        for _ in range(2):
            assert run(f"api-token {word} {made['token_id']}")["status"] == status.value
        stored = Credentials(memory_database, API_TOKENS).accept(made["token"])
        assert stored is not None
        assert stored.status is status
    with pytest.raises(cli.CommandFailed, match="no such API token: 0000"):
        run(f"api-token block {'0' * 64}")
