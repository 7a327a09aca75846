"""Rotating the master key: what a process knows of it, and whom the desks let in meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from chalicelib.apis.taker.gate import Caller, Gate
from chalicelib.apis.taker.sessions import NotASession, Session, session_of
from chalicelib.domain.signed.settings import DeskSettings
from chalicelib.domain.tenancy.keys import token_secret_of
from chalicelib.domain.tenancy.master_keys import KEYS_LIFE_S, RETRY_S, MasterKeys, in_turn
from chalicelib.services.tenancy.rate_limiter import RateLimiter
from chalicelib.tables.dynamodb import Database
from chalicelib.wiring.taker import new_taker_desk
from chalicelib.wiring.trade import new_trade_desk
from tests.apis.taker.desk import open_taker_desk
from tests.apis.trade.desk import MASTER_KEY, open_trade_desk
from tests.world import World

NEW_KEY = b"n" * 32
NOW_S = 1_737_000_000


class Vault:
    """Where the keys are kept, and a clock. newest None: it cannot be read."""

    def __init__(self) -> None:
        self.newest: bytes | None = MASTER_KEY
        self.previous: bytes | None = None
        self.now_s = 0.0
        self.reads = 0

    def keys(self) -> MasterKeys:
        return MasterKeys(self._read, lambda: self.previous, lambda: self.now_s)

    def _read(self) -> bytes:
        self.reads += 1
        if self.newest is None:
            raise ConnectionError
        return self.newest


def test_a_rotation_reaches_a_running_process_when_its_keys_are_old() -> None:
    vault = Vault()
    keys = vault.keys()
    assert (keys.newest(), keys.previous()) == (MASTER_KEY, None)
    vault.newest, vault.previous = NEW_KEY, MASTER_KEY
    vault.now_s = KEYS_LIFE_S - 1
    assert (keys.newest(), keys.previous(), vault.reads) == (MASTER_KEY, None, 1)
    vault.now_s = KEYS_LIFE_S
    assert (keys.newest(), keys.previous(), vault.reads) == (NEW_KEY, MASTER_KEY, 2)
    vault.previous = None
    vault.now_s = 2 * KEYS_LIFE_S
    assert keys.previous() is None


def test_a_key_that_is_known_stays_good_while_it_cannot_be_read_again() -> None:
    vault = Vault()
    keys = vault.keys()
    assert keys.newest() == MASTER_KEY
    vault.newest, vault.now_s = None, KEYS_LIFE_S
    assert [keys.newest(), keys.newest()] == [MASTER_KEY, MASTER_KEY]
    assert vault.reads == 2, "it is not asked for with each request"


def test_who_learns_of_a_new_key_asks_for_the_one_before_at_once() -> None:
    """Else whoever still has a secret of before would be refused until that is old, too."""
    vault = Vault()
    keys = vault.keys()
    keys.newest()
    vault.now_s = KEYS_LIFE_S - 1
    assert keys.previous() is None
    vault.newest, vault.previous, vault.now_s = NEW_KEY, MASTER_KEY, KEYS_LIFE_S
    assert (keys.newest(), keys.previous()) == (NEW_KEY, MASTER_KEY)


def test_a_key_before_that_cannot_be_read_is_asked_for_again_soon() -> None:
    answers: list[bytes | None] = [None, MASTER_KEY]
    now_s = [0.0]

    def read_previous() -> bytes | None:
        answer = answers.pop(0)
        if answer is None:
            raise ConnectionError
        return answer

    keys = MasterKeys(lambda: NEW_KEY, read_previous, lambda: now_s[0])
    assert [keys.previous(), keys.previous()] == [None, None]
    now_s[0] = RETRY_S
    assert keys.previous() == MASTER_KEY


def test_a_key_that_was_never_read_is_asked_for_again() -> None:
    vault = Vault()
    vault.newest = None
    keys = vault.keys()
    with pytest.raises(ConnectionError):
        keys.newest()
    vault.newest = NEW_KEY
    assert keys.newest() == NEW_KEY


@pytest.mark.parametrize(
    ("previous", "status"), [(MASTER_KEY, 200), (None, 401), (b"o" * 32, 401)], ids=["rotating", "ended", "another"]
)
def test_a_token_of_before_is_let_in_at_the_trade_desk_until_the_rotation_ends(
    memory_database: Database, previous: bytes | None, status: int
) -> None:
    opened = open_trade_desk(World(memory_database))
    rotated = new_trade_desk(memory_database, master_key=lambda: NEW_KEY, previous_master_key=lambda: previous)
    desk = replace(opened, desk=rotated)
    assert desk.get("/trade/user/balances").status == status


def test_the_newest_secret_is_let_in_without_a_look_at_the_one_before(memory_database: Database) -> None:
    opened = open_trade_desk(World(memory_database))

    def not_asked() -> bytes | None:
        raise AssertionError("the newest secret fits")

    desk = new_trade_desk(memory_database, master_key=lambda: MASTER_KEY, previous_master_key=not_asked)
    assert replace(opened, desk=desk).get("/trade/user/balances").status == 200
    assert token_secret_of(MASTER_KEY, "token-of-ann") != token_secret_of(NEW_KEY, "token-of-ann")


@pytest.mark.parametrize(("previous", "is_let_in"), [(MASTER_KEY, True), (None, False)], ids=["rotating", "ended"])
def test_a_signed_taker_and_a_maker_of_before_are_let_in_until_the_rotation_ends(
    memory_database: Database, previous: bytes | None, is_let_in: bool
) -> None:
    opened = open_taker_desk(memory_database)
    rotated = new_taker_desk(
        memory_database, master_key=lambda: NEW_KEY, previous_master_key=lambda: previous, clock=opened.clock
    )
    desk = replace(opened, desk=rotated)
    expected = 200 if is_let_in else 401
    assert desk.maker_get("/orders/maker/next-nonce").status == expected
    assert desk.signed("GET", "/takers/orders").status == expected


def test_new_sessions_are_of_the_newest_key_alone(memory_database: Database) -> None:
    keys = partial(in_turn, lambda: NEW_KEY, lambda: MASTER_KEY)
    gate = Gate(lambda _: None, lambda _: None, RateLimiter(memory_database), keys)
    session = Session("inst_test0001", "0x" + "a" * 40, NOW_S + DeskSettings().jwt_ttl_seconds)
    caller = Caller(session.instance, session.wallet, DeskSettings(), NOW_S * 1000)
    text = gate.open_session(caller)
    assert session_of(text, [NEW_KEY], NOW_S) == session
    with pytest.raises(NotASession):
        session_of(text, [MASTER_KEY], NOW_S)
