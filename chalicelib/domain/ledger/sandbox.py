"""Sandbox assets: each token has one of its own, so that play money is never the token's.

Such an asset is named by its token's address behind a word that no address begins with. No request that names a token
by its address can be about it: what is deposited in a sandbox cannot be moved to a customer who trades.
"""

from __future__ import annotations

_PREFIX = "sandbox:"


def sandbox_asset(token_address: str) -> str:
    """Return the sandbox's asset of a token.

    >>> sandbox_asset("0xe5"), is_of_sandbox(sandbox_asset("0xe5")), is_of_sandbox("0xe5")
    ('sandbox:0xe5', True, False)
    """
    return f"{_PREFIX}{token_address}"


def is_of_sandbox(asset: str) -> bool:
    return asset.startswith(_PREFIX)


def token_address(asset: str) -> str:
    """Return the address of an asset's token, from which a sandbox's asset has its decimals.

    >>> token_address("sandbox:0xe5"), token_address("0xe5")
    ('0xe5', '0xe5')
    """
    return asset.removeprefix(_PREFIX)
