"""The examples of the descriptions are what desks answer, but for ids and times."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.apis.kit.description import Description
from infra.openapi.document import DESCRIPTIONS, recorded
from tests.apis.examples import masked, sent_examples

RECORDED = recorded()


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda description: description.desk)
def test_each_example_is_answered_as_it_was_recorded(description: Description[Any]) -> None:
    found = sent_examples(description)
    of_desk = {name for name in RECORDED if name.startswith(f"{description.desk}.")}
    assert found.keys() == of_desk, "make openapi sends the new ones"
    for name, sent in found.items():
        assert masked(sent) == masked(RECORDED[name]), f"{name}: make openapi records what is answered now"
