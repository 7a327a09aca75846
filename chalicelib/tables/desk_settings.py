"""Settings of each instance's taker desk (table ``tenants``): one row beside the instance's own.

An instance without the row has the default settings. The row is read consistently, with the instance's own, so a change
applies from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields

from chalicelib.domain.signed.settings import DeskSettings, Domain, OpenDesk
from chalicelib.domain.tenancy.instances import InstanceStatus
from chalicelib.domain.tenancy.rate_limit import RateLimit
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.settings_rows import TABLE, change_row
from chalicelib.tables.writes import Put, Write

CREDENTIAL = "taker-desk"
_PLAIN = [field.name for field in fields(DeskSettings) if field.name not in ("domain", "rate_limit")]


class TakerDesks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open_desk(self, instance: str) -> OpenDesk | None:
        """Return the instance's desk, with one read; None if there is no such instance or it is archived."""
        rows = self._database.get_many(TABLE, _keys_of_desk(instance))
        found = {row["credential"]: row for row in rows}
        tenant = found.get("instance")
        if tenant is None or tenant["status"] != InstanceStatus.ACTIVE.value:
            return None
        settings, has_frozen = _settings_of(found.get(CREDENTIAL)), tenant.get("frozen", 0) > 0
        return OpenDesk(instance, frozenset(tenant["services"]), settings, has_frozen)

    def settings(self, instance: str) -> DeskSettings:
        """Return the settings; the defaults if none are stored."""
        return _settings_of(self._database.get(TABLE, _key_of(instance)))

    def creation(self, instance: str, domain: Domain) -> Write:
        """Return the write of a new instance's domain, with default settings, for the instance's own transaction."""
        return Put(TABLE, _key_of(instance) | {"domain": asdict(domain), "version": 0})

    def change(self, instance: str, change: Callable[[DeskSettings], DeskSettings]) -> DeskSettings:
        """Change an instance's settings, conditional on those read. Return the new settings.

        Raises Unavailable if concurrent changes keep winning; nothing is changed then.
        """
        return change_row(self._database, _key_of(instance), change, _settings_of, _facts_of)


def open_desk_at(instance: str) -> list[RowAt]:
    """Return where the rows stand that ``TakerDesks.open_desk`` reads."""
    return [row_at(TABLE, key) for key in _keys_of_desk(instance)]


def _keys_of_desk(instance: str) -> list[Row]:
    return [{"instance": instance, "credential": "instance"}, _key_of(instance)]


def _key_of(instance: str) -> Row:
    return {"instance": instance, "credential": CREDENTIAL}


def _facts_of(settings: DeskSettings) -> Row:
    facts = asdict(settings)
    return facts | {"allowance": facts.pop("rate_limit")}


def _settings_of(row: Row | None) -> DeskSettings:
    if row is None:
        return DeskSettings()
    plain = {name: row[name] for name in _PLAIN if name in row}
    if "allowance" in row:
        plain["rate_limit"] = RateLimit(**row["allowance"])
    return DeskSettings(**plain, domain=Domain(**row["domain"]))
