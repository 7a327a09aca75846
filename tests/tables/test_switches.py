"""Dead man's switches (O10), on each engine: each step is on condition that the row is as it was read."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from chalicelib.tables.dynamodb import Database
from chalicelib.tables.switches import Switch, Switches
from chalicelib.tables.writes import ConditionFailed

_owners = count(1)


@pytest.fixture
def armed() -> Switch:
    return Switch(f"inst_x/customer/{next(_owners)}", 1_736_937_000_000, "dms_1")


def test_of_several_owners_those_that_are_armed_are_found(store: Database, armed: Switch) -> None:
    table, other = Switches(store), replace(armed, owner="inst_x/customer/a/b", told_books="ob_1")
    for one in (armed, other):
        store.write(table.replace(table.get(one.owner), one))
    found = table.of_each([armed.owner, "inst_x/customer/nobody", other.owner, armed.owner])
    assert found == {armed.owner: armed, other.owner: other}
    assert table.of_each([]) == {}


def test_a_step_from_a_row_that_has_changed_is_refused(store: Database, armed: Switch) -> None:
    table, later = Switches(store), replace(armed, step="dms_2")
    store.write(table.replace(None, armed))
    store.write(table.replace(armed, later))
    for stale in (
        table.replace(None, replace(armed, step="dms_3")),
        table.replace(armed, replace(armed, step="dms_3")),
    ):
        with pytest.raises(ConditionFailed):
            store.write(stale)
    with pytest.raises(ConditionFailed):
        store.write(table.remove(armed))
    assert table.get(armed.owner) == later
    store.write(table.remove(later))
    assert table.get(armed.owner) is None
