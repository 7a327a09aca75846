"""What each desk's callers follow: the subjects and logs of an operator, a customer, a taker, a maker, a merchant."""

from __future__ import annotations

from chalicelib.domain.feed.event import (
    ALL_TAKERS,
    customer_subject,
    maker_subject,
    merchant_subject,
    taker_subject,
)
from chalicelib.domain.feed.logs import LEDGER_AREA, SIGNED_AREA, escrow_area
from chalicelib.domain.signed.order import customer_of
from chalicelib.services.feed.reading import Scope

NO_BOOKS: frozenset[str] = frozenset()


def of_instance(
    instance: str,
    customer: str | None = None,
    books: frozenset[str] | None = None,
    types: frozenset[str] | None = None,
) -> Scope:
    """Return the events of an instance's books, ledger and signed orders, or of its customer alone.

    books: these books alone, and no other log. Escrow orders stand in a merchant's scope: an instance may have more
    merchants than a cursor can name logs.
    """
    subjects = None if customer is None else frozenset({customer_subject(customer)})
    return Scope(instance, subjects, books, (LEDGER_AREA, SIGNED_AREA) if books is None else (), types)


def of_taker(instance: str, address: str, types: frozenset[str] | None = None) -> Scope:
    """Return what a taker may know of signed orders: its own ones, and which can be locked."""
    subjects = frozenset({taker_subject(customer_of(address)), ALL_TAKERS})
    return Scope(instance, subjects, NO_BOOKS, (SIGNED_AREA,), types)


def of_maker(instance: str, address: str, types: frozenset[str] | None = None) -> Scope:
    """Return the events of a maker's signed orders."""
    return Scope(instance, frozenset({maker_subject(customer_of(address))}), NO_BOOKS, (SIGNED_AREA,), types)


def of_merchant(instance: str, world: str, merchant: str, types: frozenset[str] | None = None) -> Scope:
    """Return the events of a merchant's escrow orders in one world."""
    subjects = frozenset({merchant_subject(world, merchant)})
    return Scope(instance, subjects, NO_BOOKS, (escrow_area(world, merchant),), types)
