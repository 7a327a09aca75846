"""What schemathesis draws from the OpenAPI documents is answered as they say (docs/description.md)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzzing.run import DESKS, STORIES, Service
from tests.infra.stack import RunningStack

SECONDS, SEQUENCES = 4, 8
"""Of each desk; make fuzz takes as long as it is told to."""
SEED = ("--seed", "20261130")
"""The same requests each time: make fuzz draws others."""
STORIES_MAX = 5
"""Sequences are drawn, so that eight may not come to each step of a story: then eight more are."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, because nothing in it stays as it was."""
    folder = tmp_path_factory.mktemp("fuzzing")
    with RunningStack(folder / "local") as stack:
        yield Service(stack, folder)


@pytest.mark.stack
@pytest.mark.parametrize("desk", DESKS)
def test_links_lead_from_placing_to_showing_and_cancelling(service: Service, desk: str) -> None:
    good: set[str] = set()
    for number in range(STORIES_MAX):
        done = service.story(desk, SEQUENCES, "--seed", str(number))
        assert done.succeeded, done.output
        good |= done.good
        if good == set(STORIES[desk]):
            return
    raise AssertionError(f"only {good} were answered with a success")


@pytest.mark.stack
@pytest.mark.parametrize("desk", DESKS)
def test_every_answer_is_as_it_is_described(service: Service, desk: str) -> None:
    done = service.single_requests(desk, SECONDS, *SEED)
    assert done.succeeded, done.output
    assert done.good, "nothing was answered with a success"
