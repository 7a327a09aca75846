"""The client's classes of errors are those of the desks' tables (T139)."""

from __future__ import annotations

from importlib import import_module

import pytest

from infra.client_errors import DESKS, Desk, source_of
from tallybook_client import ApiError


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.folder)
def test_the_classes_are_what_make_client_writes(desk: Desk) -> None:
    assert desk.file.read_text(encoding="utf-8") == source_of(desk)


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.folder)
def test_each_documented_code_has_a_class_of_its_own(desk: Desk) -> None:
    module = import_module(f"tallybook_client.{desk.folder}.errors")
    base = getattr(module, desk.base)
    assert issubclass(base, ApiError)
    for one in desk.codes():
        kind = module.BY_CODE[one.code]
        assert issubclass(kind, base)
        assert (kind.__name__, kind.documented_status, kind.is_pending) == (one.name, one.status, one.is_pending)
    assert len(set(module.BY_CODE.values())) == len(module.BY_CODE) == len(list(desk.codes()))
