"""How a desk's settings are changed: one row beside its instance's own, only from what was read of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.stores.dynamodb import ConditionFailed, Database, Put, Row, Unavailable

TABLE = "tenants"
CHANGE_ATTEMPTS_MAX = 20

Settings = TypeVar("Settings")


def change_settings(
    database: Database,
    key: Row,
    change: Callable[[Settings], Settings],
    settings_of: Callable[[Row | None], Settings],
    facts_of: Callable[[Settings], Row],
) -> Settings:
    """Change settings from what they are now; return what they are then.

    settings_of: reads a row, None where there is none yet; facts_of: gives what a row holds beside key and version.
    Raises what ``change`` raises; Unavailable when others keep changing them. Nothing is changed then.
    """
    for _ in range(CHANGE_ATTEMPTS_MAX):
        row = database.get(TABLE, key)
        version = row["version"] if row else 0
        after = change(settings_of(row))
        nothing_set_yet, unchanged = "attribute_not_exists(#credential)", "#version = :version"
        changed = key | facts_of(after) | {"version": version + 1}
        put = Put(TABLE, changed, unchanged, {":version": version}) if row else Put(TABLE, changed, nothing_set_yet)
        try:
            database.write(put)
            return after
        except ConditionFailed:  # somebody else was first
            continue
    raise Unavailable("others keep changing these settings")
