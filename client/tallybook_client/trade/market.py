"""Market data of the trade desk: the same to everybody under ``/trade/public``, and to a customer by its token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tallybook_client.paging import by_cursor
from tallybook_client.trade.envelope import error_of
from tallybook_client.trade.models import Currency, Depth, MarketTrade, Pair, Ticker
from tallybook_client.transport import Session, path_of, query_of
from tallybook_client.wire import Members, member_of

MOUNT = "/trade"
PAGE_SIZE_MAX = 1000


@dataclass(frozen=True, slots=True)
class Paths:
    """Where market data is."""

    trades: str
    level_2: str
    level_3: str
    tickers: str
    pairs: str
    currencies: str


PUBLIC = Paths(
    *(
        f"{MOUNT}/public/{name}"
        for name in ("trades", "orders/level-2", "orders/level-3", "tickers", "pairs", "currencies")
    )
)
PRIVATE = Paths(
    *(
        f"{MOUNT}/{name}"
        for name in ("trades", "book/orders/level-2", "book/orders/level-3", "ticker", "pairs", "currencies")
    )
)


@dataclass(frozen=True, slots=True)
class Market:
    """``desk.market``: trades, depth, tickers, pairs and currencies."""

    _session: Session
    _paths: Paths

    def trades(
        self,
        pair: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[MarketTrade]:
        """Yield a pair's trades, newest first, of six months at most (R17)."""
        asked = {"pair": pair, "start_time": since, "end_time": until}
        return by_cursor(self._session, self._paths.trades, asked, "trades", list[MarketTrade], PAGE_SIZE_MAX, limit)

    def depth(self, pair: str, limit: int | None = None) -> Depth:
        """Return the open amount by price; limit: levels a side, 100, at most 1000 (R33)."""
        return self._session.get(self._paths.level_2, Depth, query_of(pair=pair, limit=limit))

    def orders(self, pair: str, limit: int | None = None) -> Depth:
        """Return the resting orders, by price and time; limit: orders a side, 100, at most 250 (R58)."""
        return self._session.get(self._paths.level_3, Depth, query_of(pair=pair, limit=limit))

    def tickers(self) -> list[Ticker]:
        """Return every pair's last 24 hours."""
        return self._session.get(self._paths.tickers, list[Ticker])

    def ticker(self, pair: str) -> Ticker:
        """Return a pair's last 24 hours. Raises NotFound."""
        return self._session.get(path_of(f"{self._paths.tickers}/{{pair}}", pair=pair), Ticker)

    def pairs(self, pair: str | None = None) -> list[Pair]:
        """Return all pairs and their bounds, or one."""
        return self._session.get(self._paths.pairs, list[Pair], query_of(pair=pair))

    def currencies(self, codes: Sequence[str] = ()) -> list[Currency]:
        """Return the tokens, or these ones."""
        return self._session.get(self._paths.currencies, list[Currency], query_of(currency_code=codes))


class PublicMarket(Market):
    """Market data without a token: of the public instance (R3)."""

    __slots__ = ()

    def server_time(self) -> datetime:
        """Return the time of the service, for comparing clocks."""
        now = member_of(self._session.get(f"{MOUNT}/public/server-time", Members), "timestamp", int)
        return datetime.fromtimestamp(now / 1000, UTC)


def public_market(base_url: str, **options: Any) -> PublicMarket:
    """Return market data without a token: of the public instance (R3)."""
    return PublicMarket(Session(base_url, lambda _: {}, error_of, **options), PUBLIC)
