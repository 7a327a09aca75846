"""What schemathesis draws from the OpenAPI documents is answered as they say (docs/description.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing.run import DESKS, STORIES, Service
from tests.infra.stack import RunningStack

SECONDS, SEQUENCES = 15, 12
"""Of each desk; with the starts of schemathesis, all of it takes two minutes."""


@pytest.fixture
def service(stack: RunningStack, tmp_path: Path) -> Service:
    return Service(stack, tmp_path)


@pytest.mark.stack
@pytest.mark.parametrize("desk", DESKS)
def test_every_answer_is_as_it_is_described(service: Service, desk: str) -> None:
    done = service.single_requests(desk, SECONDS)
    assert done.succeeded, done.output
    assert done.good, "nothing was answered with a success"


@pytest.mark.stack
@pytest.mark.parametrize("desk", DESKS)
def test_links_lead_from_placing_to_showing_and_cancelling(service: Service, desk: str) -> None:
    done = service.story(desk, SEQUENCES)
    assert done.succeeded, done.output
    assert done.good == set(STORIES[desk])
