"""The examples of the descriptions are what desks answer, but for ids and times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.apis.escrow.description import DESCRIPTION as ESCROW
from chalicelib.apis.kit.description import Description
from infra.openapi.document import DESCRIPTIONS, recorded
from tests.apis.examples import Encode, masked, sent_examples

RECORDED = recorded()


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda description: description.desk)
def test_each_example_is_answered_as_it_was_recorded(description: Description[Any]) -> None:
    found = sent_examples(description)
    of_desk = {name for name in RECORDED if name.startswith(f"{description.desk}.")}
    assert found.keys() == of_desk, "make openapi sends the new ones"
    for name, sent in found.items():
        assert masked(sent) == masked(RECORDED[name]), f"{name}: make openapi records what is answered now"


def fields(body: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a form: ``a[b]=c`` of an object, ``a[]=c`` of a list."""
    if isinstance(body, dict):
        for key, value in body.items():
            yield from fields(value, f"{name}[{key}]" if name else key)
    elif isinstance(body, list):
        for value in body:
            yield from fields(value, f"{name}[]")
    else:
        yield name, str(body)


def as_form(body: Any) -> tuple[bytes, str]:
    return urlencode(list(fields(body))).encode(), "application/x-www-form-urlencoded"


def as_parts(body: Any) -> tuple[bytes, str]:
    parts = (
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields(body)
    )
    return ("".join(parts) + "--cut--\r\n").encode(), "multipart/form-data; boundary=cut"


@pytest.mark.parametrize("encode", [as_form, as_parts])
def test_each_body_of_the_escrow_desk_may_be_a_form(encode: Encode) -> None:
    assert {name for name in RECORDED if name.startswith("escrow.")} == sent_examples(ESCROW, encode).keys()
