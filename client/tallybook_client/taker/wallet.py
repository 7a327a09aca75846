"""A maker's wallet: signatures of orders (EIP-712) and of messages (personal_sign). Needs the extra ``wallet``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from tallybook_client.taker.models import Terms

_MEMBERS = {
    "maker": "address",
    "principal": "address",
    "isBuy": "bool",
    "ticker": "string",
    "exchange": "uint16",
    "asset": "address",
    "price": "uint256",
    "quantity": "uint256",
    "incentive": "uint256",
    "deadline": "uint256",
    "nonce": "uint256",
}
_TYPES = {"Order": [{"name": name, "type": kind} for name, kind in _MEMBERS.items()]}


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of an instance, as ``tallybook taker-desk show`` prints it (K39)."""

    chain_id: int
    verifying_contract: str
    name: str = "RFQSettlement"
    version: str = "1"


@dataclass(frozen=True, slots=True)
class Wallet:
    """A private key (``0x`` and 64 hexadecimal digits) that signs for one instance's domain."""

    private_key: str = field(repr=False)
    domain: Domain

    @property
    def address(self) -> str:
        """The wallet's address with its checksum."""
        return str(_account().from_key(self.private_key).address)

    def signature_of(self, terms: Terms) -> str:
        """Return the wallet's signature of an order (K32)."""
        from eth_account.messages import encode_typed_data

        domain = {
            "name": self.domain.name,
            "version": self.domain.version,
            "chainId": self.domain.chain_id,
            "verifyingContract": self.domain.verifying_contract.lower(),
        }
        signed = {name: getattr(terms, "is_buy" if name == "isBuy" else name) for name in _MEMBERS}
        signed |= {name: signed[name].lower() for name, kind in _MEMBERS.items() if kind == "address"}
        return self._signed(encode_typed_data(domain, _TYPES, signed))

    def signature_of_text(self, text: str) -> str:
        """Return the wallet's personal_sign of a text."""
        from eth_account.messages import encode_defunct

        return self._signed(encode_defunct(text=text))

    def _signed(self, message: Any) -> str:
        return "0x" + bytes(_account().sign_message(message, self.private_key).signature).hex()


def _account() -> Any:
    """Return eth-account's Account. Importing it raises the recursion limit; this puts it back."""
    limit = sys.getrecursionlimit()
    try:
        from eth_account import Account
    except ImportError as error:
        raise ImportError("a wallet needs eth-account: pip install 'tallybook-client[wallet]'") from error
    finally:
        sys.setrecursionlimit(limit)
    return Account
