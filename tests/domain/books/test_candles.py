"""Candles: what trades come to, minute by minute, hour by hour and day by day, however the entries are folded."""

from __future__ import annotations

import json
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.books.candles import Candle, Finished, Market, Period, Trade, market_of, total_of

amounts = st.integers(1, 10**38)
entries = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000, 10**9]),
        st.lists(st.builds(Trade, amounts, amounts, amounts), max_size=3),
    ),
    max_size=30,
)
"""Time since the entry before, and trades."""


def folded(given_entries: list[tuple[int, list[Trade]]], market: Market) -> list[Finished]:
    finished, at_ms = list[Finished](), 1_736_937_000_000
    for sequence, (gap_ms, trades) in enumerate(given_entries, 1):
        at_ms += gap_ms
        if sequence > market.sequence:
            finished += market.fold(sequence, at_ms, trades)
    return finished


def naive(given_entries: list[tuple[int, list[Trade]]], period: Period) -> list[Candle]:
    """Return all candles, the last one too, straight from the trades."""
    at_ms, spans = 1_736_937_000_000, defaultdict[int, list[Trade]](list)
    for gap_ms, trades in given_entries:
        at_ms += gap_ms
        spans[at_ms // period.length_ms * period.length_ms] += trades
    return [
        Candle(
            start_ms,
            trades[0].price,
            max(trade.price for trade in trades),
            min(trade.price for trade in trades),
            trades[-1].price,
            sum(trade.quantity for trade in trades),
            sum(trade.notional for trade in trades),
            len(trades),
        )
        for start_ms, trades in sorted(spans.items())
        if trades
    ]


@given(entries)
def test_candles_are_those_of_the_trades_each_finished_once(given_entries: list[tuple[int, list[Trade]]]) -> None:
    market = Market()
    finished = folded(given_entries, market)
    for period in Period:
        open_ = [market.open[period]] if period in market.open else []
        assert [candle for of, candle in finished if of is period] + open_ == naive(given_entries, period)
    assert market.sequence == len(given_entries)
    trades = [trade for _, of_entry in given_entries for trade in of_entry]
    assert market.last == (trades[-1].price if trades else None)


@given(entries, st.integers(0, 30))
def test_a_market_that_was_written_down_goes_on_as_if_it_had_not_been(
    given_entries: list[tuple[int, list[Trade]]], stop: int
) -> None:
    whole, first = Market(), Market()
    at_once = folded(given_entries, whole)
    before = folded(given_entries[:stop], first)
    read = market_of(first.sequence, json.loads(json.dumps(first.as_data())))
    assert read == first
    assert before + folded(given_entries, read) == at_once
    assert read == whole


def test_nothing_comes_to_no_candle() -> None:
    assert total_of([]) is None
