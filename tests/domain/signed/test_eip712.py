"""What a wallet signs (K32): the published vectors, and the digest made once more by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.signed.eip712 import ORDER_TYPE, order_hash_of, signable, signer_of_message, signer_of_order
from chalicelib.domain.signed.order import SignedOrder
from chalicelib.domain.signed.settings import Domain
from infra.settings import ROOT

MAKER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
ASSET = "0x09671802Cc9Bbf6402f2e7a07b220Aa7b43D8c91"
TYPE_HASH = "043d6bb5255c8a53a8dd164358b4de5ffb61d13dc332495e185ce15f82cc71b6"
DOMAIN_SEPARATOR = "2c96112fa55657382cc1ad45aed47deba93d96237d10df18585610c5d362e1ae"
A = SignedOrder(MAKER, MAKER, True, "AAPL", 0, ASSET, 150250000000000000000, 100, 10**18, 1735689600, 1)
B = SignedOrder(MAKER, MAKER, True, "AAPL", 0, ASSET, 150250000000000000000, 10**19, 10**18, 4102444800, 1)
C = SignedOrder(
    MAKER, MAKER, False, "TSLA", 0, ASSET, 200000000000000000001, 3000000000000000001, 10**18, 4102444800, 2
)
VECTORS = {
    "A": (
        A,
        "6fe5acdbd536cedd965cb66332203a1558ff987be33ff28d1c7272afeda9573e",
        "0xe2d439bfc6b60c0b6ef3ff6bf12f163d0591ac0e14b3f37dfee4cda246e16def",
        "0x3c1ec273b71388825e91352eb7539e59220cbbdf2585836cfad8875bf6723da46b49d22b268532d654a8a1f8b1367dc28445697c2c"
        "de03f89f8dd3bb9b9f36001c",
    ),
    "B": (
        B,
        "6fcdf844630379f1865d225d63c80d9efe859c951e2f78c700da49fc0c30499f",
        "0x5ec4bac3a43ce9e8785bac8c991bb90f1334909555ad04b4b903e140f9261c11",
        "0x3648bc30daa831fb38207705c076a823ab5ecb94d87865bb46c1d5710d55c85a2c2128190e71d563cc6271efc80cc35c6407f5ad52"
        "014b4504651c0b20bdd5281c",
    ),
    "C": (
        C,
        "42a215da4ac8bc342d7a05d107c2d3b3b21a9ea2728b79e88f98ef2f4f3af660",
        "0xa9c8e6ebb7afbee052458a96efdcf4c7d01cb2e5eb7b31fba8057e5cb24e664f",
        "0x9f86bd201083319aee1c7f275d6083d699444a8e02e8254221c1942350eb2e3d152897ba3534afdf9133d5253103f0e029f42ca7d4"
        "c270e9ec771b9fdf39e3561b",
    ),
}
SIGNATURE_OF_B = VECTORS["B"][3]
MESSAGE = f"Wallet address: {MAKER}\nChainId: 97\nTimestamp: 2025-01-17T03:00:24Z\nNonce: n-0001"
SIGNATURE_OF_MESSAGE = (
    "0xc4044d9ac18461957c529a7ecb8335821e3ea5e0e1ab2d6bf8dbb8d71296225f7d7d69a90c58e87c9611f2266ffa349937f7e5ddac86f9"
    "c02e5ef35f079851c91b"
)


def test_the_orders_type_has_the_published_hash() -> None:
    assert keccak(ORDER_TYPE.encode()).hex() == TYPE_HASH


@pytest.mark.parametrize(("order", "struct_hash", "order_hash", "signature"), VECTORS.values(), ids=VECTORS)
def test_the_published_orders_have_their_hashes_and_their_signer(
    order: SignedOrder, struct_hash: str, order_hash: str, signature: str
) -> None:
    message = signable(Domain(), order)
    assert (message.header.hex(), message.body.hex()) == (DOMAIN_SEPARATOR, struct_hash)
    assert order_hash_of(Domain(), order) == order_hash
    assert signer_of_order(Domain(), order, signature) == MAKER.lower()


def test_addresses_in_any_case_are_the_same_order() -> None:
    lower = replace(B, maker=B.maker.lower(), principal="0x" + B.principal[2:].upper(), asset=B.asset.lower())
    assert order_hash_of(Domain(), lower) == order_hash_of(Domain(), B)


@pytest.mark.parametrize(
    "changes",
    [
        {"maker": "0x" + "1" * 40}, {"principal": "0x" + "1" * 40}, {"is_buy": False}, {"ticker": "AAPM"},
        {"exchange": 1}, {"asset": "0x" + "1" * 40}, {"price": 1}, {"quantity": 1}, {"incentive": 0}, {"deadline": 1},
        {"nonce": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_every_fact_is_in_the_hash(changes: dict[str, Any]) -> None:
    other = replace(B, **changes)
    assert order_hash_of(Domain(), other) != order_hash_of(Domain(), B)
    assert signer_of_order(Domain(), other, SIGNATURE_OF_B) != MAKER.lower()


@pytest.mark.parametrize(
    "changes",
    [{"name": "Other"}, {"version": "2"}, {"chain_id": 56}, {"verifying_contract": "0x" + "1" * 40}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_signature_is_good_in_its_own_domain_only(changes: dict[str, Any]) -> None:
    assert signer_of_order(replace(Domain(), **changes), B, SIGNATURE_OF_B) != MAKER.lower()


@pytest.mark.parametrize("last", ["1c", "1C", "01"])
def test_v_is_written_in_two_ways(last: str) -> None:
    assert signer_of_order(Domain(), B, SIGNATURE_OF_B[:-2] + last) == MAKER.lower()


@pytest.mark.parametrize(
    "signature",
    [
        "0x37" + SIGNATURE_OF_B[4:],
        SIGNATURE_OF_B[:-2],
        SIGNATURE_OF_B + "00",
        SIGNATURE_OF_B[2:],
        SIGNATURE_OF_B[:-2] + "1b",
        SIGNATURE_OF_B[:-2] + "02",
        SIGNATURE_OF_B[:-2] + "1d",
        SIGNATURE_OF_B[:-2] + "24",
        SIGNATURE_OF_B[:-1] + "g",
        "0x" + "00" * 64 + "1b",
        "0x" + "ff" * 64 + "1b",
        "",
        "0x",
    ],
    ids=[
        "first byte", "64 bytes", "66 bytes", "no 0x", "other v", "v 2", "v 29", "v of a chain", "no hex", "zeros",
        "beyond the curve", "empty", "0x",
    ],
)  # fmt: skip
def test_anything_else_is_not_the_makers_signature(signature: str) -> None:
    """v of 36 would recover the maker too, and is none of the four that are taken."""
    assert signer_of_order(Domain(), B, signature) != MAKER.lower()


def test_a_message_has_its_signer() -> None:
    assert signer_of_message(MESSAGE, SIGNATURE_OF_MESSAGE) == MAKER.lower()
    assert signer_of_message(MESSAGE + "\n", SIGNATURE_OF_MESSAGE) != MAKER.lower()
    assert signer_of_message(MESSAGE, SIGNATURE_OF_B) != MAKER.lower()
    assert signer_of_message(MESSAGE, SIGNATURE_OF_MESSAGE[:-2]) is None


def word(value: int | str | bool) -> bytes:
    """Return a value as EIP-712 encodes it; a text is an address, in hexadecimal."""
    return (int(value, 16) if isinstance(value, str) else int(value)).to_bytes(32, "big")


def by_hand(domain: Domain, order: SignedOrder) -> str:
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    names = keccak(domain.name.encode()) + keccak(domain.version.encode())
    separator = keccak(keccak(domain_type) + names + word(domain.chain_id) + word(domain.verifying_contract))
    parties = word(order.maker) + word(order.principal) + word(order.is_buy) + keccak(order.ticker.encode())
    numbers = (order.price, order.quantity, order.incentive, order.deadline, order.nonce)
    facts = parties + word(order.exchange) + word(order.asset) + b"".join(map(word, numbers))
    return "0x" + keccak(b"\x19\x01" + separator + keccak(keccak(ORDER_TYPE.encode()) + facts)).hex()


addresses = st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}")
amounts = st.integers(0, 10**27)
orders = st.builds(
    SignedOrder,
    maker=addresses,
    principal=addresses,
    is_buy=st.booleans(),
    ticker=st.text("ABCX019.-", min_size=1, max_size=16) | st.sampled_from(["0X12", "1", "0", "-1", "1.0"]),
    exchange=st.integers(0, 65535),
    asset=addresses,
    price=amounts,
    quantity=amounts,
    incentive=amounts,
    deadline=st.integers(0, 253_402_300_799),
    nonce=st.integers(0, 2**63 - 1),
)
domains = st.builds(Domain, st.text(min_size=1, max_size=20), st.text(min_size=1), st.integers(0, 2**64), addresses)


@given(domains, orders)
def test_the_library_hashes_every_order_as_the_standard_says(domain: Domain, order: SignedOrder) -> None:
    """Tickers that look like numbers or hexadecimal are texts all the same."""
    assert order_hash_of(domain, order) == by_hand(domain, order)


def test_looking_at_a_signature_leaves_the_recursion_limit_as_it_is() -> None:
    """A raised one lets in bodies of so many lists inside each other that they can overflow the stack."""
    script = """
import sys
from chalicelib.domain.signed.eip712 import signer_of_message
limit = sys.getrecursionlimit()
signer_of_message("hello", "0x" + "11" * 64 + "1b")
assert "py_ecc" in sys.modules and sys.getrecursionlimit() == limit
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
