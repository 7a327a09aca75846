"""An instance's escrow desk (table ``tenants``): its settings and its merchants.

The settings are one row beside the instance's own (credential "escrow-desk"); an instance without it has the defaults.
A merchant is a row there too (credential "merchant/<reference>"); its wallets are stored with the customers. All are
read consistently, so a change applies from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from chalicelib.domain.escrow.money import Currency
from chalicelib.domain.escrow.order import Merchant
from chalicelib.domain.escrow.settings import (
    MERCHANTS_MAX,
    DeskSettings,
    ExternalPayinType,
    MerchantExists,
    OpenDesk,
    TooManyMerchants,
    UnknownMerchant,
)
from chalicelib.domain.tenancy.instances import InstanceStatus, World
from chalicelib.support.outcomes import Unavailable
from chalicelib.tables.attempts import Contended, until_written
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.read_ahead import RowAt, row_at
from chalicelib.tables.rows import Row
from chalicelib.tables.settings_rows import CHANGE_TRIES_MAX, TABLE, change_row
from chalicelib.tables.writes import Put, TransactionRefused, Update, Write

CREDENTIAL = "escrow-desk"
_MERCHANT = "merchant/"
_MERCHANTS = "merchants"
"""The row that counts all merchants ever created; each creation increments it."""


class EscrowDesks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open_desk(self, instance: str, merchant: str | None) -> OpenDesk | None:
        """Return the desk, with one read; None if there is no such instance or merchant, or if it is archived."""
        rows = self._database.get_many(TABLE, _keys_of_desk(instance, merchant))
        found = {row["credential"]: row for row in rows}
        tenant, its_merchant = found.get("instance"), found.get(f"{_MERCHANT}{merchant}")
        if tenant is None or tenant["status"] != InstanceStatus.ACTIVE.value:
            return None
        if merchant is not None and its_merchant is None:
            return None
        shown = None if its_merchant is None else _merchant_of(its_merchant)
        return OpenDesk(instance, _settings_of(found.get(CREDENTIAL)), shown, tenant.get("frozen", 0) > 0)

    def settings(self, instance: str) -> DeskSettings:
        """Return the settings; the defaults if none are stored."""
        return _settings_of(self._database.get(TABLE, _row_key(instance, CREDENTIAL)))

    def change(self, instance: str, change: Callable[[DeskSettings], DeskSettings]) -> DeskSettings:
        """Change an instance's settings, conditional on those read. Return the new settings.

        Raises what ``change`` raises; Unavailable if concurrent changes keep winning. Nothing is changed then.
        """
        key = _row_key(instance, CREDENTIAL)
        return change_row(self._database, key, change, _settings_of, _facts_of)

    def create_merchant(self, merchant: Merchant, with_it: Sequence[Write]) -> None:
        """Store a new merchant, in one transaction with its own customers.

        Merchants of an instance are created one at a time, so that their number is exact. Raises MerchantExists,
        TooManyMerchants; Unavailable if concurrent creations keep winning. Nothing is changed then.
        """
        merchant_not_exists = "attribute_not_exists(#credential)"
        row = _row_key(merchant.instance, f"{_MERCHANT}{merchant.merchant}") | {
            "base_currency": merchant.base_currency,
            "customers": {world.value: uuid for world, uuid in merchant.customers.items()},
            "created_at_s": merchant.created_at_s,
            "email": merchant.email,
        }

        def once() -> None:
            turn, its_place = self._turn(merchant.instance)
            if len(self.merchants(merchant.instance)) >= MERCHANTS_MAX:
                raise TooManyMerchants(merchant.instance)
            try:
                writes = [Put(TABLE, row, merchant_not_exists), turn, *with_it]
                self._database.transact(writes, lambda: self._has(merchant))
            except TransactionRefused as error:
                if error.refused.keys() != {its_place}:
                    raise MerchantExists(merchant.merchant) from error
                raise Contended from error

        busy = Unavailable("others keep making merchants of this instance")
        until_written(once, CHANGE_TRIES_MAX, self._database.pause, busy)

    def _turn(self, instance: str) -> tuple[Write, int]:
        """Return the write that increments the merchant counter, and its index in the transaction.

        Refused if another merchant was created since: the number read is no longer true.
        """
        key = _row_key(instance, _MERCHANTS)
        version = (self._database.get(TABLE, key) or {}).get("version", 0)
        is_unchanged, is_first = "#version = :version", "attribute_not_exists(#version)"
        condition = is_unchanged if version else is_first
        values = {":next": version + 1} | ({":version": version} if version else {})
        return Update(TABLE, key, "SET #version = :next", condition, values), 1

    def merchant(self, instance: str, merchant: str) -> Merchant:
        """Return a merchant. Raises UnknownMerchant."""
        row = self._database.get(TABLE, _row_key(instance, f"{_MERCHANT}{merchant}"))
        if row is None:
            raise UnknownMerchant(merchant)
        return _merchant_of(row)

    def set_frames(self, instance: str, merchant: str, frames: Sequence[str]) -> Merchant:
        """Set the origins that may frame a merchant's pages. Raises UnknownMerchant, or Unavailable as ``change``."""

        def known(row: Row | None) -> Merchant:
            if row is None:
                raise UnknownMerchant(merchant)
            return _merchant_of(row)

        def framed(found: Merchant) -> Merchant:
            return replace(found, frames=tuple(frames))

        key = _row_key(instance, f"{_MERCHANT}{merchant}")
        return change_row(self._database, key, framed, known, lambda one: {"frames": list(one.frames)})

    def _has(self, merchant: Merchant) -> bool:
        """Return whether exactly this merchant is stored: no other has its customers."""
        try:
            return self.merchant(merchant.instance, merchant.merchant) == merchant
        except UnknownMerchant:
            return False

    def merchants(self, instance: str) -> list[Merchant]:
        """Return an instance's merchants, by reference."""
        condition = "#instance = :instance AND begins_with(#credential, :start)"
        rows = self._database.query(TABLE, condition, {":instance": instance, ":start": _MERCHANT})
        return [_merchant_of(row) for row in rows]


def open_desk_at(instance: str, merchant: str | None) -> list[RowAt]:
    """Return where the rows stand that ``EscrowDesks.open_desk`` reads."""
    return [row_at(TABLE, key) for key in _keys_of_desk(instance, merchant)]


def _keys_of_desk(instance: str, merchant: str | None) -> list[Row]:
    of_merchant = [] if merchant is None else [f"{_MERCHANT}{merchant}"]
    return [_row_key(instance, name) for name in ("instance", CREDENTIAL, *of_merchant)]


def _row_key(instance: str, credential: str) -> Row:
    return {"instance": instance, "credential": credential}


def _facts_of(settings: DeskSettings) -> Row:
    return asdict(settings) | {
        "currencies": [asdict(currency) for currency in settings.currencies],
        "payin_types": [asdict(kind) for kind in settings.payin_types],
    }


def _settings_of(row: Row | None) -> DeskSettings:
    if row is None:
        return DeskSettings()
    return DeskSettings(
        currencies=tuple(Currency(**currency) for currency in row["currencies"]),
        release_delay_seconds=row["release_delay_seconds"],
        public_base_url=row["public_base_url"],
        iban=row["iban"],
        beneficiary=row["beneficiary"],
        payin_types=tuple(ExternalPayinType(**kind) for kind in row.get("payin_types", ())),
    )


def _merchant_of(row: Row) -> Merchant:
    return Merchant(
        instance=row["instance"],
        merchant=row["credential"].removeprefix(_MERCHANT),
        base_currency=row["base_currency"],
        customers={World(world): uuid for world, uuid in row["customers"].items()},
        created_at_s=row["created_at_s"],
        email=row.get("email"),
        frames=tuple(row.get("frames", ())),
    )
