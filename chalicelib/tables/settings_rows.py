"""Settings rows changed by operators (table ``tenants``): optimistic updates of an instance and its desks' settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.attempts import Contended, until_known
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.rows import Row, decode, encode
from chalicelib.tables.writes import ConditionFailed, Put, of_changing_row

TABLE = "tenants"
CHANGE_TRIES_MAX = 20

Settings = TypeVar("Settings")


def change_row(
    database: Database,
    key: Row,
    change: Callable[[Settings], Settings],
    settings_of: Callable[[Row | None], Settings],
    facts_of: Callable[[Settings], Row],
    what: str = "these settings",
) -> Settings:
    """Change a row's settings, conditional on the version read. Return the new settings. Concurrent changes are
    serialized.

    settings_of: parses a row (None: there is none yet). facts_of: returns the attributes that ``change`` may change;
    the version is incremented, other attributes stay. A change without effect writes nothing. Raises what
    ``settings_of`` and ``change`` raise; Unavailable if concurrent changes keep winning: nothing is changed then.
    Raises OutcomeUnknown if the change may have been made and others came after it.
    """
    changed: Row | None = None

    def once(may_be_done: bool) -> Settings:
        nonlocal changed
        row = database.get(TABLE, key)
        before = settings_of(row)
        if may_be_done and row == changed:
            return before
        after = change(before)
        if row is not None and after == before:
            return after
        version = (row or {}).get("version")
        changed = decode(encode((row or key) | facts_of(after) | {"version": (version or 0) + 1}))
        no_version_yet, unchanged = "attribute_not_exists(#version)", "#version = :version"
        put = Put(TABLE, changed, no_version_yet)
        if version is not None:
            put = Put(TABLE, changed, unchanged, {":version": version})
        try:
            database.write(put, of_changing_row(changed))
        except ConditionFailed as error:
            raise Contended from error
        return after

    busy = Unavailable(f"others keep changing {what}")
    return until_known(once, CHANGE_TRIES_MAX, database.pause, busy, cannot_tell=Exception)
