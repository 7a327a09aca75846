"""Who may come in: keys, services, sizes; and which check comes first (T10)."""

from __future__ import annotations

import json
import re

import pytest

from chalicelib.apis.book import gate
from chalicelib.apis.book.routes import LIST, PLACE
from chalicelib.desks.book import new_book_desk
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.tenants import digest_of
from tests.apis.book.desk import API_KEY, ORDER, Desk, code_of, open_desk
from tests.world import BASE, INSTANCE, NOW_MS, World

SECRET = "0123456789abcdef" * 4
OTHER_KEY = "trusset_test0001_" + SECRET[::-1]
WINDOW_START_S = 1_736_937_000
DAY_S = 86_400


@pytest.fixture
def desk(memory_database: Database) -> Desk:
    return open_desk(World(memory_database))


def test_a_key_is_known_by_its_digest() -> None:
    """T3"""
    key = "trusset_ab12CD34_" + SECRET
    assert len(key) == 81
    assert gate.API_KEY.fullmatch(key)
    assert digest_of(key) == "1f805992c47c78aadcbb2dbefb2b72124ad6bffb243d76f43d500cd34d07f625"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_answer_is_auth_required(desk: Desk, key: str | None) -> None:
    response = desk.send("POST", PLACE, body=b"not json", key=key)
    assert code_of(response) == (401, "AUTH_REQUIRED")
    assert "instanceId" not in json.loads(response.body)["metadata"]  # T8


@pytest.mark.parametrize(
    "key",
    [
        API_KEY.replace("trusset", "TRUSSET"),
        API_KEY.replace("test0001", "test001"),
        API_KEY.replace("test0001", "test00012"),
        API_KEY[:-1],
        API_KEY.upper().replace("TRUSSET", "trusset").replace("TEST", "test"),
        API_KEY + "0",
        API_KEY + "\n",
        " " + API_KEY,
        API_KEY.replace("test0001", "other001"),
        API_KEY[:-1] + "0",
        "x",
    ],
)
def test_a_key_that_is_not_accepted_is_refused_with_one_message(desk: Desk, key: str) -> None:
    """T3, T4"""
    response = desk.send("GET", LIST, key=key, customerRef="ann")
    assert code_of(response) == (401, "AUTH_FAILED")
    assert json.loads(response.body)["error"]["message"] == "API key is not valid"
    assert "X-RateLimit-Limit" not in response.headers


def test_a_rotated_key_is_valid_beside_its_successor_until_it_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [WINDOW_START_S]
    monkeypatch.setattr("chalicelib.desks.book.now_s", lambda: now[0])
    desk = Desk(desk.world, new_book_desk(desk.world.database))
    desk.world.tenants().rotate_key(INSTANCE, "key_1", "key_2", OTHER_KEY, 7 * DAY_S)
    now[0] += 7 * DAY_S - 1
    assert statuses([desk], [API_KEY, OTHER_KEY]) == [200, 200]
    now[0] += 1
    assert statuses([desk], [API_KEY, OTHER_KEY]) == [401, 200]


def test_what_the_operator_changes_holds_in_every_copy_of_the_desk_from_the_next_request_on(desk: Desk) -> None:
    """T4, T5: two desks that have both served both keys; each remembers nothing of them."""
    tenants = desk.world.tenants()
    tenants.add_key(INSTANCE, "key_2", OTHER_KEY, 0)
    copies, keys = [desk, Desk(desk.world, new_book_desk(desk.world.database))], [API_KEY, OTHER_KEY]
    assert statuses(copies, keys) == [200, 200, 200, 200]
    tenants.change(INSTANCE, lambda found: found.revoked("key_1", NOW_MS // 1000))
    assert statuses(copies, keys) == [401, 200, 401, 200]
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    assert statuses(copies, keys) == [401, 401, 401, 401]
    tenants.change(INSTANCE, lambda found: found.with_status(InstanceStatus.ACTIVE))
    assert statuses(copies, keys) == [401, 200, 401, 200]
    tenants.change(INSTANCE, lambda found: found.without_service("trading"))
    assert statuses(copies, keys) == [401, 403, 401, 403]


def statuses(desks: list[Desk], keys: list[str]) -> list[int]:
    """Return how each desk answers each key."""
    return [desk.send("GET", LIST, key=key, customerRef="ann").status for desk in desks for key in keys]


def test_the_key_of_an_archived_instance_is_refused_like_any_other(desk: Desk) -> None:
    """T4"""
    unknown = desk.send("GET", LIST, key=OTHER_KEY, customerRef="ann")
    desk.world.tenants().change(INSTANCE, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    archived = desk.list()
    assert code_of(archived) == (401, "AUTH_FAILED")
    assert json.loads(archived.body)["error"] == json.loads(unknown.body)["error"]
    assert "instanceId" not in json.loads(archived.body)["metadata"]  # T8


def test_an_instance_without_the_service_is_refused_before_its_body_is_read(memory_database: Database) -> None:
    """T5"""
    desk = open_desk(World(memory_database), services=frozenset())
    response = desk.send("POST", PLACE, body=b"x" * 70_000)
    assert code_of(response) == (403, "SERVICE_NOT_ENABLED")
    assert json.loads(response.body)["error"]["message"] == "Service 'trading' is not enabled for this instance"


def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(desk: Desk) -> None:
    assert code_of(desk.send("POST", PLACE, body=b" " * 65_536)) == (400, "VALIDATION_ERROR")
    assert code_of(desk.send("POST", PLACE, body=b" " * 65_537)) == (413, "PAYLOAD_TOO_LARGE")


def test_a_key_check_that_fails_itself_is_no_fault_of_the_caller(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise Unavailable("the table is away")

    monkeypatch.setattr(Database, "get", down)
    assert code_of(desk.list()) == (500, "AUTH_ERROR")


def test_an_unknown_route_and_a_wrong_method_come_before_the_key(desk: Desk) -> None:
    assert code_of(desk.send("GET", None, key=None)) == (404, "NOT_FOUND")
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        response = desk.send(method, PLACE, key=None)
        assert code_of(response) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["Allow"] == "POST"


def test_request_ids_are_new_uuids_of_version_4(desk: Desk) -> None:
    ids = {desk.list().headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each) for each in ids
    )


def test_one_instance_sees_and_moves_nothing_of_another(desk: Desk) -> None:
    """Guarantee 8: the same book id and customer exist only in the instance that made them."""
    desk.place()
    tenants = desk.world.tenants()
    tenants.create_instance("other001", frozenset({"trading"}))
    foreign_key = f"trusset_other001_{SECRET}"
    tenants.add_key("inst_other001", "key_2", foreign_key, 0)
    listed = desk.send("GET", LIST, key=foreign_key, customerRef="ann")
    assert json.loads(listed.body)["data"] == []
    before = desk.world.tables()
    placed = desk.send("POST", PLACE, key=foreign_key, body=json.dumps(ORDER).encode())
    assert code_of(placed) == (404, "ORDER_BOOK_NOT_FOUND")
    assert desk.world.tables() == before
    assert desk.world.balance("ann", BASE) == (1000, 0)
