"""Fixtures: desks over tables in memory, one for a module where cases do not disturb each other, and the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apis.taker.cases import HttpClient
from tests.apis.taker.desk import INSTANCE, MASTER_KEY, Desk, new_desk
from tests.apis.taker.sockets import Sockets, open_sockets
from tests.desks import app_over


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return new_desk()


@pytest.fixture
def sockets(desk: Desk) -> Sockets:
    return open_sockets(desk)


@pytest.fixture(scope="module")
def shared() -> Desk:
    """A desk for all cases of a module, which make their own orders on it and leave its clock and settings alone."""
    return new_desk()


@pytest.fixture
def client(desk: Desk) -> Iterator[HttpClient]:
    """The app; it takes the time from the machine's clock."""
    with app_over(desk.database, master_key=MASTER_KEY, public_instance=INSTANCE) as client:
        yield HttpClient(client.http, desk)
