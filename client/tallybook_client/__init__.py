"""A typed client of Tallybook's four desks.

| desk | class | credential |
| --- | --- | --- |
| book | ``BookDesk`` | an API key |
| trade | ``TradeDesk``; ``public_market`` | a token and its secret; none |
| taker | ``TakerDesk``; ``MakerDesk`` | an API key, and its secret; a wallet |
| escrow | ``EscrowDesk``; ``EscrowOperator`` | a merchant's secret key; an operator's key |
"""

from __future__ import annotations

from tallybook_client.book import BookDesk
from tallybook_client.errors import ApiError, OutcomeUnknown, TallybookError, TlsFailed, Unreachable, Unreadable
from tallybook_client.escrow import EscrowDesk, EscrowOperator
from tallybook_client.feed import START, Event, Feed
from tallybook_client.taker import MakerDesk, TakerDesk
from tallybook_client.trade import TradeDesk, public_market
from tallybook_client.transport import Retries

__all__ = [
    "START",
    "ApiError",
    "BookDesk",
    "EscrowDesk",
    "EscrowOperator",
    "Event",
    "Feed",
    "MakerDesk",
    "OutcomeUnknown",
    "Retries",
    "TakerDesk",
    "TallybookError",
    "TlsFailed",
    "TradeDesk",
    "Unreachable",
    "Unreadable",
    "public_market",
]
