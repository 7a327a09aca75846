"""The form of what this desk's customers ask of orders that there are: to amend them, to cancel them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.apis.kit.neutral import is_neutral
from chalicelib.apis.trade.decimals import NotAnAmount, units_of
from chalicelib.apis.trade.envelope import invalid
from chalicelib.apis.trade.figures import Decimals
from chalicelib.apis.trade.members import Members, every_member_of, external_id, members_if_any, number, text, units
from chalicelib.apis.trade.place_schema import OWN_MEMBERS, VALUE_MIN
from chalicelib.apis.trade.query import order_id_of
from chalicelib.services.books.amending import NewTerms
from chalicelib.support.canonical import Number

NOT_AMENDED = ("price", "value", *OWN_MEMBERS)
"""Members of a placement that an amendment cannot change: faults, not dropped (R68)."""
TIMEOUT_S_MIN, TIMEOUT_S_MAX = 5, 86_400
NO_TIMEOUT = f"It is neither 0 nor from {TIMEOUT_S_MIN} to {TIMEOUT_S_MAX}."
"""Bounds of a dead man's switch in seconds (O10)."""


@dataclass(frozen=True, slots=True)
class AmendBody:
    """The terms that an order is to get, as asked for. order_id: as it is inside. Decimals are checked later."""

    order_id: str
    unit_price: Number | str | None
    amount: Number | str | None

    def terms(self, decimals: Decimals) -> NewTerms:
        """Return the terms in the program's own words. Raises Fault for more decimals than the assets have (R14)."""
        price, amount = (
            units("unit_price", self.unit_price, decimals.quote),
            units("amount", self.amount, decimals.base),
        )
        return NewTerms(price, amount, VALUE_MIN)


def amend_body(members: Members) -> AmendBody:
    """Return what the members ask of an order. Raises Fault at the first faulty one (R68)."""
    order_id = order_id_of(text(members, "order_id"), "order_id")
    unit_price, amount = (number(members, name) for name in ("unit_price", "amount"))
    if unit_price is None and amount is None:
        raise invalid("unit_price")
    for name in NOT_AMENDED:
        if not is_neutral(members.get(name)):
            raise invalid(name)
    return AmendBody(order_id, unit_price, amount)


def pair_to_cancel(body: bytes, query: Mapping[str, list[str]]) -> str | None:
    """Return the pair whose orders are to be canceled, None for all pairs. Raises Fault.

    No pair means all, so one that is misspelt (null, too), or stands in the query, is a fault and not ignored.
    """
    members = members_if_any(body)
    for name in (*members, *query):
        if name != "pair" or name in query:
            raise invalid(name)
    return text(members, "pair") if members.get("pair") is not None else None


def timeout_member(body: bytes, query: Mapping[str, list[str]]) -> int:
    """Return after how many seconds all orders are to be canceled, 0 for never (O10). Raises Fault.

    Another member, such as a pair, would say which ones: it is a fault and not ignored.
    """
    members = every_member_of(body)
    for name in (*members, *query):
        if name != "timeout" or name in query:
            raise invalid(name)
    try:
        timeout_s = units_of(members.get("timeout"), 0)
    except NotAnAmount as error:
        raise invalid("timeout", error.reason and NO_TIMEOUT) from error
    if timeout_s and not TIMEOUT_S_MIN <= timeout_s <= TIMEOUT_S_MAX:
        raise invalid("timeout", NO_TIMEOUT)
    return timeout_s


def order_id_member(members: Members) -> str:
    """Return the order id that a cancel names, as it is inside. Raises Fault on ``id``."""
    return order_id_of(text(members, "id"), "id")


def external_id_member(members: Members) -> str:
    """Return the external id that a cancel names. Raises Fault on ``external_id``."""
    named = external_id(members)
    if named is None:
        raise invalid("external_id")
    return named
