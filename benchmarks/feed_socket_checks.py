"""Checks of the feed benchmark: what each subscriber by WebSocket was told, compared with the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.feed_checks import Kept, named
from benchmarks.feed_depth import Market
from benchmarks.feed_socket import DELTA, TRADE, SocketTold, TopicTold
from chalicelib.apis.trade.decimals import dec
from chalicelib.apis.trade.figures import STATUS_WORDS
from chalicelib.apis.trade.ids import shown
from chalicelib.apis.trade.socket_topics import ORDER_STATUSES
from chalicelib.domain.feed.cursor import Cursor, cursor_of
from chalicelib.domain.feed.event import FeedEvent, customer_subject
from chalicelib.domain.feed.logs import book_log

REPEATED_PERCENT_MAX = 10
"""Messages of all subscribers that may come again under their id: faults, after which they do (R49), are few."""
Expected = list[tuple[str, str]]
"""Log and name of each message that a topic should have brought, in each log's order."""


@dataclass(frozen=True, slots=True)
class Asset:
    """address: the asset in the ledger."""

    address: str
    decimals: int


def socket_problems_of(
    kept: Kept, told: SocketTold, markets: Sequence[Market], assets: Mapping[str, Asset]
) -> list[str]:
    """Return what is wrong with what one subscriber received, one line each. assets: by currency code."""
    decimals = {market.book_id: market.base_decimals for market in markets}

    def status_name(event: FeedEvent) -> str:
        filled = dec(int(str(event.body.get("filledQuantity", "0"))), decimals[str(event.body["bookId"])]).text
        return f"{shown(str(event.body['orderId']))} {STATUS_WORDS[ORDER_STATUSES[event.type]]} {filled}"

    problems = [*told.faults]
    problems += [f"{told.doubles} doubles"] if told.doubles else []
    for market in markets:
        problems += _market_problems(kept, told, market)
    of_customer = frozenset({customer_subject(told.customer)})
    own = [event for event in kept.events if event.is_for(of_customer)]
    fills = [event for event in own if event.type == "fill.created"]
    problems += _topic_problems("user_trades", told, fills, _fill_name)
    problems += _topic_problems("order_status", told, [one for one in own if one.type in ORDER_STATUSES], status_name)
    problems += _balance_problems(kept, told, assets)
    return [f"{told.customer} by WebSocket: {problem}" for problem in problems]


def repeats(by_socket: Sequence[SocketTold]) -> list[str]:
    """Return a line if more messages came again under their ids than faults explain."""
    repeated, messages = (sum(one.repeated for one in by_socket), sum(one.messages for one in by_socket))
    is_more = repeated * 100 > messages * REPEATED_PERCENT_MAX
    return [f"{repeated} of {messages} messages came again under their ids, as doubles"] if is_more else []


def _market_problems(kept: Kept, told: SocketTold, market: Market) -> Iterator[str]:
    log = book_log(market.book_id)
    events = [event for event in kept.events if event.log == log]
    trades = [event for event in events if event.type == "trade.executed"]
    yield from _topic_problems(f"{TRADE}@{market.pair}", told, trades, lambda event: shown(str(event.body["tradeId"])))
    if log not in told.snapshots:
        yield f"no snapshot of {market.pair}"
        return
    snapshot, (_, *deltas) = told.snapshots[log], told.topics[f"{DELTA}@{market.pair}"].names
    changes = [event.sequence for event in events if event.type == "depth.changed" and event.sequence > snapshot]
    yield from _list_problems(f"{DELTA}@{market.pair}", [(log, str(number)) for number in changes], deltas)
    for (of_log, sequence), digest in kept.depths.items():
        is_passed = of_log == log and changes and snapshot < sequence < changes[-1]
        if is_passed and told.depths.get((log, sequence)) != digest:
            yield f"the book of {log} differs at {sequence}"


def _fill_name(event: FeedEvent) -> str:
    return f"{shown(str(event.body['tradeId']))} {event.body['role']}"


def _topic_problems(
    name: str, told: SocketTold, events: Sequence[FeedEvent], name_of: Callable[[FeedEvent], str]
) -> Iterator[str]:
    """Compare a topic with the events that it shows, from where it was first subscribed."""
    topic = told.topics.get(name, TopicTold())
    if not topic.begun:
        yield f"{name} was not subscribed"
        return
    begun = cursor_of(topic.begun)
    shows = [event for event in events if _is_behind(event, begun)]
    yield from _list_problems(name, [(event.log, name_of(event)) for event in shows], topic.names)


def _is_behind(event: FeedEvent, begun: Cursor) -> bool:
    """Return whether an event comes after a cursor's place in its log."""
    place = begun.place(event.instance, event.log)
    return (event.sequence, event.part) >= (place.sequence + 1, place.part)


def _list_problems(topic: str, expected: Expected, received: Sequence[str]) -> Iterator[str]:
    log_of = {name: log for log, name in expected}
    yield from named(f"gaps: {topic} did not bring", log_of.keys() - set(received))
    yield from named(f"{topic} brought what no log has:", set(received) - log_of.keys())
    came = sorted((name for name in received if name in log_of), key=log_of.__getitem__)
    due = [name for _, name in sorted(expected, key=lambda one: one[0]) if name in set(received)]
    if came != due:
        yield f"{topic} has disorders"


def _balance_problems(kept: Kept, told: SocketTold, assets: Mapping[str, Asset]) -> Iterator[str]:
    topic = told.topics["balance"]
    if not topic.begun:
        yield "balance was not subscribed"
        return
    begun = cursor_of(topic.begun)
    changed = {
        event.body["asset"]
        for event in kept.events
        if event.type == "balance.changed"
        and event.is_for(frozenset({customer_subject(told.customer)}))
        and _is_behind(event, begun)
    }
    for code, asset in assets.items():
        if asset.address in changed:
            amounts = kept.balances[told.customer, asset.address]
            received = [int(Decimal(text).scaleb(asset.decimals)) for text in told.balances.get(code, ())]
            if received != list(amounts):
                yield f"has {amounts} of {code}, was told {received}"
