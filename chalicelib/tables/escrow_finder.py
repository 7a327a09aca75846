"""Finds escrow orders and payments without their merchant, for operators and for links (table ``escrows``)."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain.escrow.order import Order, Scope
from chalicelib.domain.escrow.payments import Payin, Payout
from chalicelib.domain.tenancy.instances import World
from chalicelib.tables.dynamodb import Database
from chalicelib.tables.escrow_rows import (
    ORDER,
    PAYIN,
    PAYOUT,
    Key,
    id_key,
    link_key,
    name_key,
    open_payments,
    order_of,
    owner_of,
    payin_of,
    payout_of,
    scope_of,
)
from chalicelib.tables.escrows import TABLE, Escrows


class EscrowFinder:
    def __init__(self, database: Database) -> None:
        self._database = database

    def order_behind(self, handle: str) -> Order | None:
        """Return the order that a link's handle finds."""
        row = self._database.get(TABLE, link_key(handle))
        return None if row is None else Escrows(self._database).order(scope_of(row["place"]), int(row["of"]))

    def scope_of_order(self, scopes: Sequence[Scope], order_id: int) -> Scope | None:
        """Return which of the scopes has the order; None: none has."""
        return self._scope_of(scopes, [id_key(scope, ORDER, order_id) for scope in scopes])

    def scope_of_payin(self, scopes: Sequence[Scope], payin_id: int) -> Scope | None:
        return self._scope_of(scopes, [id_key(scope, PAYIN, payin_id) for scope in scopes])

    def scope_of_payout(self, scopes: Sequence[Scope], payout_id: int) -> Scope | None:
        return self._scope_of(scopes, [id_key(scope, PAYOUT, payout_id) for scope in scopes])

    def scope_of_wallet(self, scopes: Sequence[Scope], uuid: str) -> Scope | None:
        return self._scope_of(scopes, [name_key(scope, "wallet-uuid", uuid) for scope in scopes])

    def open_payments(self, instance: str, world: World, kind: str, *, newest_first: bool) -> list[tuple[Scope, int]]:
        """Return the open payins or payouts of all merchants, by id. Reads a row for each."""
        condition = "#owner = :owner AND begins_with(#entry, :start)"
        values = {":owner": f"{instance}/escrow", ":start": open_payments(world, kind)}
        rows = self._database.query(TABLE, condition, values, ScanIndexForward=not newest_first)
        return [(Scope(instance, world, row["merchant"]), int(row["of"])) for row in rows]

    def payins_at(self, places: Sequence[tuple[Scope, int]]) -> list[Payin]:
        """Return the payins that exist, in no order. One read for each hundred."""
        return list(map(payin_of, self._database.get_many(TABLE, [id_key(scope, PAYIN, n) for scope, n in places])))

    def payouts_at(self, places: Sequence[tuple[Scope, int]]) -> list[Payout]:
        return list(map(payout_of, self._database.get_many(TABLE, [id_key(scope, PAYOUT, n) for scope, n in places])))

    def orders_at(self, places: Sequence[tuple[Scope, int]]) -> list[Order]:
        return list(map(order_of, self._database.get_many(TABLE, [id_key(scope, ORDER, n) for scope, n in places])))

    def _scope_of(self, scopes: Sequence[Scope], keys: Sequence[Key]) -> Scope | None:
        found = {row["owner"] for row in self._database.get_many(TABLE, keys)}
        return next((scope for scope in scopes if owner_of(scope) in found), None)
