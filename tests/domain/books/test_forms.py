"""Events as canonical JSON: what is formatted by hand is what sorting and encoding gives, and it is read back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.books.book import Book
from chalicelib.domain.books.events import (
    Accepted,
    BookChanged,
    CancelAllBegun,
    CancelAllEnded,
    CancelRefused,
    Closed,
    Event,
    Rested,
    Traded,
)
from chalicelib.domain.books.forms import decode, encode, encode_order, order_text
from chalicelib.domain.books.levels import opened
from chalicelib.domain.books.vocabulary import (
    BookRules,
    BookStatus,
    BookTerms,
    CloseReason,
    OrderStatus,
    OrderType,
    PlaceOrder,
    SelfTradePrevention,
    TimeInForce,
)
from chalicelib.domain.ledger.amounts import Side
from chalicelib.support.canonical import canonical

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
"""Any text that UTF-8 can write: quotes, backslashes, control characters and line separators among them."""
AMOUNTS = st.integers(0, 10**38)
ORDERS = st.builds(
    PlaceOrder,
    TEXTS,
    TEXTS,
    st.sampled_from(Side),
    st.sampled_from(OrderType),
    st.sampled_from(TimeInForce),
    st.none() | AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    st.booleans(),
    st.none() | AMOUNTS,
    st.none() | TEXTS,
    st.none() | st.integers(0, 2**45),
)
PRICED = ORDERS.filter(lambda order: order.price is not None)
TERMS = st.builds(
    BookTerms,
    st.integers(0, 99),
    st.sampled_from(BookStatus),
    st.integers(0, 10**4),
    st.integers(0, 10**4),
    st.sampled_from(SelfTradePrevention),
    AMOUNTS,
    AMOUNTS,
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Accepted, ORDERS),
    st.builds(Traded, ORDERS, ORDERS, *[AMOUNTS] * 8),
    st.builds(Rested, PRICED, AMOUNTS),
    st.builds(Closed, ORDERS, st.sampled_from(OrderStatus), st.sampled_from(CloseReason), AMOUNTS, AMOUNTS),
    PRICED.flatmap(
        lambda order: st.builds(
            Closed,
            st.just(order),
            st.sampled_from(OrderStatus),
            st.sampled_from(CloseReason),
            AMOUNTS,
            AMOUNTS,
            st.just(order.price),
        )
    ),
    st.builds(CancelRefused, TEXTS, TEXTS),
    st.builds(CancelAllBegun, TEXTS, TEXTS),
    st.builds(CancelAllEnded, TEXTS, TEXTS, st.integers(0, 10**6)),
    st.builds(BookChanged, TEXTS, TERMS),
)


@given(ORDERS)
def test_an_orders_text_is_its_plain_data_in_canonical_json(order: PlaceOrder) -> None:
    assert order_text(order) == canonical(encode_order(order))


@given(EVENTS)
def test_an_events_text_is_canonical_and_read_back(event: Event) -> None:
    """``test_journal.py`` has the names of the members."""
    text = encode(event)
    assert text == canonical(json.loads(text))

    book = Book(BookRules())
    match event:
        case Traded(maker, taker):
            if maker.order_id == taker.order_id or maker.side is taker.side:
                return  # no book has such a trade
            orders = (maker, taker)
        case Closed(order, level=None):
            orders = ()
            book.incoming = opened(order)
        case Rested(order) | Closed(order):
            orders = (order,)
        case _:
            orders = ()
    book.resting = {order.order_id: opened(order) for order in orders}
    assert decode(json.loads(text), book) == event
