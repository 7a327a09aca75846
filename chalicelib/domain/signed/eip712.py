"""Wallet signatures (EIP-712, personal_sign): an order's hash, and who signed an order or a message (K32).

eth-account does the cryptography. It is imported where it is used, for it takes half a second to import and most
requests need none of it.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.domain.signed.order import SignedOrder, customer_of
from chalicelib.domain.signed.settings import Domain

if TYPE_CHECKING:
    from eth_account.messages import SignableMessage

ORDER_TYPE = (
    "Order(address maker,address principal,bool isBuy,string ticker,uint16 exchange,address asset,uint256 price,"
    "uint256 quantity,uint256 incentive,uint256 deadline,uint256 nonce)"
)
_NAME, _, _MEMBERS = ORDER_TYPE.removesuffix(")").partition("(")
_TYPES = {_NAME: [dict(zip(("type", "name"), member.split(), strict=True)) for member in _MEMBERS.split(",")]}
_SIGNATURE = re.compile(r"0x([0-9a-fA-F]{64})([0-9a-fA-F]{64})(1[bBcC]|0[01])")
"""65 bytes: r, s, and v of 27, 28, 0 or 1."""
_CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Order of secp256k1. s and this less s recover the same signer; only the lower of the two is accepted (EIP-2)."""


def order_hash_of(domain: Domain, order: SignedOrder) -> str:
    """Return the order's full EIP-712 digest, in lower case.

    Addresses count in lower case, which changes no digest.
    """
    import_ethereum()
    from eth_utils.crypto import keccak

    message = signable(domain, order)
    return "0x" + keccak(b"\x19" + message.version + message.header + message.body).hex()


def signer_of_order(domain: Domain, order: SignedOrder, signature: str) -> str | None:
    """Return the address, in lower case, whose signature of the order this is; None where it is nobody's."""
    one = canonical(signature)
    return None if one is None else _signer(signable(domain, order), one)


def signer_of_message(message: str, signature: str) -> str | None:
    """Return the address, in lower case, whose personal_sign of the text this is; None where it is nobody's."""
    import_ethereum()
    from eth_account.messages import encode_defunct

    one = canonical(signature)
    return None if one is None else _signer(encode_defunct(text=message), one)


def canonical(signature: str) -> str | None:
    """Return a signature in its one stored form (K38); None for a text that is no signature.

    65 bytes in lower case, v of 27 or 28, s in the lower half. Without one form, anybody who has seen a signature could
    write it in another way that recovers the same signer. The 64 bytes of EIP-2098 are no signature here.

    >>> canonical("0x" + "AB" * 32 + "01" * 32 + "01") == "0x" + "ab" * 32 + "01" * 32 + "1c"
    True
    >>> canonical("0x" + "ab" * 32 + "ff" * 32 + "1c")
    """
    found = _SIGNATURE.fullmatch(signature)
    if found is None or not 1 <= int(found[2], 16) <= _CURVE_ORDER // 2:
        return None
    r, s, v = found.groups()
    return f"0x{r}{s}{27 + int(v, 16) % 27:02x}".lower()


def signable(domain: Domain, order: SignedOrder) -> SignableMessage:
    """Return what is signed of an order: its header is the domain separator, its body the struct hash."""
    import_ethereum()
    from eth_account.messages import encode_typed_data

    domain_data = {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": customer_of(domain.verifying_contract),
    }
    facts = {
        "maker": customer_of(order.maker),
        "principal": customer_of(order.principal),
        "isBuy": order.is_buy,
        "ticker": order.ticker,
        "exchange": order.exchange,
        "asset": customer_of(order.asset),
        "price": order.price,
        "quantity": order.quantity,
        "incentive": order.incentive,
        "deadline": order.deadline,
        "nonce": order.nonce,
    }
    return encode_typed_data(domain_data, _TYPES, facts)


def _signer(message: SignableMessage, signature: str) -> str | None:
    import_ethereum()
    from eth_account import Account

    try:
        return customer_of(Account.recover_message(message, signature=signature))
    except Exception:  # whatever recovery stumbles over, it is nobody's signature (K32)
        return None


@cache
def import_ethereum() -> None:
    """Import eth-account, and leave the interpreter's recursion limit as it is.

    A library below it raises that to 100,000. From then on a body of many lists inside each other is read instead of
    refused, and can end the process: reading 99,000 of them overflows the stack, as does printing what 64,000 came to.
    """
    limit = sys.getrecursionlimit()
    try:
        import eth_account  # noqa: F401 - for what importing it does
    finally:
        sys.setrecursionlimit(limit)
