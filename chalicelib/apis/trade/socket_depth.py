"""Depths in messages of the trade desk's WebSocket: whole, and what an entry changes.

API Gateway sends messages of 128 KiB at most. A level takes 100 bytes at most, so LEVELS_A_MESSAGE of each side fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.apis.trade.market import LEVELS_DEFAULT, depth_hash, level_view
from chalicelib.apis.trade.pairs import Market
from chalicelib.domain.ledger.amounts import Side
from chalicelib.services.push.states import Change, DepthAt

LEVELS_A_MESSAGE = 600


def depth_view(depth: DepthAt, market: Market, levels: int, at_ms: int) -> dict[str, object]:
    """Return the best levels of each side. at_ms: of the message."""
    bids, asks = depth.best(levels)
    return {
        "timestamp": at_ms,
        "sequence": depth.sequence,
        "asks": [level_view(*level, market.decimals) for level in asks],
        "bids": [level_view(*level, market.decimals) for level in bids],
        "hash": depth_hash(bids, asks, market.decimals),
    }


def delta_views(depth: DepthAt, changes: Sequence[Change], market: Market, at_ms: int) -> list[dict[str, object]]:
    """Return the levels that an entry changed, with their amounts after it (0: the level is gone), in as many messages
    as they need. depth: as of the entry, which the hash of each message is of.
    """

    def changed(side: Side) -> list[dict[str, Any]]:
        prices = [price for one, price, _ in changes if one is side]
        return [level_view(price, depth.quantity(side, price), market.decimals) for price in prices]

    asks, bids = changed(Side.SELL), changed(Side.BUY)
    found = depth_hash(*depth.best(LEVELS_DEFAULT), market.decimals)
    return [
        {
            "timestamp": at_ms,
            "sequence": depth.sequence,
            "asks": asks[first : first + LEVELS_A_MESSAGE],
            "bids": bids[first : first + LEVELS_A_MESSAGE],
            "hash": found,
        }
        for first in range(0, max(len(asks), len(bids)), LEVELS_A_MESSAGE)
    ]
