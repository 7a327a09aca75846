"""How a desk's settings are changed: one row beside its instance's own, only from what was read of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.support.outcomes import OutcomeUnknown, Unavailable
from chalicelib.tables.dynamodb import ConditionFailed, Database, Put, Row, decode, encode, of_changing_row

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
    Raises what ``change`` raises; Unavailable when others keep changing them. Nothing is changed then. Raises
    OutcomeUnknown where a change may be made, and others have come after it.
    """
    unknown: OutcomeUnknown | None = None
    changed: Row | None = None
    for _ in range(CHANGE_ATTEMPTS_MAX):
        try:
            row = database.get(TABLE, key)
            if unknown is not None and row == changed:
                return settings_of(row)
            version = row["version"] if row else 0
            after = change(settings_of(row))
            nothing_set_yet, unchanged = "attribute_not_exists(#credential)", "#version = :version"
            changed = decode(encode(key | facts_of(after) | {"version": version + 1}))
            put = Put(TABLE, changed, unchanged, {":version": version}) if row else Put(TABLE, changed, nothing_set_yet)
            database.write(put, of_changing_row(changed))
            return after
        except ConditionFailed:  # somebody else was first
            continue
        except OutcomeUnknown as error:  # this very change may be made: what is there tells
            unknown = error
        except Exception as failure:
            if unknown is not None:  # "nothing is changed" need not be true any more
                raise unknown from failure
            raise
    raise unknown or Unavailable("others keep changing these settings")
