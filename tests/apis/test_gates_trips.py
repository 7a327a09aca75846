"""How often the gates of the taker and the escrow desk wait for DynamoDB, and what they let in after a change.

Requests have a faulty body, so they are let in and read nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from benchmarks.meter import Meter, metered
from chalicelib.apis.kit.http import HttpResponse
from chalicelib.domain.escrow.settings import UnknownMerchant
from chalicelib.domain.tenancy.credentials import digest_of
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.keys import ESCROW_KEYS, TAKER_KEYS
from chalicelib.tables.credentials import Credentials
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_settings import EscrowDesks
from chalicelib.tables.tenants import Tenants
from chalicelib.wiring.taker import new_taker_desk
from tests.apis.escrow import cases
from tests.apis.escrow import desk as escrow
from tests.apis.taker import desk as taker

LET_IN = {"taker": 400, "escrow": 422}


@dataclass
class MeteredDesk:
    """A desk over metered tables, and its tables unmetered."""

    name: str
    request: Callable[[], HttpResponse]
    stranger: Callable[[], HttpResponse]
    database: Database
    meter: Meter

    def trips(self, status: int | None = None) -> int:
        """Send the request, which has this answer (None: it is let in); return the calls that it waits for."""
        self.meter.take()
        assert self.request().status == (status or LET_IN[self.name])
        bill = self.meter.take()
        assert bill.rounds == bill.calls
        return bill.calls


def metered_taker() -> MeteredDesk:
    beside = taker.new_desk()
    database, meter = metered(beside.database)
    served = new_taker_desk(database, master_key=lambda: taker.MASTER_KEY, clock=beside.clock)
    desk = replace(beside, desk=served)
    stranger = replace(desk, api_key="unknown")
    lock = lambda of: of.post("/orders/lock", b"{")  # noqa: E731
    return MeteredDesk("taker", lambda: lock(desk), lambda: lock(stranger), beside.database, meter)


def metered_escrow() -> MeteredDesk:
    beside = cases.new_desk()
    database, meter = metered(beside.database)
    desk = beside.over(database)
    stranger = desk.as_key("sk_stage_" + "X" * 24)
    create = lambda of: of.post("/orders", {})  # noqa: E731
    return MeteredDesk("escrow", lambda: create(desk), lambda: create(stranger), beside.database, meter)


@pytest.fixture(params=[metered_taker, metered_escrow], ids=["taker", "escrow"])
def warm(request: pytest.FixtureRequest) -> MeteredDesk:
    """A desk that has let the same caller in."""
    desk: MeteredDesk = request.param()
    assert desk.trips() == 2, "the key, then the instance's desk"
    return desk


def test_a_caller_that_was_let_in_before_is_known_by_one_read(warm: MeteredDesk) -> None:
    assert warm.trips() == 1


def test_a_stranger_makes_the_service_read_its_own_key_alone(warm: MeteredDesk) -> None:
    for _ in range(2):
        warm.meter.take()
        warm.stranger()
        assert warm.meter.take().of("tenants").read_units == 1


def change_key(desk: MeteredDesk, **members: Any) -> None:
    kind, text = {"taker": (TAKER_KEYS, taker.API_KEY), "escrow": (ESCROW_KEYS, escrow.KEY)}[desk.name]
    keys: Credentials[Any] = Credentials(desk.database, kind)
    if members:
        keys.change(digest_of(text), **members)
    else:
        keys.delete(digest_of(text))


def test_a_disabled_key_is_refused_from_the_very_next_request_on(warm: MeteredDesk) -> None:
    change_key(warm, is_enabled=False)
    assert warm.trips(status=403) == 1
    change_key(warm, is_enabled=True)
    assert warm.trips() == 2, "whoever was refused is forgotten"
    assert warm.trips() == 1


def test_a_deleted_key_is_refused_from_the_very_next_request_on(warm: MeteredDesk) -> None:
    change_key(warm)
    units = []
    for _ in range(3):
        warm.meter.take()
        assert warm.request().status == 401
        units.append(warm.meter.take().of("tenants").read_units)
    assert units[1:] == [1, 1]


def test_an_archived_instance_is_refused_from_the_very_next_request_on(warm: MeteredDesk) -> None:
    instance = {"taker": taker.INSTANCE, "escrow": escrow.INSTANCE}[warm.name]
    tenants = Tenants(warm.database, lambda: 0)
    tenants.change(instance, lambda found: found.with_status(InstanceStatus.ARCHIVED))
    warm.trips(status=401)


def test_a_key_of_another_merchant_by_now_sees_that_merchant() -> None:
    desk = metered_escrow()
    desk.trips()
    change_key(desk, merchant=escrow.OTHER)
    assert desk.trips() == 2, "the other merchant is not where it was expected"
    assert desk.trips() == 1
    with pytest.raises(UnknownMerchant):
        EscrowDesks(desk.database).merchant(escrow.INSTANCE, "nobody")
    change_key(desk, merchant="nobody")
    desk.trips(status=401)
