"""Names of owners: customers, fee accounts, counters.

An instance is ``inst_`` and letters or digits, so what follows the slash can be anything.
"""

from __future__ import annotations


def book_key(instance: str, book_id: str) -> str:
    return f"{instance}/{book_id}"


def split_book_key(key: str) -> tuple[str, str]:
    """Return the instance and the book id of a book key."""
    instance, _, book_id = key.partition("/")
    return instance, book_id


def customer_key(instance: str, customer: str) -> str:
    """Return the owner of a customer's orders, fills and accounts."""
    return f"{instance}/customer/{customer}"


def owner_key(book: str, customer: str | None) -> str:
    """Return the owner of an account that a book moves: a customer's, or (None) the book's own, for fees (T43)."""
    instance, book_id = split_book_key(book)
    return fees_key(instance, book_id) if customer is None else customer_key(instance, customer)


def fees_key(instance: str, account: str) -> str:
    """Return the owner of a fee account. account: a book's id, ``TAKER_DESK_FEES``, or ``escrow_fees`` of a world."""
    return f"{instance}/fees/{account}"


def split_owner(instance: str, owner: str) -> tuple[str | None, str | None]:
    """Return the customer, or else the fee account, that an owner of an instance's account is.

    >>> split_owner("i", customer_key("i", "a/b")), split_owner("i", fees_key("i", TAKER_DESK_FEES))
    (('a/b', None), (None, 'taker-desk'))
    """
    start = customer_key(instance, "")
    return (
        (owner.removeprefix(start), None)
        if owner.startswith(start)
        else (None, owner.removeprefix(fees_key(instance, "")))
    )


TAKER_DESK_FEES = "taker-desk"
"""Name of the account that takes the fees of an instance's taker desk."""


def escrow_fees(world: str) -> str:
    """Return the name of the account that takes the fees of an instance's escrow desk in one world."""
    return f"escrow-desk-{world}"


def desk_fees_key(instance: str) -> str:
    """Return the owner of the account that takes the fees of an instance's taker desk."""
    return fees_key(instance, TAKER_DESK_FEES)


def escrow_fees_key(instance: str, world: str) -> str:
    """Return the owner of the account that takes the fees of an instance's escrow desk in one world."""
    return fees_key(instance, escrow_fees(world))


def transactions_key(instance: str) -> str:
    """Return the owner of the list of all credits, debits and transfers of an instance."""
    return f"{instance}/transactions"


def supply_key(instance: str) -> str:
    """Return the owner of the counters of what was credited less what was debited, one an asset."""
    return f"{instance}/supply"
