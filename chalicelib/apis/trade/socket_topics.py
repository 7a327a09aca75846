"""Topics of the trade desk's WebSocket: which messages the events of logs give (docs/trade-desk.md, "WebSocket")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.figures import STATUS_WORDS, side_word, type_word
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.market import LEVELS_DEFAULT, public_trade_view
from chalicelib.apis.trade.pairs import Market, Pairs
from chalicelib.apis.trade.socket_balances import BalanceMessages
from chalicelib.apis.trade.socket_depth import LEVELS_A_MESSAGE, delta_views, depth_view
from chalicelib.apis.trade.socket_events import (
    events_in,
    fill_of,
    filled_of,
    fills_within,
    notional_of,
    price_then,
    trade_of,
)
from chalicelib.apis.trade.tickers import ticker_of
from chalicelib.apis.trade.views import trade_view
from chalicelib.domain.books.orders import OrderRow
from chalicelib.domain.books.vocabulary import OrderStatus
from chalicelib.domain.feed.cursor import Place, behind
from chalicelib.domain.feed.event import PUBLIC, FeedEvent
from chalicelib.domain.feed.logs import book_log
from chalicelib.domain.feed.subscription import Subscription
from chalicelib.domain.ledger.amounts import unit
from chalicelib.services.books.market_data import MarketData
from chalicelib.services.books.reading import BooksReading
from chalicelib.services.push.desk import Body, News
from chalicelib.services.push.recent import Entry
from chalicelib.services.push.states import Depths, Projected, changes_of
from chalicelib.support.bounded_cache import BoundedCache
from chalicelib.support.canonical import exact, quoted
from chalicelib.support.clock import iso

MARKETS_MAX, NOTIONALS_MAX = 1000, 10_000


class Topic(StrEnum):
    """The names of topics, without their pair."""

    TRADE = "trade"
    TICKER = "ticker"
    DEPTH = "orderbook/level_2"
    DEPTH_DELTA = "orderbook/level_2_delta"
    USER_TRADES = "user_trades"
    BALANCE = "balance"
    ORDER_STATUS = "order_status"

    @property
    def is_private(self) -> bool:
        return self in (Topic.USER_TRADES, Topic.BALANCE, Topic.ORDER_STATUS)

    @property
    def repeats(self) -> bool:
        """Whether its messages show a state, and are sent again from time to time."""
        return self in (Topic.TICKER, Topic.DEPTH)


ORDER_STATUSES = {
    "order.accepted": OrderStatus.OPEN,
    "order.triggered": OrderStatus.OPEN,
    "order.partially_filled": OrderStatus.PARTIALLY_FILLED,
    "order.filled": OrderStatus.FILLED,
    "order.cancelled": OrderStatus.CANCELLED,
    "order.expired": OrderStatus.EXPIRED,
    "order.rejected": OrderStatus.REJECTED,
    "order.amended": OrderStatus.OPEN,
}


SHOWN_BY = {
    Topic.TICKER: ("depth.changed", "trade.executed", "book.changed", "book.halted", "book.resumed"),
    Topic.DEPTH: ("depth.changed", "trade.executed"),
}
"""The events that change what a topic of a book's state shows."""


def topic_of(name: str) -> Topic:
    return Topic(name.partition("@")[0])


@dataclass(frozen=True, slots=True)
class TradeTopics:
    """Builds messages (``push.broadcasting.Desk``).

    admits: whether a token of an instance, by its id, may read. clock_ms: Unix ms, which tickers show. notionals: what
    an order's fills came to, by its id and its filled quantity.
    """

    sends_heartbeats = False

    pairs: Pairs
    reading: BooksReading
    balances: BalanceMessages
    market_data: MarketData
    depths: Depths
    projected: Projected
    admits: Callable[[str, str], bool]
    clock_ms: Callable[[], int]
    markets: BoundedCache[tuple[str, str], Market]
    notionals: BoundedCache[tuple[str, int], int]

    def text(self, subscription: Subscription, body: Body, cursor: str) -> bytes:
        envelope = exact({"id": subscription.next_id, "topic": subscription.name, "timestamp": body.at_ms})
        return f'{envelope[:-1]},"body":{body.text},"cursor":{quoted(cursor)}}}'.encode()

    def lets(self, subscription: Subscription) -> bool:
        """Return whether the token behind a private topic is still good (R52)."""
        return not subscription.credential or self.admits(subscription.instance, subscription.credential)

    def waits(self, subscription: Subscription) -> bool:
        """Return whether its messages show what is projected: balances, and the day's trades."""
        return topic_of(subscription.name) in (Topic.ORDER_STATUS, Topic.BALANCE, Topic.TICKER)

    def bodies(self, subscription: Subscription, news: News) -> dict[str, list[Body]]:
        """Return the messages of entries of logs. What shows a state is sent once, as of the last entry."""
        if topic_of(subscription.name) is Topic.BALANCE:
            return self.balances.bodies(subscription, news)
        return {log: list(self._bodies_of(subscription, log, entries)) for log, entries in news.items()}

    def _bodies_of(self, subscription: Subscription, log: str, entries: Sequence[Entry]) -> Iterable[Body]:
        match topic_of(subscription.name):
            case Topic.TRADE:
                return self._trades(subscription, entries)
            case Topic.USER_TRADES:
                return self._user_trades(subscription, entries)
            case Topic.ORDER_STATUS:
                return self._order_statuses(subscription, entries)
            case Topic.DEPTH_DELTA:
                return self._deltas(subscription, log, entries)
            case _:
                changed = [entry for entry in entries if _shows(entry, SHOWN_BY[topic_of(subscription.name)])]
                return [self.state(subscription, changed[-1].place, _at_ms(changed[-1]))] if changed else []

    def state(self, subscription: Subscription, place: Place | None = None, at_ms: int | None = None) -> Body:
        """Return the message that shows the state of a book topic as of a place; None: the end of its journal."""
        market, log = self._own_market(subscription), book_log(_own_book(subscription))
        if place is None:
            depth, place = self.depths.newest(market.book)
        else:
            depth = self.depths.at(market.book, log, place.sequence)
        at_ms = self.clock_ms() if at_ms is None else at_ms
        if topic_of(subscription.name) is Topic.TICKER:
            self.projected.wait(subscription.instance, market.book.book_id, depth.sequence)
            self.markets.forget((subscription.instance, market.book.book_id))  # it may have paused since
            (market,) = self.pairs.with_halts([self._own_market(subscription)], at_ms)
            day = self.market_data.days([market.key], at_ms)[market.key]
            return Body(place, at_ms, exact(ticker_of(market, day, at_ms)))
        levels = LEVELS_DEFAULT if topic_of(subscription.name) is Topic.DEPTH else LEVELS_A_MESSAGE
        return Body(place, at_ms, exact(depth_view(depth, market, levels, at_ms)))

    def _trades(self, subscription: Subscription, entries: Sequence[Entry]) -> Iterator[Body]:
        for entry, event in events_in(entries, "trade.executed", (PUBLIC,)):
            trade = trade_of(event)
            yield _body(entry, event, public_trade_view(trade, self._own_market(subscription)))

    def _user_trades(self, subscription: Subscription, entries: Sequence[Entry]) -> Iterator[Body]:
        for entry, event in events_in(entries, "fill.created", subscription.subjects):
            market = self._market(subscription.instance, str(event.body["bookId"]))
            if market is not None:
                yield _body(entry, event, trade_view(fill_of(entry, event), market))

    def _order_statuses(self, subscription: Subscription, entries: Sequence[Entry]) -> Iterator[Body]:
        instance, receivers = subscription.instance, {*subscription.subjects}
        found = [
            (entry, event)
            for entry in entries
            for event in entry.events
            if event.type in ORDER_STATUSES and event.is_for(receivers)
        ]
        if not found:
            return
        last = found[-1][1]
        market = self._market(instance, str(last.body["bookId"]))  # entries of one log are of one book
        if market is None:
            return
        self.projected.wait(instance, market.book.book_id, last.sequence)
        ids = dict.fromkeys(str(event.body["orderId"]) for _, event in found)
        rows = self.reading.orders_by_id(instance, str(last.body["customerRef"]), ids)
        for entry, event in found:
            yield _body(entry, event, self._order_status(instance, entry, event, market, rows))

    def _order_status(
        self, instance: str, entry: Entry, event: FeedEvent, market: Market, rows: Mapping[str, OrderRow]
    ) -> dict[str, object]:
        """Return an order's body: its details from its row, what changes from the event."""
        order_id = str(event.body["orderId"])
        row = rows.get(order_id)
        if row is None:
            raise LookupError(f"{order_id} has events and no row")
        filled = filled_of(event)
        notional = self._notional(instance, entry, event, row)
        base, quote = market.decimals.base, market.decimals.quote
        average = notional * unit(base) // filled if filled else None
        is_partly = event.type == "order.amended" and filled
        status = OrderStatus.PARTIALLY_FILLED if is_partly else ORDER_STATUSES[event.type]
        limit = price_then(entry, event, row.price)
        quantity = int(str(event.body["quantity"]))
        price = limit if limit is not None else average or 0
        return {
            "id": shown(order_id),
            "status": STATUS_WORDS[status],
            "type": type_word(row.order_type),
            "side": side_word(row.side),
            "pair": market.pair,
            "price": dec(price, quote),
            "amount": dec(quantity, base),
            "executed_amount": dec(filled, base),
            "remaining_amount": dec(quantity - filled, base),
            **({} if average is None else {"average_execution_price": dec(average, quote)}),
            **({} if row.external_id is None else {"external_id": row.external_id}),
            "user_id": row.customer,
            "created_at": iso(row.created_at_ms),
            "updated_at": iso(event.at_ms),
            **({} if row.stop_price is None else {"stop_price": dec(row.stop_price, quote)}),
            **({} if row.distance is None else {"distance": dec(row.distance, quote)}),
        }

    def _notional(self, instance: str, entry: Entry, event: FeedEvent, row: OrderRow) -> int:
        """Return what an order's fills came to by an event. Fills of earlier entries are read unless they are known."""
        order_id, filled = row.order_id, filled_of(event)
        filled_before, fills = fills_within(entry, event)
        notional = self.notionals.get((order_id, filled_before)) if filled_before else 0
        if notional is None:
            kept = reversed(self.reading.fills_of_order(instance, row))
            notional = notional_of(((fill.quantity, fill.notional) for fill in kept), filled_before)
        notional += notional_of(fills, filled - filled_before)
        self.notionals.set((order_id, filled), notional)
        return notional

    def _deltas(self, subscription: Subscription, log: str, entries: Sequence[Entry]) -> Iterator[Body]:
        changing = [entry for entry in entries if _shows(entry, ("depth.changed",))]
        if not changing:
            return
        market, begins = self._own_market(subscription), subscription.cursor.place(subscription.instance, log).sequence
        depth = self.depths.left(market.book, begins) or self.depths.at(market.book, log, changing[0].sequence - 1)
        for entry in changing:
            depth.move([entry], entry.sequence)
            *others, last = delta_views(depth, changes_of(entry), market, _at_ms(entry))
            for view in others:
                yield Body(entry.place, _at_ms(entry), exact(view), goes_on=True)
            yield Body(entry.place, _at_ms(entry), exact(last))
        self.depths.leave(market.book, entries[-1].sequence, depth)

    def _own_market(self, subscription: Subscription) -> Market:
        market = self._market(subscription.instance, _own_book(subscription))
        if market is None:
            raise LookupError(f"{subscription.book_id} is no longer served")
        return market

    def _market(self, instance: str, book_id: str) -> Market | None:
        market = self.markets.get((instance, book_id)) or self.pairs.of_book(instance, book_id)
        if market is not None:
            self.markets.set((instance, book_id), market)
        return market


def _own_book(subscription: Subscription) -> str:
    return str(subscription.book_id)


def _shows(entry: Entry, types: tuple[str, ...]) -> bool:
    return any(event.type in types for event in entry.events)


def _at_ms(entry: Entry) -> int:
    return entry.events[0].at_ms


def _body(entry: Entry, event: FeedEvent, value: object) -> Body:
    return Body(behind(event, event is entry.events[-1]), event.at_ms, exact(value))
